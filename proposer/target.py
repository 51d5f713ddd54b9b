"""Defines good points: an NLL below a threshold, in a band, or not far above the lowest one found."""

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
"""The lower end of a target that is not a band, and the threshold of a target that follows a best NLL not known yet."""


def height(level: float, freedom: int) -> float:
    """The distance of the contour of a confidence level above the lowest NLL: half the quantile of chi-square with
    `freedom` degrees of freedom (S. S. Wilks, Ann. Math. Stat. 9 (1938) 60).

    For 95 % it is 1.92 with one degree of freedom and 3.00 with two.
    """
    from scipy.special import gammaincinv  # here: a command that only reads a run need not wait for it

    return float(gammaincinv(freedom / 2.0, level))  # chi2.ppf(level, freedom) / 2


@dataclass(frozen=True)
class Target:
    """A point is good if its NLL is below `threshold` and, for a band, above `above`.

    `everything`: no observable is in the likelihood, and every valid point is good, whatever the threshold.
    `above_best`: the threshold is this far above the lowest NLL found, and follows it. `confidence` and `freedom`
    (degrees of freedom) say how this distance was computed. Such a target is only a rule until `at` computes the
    threshold.
    """

    threshold: float
    above: float = NONE
    everything: bool = False
    above_best: float | None = None
    confidence: float | None = None
    freedom: int | None = None

    @classmethod
    def following(cls, above_best: float) -> Self:
        """The target of all NLLs less than `above_best` above the lowest one found. Raises UsageError."""
        if not 0.0 < above_best < math.inf:
            raise UsageError(f"above_best is {above_best:g}", next_step="give a number above 0")
        return cls(NONE, above_best=float(above_best))

    @classmethod
    def within(cls, confidence: float, freedom: int) -> Self:
        """The region of a confidence level, such as 0.95, with `freedom` degrees of freedom, by Wilks' theorem:
        `height` above the lowest NLL found. Raises UsageError.
        """
        if not (0.0 < confidence < 1.0 and freedom >= 1):
            raise UsageError(
                f"there is no confidence of {confidence:g} with {freedom} degrees of freedom",
                next_step="give a confidence between 0 and 1, and one degree of freedom or more",
            )
        return replace(cls.following(height(confidence, freedom)), confidence=float(confidence), freedom=int(freedom))

    @staticmethod
    def given(threshold: float | None, target: Target | None) -> Target:
        """The target that a caller gives as a threshold or as a target. Raises UsageError unless exactly one is given,
        and for NaN.
        """
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
        """The target that the section `networks` asks for. Raises ScanFileError."""
        asked = read_threshold(scan.networks, default.threshold)
        if asked.above_best is not None:
            return cls.following(asked.above_best)
        if asked.confidence is not None:
            free = sum(not variable.fixed for variable in scan.variables)
            return cls.within(asked.confidence, asked.degrees_of_freedom or max(free, 1))
        return cls(asked.value, asked.low)

    @classmethod
    def stored(cls, meta: Mapping[str, Any]) -> Self:
        """The target of a run, from the stored values of `to_meta`."""
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
        """The keys of the section `networks` of a scan file that ask for this target."""
        if self.confidence is not None:
            return {"confidence": self.confidence, "degrees_of_freedom": self.freedom}
        if self.above_best is not None:
            return {"threshold_value": {"above_best": self.above_best}}
        return {"threshold_value": [self.above, self.threshold] if self.is_band else self.threshold}

    def to_meta(self) -> dict[str, float | None]:
        """The values that a run stores; None replaces infinity, which JSON does not have."""
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
        """Whether the target has a lower end."""
        return self.above != NONE

    @property
    def follows(self) -> bool:
        """Whether the threshold follows the lowest NLL found."""
        return self.above_best is not None and not self.everything

    @property
    def rule(self) -> Self:
        """The target as the scan file states it: without a threshold, if the threshold follows the best NLL."""
        return self.at(math.inf)

    def at(self, best: float) -> Self:
        """The target for the lowest NLL found, `best`. It is infinite while there is none, and then no point is good.

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
        """Whether each NLL, of any shape, is good; NaN is not. All code that counts good points calls this."""
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
"""The target of a file without `threshold_value`, as in BSMArt's documents."""


class Found:
    """Counts good points, also if the threshold follows the lowest NLL. Points may be added in any order."""

    def __init__(self, rule: Target) -> None:
        self.target = rule.rule
        """The target for the lowest NLL added so far."""
        self.best = math.inf
        self.good = 0
        self._nll: list[float] = []  # NLLs of good points, with a minus sign, so that the highest comes first

    def add(self, nll: Iterable[float]) -> bool:
        """Adds NLLs, NaN for a point without one. Returns whether the threshold has moved."""
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
