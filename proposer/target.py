"""What a good point is: an NLL below the threshold, in a band, or not far above the best one found."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self, overload

from proposer.formats import show_number
from scanspec import UsageError
from scanspec.thresholds import read_threshold

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from scanspec import ScanFile

NONE = -math.inf
"""The lower end where there is none, and a threshold above a best NLL that nobody knows yet."""


def height(level: float, freedom: int) -> float:
    """How far above the least NLL the contour of a confidence level lies: half the quantile of chi-square with so many
    degrees of freedom (S. S. Wilks, Ann. Math. Stat. 9 (1938) 60).

    For 95 % it is 1.92 with one degree of freedom and 3.00 with two.
    """
    from scipy.special import gammaincinv  # here: a command that only reads a run need not wait for it

    return float(gammaincinv(freedom / 2.0, level))  # chi2.ppf(level, freedom) / 2


@dataclass(frozen=True)
class Target:
    """A point is good when its NLL is below `threshold` and, where the target is a band, above `above`.

    `everything`: no observable is in the likelihood, and every valid point is good, whatever the threshold.
    `above_best`: the threshold follows the lowest NLL found, and is so far above it; `confidence` and `freedom`, the
    degrees of freedom, say where that distance comes from. Such a target is a rule until `at` makes a threshold of it.
    """

    threshold: float
    above: float = NONE
    everything: bool = False
    above_best: float | None = None
    confidence: float | None = None
    freedom: int | None = None

    @classmethod
    def following(cls, above_best: float) -> Self:
        """Good is an NLL less than `above_best` above the lowest one found. Raises UsageError."""
        if not 0.0 < above_best < math.inf:
            raise UsageError(f"above_best is {above_best:g}", next_step="give a number above 0")
        return cls(NONE, above_best=float(above_best))

    @classmethod
    def within(cls, confidence: float, freedom: int) -> Self:
        """The region of a confidence level, 0.95 say, with so many degrees of freedom, by Wilks' theorem: `height`
        above the lowest NLL found. Raises UsageError."""
        if not (0.0 < confidence < 1.0 and freedom >= 1):
            raise UsageError(
                f"a confidence of {confidence:g} with {freedom} degrees of freedom is none",
                next_step="give a confidence between 0 and 1, and one degree of freedom or more",
            )
        return replace(cls.following(height(confidence, freedom)), confidence=float(confidence), freedom=int(freedom))

    @staticmethod
    def given(threshold: float | None, target: Target | None) -> Target:
        """The rule that a caller gives in one of two ways. Raises UsageError unless it is one of them, and for NaN."""
        if threshold is not None and target is None:
            found = Target(float(threshold))
        elif threshold is None and target is not None:
            found = target.rule
        else:
            raise UsageError("good points need a threshold or a target", next_step="give one of the two")
        if math.isnan(found.threshold) or math.isnan(found.above):
            raise UsageError(f"the threshold is {found.threshold:g}", next_step="give a number")
        return found

    @classmethod
    def read(cls, scan: ScanFile, default: Target) -> Self:
        """The target that the section `networks` asks for; raises ScanFileError."""
        asked = read_threshold(scan.networks, default.threshold)
        if asked.above_best is not None:
            return cls.following(asked.above_best)
        if asked.confidence is not None:
            free = sum(not variable.fixed for variable in scan.variables)
            return cls.within(asked.confidence, asked.degrees_of_freedom or max(free, 1))
        return cls(asked.value, asked.low)

    @classmethod
    def stored(cls, meta: Mapping[str, Any]) -> Self:
        """The target of a run, from the values of `to_meta`."""
        threshold, above = meta.get("threshold"), meta.get("above")
        return cls(
            NONE if threshold is None else float(threshold),
            NONE if above is None else float(above),
            everything=bool(meta.get("everything")),
            above_best=meta.get("above_best"),
            confidence=meta.get("confidence"),
            freedom=meta.get("degrees_of_freedom"),
        )

    def to_networks(self) -> dict[str, Any]:
        """What the section `networks` of a scan file says to ask for it."""
        if self.confidence is not None:
            return {"confidence": self.confidence, "degrees_of_freedom": self.freedom}
        if self.above_best is not None:
            return {"threshold_value": {"above_best": self.above_best}}
        return {"threshold_value": [self.above, self.threshold] if self.is_band else self.threshold}

    def to_meta(self) -> dict[str, float | None]:
        """What a run stores of it: JSON has no infinity."""
        found: dict[str, float | None] = {
            "threshold": self.threshold if self.threshold > NONE else None,
            "above": self.above if self.is_band else None,
        }
        if self.follows:
            found["above_best"] = self.above_best
        if self.confidence is not None:
            found |= {"confidence": self.confidence, "degrees_of_freedom": self.freedom}
        return {**found, "everything": True} if self.everything else found

    @property
    def is_band(self) -> bool:
        """Whether it has a lower end."""
        return self.above != NONE

    @property
    def follows(self) -> bool:
        """Whether the threshold follows the lowest NLL found."""
        return self.above_best is not None and not self.everything

    @property
    def rule(self) -> Self:
        """The same whatever was found: without the threshold, where that follows."""
        return self.at(math.inf)

    def at(self, best: float) -> Self:
        """The target once `best` is the lowest NLL found; infinite while there is none, and then nothing is good.

        The best point itself is always good, even if the distance is lost in the rounding of its NLL.
        """
        if self.above_best is None or self.everything:
            return self
        if not math.isfinite(best):
            return replace(self, threshold=NONE)
        return replace(self, threshold=max(best + self.above_best, math.nextafter(best, math.inf)))

    @overload
    def contains(self, nll: float) -> bool: ...
    @overload
    def contains(self, nll: NDArray[np.float64]) -> NDArray[np.bool_]: ...
    def contains(self, nll: Any) -> Any:
        """Which NLLs, any shape, are good; NaN is not. Everything that counts good points calls this."""
        if self.everything:
            return abs(nll) < math.inf
        good = nll < self.threshold
        return good & (nll > self.above) if self.is_band else good

    def describe(self) -> str:
        """The target in words."""
        if self.everything:
            return "every valid point, as no observable is in the likelihood"
        below = show_number(self.threshold)
        if self.above_best is None:
            return f"NLL between {show_number(self.above)} and {below}" if self.is_band else f"NLL below {below}"
        distance = f"{show_number(self.above_best)} above the lowest"
        words = f"NLL below {below}, {distance}" if self.threshold > NONE else f"NLL less than {distance}"
        if self.confidence is None:
            return words
        freedom = f"{self.freedom} degree{'' if self.freedom == 1 else 's'} of freedom"
        return f"{words}: {show_number(100 * self.confidence)} % with {freedom}"


DEFAULT_TARGET = Target(100.0)
"""Of a file without `threshold_value`; BSMArt's documents say so."""


class Found:
    """Counts good points by the lowest NLL of all that were added, in whatever order they come."""

    def __init__(self, rule: Target) -> None:
        self.target = rule.rule
        """By what was added so far."""
        self.best = math.inf
        self.good = 0
        self._nll: list[float] = []  # NLLs of good points, with a minus sign, so that the highest comes first

    def add(self, nll: Iterable[float]) -> bool:
        """Takes NLLs, NaN for a point without one; returns whether the threshold has moved."""
        before, values = self.target, [value for value in nll if not math.isnan(value)]
        self.best = min([self.best, *values])
        self.target = before.at(self.best)
        good = [value for value in values if self.target.contains(value)]
        self.good += len(good)
        if not self.target.follows:
            return False
        for value in good:
            heapq.heappush(self._nll, -value)
        while self._nll and not self.target.contains(-self._nll[0]):
            heapq.heappop(self._nll)
        self.good = len(self._nll)
        return self.target != before
