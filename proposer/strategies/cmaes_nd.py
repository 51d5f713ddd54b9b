"""CMAES_ND: CMA-ES with a reward for novelty (J. C. Romao, M. C. Romao, arXiv:2402.07661), as BSMArt has it.

Good points rank before all others, by how few good points are known around them; the others are ranked by their losses.
So a search fills the region that it has found, instead of converging to its best point. When a search has filled its
part, the next one starts far from all good points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from proposer.strategies.base import judged
from proposer.strategies.cmaes import Cmaes, CmaesSettings
from proposer.strategies.novelty import novelty
from proposer.target import Found, Target
from proposer.types import Floats, Told
from scanspec import Kind
from scanspec.cmaes import read_hierarchy, read_names, read_novelty, read_seeds
from scanspec.thresholds import is_given

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from proposer.space import Space
    from proposer.types import Observable
    from scanspec import ScanFile

FILL = 16
"""A search ends once its good points fill this many generations; the next one starts elsewhere."""

STARTS = 64
"""The number of random points among which a new search starts at the one farthest from all good points."""

ALL_WITHIN = Target(1e-9)
"""The target if every likelihood is a CFUNCTION: points within all bounds, with an NLL of 0."""


@dataclass(frozen=True)
class CmaesNdSettings(CmaesSettings):
    """The settings of CMAES with other defaults, and those of the novelty. docs/method.md has BSMArt's names."""

    novelty: str = "HBOS"
    """How good points are ranked. HBOS: by histograms; Optimiser: by the mean of the focus; none: all are equal."""
    bins: int = 100
    direction: str = "min"
    """The direction of Optimiser: min or max."""
    focus: tuple[str, ...] = ()
    """Variables and observables in which the novelty is measured; empty for all."""
    hierarchy: tuple[str, ...] = ()
    """Observables that come first: as long as one of these is outside its bounds, the others are ignored."""
    no_good_points_patience: int = 5000
    best_loss_patience: int = 200
    best_valid_constraints_patience: int = 2000
    """Numbers of generations. The scan ends when no point was good in the first number of them, and either a search
    has just ended, or the lowest sum of losses has not improved in the second number of generations, and the largest
    fraction of fulfilled constraints not in the third.
    """
    seeds: tuple[tuple[float, ...], ...] = ()
    """Points in physical units; the first search starts at a random one of them."""

    @classmethod
    def read(cls, scan: ScanFile) -> Self:
        """Reads and checks the settings of a scan file; raises ScanFileError."""
        setup, plain = scan.setup, super().read(scan)
        scored = [observable for observable in scan.all_observables() if observable.likelihood.kind is not Kind.OFF]
        bounds = [observable.name for observable in scored if observable.likelihood.kind is Kind.CFUNCTION]
        names = [
            *(variable.name for variable in scan.variables),
            *(observable.name for observable in scan.all_observables()),
        ]
        method, bins, direction = read_novelty(setup)
        n = sum(not variable.fixed for variable in scan.variables)
        return replace(
            plain,
            sigma=setup.number_in("sigma", 1 / math.sqrt(max(n, 1)), 0.0, 1.0, open_low=True),
            target=ALL_WITHIN if not is_given(scan.networks) and len(bounds) == len(scored) else plain.target,
            episodes=setup.integer("episodes", low=1) if "episodes" in setup else None,
            novelty=method,
            bins=bins,
            direction=direction,
            focus=read_names(setup, "focus", "a variable or observable", names),
            hierarchy=read_hierarchy(scan),
            no_good_points_patience=setup.integer("no_good_points_patience", cls.no_good_points_patience, low=1),
            best_loss_patience=setup.integer("best_loss_patience", cls.best_loss_patience, low=1),
            best_valid_constraints_patience=setup.integer(
                "best_valid_constraints_patience", cls.best_valid_constraints_patience, low=1
            ),
            seeds=read_seeds(setup, [variable.name for variable in scan.variables]),
        )


