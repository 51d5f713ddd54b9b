"""What a good point is: an NLL below the threshold, or in a band."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, overload

from proposer.formats import show_number
from scanspec.settings import read_target

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from scanspec import Section

NONE = -math.inf
"""The lower end where there is none."""


@dataclass(frozen=True)
class Target:
    """A point is good when its NLL is below `threshold` and, where the target is a band, above `above`.

    `everything`: no observable is in the likelihood, and every valid point is good, whatever the threshold.
    """

    threshold: float
    above: float = NONE
    everything: bool = False

    @classmethod
    def read(cls, networks: Section, default: Target) -> Self:
        """The target that the section `networks` asks for; raises ScanFileError."""
        threshold, above = read_target(networks, default.threshold)
        return cls(threshold, above)

    @classmethod
    def stored(cls, meta: Mapping[str, Any]) -> Self:
        """The target of a run, from the values of `to_meta`."""
        above = meta.get("above")
        return cls(float(meta["threshold"]), NONE if above is None else float(above), bool(meta.get("everything")))

    def to_meta(self) -> dict[str, float | None]:
        """What a run stores of it: JSON has no infinity."""
        found: dict[str, float | None] = {"threshold": self.threshold, "above": self.above if self.is_band else None}
        return {**found, "everything": True} if self.everything else found

    @property
    def is_band(self) -> bool:
        """Whether it has a lower end."""
        return self.above != NONE

    @overload
    def contains(self, nll: float) -> bool: ...
    @overload
    def contains(self, nll: NDArray[np.float64]) -> NDArray[np.bool_]: ...
    def contains(self, nll: Any) -> Any:
        """Which NLLs, any shape, are good; NaN is not. Nobody counts good points in another way."""
        if self.everything:
            return abs(nll) < math.inf
        good = nll < self.threshold
        return good & (nll > self.above) if self.is_band else good

    def describe(self) -> str:
        """The target in words."""
        if self.everything:
            return "every valid point, as no observable is in the likelihood"
        below = show_number(self.threshold)
        return f"NLL between {show_number(self.above)} and {below}" if self.is_band else f"NLL below {below}"


DEFAULT_TARGET = Target(100.0)
"""Of a file without `threshold_value`; BSMArt's documents say so."""
