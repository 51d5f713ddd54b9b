"""What a good point is: an NLL below the threshold, or in a band."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, overload

from proposer.formats import show_number
from scanspec.settings import read_target

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["NONE", "describe_target", "in_target", "read_target", "stored_target"]

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
    below = show_number(threshold)
    return f"NLL below {below}" if above == NONE else f"NLL between {show_number(above)} and {below}"


def stored_target(meta: dict[str, Any]) -> tuple[float, float]:
    """Threshold and lower end of a run, of the dataset's stored values."""
    above = meta.get("above")
    return float(meta["threshold"]), NONE if above is None else float(above)