class CmaesNd(Cmaes):
    """The strategy `type: CMAES_ND`. A batch is one generation, and everything follows from the points told."""

    origin = "cmaes_nd"
    # the ranks are scaled anew in each generation, so their history has no meaning
    _more_options: ClassVar[dict[str, float]] = {
        "tolfun": 0.0,
        "tolfunhist": -1.0,
        "tolfunrel": 0.0,
        "tolflatfitness": math.inf,
        "tolstagnation": 0.0,
    }
    settings: CmaesNdSettings

    def __init__(
        self, space: Space, settings: CmaesNdSettings, seed: int, observables: Sequence[Observable] = ()
    ) -> None:
        super().__init__(space, settings, seed, observables)
        names = [observable.name for observable in observables]
        focus = settings.focus or (*(variable.name for variable in space.variables), *names)
        self._variables = [
            n for n, variable in enumerate(space.variables) if variable.name in focus and not space.fixed[n]
        ]
        self._observables = [n for n, name in enumerate(names) if name in focus]
        # constraints that the hierarchy leaves for later have the largest loss
        self._first = [self._shortfall.names.index(name) for name in settings.hierarchy]
        self._losses = slice(1, 1 + self._shortfall.width)
        self._width = 1 + self._shortfall.width + len(self._observables)
        # counts results given to cma; while a scan is replayed, `tell` is ahead of cma
        self._learned_of = Found(settings.target)
        self._filled: list[Floats] = []  # good points: NLL, u, and the observables of the focus
        self._found = 0.0  # good points of this search, in generations
        self._best = [math.inf, -math.inf]  # lowest sum of losses, largest fraction of fulfilled constraints
        self._since = [0, 0, 0]  # generations since the first, the second improved, and since a good point

    def _judge(self, told: Told) -> Floats:
        """The NLL (infinite for a point that is not OK), the losses, and the observables of the focus."""
        nll = judged(told)
        self._learned_of.add(nll.tolist())
        losses = self._shortfall.columns(told)
        if self._first:
            waits = ~(losses[:, self._first] == 0.0).all(axis=1)
            later = [n for n in range(len(self._shortfall.names)) if n not in self._first]
            losses[np.ix_(waits, later)] = self.settings.max_loss
        return np.column_stack([np.where(np.isnan(nll), np.inf, nll), losses, told.observables[:, self._observables]])

    def _values(self, known: Floats, u: Floats) -> Floats:
        """For bad points 1 plus the sum of the losses, each scaled to [0, 1] over the generation; for good points their
        familiarity.
        """
        nll, losses = known[:, 0], known[:, self._losses]
        good = self._learned_of.target.contains(nll)  # NaN, a point without an answer, does not count
        losses = np.where(np.isfinite(losses), losses, self.settings.max_loss)
        span = np.ptp(losses, axis=0)
        scaled = (losses - losses.min(axis=0)) / np.where(span > 0, span, 1.0)
        values: Floats = 1.0 + scaled.sum(axis=1)
        points = np.column_stack([u, known[:, self._losses.stop :]])
        values[good] = self._familiar(points[good])
        self._note(losses, good)
        self._filled += [np.column_stack([nll, points])[good]] if good.any() else []
        return values

    def _familiar(self, good: Floats) -> Floats:
        """The familiarity, shape (n,), from 0 for a new point to 1 for a point among many known ones."""
        archive = self._archive()
        if len(archive) < 2 or not len(good) or self.settings.novelty == "none":
            return np.ones(len(good))
        columns = [*self._variables, *range(self.space.dim, good.shape[1])]
        points, archive = good[:, columns], archive[:, columns]
        here, there = np.isfinite(points).all(axis=1), np.isfinite(archive).all(axis=1)
        found = np.ones(len(good))
        if not here.any() or not there.any():
            return found
        if self.settings.novelty == "Optimiser":
            low, span = points[here].min(axis=0), np.ptp(points[here], axis=0)
            scaled = (points[here] - low) / np.where(span > 0, span, 1.0)
            found[here] = scaled.mean(axis=1) if self.settings.direction == "min" else 1.0 - scaled.mean(axis=1)
        else:
            found[here] = 1.0 - novelty(archive[there], points[here], self.settings.bins)
        return found

    def _archive(self) -> Floats:
        """The good points: u, and the observables of the focus."""
        if not self._filled:
            return np.empty((0, self.space.dim))
        every = np.concatenate(self._filled)
        self._filled = [every[self._learned_of.target.contains(every[:, 0])]]
        return self._filled[0][:, 1:]

    def _note(self, losses: Floats, good: NDArray[np.bool_]) -> None:
        """Counts the generations without an improvement."""
        self._found += float(good.mean())
        reached = [losses.sum(axis=1).min(), (losses == 0.0).mean(axis=1).max()]
        better = [reached[0] < self._best[0], reached[1] > self._best[1], good.any()]
        self._best = [min(self._best[0], reached[0]), max(self._best[1], reached[1])]
        self._since = [0 if improved else since + 1 for improved, since in zip(better, self._since, strict=True)]

    def _has_ended(self) -> bool:
        own = self.settings
        ended = bool(self._search.stop()) or self._found >= FILL
        stuck = self._since[0] >= own.best_loss_patience and self._since[1] >= own.best_valid_constraints_patience
        if (ended or stuck) and self._since[2] >= own.no_good_points_patience:
            self.stop_reason = f"{self._since[2]:,} generations without a good point (no_good_points_patience)"
        elif own.generations is not None and self._generation >= own.generations:
            self.stop_reason = f"{self._generation:,} generations are over (generations, CMAESMaxGenerations)"
        if ended:
            self._found = 0.0
        return ended

    def _new_search(self) -> Any:
        if not self._searches and self._start is None and self.settings.seeds:
            row = self.settings.seeds[int(self._rng.integers(len(self.settings.seeds)))]
            self._start = self.space.to_unit(np.array([row]))[0]
        return super()._new_search()

    def _start_of_search(self) -> Floats:
        """The first search starts as in CMAES, a later one far from all good points."""
        archive = self._archive()
        if not self._searches or not len(archive) or self.settings.mean is not None:
            return super()._start_of_search()
        starts = self._rng.random((STARTS, len(self._free)))
        from scipy.spatial import KDTree  # here: other scans need not load it

        distance, _ = KDTree(archive[:, self._free]).query(starts)
        best: Floats = starts[np.argmax(distance)]
        return best

    def _learn_init(self, batches: list[Told]) -> None:
        super()._learn_init(batches)
        for told in batches:
            nll = judged(told)
            if (good := self._learned_of.target.contains(nll)).any():
                self._filled.append(np.column_stack([nll, told.u, told.observables[:, self._observables]])[good])
