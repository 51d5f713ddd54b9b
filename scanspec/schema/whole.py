"""The JSON Schema of a whole scan file."""

from __future__ import annotations

from scanspec import keys
from scanspec.plotting import MOST_CONTOURS, SCALES, STRATEGIES
from scanspec.schema.addresses import address
from scanspec.schema.codes import OFF, OWN_KIND, code, codes
from scanspec.schema.likelihoods import term
from scanspec.schema.observables import SCORED, observable
from scanspec.schema.settings import has_type, networks, rules_by_type, setup
from scanspec.schema.values import (
    ABOVE_0,
    DEFINED,
    EXPRESSION,
    FINITE,
    NULL,
    TEXT,
    Schema,
    both,
    either,
    has,
    holds,
    list_of,
    named,
    number,
    ref,
    section,
    some_entry,
    when,
    words,
)
from scanspec.schema.variables import FIXED, fitting, mapped, variable

INDEX = r"^\s*([+-]?[0-9]{1,15}\s*(,\s*[+-]?[0-9]{1,15}\s*)*)?$"


def schema() -> Schema:
    """The schema of a whole file. Keys that lodescan does not know are errors."""
    defined = {
        **DEFINED,
        "own_kind": OWN_KIND,
        "address": address(),
        "observable": observable(ref("address")),
        "scored": SCORED,
        "code": code(ref("observable"), ref("address")),
        "variable": variable(),
    }
    about = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A scan file of lodescan"}
    return about | _sections() | {"$defs": defined}


def _sections() -> Schema:
    column = keys.RESERVED_COLUMNS
    return section(
        keys.SECTIONS,
        {
            "setup": setup(),
            "variables": named(either(ref("variable"), {}), column),  # a scan of a table needs no ranges
            "derived_variables": named(EXPRESSION, column),
            "blocks": _blocks(),
            "fitting": fitting(ref("variable")),
            "networks": networks(),
            "codes": codes(ref("code")),
            "observables": named(either(ref("observable"), NULL), column),
            "likelihoods": named(term(), column),
            "plotting": _plotting(ref("address")),
        },
        [
            both(*(holds(key, {"type": "object", "minProperties": 1}) for key in ("variables", "codes"))),
            when({"not": has_type("READ_CSV")}, both(_variables(ref("variable")), {"not": _variables(FIXED)})),
            when(has_type("GRID"), _variables(_steps())),
            when({"not": has_type("RANDOM", "SOBOL", "GRID", "READ_CSV")}, _scored()),
            *rules_by_type(),
        ],
    )


def _variables(one: Schema) -> Schema:
    return {"properties": {"variables": {"additionalProperties": one}}}


def _steps() -> Schema:
    """A variable whose number of values is known."""
    return either(FIXED, mapped())


def _scored() -> Schema:
    """At least one observable enters the likelihood."""
    of_a_code = both({"type": "object", "not": OFF}, holds("observables", some_entry(ref("scored"))))
    return either(
        holds("codes", some_entry(of_a_code)),
        holds("observables", some_entry(ref("scored"))),
        holds("likelihoods", {"type": "object", "minProperties": 1}),
    )


def _blocks() -> Schema:
    entries = {"type": "object", "propertyNames": {"pattern": INDEX}, "additionalProperties": EXPRESSION}
    found = named(entries)
    found["propertyNames"]["not"] = {"pattern": "^[dD][eE][cC][aA][yY]$"}
    return found


def _none_or(some: Schema, description: str) -> Schema:
    """The list, or an empty one."""
    return either({"type": "array", "maxItems": 0}, some, description=description)


def _at(place: int, item: Schema) -> Schema:
    """A list with this item at the place, from 0."""
    return {"type": "array", "minItems": place + 1, "prefixItems": [*({} for _ in range(place)), item]}


def _plotting(address_: Schema) -> Schema:
    ends = list_of(FINITE, 2, 2, uniqueItems=True)
    levels = list_of(FINITE, 1, MOST_CONTOURS, uniqueItems=True)
    log, positive = {"const": "log"}, list_of(ABOVE_0)
    plot = section(
        keys.PLOT,
        {
            "values": list_of(either(TEXT, address_), 2) | {"description": "[x, y], names or [BLOCK, [indices]]"},
            "labels": _none_or(list_of(TEXT, 2), "a list of two texts, for x and y"),
            "ranges": list_of(ends, 2, 2) | {"description": "[[low, high], [low, high]], for x and y"},
            "scaling": _none_or(list_of(words(SCALES), 2, 2), f"a list of two of {', '.join(SCALES)}"),
            "contours": either(number(1, MOST_CONTOURS, whole=True), levels, description="levels, or their number"),
        },
        [
            has("values"),
            when(has("contours"), {"properties": {"values": {"maxItems": 3, "minItems": 3}}}),
            *(when(holds("scaling", _at(k, log)), {"properties": {"ranges": _at(k, positive)}}) for k in (0, 1)),
        ],
    )
    return section(keys.PLOTTING, {"strategy": words(STRATEGIES), "plots": named(plot)})
