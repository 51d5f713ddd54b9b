"""What a good point is: an NLL below the threshold, or in a band."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from scanspec.document import to_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scanspec import Section

NONE = -math.inf
"""The lower end where there is none."""


def in_target(nll: NDArray[np.float64], threshold: float, above: float = NONE) -> NDArray[np.bool_]:
    """Which NLLs, any shape, are good: below `threshold` and, of a band, above `above`; NaN is not."""
    good: NDArray[np.bool_] = nll < threshold
    return good if above == NONE else good & (nll > above)


def describe_target(threshold: float, above: float = NONE) -> str:
    """The target in words."""
    below = show_number(threshold)
    return f"NLL below {below}" if above == NONE else f"NLL between {show_number(above)} and {below}"


def show_number(value: float, digits: int = 6) -> str:
    """A number for people: 1,000,000,000 rather than 1e+09."""
    if 10.0 ** (digits - 1) <= abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def stored_target(meta: dict[str, Any]) -> tuple[float, float]:
    """Threshold and lower end of a run, of the dataset's stored values."""
    above = meta.get("above")
    return float(meta["threshold"]), NONE if above is None else float(above)


def read_target(section: Section, threshold: float) -> tuple[float, float]:
    """`threshold_value`: a number, or [low, high] for a band; returns (threshold, above). Raises ScanFileError."""
    if not isinstance(section.raw("threshold_value"), list):
        return section.finite("threshold_value", threshold), NONE
    ends = [to_number(each) for each in section.raw("threshold_value")]
    finite = [each for each in ends if each is not None and math.isfinite(each)]
    if len(finite) != 2 or len(ends) != 2 or not finite[0] < finite[1]:
        raise section.wrong("threshold_value", "a number, or [low, high] for points with an NLL between the two")
    return finite[1], finite[0]
