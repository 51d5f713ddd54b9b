"""JSON Schema of an observable."""

from __future__ import annotations

from scanspec import keys
from scanspec.likelihoods import NEEDS_MEAN_AND_SIGMA, Kind
from scanspec.schema.addresses import TABLES, of_block
from scanspec.schema.values import (
    ABOVE_0,
    BOOLEAN,
    COUNT,
    EXPRESSION,
    FINITE,
    NUMBER,
    TEXT,
    TEXTS,
    Schema,
    both,
    either,
    has,
    holds,
    lacks,
    list_of,
    number,
    section,
    when,
    words,
)

RANGE = list_of(NUMBER, 2, 2) | {"description": "[low, high]"}
FLAVIO = either(
    {"type": "string"},
    {"type": "array", "minItems": 1, "prefixItems": [{"type": "string"}], "items": FINITE},
    description="flavio's name, or [name, q2] or [name, q2min, q2max]",
)
UNDER = either(
    {"type": "boolean"},
    {"type": "string", "pattern": r"^\s*[^\W\d_]"},
    list_of(TEXT, 1, prefixItems=[{"type": "string", "pattern": r"^[^\W\d_]"}]),
    description="the first words of the line above the table",
)

LINE = list_of(NUMBER, 1, 6) | {"description": "the first numbers of the line"}

MEASURED = holds(
    "measurement", {"not": either({"const": False}, {"type": "string", "pattern": "^[fF][aA][lL][sS][eE]$"})}
)
SCORED = both(
    {"type": "object"},
    either(
        MEASURED,
        holds("scaling", {"not": {"const": Kind.OFF.value}}),
        both(has("mean", "sigma"), lacks("scaling")),
    ),
)
"""An observable that enters the likelihood."""

_KINDS = tuple(kind.value for kind in Kind)
_WITH_CONSTANTS = holds("scaling", {"enum": sorted(kind.value for kind in NEEDS_MEAN_AND_SIGMA)})
_CONSTANTS = both(holds("mean", FINITE), holds("sigma", ABOVE_0))
_FROM_RANGE = both(lacks("mean", "sigma"), holds("range", list_of(FINITE, 2, 2, uniqueItems=True)))


def observable(address: Schema) -> Schema:
    """An observable; `address` is the schema of `slha`."""
    return section(
        keys.OBSERVABLE,
        {
            "slha": address,
            "scale": number(0, above=True),
            "column": COUNT,
            "under": UNDER,
            "line": LINE,
            "function": EXPRESSION,
            "flavio": FLAVIO,
            "measurement": TEXTS,
            "scaling": words(_KINDS),
            "mean": NUMBER,
            "sigma": NUMBER,
            "range": RANGE,
            "lower_bound": NUMBER,
            "upper_bound": NUMBER,
            "log_scaling": BOOLEAN,
            "valid": either(NUMBER, list_of(NUMBER, 1), description="[low, high]"),
            "unit": TEXT,
            "label": TEXT,
            "description": TEXT,
        },
        [*_of_the_source(), *_of_the_likelihood()],
    )


def _of_the_source() -> list[Schema]:
    columns = either(*map(has, ("scale", "column", "under")))
    return [
        {"not": has("slha", "function")},
        when(columns, has("slha")),
        when(holds("slha", of_block(*TABLES)), {"not": columns}),
        when(has("line"), holds("slha", of_block("XSECTION"))),
        when(has("flavio"), lacks("slha", "function")),
        when(MEASURED, both(has("flavio"), lacks("mean", "sigma", "scaling", "range"))),
    ]


def _of_the_likelihood() -> list[Schema]:
    in_use = both(has("scaling"), {"not": holds("scaling", {"const": Kind.OFF.value})})
    bounds = either(has("lower_bound"), has("upper_bound"))
    return [
        when(both(has("mean"), lacks("scaling")), _CONSTANTS),
        when(both(has("sigma"), lacks("scaling")), _CONSTANTS),
        when(both(in_use, has("range")), either(has("mean", "sigma"), lacks("mean", "sigma"))),
        when(_WITH_CONSTANTS, either(_CONSTANTS, _FROM_RANGE)),
        when(holds("scaling", {"const": Kind.BIAS.value}), {"not": holds("mean", {"const": 0})}),
        when(
            holds("scaling", {"const": Kind.CFUNCTION.value}),
            both(either(bounds, has("mean", "sigma"), _FROM_RANGE), {"properties": {"mean": FINITE, "sigma": ABOVE_0}}),
        ),
    ]
