"""The data of a run for its report: all answered points in columns, and the settings of the scan."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from proposer.run.columns import Columns
from proposer.run.dataset import Dataset, DatasetError
from proposer.run.files import START, WAIT, NoAnswers
from proposer.run.record import RunRecord
from proposer.show.estimates import LocalFits
from proposer.show.plots import read_scan
from proposer.show.tally import capped
from proposer.space import Space
from proposer.strategies.origins import ORIGINS, as_now
from proposer.target import Target, height
from proposer.types import Floats, Status
from scanspec import PriorKind, ScanFile, Variable

MOST_GOOD, MOST_OTHERS = 100_000, 30_000
"""The largest numbers of good and of other points in pictures. More points are reduced to a random choice."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Seen:
    """The answered points of one run. Arrays have one row per point, in the order of ids: shape (n,), or (n, columns).

    `losses`, `seconds`, and `probability` are NaN if there is no value. `asked` is the number of points without an
    answer; `first_open` is the number of the first batch with such points, None if there is none.
    """

    name: str
    folder: Path
    scan: ScanFile
    record: RunRecord
    stored: Columns
    ids: NDArray[np.int64]
    batches: NDArray[np.int64]
    iterations: NDArray[np.int64]
    origins: NDArray[np.object_]
    u: Floats
    params: Floats
    status: NDArray[np.int8]
    nll: Floats
    probability: Floats
    observables: Floats
    losses: Floats
    seconds: Floats
    failed_code: NDArray[np.object_]
    message: NDArray[np.object_]
    asked: int
    first_open: int | None

    @cached_property
    def target(self) -> Target:
        """The condition for a good point."""
        best = math.inf if self.best is None else float(self.nll[self.best])
        return self.record.target.at(best)

    @cached_property
    def words(self) -> str:
        """The target in words."""
        return self.target.describe()

    @cached_property
    def ok(self) -> Mask:
        """Whether a point has an NLL, shape (n,)."""
        ok: Mask = self.status == Status.OK
        return ok

    @cached_property
    def good(self) -> Mask:
        """Whether a point is good, shape (n,)."""
        good: Mask = self.ok & self.target.contains(self.nll)
        return good

    @cached_property
    def near(self) -> Mask:
        """The good points; if there are none, those in the region of 95 % around the lowest NLL, for two variables.
        Shape (n,).
        """
        if self.good.any() or self.best is None:
            return self.good
        near: Mask = self.ok & (self.nll < self.nll[self.best] + height(0.95, 2))
        return near

    @cached_property
    def best(self) -> int | None:
        """The row of the lowest NLL; None if no point has an NLL."""
        return int(np.nanargmin(np.where(self.ok, self.nll, np.nan))) if np.isfinite(self.nll[self.ok]).any() else None

    @cached_property
    def no_levels(self) -> str:
        """Why a height above the lowest NLL means nothing in this run, in words; empty if it has a meaning."""
        if self.best is None:
            return "no point has an NLL"
        if self.target.everything:
            return "no observable has a likelihood"
        names = capped(self.losses[self.best].tolist(), [observable.name for observable in self.stored.observables])
        if not names:
            return ""
        which = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        return f"the loss of {which} is at its cap (710.78) even at the point with the lowest NLL"

    @cached_property
    def variables(self) -> list[Variable]:
        """The variables that are not fixed."""
        return [variable for variable in self.scan.variables if not variable.fixed]

    @cached_property
    def columns(self) -> dict[str, Floats]:
        """The values of variables and observables by name, shape (n,) each; NaN if missing."""
        named = {variable.name: self.params[:, k] for k, variable in enumerate(self.stored.variables)}
        return named | {observable.name: self.observables[:, k] for k, observable in enumerate(self.stored.observables)}

    @cached_property
    def likelihoods(self) -> dict[str, int]:
        """The positions of the observables that have a likelihood, by name."""
        return {
            observable.name: k
            for k, observable in enumerate(self.stored.observables)
            if observable.likelihood not in ("", "OFF") and np.isfinite(self.losses[:, k]).any()
        }

    @cached_property
    def shown(self) -> NDArray[np.int64]:
        """The rows that pictures show. Good points come last, so that the best point is on top."""
        rng = np.random.default_rng(self.record.seed)
        others, good = np.flatnonzero(~self.good), np.flatnonzero(self.good)
        if len(others) > MOST_OTHERS:
            others = np.sort(rng.choice(others, MOST_OTHERS, replace=False))
        if len(good) > MOST_GOOD:
            good = np.sort(rng.choice(good, MOST_GOOD, replace=False))
            if self.best is not None and self.good[self.best] and self.best not in good:
                good[0] = self.best  # pictures show it as a star
        others = others[np.argsort(self.ok[others], kind="stable")]
        return np.concatenate([others, good[np.argsort(-self.nll[good], kind="stable")]])

    @cached_property
    def from_prior(self) -> Mask:
        """Whether a point follows the prior, independently of earlier results; shape (n,)."""
        return np.isin(self.origins, [word for word, origin in ORIGINS.items() if origin.from_prior])

    @cached_property
    def independent(self) -> Mask:
        """Whether a point is a draw from the prior that depends on no other point; shape (n,)."""
        return np.isin(self.origins, [word for word, origin in ORIGINS.items() if origin.independent])

    @cached_property
    def fits(self) -> LocalFits | None:
        """Fits to the NLL around points, in the quantiles of the variables that are not fixed; None if there is no NLL,
        or a variable has discrete values, between which a fit has no meaning.
        """
        if self.best is None or any(variable.cardinality for variable in self.variables):
            return None
        above = np.where(self.ok, self.nll, np.nan) - self.nll[self.best]
        return LocalFits(self.u[:, self._free], above, seed=self.record.seed)

    def profile(self, names: Sequence[str]) -> tuple[Floats, Floats, NDArray[np.int64]]:
        """Estimates of the profile NLL of variables: their values, shape (m, names), the NLL above the lowest, shape
        (m,), and the rows of the points that they come from. They are empty for anything but variables.
        """
        free = [variable.name for variable in self.variables]
        if self.fits is None or not set(names) <= set(free):
            return np.empty((0, len(names))), np.empty(0), np.empty(0, dtype=np.int64)
        found = self.fits.profile([free.index(name) for name in names])
        u = np.repeat(self.u[:1], len(found.above), axis=0)
        u[:, self._free] = found.u
        every = [variable.name for variable in self.scan.variables]
        x = Space(self.scan.variables).to_physical(u)[:, [every.index(name) for name in names]]
        return x, found.above, found.near

    def fitted_at(self, name: str, quantiles: Sequence[float], errors: float) -> float:
        """The lowest estimate of the NLL where a variable is at one of these quantiles of its prior, with so many
        standard errors added; infinite if no fit reaches there.
        """
        if self.fits is None:
            return math.inf
        k = [variable.name for variable in self.variables].index(name)
        above = min(self.fits.lowest_at(k, quantile, errors) for quantile in quantiles)
        return above + float(self.nll[cast("int", self.best)])

    def no_estimates(self, names: Sequence[str]) -> str:
        """Why `profile` has no estimates for these columns, in words; empty if it has, or if no variable is hidden."""
        free = [variable.name for variable in self.variables]
        if observables := [name for name in names if name not in free]:
            return f"{observables[0]} is not a variable"
        if set(names) >= set(free) or self.best is None:
            return ""
        if discrete := [variable.name for variable in self.variables if variable.cardinality]:
            return f"{discrete[0]} has discrete values"
        if self.fits is None or len(self.profile(names)[1]):
            return ""
        return self.fits.missing or "no fit to the NLL agrees with the points around it"

    @cached_property
    def _free(self) -> list[int]:
        return [k for k, variable in enumerate(self.scan.variables) if not variable.fixed]

    @cached_property
    def target_changes(self) -> list[str]:
        """The changes of the target during the scan, in words."""
        return self.record.target_changes

    @cached_property
    def crowded_ends(self) -> list[tuple[str, str, float]]:
        """The ends of ranges at which good points accumulate: the variable, the end, and the share of the good points
        in the outermost hundredth of its prior. An end counts if this share is more than twice that of an even spread,
        by more than three standard deviations of chance. Empty with fewer than 20 good points.
        """
        if self.good.sum() < 20:
            return []
        found = []
        for k, variable in enumerate(self.scan.variables):
            if not walled(variable):
                continue
            u = self.u[self.good, k]
            ends = [("upper", u > 0.99), ("lower", u < 0.01)]
            if variable.prior.symmetric:
                ends = [("outer", (u > 0.995) | (u < 0.005))]
            least = 0.02 + 3.0 * math.sqrt(0.02 / len(u))
            found += [(variable.name, end, float(at.mean())) for end, at in ends if at.mean() > least]
        return found


