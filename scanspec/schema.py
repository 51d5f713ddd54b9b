"""The JSON Schema of a scan file in lodescan's spelling, made from the keys. Editors use it."""

from __future__ import annotations

from typing import Any

from scanspec import keys
from scanspec.keys import MAY_BE_EMPTY, Keys
from scanspec.likelihoods import Kind
from scanspec.settings import TYPES
from scanspec.terms import TermKind
from scanspec.variables import PRIOR_NAMES

Schema = dict[str, Any]

NUMBER: Schema = {"type": ["number", "string"]}
"""A number, a number that YAML reads as a text (such as 1e5), or an expression."""

NUMBERS: Schema = {"anyOf": [NUMBER, {"type": "array", "items": {"anyOf": [NUMBER, {"type": "array"}]}}]}
BOOLEAN: Schema = {"type": ["boolean", "string", "integer"]}


def schema() -> Schema:
    """The schema of a whole file. Keys that lodescan does not know are errors."""
    observable = _either(_section(keys.OBSERVABLE, scaling=_words(kind.value for kind in Kind)), {"type": "null"})
    prior = _either(_words(PRIOR_NAMES), _section(keys.PRIOR, type=_words(PRIOR_NAMES)))
    variable = _either(NUMBERS, _section(keys.VARIABLE, prior=prior, type={"type": "string"}))
    code = _section(
        keys.CODE,
        observables=_named(observable),
        success=_section(keys.SUCCESS),
        invalid_when=_section(keys.INVALID_WHEN),
        flavio=_section(keys.FLAVIO),
        umbridge=_section(keys.UMBRIDGE),
    )
    code["additionalProperties"] = {"type": "object"}  # a kind of code that another package defines
    term = _section(
        keys.TERM,
        sigma=_either(NUMBERS, _section(keys.SIGMA)),
        scaling=_words(kind.value for kind in TermKind if kind is not TermKind.UNKNOWN),
    )
    fitting = _section(
        keys.FITTING,
        variables=_named(variable),
        observables=_named(_either(NUMBERS, _section(keys.FITTING_OBSERVABLE))),
        options=_section(keys.FITTING_OPTIONS),
    )
    sections = _section(
        keys.SECTIONS,
        setup=_section(keys.SETUP, type={"enum": list(TYPES)}),
        variables=_named(variable),
        codes=_named(code),
        observables=_named(observable),
        likelihoods=_named(term),
        fitting=fitting,
        networks=_section(keys.NETWORKS, threshold_value=_either(NUMBERS, _section(keys.THRESHOLD))),
        plotting=_section(keys.PLOTTING, plots=_named(_section(keys.PLOT))),
    )
    about = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A scan file of lodescan"}
    return about | sections


def _section(known: Keys, **special: Schema) -> Schema:
    """An object with these keys; `special` holds the schemas of keys that are not plain numbers or booleans."""
    properties: Schema = {}
    for name in known.known:
        plain = NUMBERS if name in known.numbers else BOOLEAN if name in known.booleans else {}
        found = special.get(name, plain)
        properties[name] = _either(found, {"type": "null"}) if found and name in MAY_BE_EMPTY else found
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _named(entry: Schema) -> Schema:
    """An object whose keys are the user's own names."""
    return {"type": "object", "additionalProperties": entry}


def _either(*some: Schema) -> Schema:
    return {"anyOf": list(some)}


def _words(allowed: Any) -> Schema:
    """One of these words. They are only examples, because the reader of the file accepts other spellings, such as
    another case.
    """
    return {"type": "string", "examples": list(allowed)}
