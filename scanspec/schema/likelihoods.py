"""JSON Schema of a term of the section `likelihoods`."""

from __future__ import annotations

from scanspec import keys
from scanspec.reading_terms import MOST_OBSERVABLES
from scanspec.schema.values import (
    ABOVE_0,
    FINITE,
    NULL,
    NUMBER,
    TEXT,
    Schema,
    both,
    either,
    has,
    holds,
    lacks,
    list_of,
    number,
    only,
    section,
    when,
)
from scanspec.terms import ASYMMETRIC, OF_LIMITS, ONE_SIDED, TermKind

TABLE: Schema = {"type": "string", "minLength": 1, "description": "the name of a file"}
NUMBERS = either(FINITE, list_of(FINITE), TABLE, description="a number for each observable, or the name of a file")
MATRIX = either(
    list_of(either(FINITE, list_of(FINITE))), TABLE, description="a number for each pair of observables, or a file"
)
OF_JOINT = ("observables", "mean", "covariance", "sigma", "correlation", "scaling")
ONE_NUMBER = either(FINITE, list_of(FINITE, 1, 1))
SEVERAL = {"minItems": 2, "not": {"anyOf": [NUMBER, {"type": "object"}]}}
"""A list of at least two, or the name of a file."""


def term() -> Schema:
    """A term, whose form depends on its keys, as in scanspec/reading_terms.py."""
    sigma = section(keys.SIGMA, {"plus": ABOVE_0, "minus": ABOVE_0}, [has("plus", "minus")])
    kinds = sorted(kind.value for kind in TermKind if kind is not TermKind.UNKNOWN)
    several = holds("observables", {"type": "array", "minItems": 2})
    joint = either(several, has("covariance"), has("correlation"))
    return section(
        keys.TERM,
        {
            "observables": either(TEXT, list_of(TEXT, 1, uniqueItems=True), description="names of observables"),
            "mean": NUMBERS,
            "covariance": MATRIX,
            "sigma": either(NUMBERS, sigma),
            "correlation": MATRIX,
            "scaling": {"enum": kinds, "description": " or ".join(kinds)},
            "limit": TABLE,
            "confidence": NUMBER,
            "table": TABLE,
        },
        [
            holds("observables", {"not": NULL}),
            when(has("limit"), _limit(), when(has("table"), _table(), when(joint, _joint(several), _single(sigma)))),
        ],
    )


def _scaling(kinds: frozenset[TermKind]) -> Schema:
    return {"enum": sorted(kind.value for kind in kinds)}


def _limit() -> Schema:
    two = holds("observables", {"type": "array", "minItems": 2, "maxItems": 2})
    soft = both(holds("scaling", _scaling(OF_LIMITS - {TermKind.LIMIT})), holds("sigma", ABOVE_0), lacks("confidence"))
    hard = both(lacks("sigma"), {"properties": {"confidence": number(0.5, 1.0, above=True, below=True)}})
    return both(only("observables", "limit", "confidence", "sigma", "scaling"), two, when(has("scaling"), soft, hard))


def _table() -> Schema:
    return both(only("observables", "table"), {"properties": {"observables": {"maxItems": 2}}})


def _joint(several: Schema) -> Schema:
    """A Gaussian of several observables, by their covariance, or by standard deviations and correlations."""
    kind = {"const": TermKind.JOINT_GAUSS.value}
    matrix = SEVERAL | {"items": {"type": "array", "minItems": 2}}
    many = {"mean": SEVERAL, "sigma": SEVERAL, "covariance": matrix, "correlation": matrix}
    return both(
        only(*OF_JOINT),
        has("mean"),
        either(
            both(has("covariance"), lacks("sigma", "correlation")),
            both(has("sigma", "correlation"), lacks("covariance")),
        ),
        {"properties": {"scaling": kind, "observables": {"maxItems": MOST_OBSERVABLES}, "sigma": _POSITIVE}},
        when(several, {"properties": many}, {"properties": {"mean": ONE_NUMBER, "sigma": ONE_NUMBER}}),
    )


_POSITIVE = when({"type": "array"}, list_of(ABOVE_0), when({"type": "number"}, ABOVE_0))


def _single(sigma: Schema) -> Schema:
    """A Gaussian with errors of two sizes, or a one-sided one."""
    asymmetric = both(holds("sigma", sigma), {"properties": {"scaling": _scaling(ASYMMETRIC)}})
    one_sided = both(holds("sigma", ABOVE_0), holds("scaling", _scaling(ONE_SIDED)))
    return both(
        only("observables", "mean", "sigma", "scaling"),
        holds("mean", ONE_NUMBER),
        when(holds("sigma", {"type": "object"}), asymmetric, one_sided),
    )
