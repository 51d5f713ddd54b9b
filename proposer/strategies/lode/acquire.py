"""Which points to evaluate next: a batch is filled by parts, one after the other.

A part gets a context and the number of points that are still free. It returns its points, at most this number.
`docs/search-steps.md` lists the parts in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from scipy.spatial import cKDTree

from proposer.strategies.lode.nets import MOST_DIM
from proposer.strategies.lode.select import (
    Candidates,
    Reach,
    daring,
    even,
    hits,
    not_yet,
    probability_of_an_answer,
    uncertain,
    undiscovered,
)
from proposer.strategies.lode.trend import Trend
from proposer.types import Floats

if TYPE_CHECKING:
    from proposer.strategies.lode.points import Known
    from proposer.strategies.lode.sample import Particles
    from proposer.strategies.lode.surrogate import Surrogate

LEAST_EXPLORE, MOST_EXPLORE = 0.01, 0.6
"""The least and the largest fraction of a batch for points that may be good."""
LESS = 0.5
"""The number of exploring points is smaller by this fraction of the points close to planes, which explore, too."""
NEAR = 2
"""The number of levels next to the good region whose points compete with those inside."""
SPREAD, COARSE, FINE = 128, 0.6, 1.25
"""For a model of observables, a larger distance counts less beyond COARSE times the spacing of SPREAD candidates, and
in a denser map beyond FINE times the median distance of the region from its occupied points. Of the points that the
model takes for good, the farthest ones are most often bad. The numbers were chosen on recorded batches of seven
problems, by the parts that one batch found.
"""
LAST, SHARP = 100, 12.0
"""Beyond these distances, the power of the distance is multiplied by the hit rate of the LAST points to the power
SHARP. With SHARP = 8, fewer points of moment5d were good. When larger distances counted no more at all, toy3d_thin
missed a shell.
"""
ENOUGH, NEWEST = 0.5, 50
"""For a model of the NLL, the power of the distance falls in proportion if fewer than ENOUGH of the NEWEST exploiting
points were good.
"""
SURE = 1.0 / 3.0
"""For a model of the NLL, the probability counts with the power SURE per dimension, but at least 1. On recorded batches
of problems in six and eight dimensions, more points were then good, and more of them in new parts of the region. In
three dimensions the power 3 found fewer new parts than the power 1.
"""
MOST_OUTSIDE = 800
"""The largest number of candidates from the other levels."""
PROMISE = 0.03
"""If a model takes no point for good, a candidate with the predicted energy E counts as good with the probability
PROMISE / E^2, beside that of the model. Most models are too sure then: if no draw of a model is good anywhere, points
with low energies still come first. Without it, points were spread over the whole cube, and the first good point of
poles4d (seed 6) was the 209th instead of the 132nd.
"""


class Part(NamedTuple):
    """A part of a batch. `choose` takes a context and n, and returns points, shape (at most n, d). `origin` is the word
    in the dataset that says which part chose a point.
    """

    origin: str
    choose: Callable[[Context, int], Floats]


@dataclass(frozen=True)
class Acquisition:
    """How a batch is chosen.

    `parts` fill the batch in this order. `sources` return more candidates, shape (k, d), beside those of the sampler.
    `uniform` is the fraction of a batch that is drawn from the prior; None: the fraction that the model asks for.
    """

    parts: Sequence[Part]
    sources: Sequence[Callable[[Context], Floats]] = ()
    uniform: float | None = None


class Context:
    """The data from which the parts choose: known points, points without a result, the model, candidates and their
    probability of being good.

    All points `u` have the shape (k, d), and are in the unit cube, as the space has them (`snap`). `inputs`: the
    coordinates in which distances are measured; for a periodic variable, they are points on a circle. `generator`:
    random numbers by purpose. `left`: the fraction of the evaluations that is left, 1 if their number is unlimited.
    """

    def __init__(
        self,
        known: Known,
        pending: Floats,
        surrogate: Surrogate,
        *,
        snap: Callable[[Floats], Floats],
        inputs: Callable[[Floats], Floats],
        generator: Callable[[str], np.random.Generator],
        left: float = 1.0,
    ) -> None:
        self.known, self.pending, self.surrogate = known, pending, surrogate
        self.snap, self.generator, self.left = snap, generator, left
        self.inputs = inputs
        self.dim = known.u.shape[1]
        self.busy = np.concatenate([known.u, pending])
        self.random = generator("choose")

    def look(self, particles: Particles, sources: Sequence[Callable[[Context], Floats]], n: int) -> None:
        """Gathers the candidates for a batch of n points, and their probabilities of being good.

        `inside` are candidates in the region that the model takes for good. `near` are those of the two levels next to
        it, and those of `sources`. `outside` are those of all levels; each stands for a part of the cube, whose volume
        is in `volumes`.
        """
        self.n = n
        self.near_planes = 0  # the number of points close to planes
        self.explored: Floats = np.empty((0, self.dim))  # the points of the part explore
        self.downhill = np.empty((0, self.dim))  # points for basins, beside the minima of bowls
        self.volume = particles.volume
        self.reached = particles.level == 1.0  # whether the model takes any point for good
        self.inside = np.unique(self.snap(particles.inside.numpy()), axis=0)
        levels = [(self.snap(u.numpy()), volume) for u, volume in particles.levels]
        self.levels = [u for u, _ in levels]
        self.near = np.concatenate([np.empty((0, self.dim)), *self.levels[-NEAR:]])
        for source in sources:
            self.near = np.concatenate([self.near, self.snap(source(self))])
        self.outside, self.volumes = undiscovered(levels, MOST_OUTSIDE)
        self.candidates = np.concatenate([self.inside, self.near])
        found = [
            self.surrogate.probability(self.candidates, self.random),
            self.surrogate.probability(self.outside, self.random, self.surrogate.wider),
        ]
        every = np.concatenate([self.candidates, self.outside])
        probability = np.concatenate(found) * probability_of_an_answer(self.known, every)
        self.probability, self.probability_outside = np.split(probability, [len(self.candidates)])

    @cached_property
    def trend(self) -> Trend | None:
        """The trend of the energy, if there is an NLL alone, which is smooth."""
        if self.surrogate.by_observables:
            return None
        return Trend.of(self.known, self.positions(self.known.u), self.generator("trend"))

    @property
    def leading(self) -> Trend | None:
        """The trend, if it is better than networks: in many variables, networks need many points."""
        return self.trend if self.dim > MOST_DIM else None

    def positions(self, u: Floats) -> Floats:
        """The coordinates, shape (n, number of inputs), in which distances between points u, shape (n, d), are
        measured.
        """
        return 0.5 * self.inputs(u)

    def taken(self) -> Floats:
        """The positions of the good points and of the points without a result, from which new points keep away."""
        return self.positions(np.concatenate([self.known.u[self.known.good], self.pending]))


def choose(
    acquisition: Acquisition, context: Context, n: int, uniform: Callable[[int, Floats], Floats]
) -> tuple[Floats, list[str]]:
    """The points of a batch, shape (n, d), and their origins. All points differ from each other, from the known points,
    and from those without a result.

    `uniform` takes a number and the points of the batch so far, and draws this number of other points from the prior.
    These fill what the parts leave free.
    """
    share = context.surrogate.uniform if acquisition.uniform is None else acquisition.uniform
    free = n - int(context.random.binomial(n, share))
    found: list[tuple[Floats, list[str]]] = []
    for part in acquisition.parts:
        points = part.choose(context, free)
        free -= len(points)
        found.append((points, [part.origin] * len(points)))
    found.reverse()  # if two parts chose the same point, the later part gets it: exploit before explore
    u = context.snap(np.concatenate([np.empty((0, context.dim)), *(points for points, _ in found)]))
    origins = [origin for _, words in found for origin in words]
    new = not_yet(u, context.busy)
    u, origins = u[new], [origins[row] for row in new]
    rest = uniform(n - len(u), u)
    return np.concatenate([u, rest]), origins + ["random"] * len(rest)


def explore(context: Context, n: int) -> Floats:
    """A part: points that may be good. They are drawn by the good volume that is expected around them, and by their
    distance from all other points.

    Their fraction of the n points is the fraction of the good volume that is still undiscovered. It is smaller if
    earlier points of this part were not good. It also falls towards the end of the scan, when few evaluations are left
    to fill a region that is found.
    """
    inside = context.volume * context.probability[: len(context.inside)].mean()
    missing = float((context.volumes * context.probability_outside).sum())
    success = hits(context.known, "explore") / hits(context.known, "exploit")
    share = missing / (missing + inside + 1e-300) * success**context.surrogate.patience
    share = max(context.left * min(share, MOST_EXPLORE), LEAST_EXPLORE)
    rest = Candidates(context.positions(context.outside), context.probability_outside)
    n = max(round(share * n - LESS * context.near_planes), round(LEAST_EXPLORE * n))
    rows = uncertain(rest, context.volumes, context.positions(context.busy), n, context.random)
    context.explored = context.outside[rows]
    return context.explored


def exploit(context: Context, n: int) -> Floats:
    """A part: points that the model predicts to be good, far from the known good points.

    A poor model is most often wrong far from them. So where points of this part miss, far ones count less. If a model
    of observables takes no point for good, points keep away from all known points (`unlike`).
    """
    power = daring(context.dim)
    if context.surrogate.by_observables and not context.reached:
        return unlike(context, n, power)
    best = Candidates(context.positions(context.candidates), context.probability)
    if context.surrogate.by_observables:
        beyond = power * hits(context.known, "exploit", LAST) ** SHARP
        reach = Reach(resolution(best, context.taken()), beyond)
        return context.candidates[even(best, context.taken(), n, power, reach)]
    power *= min(1.0, hits(context.known, "exploit", NEWEST) / ENOUGH)
    sure = Candidates(best.u, best.probability ** max(1.0, SURE * context.dim))
    return context.candidates[even(sure, context.taken(), n, power)]


def unlike(context: Context, n: int, power: float) -> Floats:
    """n points among the candidates and those of all levels, far from all points.

    If the model takes no point for good, the sampler ends in its lowest minimum. One point there says as much as ten.
    """
    u = np.concatenate([context.candidates, context.outside])
    energy = context.surrogate(torch.from_numpy(u)).numpy().clip(min=1.0)
    promise = np.concatenate([context.probability, context.probability_outside]) + PROMISE / energy**2
    occupied = context.positions(np.concatenate([context.busy, context.explored]))
    return u[even(Candidates(context.positions(u), promise), occupied, n, power, least=0.0)]


def resolution(candidates: Candidates, occupied: Floats) -> float:
    """The distance up to which gaps between the `occupied` points, shape (k, d), are worth more if they are larger."""
    u, probability = candidates.u, candidates.probability
    spread = u[even(candidates, u[:0], SPREAD)]
    if len(spread) < 2 or not len(occupied) or not probability.any():
        return np.inf
    coarse = COARSE * float(np.median(np.asarray(cKDTree(spread).query(spread, k=2)[0])[:, 1]))
    distance = np.asarray(cKDTree(occupied).query(u)[0])
    order = np.argsort(distance)
    below = np.cumsum(probability[order])
    fine = FINE * float(distance[order][np.searchsorted(below, 0.5 * below[-1])])
    return min(coarse, fine) if fine > 0.0 else coarse  # candidates of a discrete space may be occupied themselves


EXPLORE, EXPLOIT = Part("explore", explore), Part("exploit", exploit)
