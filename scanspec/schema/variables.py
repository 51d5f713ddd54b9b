"""JSON Schemas of a variable, and of the section `fitting`."""

from __future__ import annotations

from scanspec import keys
from scanspec.schema.values import (
    ABOVE_0,
    BOOLEAN,
    COUNT,
    FINITE,
    NUMBER,
    TEXT,
    WHOLE,
    YES,
    Schema,
    both,
    either,
    has,
    holds,
    lacks,
    list_of,
    named,
    number,
    section,
    when,
    words,
)
from scanspec.variables import MOST_VALUES, PRIOR_NAMES, PriorKind

RANGE = list_of(NUMBER, 2, 2) | {"description": "[low, high]"}
FINITE_RANGE = list_of(FINITE, 2, 2)
INTEGER = words(["integer"], any_case=True)


def variable() -> Schema:
    """A range, one number (a fixed variable), or a mapping."""
    return either(FINITE, FINITE_RANGE, _mapping())


def _mapping() -> Schema:
    normal, whole, other_kinds = _prior(PriorKind.NORMAL), holds("type", INTEGER), _other_priors()
    return section(
        keys.VARIABLE,
        {
            "range": RANGE,
            "prior": either(words(PRIOR_NAMES, any_case=True), _prior_mapping()),
            "type": words(["real", "integer"], any_case=True),
            "values": list_of(FINITE, 1, MOST_VALUES, uniqueItems=True) | {"description": "a list of numbers"},
            "periodic": BOOLEAN,
            "steps": COUNT,
            "unit": TEXT,
            "label": TEXT,
            "description": TEXT,
        },
        [
            when(
                has("values"), lacks("range", "type", "prior"), when({"not": either(normal, _bounds())}, has("range"))
            ),
            when(both({"not": normal}, lacks("values"), {"not": _bounds()}), holds("range", FINITE_RANGE)),
            when(both({"not": normal}, lacks("values", "range")), holds("prior", _FINITE_BOUNDS)),
            {"not": holds("prior", words(_names(PriorKind.NORMAL), any_case=True))},  # its constants need a mapping
            when(whole, {"not": other_kinds}),
            when(both(whole, lacks("prior")), holds("range", list_of(WHOLE))),
            when(holds("periodic", YES), both(lacks("values"), {"not": either(whole, other_kinds)})),
            when(both(_prior(PriorKind.LOG_UNIFORM), {"not": _bounds()}), holds("range", list_of(ABOVE_0))),
            when(
                both(_prior(PriorKind.SYMMETRIC_LOG), {"not": _bounds()}),
                holds("range", list_of(ABOVE_0, uniqueItems=True)),
            ),
            when(
                both(_prior(PriorKind.SYMMETRIC), {"not": _bounds()}),
                holds("range", list_of(number(0, finite=True), uniqueItems=True)),
            ),
            when(both(_prior(PriorKind.SINE), {"not": _bounds()}), holds("range", list_of(number(0, 3.1426)))),
        ],
    )


def _prior_mapping() -> Schema:
    normal = holds("type", words(_names(PriorKind.NORMAL), any_case=True))
    return section(
        keys.PRIOR,
        {
            "type": words(PRIOR_NAMES, any_case=True),
            "mean": NUMBER,
            "sigma": NUMBER,
            "low": NUMBER,
            "high": NUMBER,
        },
        [
            has("type"),
            when(normal, both(holds("mean", FINITE), holds("sigma", ABOVE_0)), lacks("mean", "sigma")),
        ],
    )


def _prior(kind: PriorKind) -> Schema:
    """The variable has a prior of this kind."""
    name = words(_names(kind), any_case=True)
    return holds("prior", either(name, {"type": "object", **holds("type", name)}))


_FINITE_BOUNDS: Schema = {"type": "object", **both(holds("low", FINITE), holds("high", FINITE))}


def _other_priors() -> Schema:
    """The variable has a prior that is not uniform."""
    return either(*(_prior(kind) for kind in PriorKind if kind is not PriorKind.UNIFORM))


def _bounds() -> Schema:
    """The prior itself may bound the variable."""
    return holds("prior", {"type": "object", "anyOf": [has("low"), has("high")]})


def _names(kind: PriorKind) -> list[str]:
    return [name for name, other in PRIOR_NAMES.items() if other is kind]


def fitting(one: Schema) -> Schema:
    """The section `fitting`. Its variables are of the schema `one`, and have a plain range."""
    different = {"uniqueItems": True}
    plain = both(
        one,
        {"type": ["array", "object"], **different, "properties": {"range": different}},
        lacks("values", "steps"),
        {"not": either(holds("periodic", YES), holds("type", INTEGER), _other_priors())},
    )
    target = section(keys.FITTING_OBSERVABLE, {"target": FINITE, "sigma": number(0, above=True)}, [has("target")])
    found = section(
        keys.FITTING,
        {
            "variables": named(when({"type": "object"}, plain, both(one, {"type": "array", **different}))),
            "observables": named(target),
            "method": TEXT,
            "options": section(
                keys.FITTING_OPTIONS, {"eps": number(0, 0.5, above=True), "max_evaluations": number(3, whole=True)}
            ),
        },
    )
    return found | {"if": {"minProperties": 1}, "then": both(*(holds(key, {"type": "object"}) for key in _NEEDED))}


_NEEDED = ("variables", "observables")


def mapped() -> Schema:
    """A mapping that says how many values the variable has."""
    return both({"type": "object"}, either(has("steps"), has("values"), holds("type", INTEGER)))


_ONE_VALUE: Schema = {"type": "array", "not": {"uniqueItems": True}}
FIXED = either({"type": ["number", "string"]}, _ONE_VALUE, both({"type": "object"}, holds("range", _ONE_VALUE)))
"""A variable with one value."""
