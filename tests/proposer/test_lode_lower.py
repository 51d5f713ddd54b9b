"""If the target follows the best point, LODE keeps looking for a deeper minimum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from proposer.strategies.lode import lower
from proposer.strategies.lode.acquire import Context
from proposer.strategies.lode.energy import EnergyOfObservables
from proposer.strategies.lode.nll import OfNll
from proposer.target import Target
from proposer.types import Floats
from tests.proposer.searches import known_of

DIM = 6
WIDE, DEEP, SLOPE = np.full(DIM, 0.35), np.full(DIM, 0.7), 0.11


def wide(u: Floats) -> Floats:
    """The energy of a wide minimum, shape (n,), 1/2 at its bottom."""
    return np.asarray(0.5 + 3.0 * ((u - WIDE) ** 2).sum(axis=1))


def both(u: Floats) -> Floats:
    """The same with a deeper, narrow minimum, which shows in 0.2 % of the cube."""
    return np.asarray(np.minimum(wide(u), 0.2 + 0.5 * ((u - DEEP) ** 2).sum(axis=1) / 0.12**2))


class OfWide(OfNll):
    """A model that knows the wide minimum only, with this lowest energy."""

    lowest = 0.5

    def __call__(self, u: Tensor) -> Tensor:
        return torch.from_numpy(wide(u.numpy()) - 0.5 + self.lowest)

    def members(self, u: Floats) -> Floats:
        return wide(u)[None]

    def others(self) -> list[Callable[[Tensor], Tensor]]:
        return []


def context_of(u: Floats, energy: Floats, pending: Floats | None = None, seed: int = 0) -> Context:
    known = replace(known_of(u, energy), plain=energy, energy=energy, rising=energy)
    context = Context(
        known,
        u[:0] if pending is None else pending,
        OfWide(DIM, EnergyOfObservables([], Target(1.0)), lambda u: u),
        snap=lambda u: u,
        inputs=lambda u: u,
        generator=lambda purpose: np.random.default_rng([seed, len(purpose)]),
    )
    context.n, context.inside, context.outside = 200, u[:0], u[:0]
    return context


def points() -> tuple[Floats, Floats]:
    """The best point first. The last one is on the slope of the deeper minimum, and the only one there."""
    u = np.random.default_rng(4).random((400, DIM))
    u = u[both(u) == wide(u)]
    u = np.concatenate([[WIDE], u, [DEEP + np.array([SLOPE, -SLOPE, 0.0, SLOPE, 0.0, -SLOPE])]])
    return u, both(u)


def test_a_point_that_is_lower_than_the_models_say_is_followed_although_its_neighbours_are_lower():
    u, energy = points()
    assert wide(u[-1:]) > energy[-1] > 1.0
    near = np.argsort(np.linalg.norm(u - u[-1], axis=1))[1 : 2 * DIM + 1]
    assert energy[near].min() < energy[-1], "it is no basin by its neighbours"
    for batch in range(4):
        new = lower.lower(context_of(u, both(u), seed=batch), 200)
        assert len(new) == round(lower.RESTING * 200)
        u = np.concatenate([u, new])
    deep = np.linalg.norm(u - DEEP, axis=1) < np.linalg.norm(u - WIDE, axis=1)
    assert both(u)[deep].min() < 1.0


def joined(u: Floats, to: Floats) -> Floats:
    """The distances, shape (n,), of points u from the nearest of the points `to`, as if opposite walls were joined."""
    return np.asarray(cKDTree(to % 1.0, boxsize=np.ones(DIM)).query(u % 1.0)[0])


def test_points_also_go_to_the_largest_holes():
    u, energy = points()
    u, energy = u[:-1], energy[:-1]  # nothing is surprising
    new = lower.lower(context_of(u, energy), 200)
    far, random = joined(new, u), joined(np.random.default_rng(1).random((2000, DIM)), u)
    assert (far > np.quantile(random, 0.95)).sum() >= 0.4 * len(new)


def test_points_in_holes_find_more_small_minima_than_random_points_do():
    """Most known points are in the wide minimum. The points that are farthest from all others are in corners, and find
    less.
    """
    rng, radius = np.random.default_rng(2), 0.3
    u = np.concatenate([[WIDE], rng.random((90, DIM)), rng.normal(0.35, 0.08, (300, DIM)).clip(0.0, 1.0)])
    context = context_of(u, wide(u))
    context.n = 1000
    new = lower.lower(context, 1000)
    assert len(new) == round(lower.RESTING * 1000)
    minima = rng.random((4000, DIM))
    minima = minima[np.asarray(cKDTree(u).query(minima)[0]) > radius]
    found = [np.asarray(cKDTree(x).query(minima)[0]) < radius for x in (new, rng.random(new.shape))]
    assert found[0].sum() > 1.05 * found[1].sum()


def test_a_predicted_minimum_that_is_hardly_lower_than_the_best_point_gets_no_points():
    """It is the known minimum again."""
    u, energy = points()
    context = context_of(u[:-1], energy[:-1])
    for lowest, expected in ((0.5 - 0.8 * lower.FALL, 0), (0.5 - 1.2 * lower.FALL, 1)):
        assert isinstance(context.surrogate, OfWide)
        context.surrogate.lowest = lowest
        new = lower.lower(context, 200)
        assert (np.linalg.norm(new - WIDE, axis=1) < 0.1).any() == expected


def test_no_points_go_where_one_is_waiting_for_its_result():
    u, energy = points()
    new = lower.lower(context_of(u, energy), 200)
    waits = lower.lower(context_of(u, energy, u[-1:] + 0.01), 200)
    close = [int((np.linalg.norm(found - u[-1], axis=1) < 0.25).sum()) for found in (new, waits)]
    assert close[0] >= 2 and close[1] == 0
