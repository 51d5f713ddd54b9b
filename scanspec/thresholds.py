"""Reads from the section `networks` which points are good: below a number, in a band, or near the best point found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scanspec import keys
from scanspec.document import to_number

if TYPE_CHECKING:
    from scanspec.document import Section

GIVEN_BY = ("threshold_value", "confidence")
"""The keys that define good points; a file has at most one of them."""

WANTED = "a number, [low, high] for points with an NLL between the two, or {above_best: 3}"


@dataclass(frozen=True)
class Threshold:
    """Defines good points by their NLL (-ln L, dimensionless): below `value`, and above `low` if that is finite.

    With `above_best`, good points have instead an NLL of less than this above the lowest one found, and `value` is
    -inf. With `confidence` (between 0 and 1), this distance is half the quantile of chi-squared at that confidence (S.
    S. Wilks, Ann. Math. Stat. 9 (1938) 60), and `value` is the default. Chi-squared has `degrees_of_freedom`, or, if
    that is None, as many as there are free variables.
    """

    value: float
    low: float = -math.inf
    above_best: float | None = None
    confidence: float | None = None
    degrees_of_freedom: int | None = None


def is_given(networks: Section) -> bool:
    """Whether the section defines good points."""
    return any(key in networks for key in GIVEN_BY)


def read_threshold(networks: Section, default: float) -> Threshold:
    """Reads which points are good; `default` is the NLL below which points are good if the section does not say.

    Raises ScanFileError, with file, line and key.
    """
    if "confidence" in networks:
        return _by_confidence(networks, default)
    if "degrees_of_freedom" in networks:
        raise networks.error("degrees_of_freedom needs `confidence`", "degrees_of_freedom")
    value = networks.raw("threshold_value")
    if isinstance(value, dict):
        inner = networks.section("threshold_value", keys.THRESHOLD)
        return Threshold(-math.inf, above_best=inner.positive("above_best"))
    if not isinstance(value, list):
        if "threshold_value" in networks and to_number(value) is None:
            raise networks.wrong("threshold_value", WANTED)
        return Threshold(networks.finite("threshold_value", default))
    ends = [to_number(end) for end in value]
    finite = [end for end in ends if end is not None and math.isfinite(end)]
    if len(finite) != 2 or len(ends) != 2 or not finite[0] < finite[1]:
        raise networks.wrong("threshold_value", WANTED)
    return Threshold(finite[1], finite[0])


def _by_confidence(networks: Section, default: float) -> Threshold:
    if "threshold_value" in networks:
        raise networks.error(
            "threshold_value and confidence both say which points are good; keep one of the two", "confidence"
        )
    confidence = networks.number("confidence")
    if not 0.0 < confidence < 1.0:
        raise networks.wrong("confidence", "more than 0 and less than 1, 0.95 for 95 %")
    freedom = networks.integer("degrees_of_freedom", low=1) if "degrees_of_freedom" in networks else None
    return Threshold(default, confidence=confidence, degrees_of_freedom=freedom)
