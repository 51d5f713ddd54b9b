"""CMAES: covariance matrix adaptation, from the package `cma` (N. Hansen, arXiv:1604.00772), to compare with.

It climbs to the best point. A search that has contracted to `sigma_tolerance`, or that cma
itself gives up, starts again at a random place, so that other minima are found too.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from proposer.rows import row_keys
from proposer.strategies.base import Batch, CheckpointError, Floats, Status, Told, generator, is_good
from proposer.target import NONE, read_target

if TYPE_CHECKING:
    from proposer.space import Space
    from scanspec import ScanFile

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "Could not import matplotlib")  # which only its plots need
    import cma


@dataclass(frozen=True)
class CmaesSettings:
    """Settings in the section `setup`, where BSMArt has them, and the threshold in `networks`."""

    population_size: int = 0
    """Points of a batch; 0 for cma's default, 4 + 3 ln d."""
    sigma: float = 0.3
    """First standard deviation of a search, in the unit cube."""
    sigma_tolerance: float = 1e-4
    """A search ends when all its standard deviations are below this; BSMArt's default."""
    threshold: float = 100.0
    """A point is good when its NLL is below this."""
    above: float = NONE
    """And, where the target is a band, above this."""

    @classmethod
    def read(cls, scan: ScanFile) -> Self:
        """Reads and checks the settings of a scan file; raises ScanFileError."""
        setup = scan.setup
        size = setup.integer("population_size", low=4) if "population_size" in setup else cls.population_size
        return cls(
            size,
            setup.number_in("sigma", cls.sigma, 0.0, 1.0, open_low=True),
            setup.number_in("sigma_tolerance", cls.sigma_tolerance, 0.0, 1.0, open_low=True),
            *read_target(scan.networks, cls.threshold),
        )


class Cmaes:
    """The strategy `type: CMAES`. A batch is one generation.

    Everything follows from the points told, so a resumed scan replays them through cma: about
    a millisecond a generation. Points without an NLL rank last.
    """

    lag = 0
    eager = False

    def __init__(self, space: Space, settings: CmaesSettings, seed: int) -> None:
        self.space, self.settings, self.seed = space, settings, seed
        self.stop_reason = ""
        self.good = 0
        self._free = np.flatnonzero(~space.fixed)
        self._told: list[Told] = []  # not yet given to cma
        self._asked = 0  # batches
        self._generation = 0  # batches given to cma
        self._known: dict[int, float] = {}  # NLL of every point, infinite without one
        self._start: Floats | None = None  # the best point of an InitCSV
        self._search: Any = None
        self._out: tuple[list[Floats], Floats] | None = None  # the generation that has no answers yet
        self._rng = generator(seed, 0, "cmaes")

    def ask(self, k: int, least: int = 1) -> Batch:
        """The next generation, of at most `k` points."""
        if k < 1:
            raise ValueError(f"asked for {k} points; ask for at least one")
        replayed = self._asked - self._generation
        if first := self._told[: len(self._told) - replayed]:  # of an InitCSV
            self._learn_init(first)
        for told in self._told[len(first) :]:
            self._learn(told)
        self._told.clear()
        self._asked += 1
        u = self._sample()[1][:k]
        return Batch(u, ["cmaes"] * len(u), self._asked)

    def _sample(self) -> tuple[list[Floats], Floats]:
        """The present generation, as cma sees it and as u of shape (n, d); cma is asked once."""
        if self._out is not None:
            return self._out
        self._rng = generator(self.seed, self._generation, "cmaes")
        if self._search is None:
            self._search = self._new_search()
        own = self._search.ask()
        u = np.full((len(own), self.space.dim), 0.5)
        u[:, self._free] = np.array(own)[:, : len(self._free)]
        self._out = own, self.space.snap(np.clip(u, 0.0, 1.0))
        return self._out

    def _new_search(self) -> Any:
        n = max(2, len(self._free))  # cma does not do one dimension: the second is not used
        start = np.full(n, 0.5)
        start[: len(self._free)] = self._rng.random(len(self._free))
        if self._start is not None:
            start[: len(self._free)], self._start = self._start[self._free], None
        options = {
            "bounds": [0.0, 1.0],
            "randn": lambda *shape: self._rng.standard_normal(shape),
            "seed": np.nan,  # cma's own draws are those of `randn` alone
            "tolx": self.settings.sigma_tolerance,
            "verbose": -9,
        }
        if self.settings.population_size:
            options["popsize"] = self.settings.population_size
        return cma.CMAEvolutionStrategy(start, self.settings.sigma, options)

    def _learn_init(self, batches: list[Told]) -> None:
        for told in batches:
            self._remember(told)
            ok = np.flatnonzero(told.status == Status.OK)
            if len(ok):
                self._start = told.u[ok[np.argmin(self._aim(told.nll[ok]))]]

    def _learn(self, told: Told) -> None:
        """Gives cma the NLLs of a generation: those told, or known from earlier points in the same place."""
        self._remember(told)
        own, u = self._sample()
        nll = np.array([self._known.get(key, np.inf) for key in self._keys(u)])
        worst = np.nanmax(nll, where=np.isfinite(nll), initial=0.0) + 1.0
        self._search.tell(own, np.where(np.isfinite(nll), nll, worst).tolist())
        self._generation += 1
        self._out = None
        if self._search.stop():
            self._search = None

    def _aim(self, nll: Floats) -> Floats:
        """What is minimised: the NLL, or its distance to the middle of a band."""
        settings = self.settings
        return nll if settings.above == NONE else np.abs(nll - 0.5 * (settings.above + settings.threshold))

    def _remember(self, told: Told) -> None:
        nll = np.where(told.status == Status.OK, self._aim(told.nll), np.inf)
        self._known.update(zip(self._keys(told.u), nll.tolist(), strict=True))

    def _keys(self, u: Floats) -> list[int]:
        keys: list[int] = row_keys(self.space.to_physical(u)).tolist()
        return keys

    def tell(self, told: Told) -> None:
        """Takes the answers of one batch."""
        self._told.append(told)
        self.good += int(is_good(told, self.settings).sum())

    def checkpoint(self) -> bytes:
        """How many generations were asked: the rest follows from the points."""
        return json.dumps({"generations": self._asked}).encode()

    def restore(self, data: bytes) -> None:
        """Goes back to a checkpoint; raises CheckpointError."""
        try:
            asked = int(json.loads(data)["generations"])
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"the checkpoint is not one of CMAES ({error})") from error
        if asked > len(self._told) + self._generation + 1:
            raise CheckpointError(
                f"the checkpoint was made after {asked - 1} batches, but only {len(self._told)} were told: "
                "it belongs to another run"
            )
        self._asked = asked
