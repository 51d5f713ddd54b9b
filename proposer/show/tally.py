"""Counts of a run: good points, answers by status, failures by kind."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import InitVar, dataclass, field

import numpy as np

from proposer.formats import show_number
from proposer.run.dataset import Dataset
from proposer.show.failures import Failures, kind_of
from proposer.target import Found, Target
from proposer.types import Outcome, Status
from scanspec.likelihoods import LARGEST_LOSS

MOST_KINDS = 1000
"""The most kinds of failures that are distinguished; further ones are counted by their code."""

MOST_FAILED = 1000
"""A scan stops after this many points, or all start points if these are more, if every one of them failed or timed out.
"""

AT_CAP = (1.0 - 1e-3) * LARGEST_LOSS
"""A loss from this value on is at its cap."""


@dataclass
class Tally:
    """Counts of a run: good points (including those from an `init_csv`), and answered points by status.

    A scan ends at `wanted` good points (an NLL in `target`), or at `most` evaluations. `good_known`: good points that
    came with their NLL. `raced`: points that two evaluators worked on. `start`: points that a search asks for before it
    learns. `by_code`: points that ended at a code, by status. `names`: those of the observables; `best_losses`: the
    losses of the point with the lowest NLL. If the target follows the lowest NLL, `target`, `good` and `good_known`
    change with it; for this, `earlier_nll` has the NLLs of all earlier points, and `known_nll` those of points that
    came with their NLL. `failures`: counts by kind; `failed`: the kind of the last failure, after `failed_in_a_row`
    failures in a row.
    """

    wanted: int
    target: Target
    most: float = math.inf
    good: int = 0
    best: float = math.inf
    by_status: Counter[Status] = field(default_factory=Counter)
    by_code: dict[str, Counter[Status]] = field(default_factory=dict)
    good_known: int = 0
    raced: int = 0
    start: int = 0
    earlier_nll: InitVar[Sequence[float]] = ()
    known_nll: list[float] = field(default_factory=list)
    names: Sequence[str] = ()
    best_losses: Sequence[float] = ()
    failed_in_a_row: int = 0
    failed: Failures | None = None
    failures: dict[tuple[str, str], Failures] = field(default_factory=dict)

    def __post_init__(self, earlier_nll: Sequence[float]) -> None:
        self._found = Found(self.target)
        if self.target.follows:
            self._follow(earlier_nll)

    def _follow(self, nll: Sequence[float]) -> None:
        """Counts good points anew, by the lowest NLL of all points."""
        moved = self._found.add(nll)
        self.good, self.target = self._found.good, self._found.target
        if moved:
            self.good_known = sum(self.target.contains(value) for value in self.known_nll)

    @property
    def evaluated(self) -> int:
        """The number of points that an evaluator has answered."""
        return sum(self.by_status.values())

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Counts new results."""
        for outcome in outcomes:
            self.by_status[outcome.status] += 1
            self._note_failure(outcome)
            if outcome.failed_code:
                self.by_code.setdefault(outcome.failed_code, Counter())[outcome.status] += 1
            if outcome.nll is not None:
                if outcome.nll < self.best:
                    self.best, self.best_losses = outcome.nll, tuple(outcome.losses)
                if self.target.follows:
                    self._follow([outcome.nll])
                else:
                    self.good += self.target.contains(outcome.nll)

    def _note_failure(self, outcome: Outcome) -> None:
        if outcome.status not in (Status.FAILED, Status.TIMED_OUT):
            self.failed_in_a_row = 0
            return
        self.failed_in_a_row += 1
        kind = kind_of(outcome.failed_code, outcome.message)
        if kind not in self.failures and len(self.failures) >= MOST_KINDS:
            kind = outcome.failed_code, ""
        self.failed = self.failures.setdefault(kind, Failures(outcome))
        self.failed.points, self.failed.last = self.failed.points + 1, outcome

    @property
    def all_failed(self) -> bool:
        """Whether points were evaluated and all of them failed."""
        return 0 < self.evaluated == self.failed_points

    @property
    def hopeless(self) -> bool:
        """Whether every point of the run failed, at least MOST_FAILED of them and all start points in this command, and
        more points may be evaluated.
        """
        return self.useless and self.evaluated < self.most and self.failed_in_a_row >= max(MOST_FAILED, self.start)

    @property
    def useless(self) -> bool:
        """Whether all evaluated points failed, and good points are still wanted."""
        return self.all_failed and self.good < self.wanted

    @property
    def failed_points(self) -> int:
        """How many points failed or timed out."""
        return self.by_status[Status.FAILED] + self.by_status[Status.TIMED_OUT]

    @property
    def hit_rate(self) -> float | None:
        """Good points per evaluated point; None before the first point."""
        return max(0, self.good - self.good_known) / self.evaluated if self.evaluated else None

    def lowest(self) -> str:
        """The lowest NLL and its largest losses, in words."""
        if not math.isfinite(self.best):
            return "lowest NLL none"
        parts = sorted(zip(self.best_losses, self.names, strict=False), key=lambda pair: -abs(pair[0]))
        shown = ", ".join(f"{name} {show_number(loss, 3)}" for loss, name in parts[:3] if loss)
        return f"lowest NLL {show_number(self.best)}" + (f" (losses: {shown})" if shown and len(self.names) > 1 else "")

    def at_cap(self) -> list[str]:
        """The observables whose loss has the largest possible value even at the best point."""
        return capped(self.best_losses, self.names)

    def breakdown(self) -> str:
        """The numbers of invalid, failed and timed-out points, in words."""
        names = {Status.INVALID: "invalid", Status.FAILED: "failed", Status.TIMED_OUT: "timed out"}
        return ", ".join(f"{self.by_status[status]:,} {name}" for status, name in names.items())


def capped(losses: Iterable[float], names: Iterable[str]) -> list[str]:
    """The observables whose loss has the largest possible value."""
    return [name for loss, name in zip(losses, names, strict=False) if loss >= AT_CAP]


def how_given(rescored_from: str) -> str:
    """Says in words where the answers come from that no evaluator of this run gave."""
    return f"were scored again from {rescored_from}" if rescored_from else "came with the NLL of init_csv"


def read_tally(
    dataset: Dataset, wanted: int, target: Target, most: float = math.inf, names: Sequence[str] = ()
) -> Tally:
    """The counts of a run so far. `names`: those of its observables."""
    earlier = np.concatenate([np.empty(0), *dataset.nlls()]).tolist() if target.follows else []
    good = dataset.count_good(target)
    tally = Tally(wanted, target, most, good=good, best=dataset.best_nll(), names=names, earlier_nll=earlier)
    for (_, status), points in dataset.counts().items():
        if status is not None:
            tally.by_status[status] += points
    tally.by_code = {code: Counter(counts) for code, counts in dataset.counts_by_code().items()}
    explained = math.isfinite(tally.best) and (not good or tally.best >= AT_CAP)  # the end of a scan names the losses
    if dataset.count_known() or (names and explained):
        for part in dataset.results():
            came = np.array([not len(seconds) for seconds in part.seconds], dtype=np.bool_)  # no code ran
            came &= np.array([origin == "init" for origin in part.origins], dtype=np.bool_)
            tally.by_status.subtract(Status(code) for code in part.status[came].tolist())
            came &= part.status == Status.OK
            tally.known_nll += part.nll[came].tolist()
            tally.good_known += int((came & tally.target.contains(part.nll)).sum())
            for row in np.flatnonzero(part.nll == tally.best)[:1].tolist():
                tally.best_losses = part.losses[row].tolist() if not np.isnan(part.losses[row]).all() else ()
    return tally
