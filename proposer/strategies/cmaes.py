"""CMAES: covariance matrix adaptation from the package `cma` (N. Hansen, arXiv:1604.00772), for comparison.

It descends to the best point. When a search has contracted to `sigma_tolerance`, or cma itself stops it, the next
search starts at a random point, so that other minima are found, too.
"""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from proposer.keys import row_keys
from proposer.strategies.base import generator, judged
from proposer.strategies.shortfall import Shortfall
from proposer.target import DEFAULT_TARGET, Found, Target
from proposer.types import Batch, CheckpointError, Floats, Status, Told
from scanspec.cmaes import read_start
from scanspec.likelihoods import LARGEST_LOSS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proposer.space import Space
    from proposer.types import Observable
    from scanspec import ScanFile

MOST_KNOWN = 20
"""After this many generations in a row without a new point, the next is asked for anyway, because the scan counts such
batches.
"""


@dataclass(frozen=True)
class CmaesSettings:
    """Settings in the section `setup`, where BSMArt has them, and the threshold in `networks`."""

    population_size: int | None = None
    """Points of a batch; None for cma's default, 4 + 3 ln d."""
    sigma: float = 0.3
    """First standard deviation of a search, in the unit cube."""
    sigma_tolerance: float = 1e-4
    """A search ends when all its standard deviations are below this; BSMArt's default."""
    target: Target = DEFAULT_TARGET
    """Which points are good."""
    generations: int | None = None
    """A search ends after so many generations; None for no limit."""
    episodes: int | None = None
    """The number of searches, one after the other; None for no limit. If `generations` is given it is 1 by default, as
    in BSMArt.
    """
    mean: float | None = None
    """The start of every search, in each variable's unit interval; None for a random point."""
    start: tuple[float, ...] = ()
    """The start of the first search, in physical units; empty for none."""
    max_loss: float = LARGEST_LOSS
    """The cap of each loss in the ranking of points."""

    @classmethod
    def read(cls, scan: ScanFile) -> Self:
        """Reads and checks the settings of a scan file; raises ScanFileError."""
        setup = scan.setup
        size = setup.integer("population_size", low=4) if "population_size" in setup else cls.population_size
        generations = setup.integer("generations", low=1) if "generations" in setup else None
        return cls(
            population_size=size,
            sigma=setup.number_in("sigma", cls.sigma, 0.0, 1.0, open_low=True),
            sigma_tolerance=setup.number_in("sigma_tolerance", cls.sigma_tolerance, 0.0, 1.0, open_low=True),
            target=Target.read(scan, cls.target),
            generations=generations,
            episodes=setup.integer("episodes", low=1) if "episodes" in setup else 1 if generations else None,
            mean=setup.number_in("mean", 0.0, 0.0, 1.0) if "mean" in setup else None,
            start=read_start(scan),
            max_loss=setup.number_in("max_loss", LARGEST_LOSS, 0.0, math.inf, open_low=True),
        )


