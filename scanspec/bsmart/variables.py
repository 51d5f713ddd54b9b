"""Translates variables of BSMArt: its names of priors, polar angles in degrees, and grids as Python expressions."""

from __future__ import annotations

import math
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from scanspec.bsmart.grids import read_grid
from scanspec.bsmart.spellings import PRIOR, VARIABLE
from scanspec.bsmart.translator import Translator, hint_of_bsmart
from scanspec.document import ScanFileError, Section
from scanspec.numbers import to_number
from scanspec.plain import PlainMap
from scanspec.variables import PRIOR_NAMES, PriorKind

PRIORS = {
    "linear": PriorKind.UNIFORM,
    "interval": PriorKind.UNIFORM,
    "open": PriorKind.UNIFORM,
    "none": PriorKind.UNIFORM,
    "fixed": PriorKind.UNIFORM,
    "log": PriorKind.LOG_UNIFORM,
    "gauss": PriorKind.NORMAL,
    "symlinear": PriorKind.SYMMETRIC,
    "symlog": PriorKind.SYMMETRIC_LOG,
    "sin": PriorKind.SINE,
}
"""BSMArt's names of priors, in lower case. All that map to UNIFORM draw uniformly from RANGE in BSMArt."""

_DERIVED = {
    "lognormal": "give its logarithm ln_x a normal prior and make it the derived variable exp(ln_x)",
    "exp": "give u the range [exp(sigma*low), exp(sigma*high)] and make it the derived variable log(u)/sigma",
    "cauchy": "give u a range within (0, 1) and make it the derived variable mean + sigma*tan(pi*(u - 0.5))",
}
"""Priors of BSMArt that a derived variable can have exactly."""


def name_columns(translator: Translator, content: Any, path: str) -> Any:
    """Translates the section `variables` of a scan that evaluates the rows of a table. The names are columns, and grids
    are not read.

    BSMArt also accepts a list of names.
    """
    if isinstance(content, list):
        found = PlainMap(CommentedMap())
        for name in content:
            found.put(name, None, name)
        translator.say(f"{path}: a list of names is now a mapping")
        return found

    def one(value: Any, where: str) -> Any:
        if isinstance(value, str):
            translator.say(f"left out {where}: {value!r}, which has no meaning here")
            return None
        return translator.mapping(value, VARIABLE, where)

    return translator.entries(one)(content, path)


def translate_variables(translator: Translator, content: Any, path: str) -> Any:
    """Translates the section `variables`."""
    if not isinstance(content, CommentedMap):
        return content
    section, found = translator.section(content, path), PlainMap(content)
    for name, value in content.items():
        where = f"{path}: {name}"
        try:
            plain = _variable(translator, section, name, value, where)
        except ScanFileError as error:
            plain = error
        found.put(name, plain, name)
    return found


def _variable(translator: Translator, section: Section, name: Any, value: Any, where: str) -> Any:
    if isinstance(value, CommentedMap):
        found = translator.mapping(value, VARIABLE, where)
        raw = found.get("prior")
        if raw is not None and not isinstance(raw, ScanFileError):
            key = found.spelling("prior")
            entry = translator.section(value, where)
            found.put("prior", _prior(translator, entry, key, raw, f"{where}: {key}"), key)
            if _word_of(raw).lower() == "sin":
                _in_radians(translator, found, entry, where)
        return found
    if isinstance(value, str) and to_number(value) is None:
        plain, note = read_grid(section, str(name), value)
        translator.say(f"{where}: {value!r} is now {note}")
        if len(plain.get("values", ())) == 2 and value.strip()[0] in "([":
            translator.notes.append(f"{where}: {value!r} is a choice between two values; a range has no quotes")
        return plain
    return translator.value(VARIABLE, "range", value, where)


def _word_of(prior: Any) -> str:
    if not isinstance(prior, CommentedMap):
        return str(prior)
    return next((str(value) for key, value in prior.items() if PRIOR.plain(key) == "type"), "")


def _prior(translator: Translator, entry: Section, key: str, value: Any, where: str) -> Any:
    if isinstance(value, CommentedMap):
        found = translator.mapping(value, PRIOR, where)
        if "type" in found and not isinstance(found["type"], ScanFileError):
            of_type = found.spelling("type")
            inner = translator.section(value, where)
            found.put("type", _prior(translator, inner, of_type, found["type"], f"{where}: {of_type}"), of_type)
        return found
    word = str(value).lower()
    if how := _DERIVED.get(word):
        return entry.error(f"{value!r} is not a prior that lodescan has, but a function gives it: {how}", key)
    if word in PRIOR_NAMES or word in PRIORS:
        plain = (PRIOR_NAMES.get(word) or PRIORS[word]).value
        if plain != value:
            translator.say(f"{where}: {value} is now {plain}")
        return plain
    if hint := hint_of_bsmart(value, PRIOR_NAMES, PRIORS):
        return entry.error(f"{value!r} is not a prior that lodescan knows{hint}", key)
    return value


def _in_radians(translator: Translator, found: PlainMap, entry: Section, where: str) -> None:
    """Converts the range of SIN from degrees to radians. The prior's own bounds are merged into the range."""
    prior = found["prior"]
    ends = [to_number(end) for end in found["range"]] if isinstance(found.get("range"), list) else []
    bounds = (
        [to_number(prior.get(key, default)) for key, default in (("low", -math.inf), ("high", math.inf))]
        if isinstance(prior, PlainMap)
        else [-math.inf, math.inf]
    )
    numbers = [end for end in (*ends, *bounds) if end is not None]
    if len(ends) != 2 or len(numbers) != 4:
        return  # the reader reports it
    low, high = max(min(numbers[:2]), numbers[2]), min(max(numbers[:2]), numbers[3])
    key = found.spelling("range")
    if high <= 2 * math.pi:
        hint = f"[{low:g}, {high:g}] looks like radians; write prior: sine, which takes them"
        raise entry.error(f"{where}: BSMArt's prior SIN takes its range in degrees, but {hint}", key)
    if not 0 <= low <= high <= 180:
        raise entry.error(f"{where}: a polar angle lies in 0 to 180 degrees; change the range", key)
    radians = CommentedSeq([math.radians(low), math.radians(high)])
    radians.fa.set_flow_style()
    found.put("range", radians, key)
    found.put("prior", PriorKind.SINE.value, found.spelling("prior"))
    translator.say(f"{where}: the range of SIN, in degrees, is now in radians")
