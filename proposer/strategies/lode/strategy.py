"""LODE, lodescan's own search. It learns the observables, and fills the good region evenly.

`docs/search.md` explains the method. The numbers in the comments are the steps of `docs/search-steps.md`.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import qmc
from threadpoolctl import threadpool_limits

from proposer.strategies.base import generator
from proposer.strategies.lode.acquire import Acquisition, Context, choose
from proposer.strategies.lode.basins import BOWLS, MOST_DIM, size
from proposer.strategies.lode.collect import BEGIN
from proposer.strategies.lode.contest import Contest
from proposer.strategies.lode.energy import EnergyOfObservables, ScoredObservable
from proposer.strategies.lode.even import EvenIn
from proposer.strategies.lode.method import METHOD, PARTICLES, Method
from proposer.strategies.lode.points import Known, Points
from proposer.strategies.lode.sample import FEW_MOVES, MOVES, Particles
from proposer.strategies.lode.select import probability_of_an_answer, well_spread
from proposer.strategies.lode.settings import LEAST_BATCH, LodeSettings
from proposer.strategies.lode.spread import stuck
from proposer.strategies.lode.surrogate import Surrogate, grouped
from proposer.strategies.state import pack, unpack
from proposer.types import Batch, CheckpointError, Floats, Told

if TYPE_CHECKING:
    from proposer.space import Space

log = logging.getLogger(__name__)

FEW, SLOWLY, COLLECTING = 5, 12, 24
"""With fewer than FEW good points, a batch is 1 / SLOWLY of the known points instead of a quarter, because small
batches find good points sooner. With `goal: collect` it is always 1 / COLLECTING of them, because each step from the
known good points uses the results of the earlier steps: with 1 / SLOWLY, half as many parts of decay5d were reached
after 800 evaluations. If the target follows the best NLL, a batch has at most as many points as are good: after a
deeper minimum is found, batches are as small as at the start. With large ones, three steps downhill in a minimum that
was found late took 380 evaluations.
"""
FEW_EVALUATIONS, COLLECTED = 1000, 100
"""With an NLL alone, at most FEW_EVALUATIONS, and more than MOST_DIM variables, a map begins like `goal: collect`,
until COLLECTED points are good. From ten good points in eight variables, networks know so little of the region that 20
% of the points of *exploit* were good (chi2_8d), but 90 % of the collected ones. With COLLECTED = 50, chi2_8d (seed 63)
had 93 good points in 0.07 of the parts after 400 evaluations instead of 120 in 0.08; without this limit, blobs8d (seed
61) had 183 in 0.40 after 300 instead of 182 in 0.52. With many evaluations, collecting is a loss: on multi10d (seed
31), a hundred good points came after 683 evaluations instead of 864, but a thousand after 2,492 instead of 1,963. In
few variables, a map has to find separate regions: of 50 (balls50_5d, seed 61), 5 were found in 400 evaluations instead
of 15.
"""
START, SHORTER, LEAST_FIRST, MOST_FIRST = 6, 2, 10, 50
"""With few evaluations, the start is at most this part of them (1 / START). With a quarter, multi8d and multi10d had a
tenth fewer good points after 300 evaluations. With `goal: collect` the start is 1 / SHORTER of that for a map, because
steps downhill need no even start: dipole4d had 100 good points 25 evaluations sooner. It has at least LEAST_FIRST
points, and half as many follow.
"""


class Lode:
    """The strategy `Type: LODE`. `observables` are in the evaluator's order."""

    lag = 1
    eager = True

    def __init__(
        self,
        space: Space,
        settings: LodeSettings,
        seed: int,
        observables: Sequence[ScoredObservable],
        method: Method = METHOD,
    ) -> None:
        self.space = space
        self.settings = settings
        self.seed = seed
        self.stop_reason = ""
        self.training_seconds = 0.0
        self._free = np.flatnonzero(~space.fixed)
        self._seen = np.append(self._free, np.arange(space.dim, space.width))  # columns of the network's inputs
        mapped = [replace(observable, mapped=observable.name in settings.even_in) for observable in observables]
        self._scored = EnergyOfObservables(mapped, settings.target)
        self._points = Points(self._free, self._scored, settings.target)
        even_in = EvenIn.of(space, settings.even_in, self._scored)
        self._even_in_observables = bool(even_in.outputs)
        method = method.even_in(even_in) if even_in.dim else method
        self._method = method.following() if settings.target.follows else method
        self._first = _first_points(self._dim, settings.evaluations)
        if settings.collect:
            self._first = min(max(LEAST_FIRST, self._first // SHORTER), MOST_FIRST)
        self._batch_size = settings.batch
        self._asks = 0
        self._started = 0
        self._out: Floats = np.empty((0, len(self._free)))  # points without a result at the last ask
        self._surrogate: Surrogate | None = None
        self._contest = Contest(lambda: self._new_surrogate(by_observables=False))
        self._model: Surrogate | None = None  # the model of the last ask
        self._particles: Floats = np.empty((0, len(self._free)))

    @property
    def good(self) -> int:
        """The number of good points so far: status OK, and an NLL that meets the target."""
        return self._points.good_so_far

    @property
    def start_points(self) -> int:
        """The number of points in the start."""
        points = 0
        while points < 1.5 * self._first:
            points += self._next_of_start(points)
        return int(min(points, self.space.size))

    def _next_of_start(self, started: int) -> int:
        """The number of points in the next batch of the start, of which `started` points are requested."""
        return min(self._first if started == 0 else max(self._first // 2, 20), self._batch_size)

    @property
    def _dim(self) -> int:
        return len(self._free)

    def _full(self, u: Floats) -> Floats:
        """Points in all variables, shape (n, all variables), from u (n, d), rounded to allowed values (whole numbers,
        phases).
        """
        full = np.full((len(u), self.space.dim), 0.5)
        full[:, self._free] = u
        return self.space.snap(full)

    def _snap(self, u: Floats) -> Floats:
        return self._full(u)[:, self._free]

    def _inputs(self, u: Floats) -> Floats:
        return self.space.network_inputs(self._full(u))[:, self._seen]

    def _new_surrogate(self, *, by_observables: bool) -> Surrogate:
        make = self._method.by_observables if by_observables else self._method.by_nll
        return make(len(self._seen), self._scored, self._inputs)

    def ask(self, least: int = 1) -> Batch | None:
        """The next batch, with at least `least` points. The second or third batch is the first that trains a model."""
        with _one_thread():
            return self._ask(least)

    def _ask(self, least: int) -> Batch | None:
        if not self._dim:
            if self._asks:
                self.stop_reason = "no variable is free: there is one point, and it was asked for"
                return None
            self._asks = 1
            return self._batch(np.empty((1, 0)), ["start"])
        known = self._points.known()
        if self.space.size < np.inf and self.space.all_known(self._full(np.concatenate([known.u, self._out]))):
            self.stop_reason = f"all {self.space.size:,.0f} points of the space were asked for"
            return None
        self._asks += 1
        answered = int(known.answered.sum())
        if self._started < 1.5 * self._first or not answered:  # 1
            return self._start(max(self._next_of_start(self._started), least))
        start = time.monotonic()
        surrogate = self._fit(known)  # 2
        self.training_seconds += time.monotonic() - start
        n = max(min(self._batch_size, self._grown(known)), least)
        if not surrogate.fitted:
            return self._start(n)
        random = torch.Generator().manual_seed(int(self._generator("sample").integers(2**63)))
        before = torch.from_numpy(self._particles) if len(self._particles) else None
        moves = MOVES if known.good.sum() >= FEW else FEW_MOVES
        particles = self._method.sample(surrogate, self._dim, random, before, moves)  # 3
        inside = particles.inside.numpy()
        kept = well_spread(0.5 * self._inputs(inside), PARTICLES)
        self._particles = inside[kept] if particles.level == 1.0 else np.empty((0, self._dim))
        acquisition = self._acquisition(known, surrogate)
        if BOWLS in acquisition.parts:
            n = max(size(known, surrogate, n), min(n, self._first // 2), least)
        return self._choose(acquisition, known, surrogate, particles, n)  # 4

    def _grown(self, known: Known) -> int:
        """The number of points in the next batch, which depends on the known points."""
        answered, good = int(known.answered.sum()), int(known.good.sum())
        if self.settings.collect:
            least, n = max(LEAST_BATCH, self._dim), answered // COLLECTING
        else:
            least, n = self._first // 2, answered // (SLOWLY if good < FEW else 4)
        return max(least, min(n, good) if self.settings.target.follows else n)

    def _generator(self, purpose: str) -> np.random.Generator:
        return generator(self.seed, self._asks, purpose)

    def _start(self, n: int) -> Batch:
        """The next points of a scrambled Sobol sequence."""
        sobol = qmc.Sobol(self._dim, scramble=True, rng=generator(self.seed, 0, "start"))
        if self._started:
            sobol.fast_forward(self._started)
        self._started += n
        return self._batch(_random(sobol, n), ["start"] * n)

    def _fit(self, known: Known) -> Surrogate:
        by_observables = bool(self._scored.deciding) and self._points.disagreeing == 0
        by_observables = by_observables and self._points.with_observables > 0
        if self._surrogate is None or self._surrogate.by_observables != by_observables:
            if self._scored.all and not by_observables:  # otherwise there is only an NLL
                log.warning("LODE works on the NLL alone: %s", self._why_by_nll())
            self._surrogate = self._new_surrogate(by_observables=by_observables)
        self._surrogate.fit(known, self._generator("fit"))
        self._model = self._surrogate
        if by_observables and self._method.contest and not self._even_in_observables:
            self._model = self._contest.winner(known, self._surrogate, self._generator("contest"))
        else:
            self._contest.end()
        return self._model

    def _why_by_nll(self) -> str:
        if not self._scored.deciding and self._scored.as_nll:
            return "all observables of the likelihood are likelihoods themselves"
        if not self._scored.deciding or not self._points.with_observables:
            return "no observables have come back so far"
        return "the NLL that came back is not that of the observables, or a good point lacks one"

    def _choose(
        self, acquisition: Acquisition, known: Known, surrogate: Surrogate, particles: Particles, n: int
    ) -> Batch:
        pending = self._pending(known)
        context = Context(
            known,
            pending,
            surrogate,
            snap=self._snap,
            inputs=self._inputs,
            generator=self._generator,
            left=max(0.0, 1.0 - (known.evaluated + len(pending)) / self.settings.evaluations),
        )
        context.look(particles, acquisition.sources, n)
        u, origins = choose(acquisition, context, n, lambda n, others: self._uniform(context, n, others))
        u = self._snap(u)
        probability = self.probability(self._full(u))
        assert self._surrogate is not None
        self._surrogate.expect(u)
        self._contest.expect(u, self._surrogate, lambda: self._generator("expect"))
        return self._batch(u, origins, probability)

    def _acquisition(self, known: Known, surrogate: Surrogate) -> Acquisition:
        if stuck(known):
            return self._method.stuck
        if not self.settings.collect and not self._begins(known):
            return self._method.map
        if int(known.good.sum()) >= BEGIN:
            return self._method.collect
        return self._method.map if surrogate.by_observables else self._method.descend

    def _begins(self, known: Known) -> bool:
        """Whether there are few evaluations and too few good points for a map by an NLL alone."""
        assert self._surrogate is not None
        by_nll = not self._surrogate.by_observables and not self.settings.target.follows
        few = self.settings.evaluations <= FEW_EVALUATIONS and int(known.good.sum()) < COLLECTED
        return by_nll and few and self._dim > MOST_DIM and not self.settings.even_in  # collected points are not even

    def _uniform(self, context: Context, n: int, others: Floats) -> Floats:
        """n points from the prior, shape (n, d), that differ from the batch so far."""
        drawn = context.random.random((n, self._dim))
        busy = context.busy
        if self.space.size < np.inf and len(busy) > self.space.size / 2:  # most random points would already be known
            left = self.space.not_among(self._full(np.concatenate([busy, others])), n, context.random)[:, self._free]
            drawn[: len(left)] = left
        return drawn

    def _pending(self, known: Known) -> Floats:
        """Points without a result."""
        told = {row.tobytes() for row in known.u}
        self._out = self._out[np.array([row.tobytes() not in told for row in self._out], dtype=np.bool_)]
        return self._out

    def _batch(self, u: Floats, origins: list[str], probability: Floats | None = None) -> Batch:
        full = self._full(u)
        self._out = np.concatenate([self._out, full[:, self._free]])
        return Batch(full, origins, self._asks, probability)

    def tell(self, told: Told) -> None:
        """Adds the results of a batch."""
        self._points.add(told)

    def probability(self, u: Floats) -> Floats:
        """The probability, shape (n,), that points u (n, d) are good, from the model of the last ask; NaN without a
        model.
        """
        model = self._model or self._surrogate
        if model is None or not model.fitted:
            return np.full(len(u), np.nan)
        inner = self.space.snap(u)[:, self._free]
        with _one_thread():
            answered = probability_of_an_answer(self._points.known(), inner)
            return model.probability(inner, self._generator("probability")) * answered

    def checkpoint(self) -> bytes:
        """The state of the search, the points without a result, and the learned models."""
        loop = {"asks": self._asks, "started": self._started, "stop_reason": self.stop_reason}
        loop |= {"first": self._first, "batch_size": self._batch_size}
        arrays: dict[str, NDArray[np.generic]] = {"particles": self._particles, "out": self._out}
        if self._surrogate is not None:
            arrays |= {f"model/{name}": value for name, value in self._surrogate.to_arrays().items()}
            arrays["by_observables"] = np.array(self._surrogate.by_observables)
        arrays |= self._contest.to_arrays()
        return pack(loop, arrays)

    def restore(self, data: bytes) -> None:
        """Restores the state of a checkpoint. Raises CheckpointError."""
        loop, arrays = unpack(data, "one of LODE")
        try:
            particles, out = arrays["particles"], arrays["out"]
            surrogate = None
            if "by_observables" in arrays:
                surrogate = self._new_surrogate(by_observables=bool(arrays["by_observables"]))
                surrogate.load({name[6:]: value for name, value in arrays.items() if name.startswith("model/")})
            self._contest.load(grouped(arrays).get("contest"))
            self._asks, self._started = int(loop["asks"]), int(loop["started"])
            self.stop_reason = str(loop["stop_reason"])
            self._first = int(loop.get("first", _first_points(self._dim, np.inf)))  # older checkpoints have neither
            self._batch_size = int(loop.get("batch_size", self.settings.points_per_iteration))
        except (ValueError, TypeError, KeyError) as error:
            raise CheckpointError(f"the checkpoint is not one of LODE ({error})") from error
        self._out, self._surrogate, self._particles = out, surrogate, particles
        self._model = surrogate and self._contest.ahead(surrogate)


def _first_points(dim: int, evaluations: float) -> int:
    """The number of points that are requested before any result. Half as many follow before the first fit."""
    few = max(LEAST_FIRST, int(min(evaluations / START, 1e9) / 1.5))
    return min(max(min(20 * dim, 60), 10 * dim), few)


def _random(sobol: qmc.Sobol, n: int) -> Floats:
    """The next n points of the sequence, shape (n, d). scipy warns if n is not a power of two; this matters only for
    integrals, so the warning is suppressed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return np.asarray(sobol.random(n))


@contextmanager
def _one_thread() -> Iterator[None]:
    """In the block, torch and the linear algebra of numpy and scipy use one thread. The matrices are small, so more
    threads gain little, and on a busy machine they cost ten times as much. Sums over several threads also differ in
    their last digits, and then so do the points of a seed.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1, "blas"):
            yield
    finally:
        torch.set_num_threads(threads)
