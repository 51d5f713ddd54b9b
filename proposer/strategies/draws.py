"""Scans that do not learn, for comparison: RANDOM and SOBOL; GRID is in grid.py.

Their points depend on no result, so the next batch may be asked for while the last one is out.
"""

from __future__ import annotations

import json
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from proposer.strategies.base import generator, judged
from proposer.target import DEFAULT_TARGET, Found, Target
from proposer.types import Batch, CheckpointError, Floats, Told

if TYPE_CHECKING:
    from proposer.space import Space
    from scanspec import ScanFile


@dataclass(frozen=True)
class DrawSettings:
    """The settings that these scans read from the section `networks`."""

    points_per_iteration: int = 300
    """Points of a batch."""
    target: Target = DEFAULT_TARGET
    """Which points are good."""

    @classmethod
    def read(cls, scan: ScanFile) -> Self:
        """Reads and checks the settings of a scan file; raises ScanFileError."""
        return cls(
            scan.networks.integer("points_per_iteration", cls.points_per_iteration, low=1),
            replace(Target.read(scan, cls.target), everything=not scan.is_scored),
        )


class Draws(ABC):
    """A sequence of points, given out in batches; `_next` of a subclass computes the points."""

    lag = 1
    eager = True
    start_points, training_seconds = 0, 0.0
    origin = ""

    def __init__(self, space: Space, settings: DrawSettings, seed: int) -> None:
        self.space, self.settings, self.seed = space, settings, seed
        self.stop_reason = ""
        self._counted = Found(settings.target)
        self._asked = 0  # number of points given out

    @property
    def good(self) -> int:
        """Good points told so far."""
        return self._counted.good

    def ask(self, least: int = 1) -> Batch | None:
        """The next points of the sequence, or None at its end."""
        u = self.space.snap(self._next(self._asked, max(self.settings.points_per_iteration, least)))
        if not len(u):
            return None
        self._asked += len(u)
        return Batch(u, [self.origin] * len(u), 0)

    @abstractmethod
    def _next(self, start: int, n: int) -> Floats:
        """Points `start` to `start + n`, counted from 0, shape (at most n, d)."""

    def tell(self, told: Told) -> None:
        """Counts good points."""
        self._counted.add(judged(told).tolist())

    def checkpoint(self) -> bytes:
        """The number of points given out; everything else follows from the seed."""
        return json.dumps({self.origin: self._asked}).encode()

    def restore(self, data: bytes) -> None:
        """Goes on after the points of a checkpoint; raises CheckpointError."""
        try:
            self._asked = int(json.loads(data)[self.origin])
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"the checkpoint is not one of {self.origin.upper()} ({error})") from error


class Random(Draws):
    """The strategy `type: RANDOM`: independent draws from the priors."""

    origin = "random"

    def _next(self, start: int, n: int) -> Floats:
        return self.space.draw(generator(self.seed, start, "random"), n)


class Sobol(Draws):
    """The strategy `type: SOBOL`: a scrambled Sobol sequence, which fills the space evenly (scipy.stats.qmc)."""

    origin = "sobol"

    def __init__(self, space: Space, settings: DrawSettings, seed: int) -> None:
        super().__init__(space, settings, seed)
        from scipy.stats import qmc  # here: it takes half a second to load, which other scans need not wait for

        self._engine = qmc.Sobol(space.dim, bits=32, rng=generator(seed, 0, "sobol"))

    def _next(self, start: int, n: int) -> Floats:
        if start < self._engine.num_generated:
            self._engine.reset()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The balance properties")  # the scan has no known end
            if start > self._engine.num_generated:
                self._engine.fast_forward(start - self._engine.num_generated)
            u: Floats = self._engine.random(n)
        return u