def walled(variable: Variable) -> bool:
    """Whether the range of a variable could be wider: not so for an angle, or for a list of values."""
    return not (variable.fixed or variable.periodic or variable.cardinality or variable.prior is PriorKind.SINE)


def see(folder: Path) -> Seen:
    """Reads a run, also during the scan. Raises DatasetError if there is no answered point."""
    scan = read_scan(folder)
    with Dataset(folder, read_only=True) as dataset:
        record = RunRecord.read(dataset.meta())
        if not record.started:
            raise DatasetError(f"{folder}: the run has not started yet, so there is nothing to report", next_step=START)
        first_open = dataset.first_open_batch()  # read before the points, because answers may come in the meantime
        parts, asked, stored = list(dataset.results()), dataset.count_pending(), dataset.columns
    if not parts:
        raise NoAnswers(f"{folder}: no point has an answer yet, so there is nothing to report", next_step=WAIT)
    seconds = np.concatenate([_padded(part.seconds, max(len(stored.codes), 1)) for part in parts])

    def joined(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    def words(name: str) -> NDArray[np.object_]:
        return np.array([word for part in parts for word in getattr(part, name)], dtype=np.object_)

    params = joined("params")
    origins = words("origins").tolist()
    now = {word: as_now(word, record.method) for word in set(origins)}
    variables = {variable.name for variable in scan.variables}
    if variables != set(record.variables):
        raise DatasetError(
            f"{folder}: its scan file has other variables than its points",
            next_step="put back the scan file that it started with",
        )
    return Seen(
        name=scan.run_name,
        folder=folder,
        scan=scan,
        record=record,
        stored=stored,
        ids=joined("ids"),
        batches=joined("batches"),
        iterations=joined("iterations"),
        origins=np.array([now[word] for word in origins], dtype=np.object_),
        u=Space(scan.variables).to_unit(params),
        params=params,
        status=joined("status"),
        nll=joined("nll"),
        probability=joined("probability"),
        observables=joined("observables"),
        losses=joined("losses"),
        seconds=seconds,
        failed_code=words("failed_code"),
        message=words("message"),
        asked=asked,
        first_open=first_open,
    )


def _padded(rows: Sequence[Floats], width: int) -> Floats:
    """Rows of at most `width` numbers as one array, shape (n, width), with NaN where a row is shorter."""
    found = np.full((len(rows), width), np.nan)
    there = np.arange(width) < np.array([len(row) for row in rows])[:, None]
    found[there] = np.concatenate([row[:width] for row in rows])
    return found