class Cmaes:
    """The strategy `type: CMAES`. A batch is one generation.

    Everything follows from the points told, so a resumed scan replays them through cma, at about a millisecond per
    generation. Points that are not OK rank behind all OK points, by their losses (the largest loss for a missing
    observable) and by their distance from the windows. A generation without a new point is not asked for.
    """

    lag = 0
    eager = False
    start_points, training_seconds = 0, 0.0
    origin = "cmaes"

    def __init__(
        self, space: Space, settings: CmaesSettings, seed: int, observables: Sequence[Observable] = ()
    ) -> None:
        self.space, self.settings, self.seed = space, settings, seed
        self.stop_reason = ""
        self._counted = Found(settings.target)
        self._shortfall = Shortfall(observables, settings.max_loss)
        self._free = np.flatnonzero(~space.fixed)
        self._told: list[Told] = []  # not yet given to cma
        self._asked = 0  # batches asked for
        self._learned = 0  # batches given to cma
        self._generation = 0  # generations given to cma: the batches, and those without a new point
        self._known: dict[int, Floats] = {}  # the results of all points, as `_judge` returns them
        self._start: Floats | None = None  # the best point of an InitCSV
        self._search: Any = None
        self._age = 0  # generations of this search
        self._searches = 0  # searches that have ended
        self._out: tuple[list[Floats], Floats] | None = None  # the generation without answers
        self._ready = False  # this generation may be asked for
        self._rng = generator(seed, 0, self.origin)

    @property
    def good(self) -> int:
        """Good points told so far."""
        return self._counted.good

    @property
    def generations(self) -> int:
        """Generations that cma has learned from: the batches, and those in which no point was new."""
        return self._generation

    @property
    def searches(self) -> int:
        """Searches that have ended."""
        return self._searches

    def ask(self, least: int = 1) -> Batch | None:
        """The next generation; None when the last search has ended."""
        replayed = self._asked - self._learned
        if first := self._told[: len(self._told) - replayed]:  # points of an `init_csv`
            self._learn_init(first)
        for told in self._told[len(first) :]:
            self._advance()
            self._remember(told)
            self._give()
            self._learned += 1
        self._told.clear()
        if len(self._known) >= self.space.size:
            self.stop_reason = f"all {self.space.size:,.0f} points of the space were evaluated"
            return None
        u = self._advance()
        if u is None:
            return None
        self._asked += 1
        return Batch(u, [self.origin] * len(u), self._asked)

    def _advance(self) -> Floats | None:
        """The next generation with a new point, as u, shape (n, d); generations of known points only are skipped."""
        for _ in range(MOST_KNOWN):
            if self.stop_reason:
                return None
            u = self._sample()[1]
            if self._ready or not all(key in self._known for key in self._keys(u)):
                break
            self._give()
        if self.stop_reason:
            return None
        self._ready = True
        return self._sample()[1]

    def _sample(self) -> tuple[list[Floats], Floats]:
        """The present generation, as cma sees it and as u, shape (n, d). cma is asked only once per generation."""
        if self._out is not None:
            return self._out
        self._rng = generator(self.seed, self._generation, self.origin)
        if self._search is None:
            self._search, self._age = self._new_search(), 0
        own = self._search.ask()
        u = np.full((len(own), self.space.dim), 0.5)
        u[:, self._free] = np.array(own)[:, : len(self._free)]
        self._out = own, self.space.snap(np.clip(u, 0.0, 1.0))
        return self._out

    def _new_search(self) -> Any:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Could not import matplotlib")  # only the plots of cma need it
            import cma  # imported here, because it imports matplotlib, which other scans do not need
        n = max(2, len(self._free))  # cma needs two dimensions; the second is not used
        start = np.full(n, 0.5)
        start[: len(self._free)] = self._start_of_search()
        if self._start is None and not self._searches and self.settings.start:
            self._start = self.space.to_unit(np.array([self.settings.start]))[0]
        if self._start is not None:
            start[: len(self._free)], self._start = self._start[self._free], None
        options = {
            "bounds": [0.0, 1.0],
            "randn": lambda *shape: self._rng.standard_normal(shape),
            "seed": np.nan,  # cma's own draws are those of `randn` alone
            "tolx": self.settings.sigma_tolerance,
            "verbose": -9,
            **self._more_options,
        }
        if self.settings.population_size:
            options["popsize"] = self.settings.population_size
        return cma.CMAEvolutionStrategy(start, self.settings.sigma, options)

    def _start_of_search(self) -> Floats:
        """The start of a search, as u of the free variables."""
        n = len(self._free)
        return self._rng.random(n) if self.settings.mean is None else np.full(n, self.settings.mean)

    def _learn_init(self, batches: list[Told]) -> None:
        for told in batches:
            self._remember(told)
            ok = np.flatnonzero(told.status == Status.OK)
            if len(ok):
                self._start = told.u[ok[np.argmin(self._aim(told.nll[ok]))]]

    def _give(self) -> None:
        """Gives cma the results of the present generation: those told, and those of earlier points with the same
        values.
        """
        own, u = self._sample()
        unknown = np.full(self._width, np.nan)
        values = self._values(np.stack([self._known.get(key, unknown) for key in self._keys(u)]), u)
        self._search.tell(own, values.tolist())
        self._generation += 1
        self._age += 1
        self._out, self._ready = None, False
        if self._has_ended():
            self._search = None
            self._searches += 1
            if self._searches == self.settings.episodes:
                many = f"all {self._searches} searches have" if self._searches > 1 else "the search has"
                self.stop_reason = f"{many} ended ({self._generation:,} generations)"

    def _has_ended(self) -> bool:
        """Whether the present search has ended."""
        limit = self.settings.generations
        return (limit is not None and self._age >= limit) or bool(self._search.stop())

    _more_options: ClassVar[dict[str, float]] = {}
    """Further options of cma."""
    _width = 1
    """The number of columns that `_judge` returns."""

    def _judge(self, told: Told) -> Floats:
        """The numbers to keep for each point, shape (n, width); here the function that is minimised."""
        ok = told.status == Status.OK
        losses = self._shortfall.columns(told)
        nll = told.nll if self._shortfall.usual else losses[:, self._shortfall.scored].sum(axis=1)
        behind = 2 * self._shortfall.largest + losses.sum(axis=1)
        return np.where(ok, self._aim(nll), behind)[:, None]

    def _values(self, known: Floats, u: Floats) -> Floats:
        """The values by which cma ranks a generation, shape (n,), from those of `_judge`, which are NaN for points
        without an answer.
        """
        value: Floats = known[:, 0]
        worst = np.nanmax(value, initial=0.0, where=np.isfinite(value)) + 1.0
        return np.where(np.isfinite(value), value, worst)

    def _aim(self, nll: Floats) -> Floats:
        """The function that is minimised: the NLL, or its distance to the middle of a band."""
        target = self.settings.target
        return np.abs(nll - 0.5 * (target.above + target.threshold)) if target.is_band else nll

    def _remember(self, told: Told) -> None:
        if len(told):  # a batch that had only known points is empty
            self._known.update(zip(self._keys(told.u), self._judge(told), strict=True))

    def _keys(self, u: Floats) -> list[int]:
        keys: list[int] = row_keys(self.space.to_physical(u)).tolist()
        return keys

    def tell(self, told: Told) -> None:
        """Takes the answers of one batch."""
        self._told.append(told)
        self._counted.add(judged(told).tolist())

    def checkpoint(self) -> bytes:
        """The number of generations asked for; everything else follows from the points."""
        return json.dumps({"generations": self._asked}).encode()

    def restore(self, data: bytes) -> None:
        """Goes back to a checkpoint; raises CheckpointError."""
        try:
            asked = int(json.loads(data)["generations"])
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"the checkpoint is not one of {self.origin.upper()} ({error})") from error
        if asked > len(self._told) + self._learned + 1:
            raise CheckpointError(
                f"the checkpoint was made after {asked - 1} batches, but only {len(self._told)} were told: "
                "it belongs to another run"
            )
        self._asked = asked
