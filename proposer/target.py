"""What a good point is: an NLL below the threshold, or in a band."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, overload

from scanspec.document import to_number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from scanspec import Section

NONE = -math.inf
"""The lower end where there is none."""


@overload
def in_target(nll: float, threshold: float, above: float = NONE) -> bool: ...
@overload
def in_target(nll: NDArray[np.float64], threshold: float, above: float = NONE) -> NDArray[np.bool_]: ...
def in_target(nll: Any, threshold: float, above: float = NONE) -> Any:
    """Which NLLs, any shape, are good: below `threshold` and, of a band, above `above`; NaN is not.

    Nobody counts good points in another way.
    """
    good = nll < threshold
    return good if above == NONE else good & (nll > above)


def describe_target(threshold: float, above: float = NONE) -> str:
    """The target in words."""
    return f"NLL below {threshold:g}" if above == NONE else f"NLL between {above:g} and {threshold:g}"


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
