"""Estimates of the profile NLL between points, against functions whose profile is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from proposer.show.estimates import LocalFits
from proposer.show.profiles import FINE, edges, profile, surface
from proposer.target import height
from proposer.types import Floats

Function = Callable[[Floats], Floats]
Profile = Callable[[Floats, Floats], Floats]


def gaussian(d: int) -> tuple[Function, Profile]:
    """Correlated: the sum of the variables is known worse than their differences."""

    def inverse(k: int) -> Floats:
        found: Floats = np.asarray(np.linalg.inv(0.05**2 * (0.4 * np.eye(k) + 0.6)), dtype=np.float64)
        return found

    def nll(u: Floats) -> Floats:
        return 0.5 * np.einsum("...i,ij,...j->...", u - 0.5, inverse(d), u - 0.5)

    def least(x: Floats, y: Floats) -> Floats:
        a = inverse(2)
        return 0.5 * (a[0, 0] * (x - 0.5) ** 2 + 2 * a[0, 1] * (x - 0.5) * (y - 0.5) + a[1, 1] * (y - 0.5) ** 2)

    return nll, least


def banana(d: int) -> tuple[Function, Profile]:
    def least(x: Floats, y: Floats) -> Floats:
        x, y = (x - 0.5) / 0.12, (y - 0.35) / 0.12
        return 0.5 * x**2 + 0.5 * ((y - 0.6 * x**2) / 0.35) ** 2

    def nll(u: Floats) -> Floats:
        hidden = (u[..., 2:] - 0.5) / 0.12 - np.sin((u[..., :1] - 0.5) / 0.12)
        return least(u[..., 0], u[..., 1]) + 0.5 * ((hidden / 0.35) ** 2).sum(-1)

    return nll, least


def modes(d: int) -> tuple[Function, Profile]:
    centres, widths, floors = (0.3, 0.7), (0.04, 0.06), (0.0, 0.7)

    def nll(u: Floats) -> Floats:
        each = [
            floor + 0.5 * ((u - at) ** 2).sum(-1) / s**2 for at, s, floor in zip(centres, widths, floors, strict=True)
        ]
        return np.minimum(*each)

    def least(x: Floats, y: Floats) -> Floats:
        return nll(np.stack(np.broadcast_arrays(x, y), axis=-1))

    return nll, least


def ring(d: int) -> tuple[Function, Profile]:
    def nll(u: Floats) -> Floats:
        return 0.5 * ((np.sqrt(((u - 0.5) ** 2).sum(-1)) / 0.3 - 1) / 0.1) ** 2

    def least(x: Floats, y: Floats) -> Floats:
        return 0.5 * (np.maximum(np.hypot(x - 0.5, y - 0.5) / 0.3 - 1, 0) / 0.1) ** 2

    return nll, least


def cut(d: int) -> tuple[Function, Profile]:
    """A Gaussian that is unphysical above the best value of the last variable."""
    whole, _ = gaussian(d)

    def nll(u: Floats) -> Floats:
        return np.where(u[..., -1] > 0.5, np.nan, whole(u))

    def least(x: Floats, y: Floats) -> Floats:
        hidden = np.linspace(0.3, 0.5, 81)
        found = nll(np.stack(np.broadcast_arrays(x[..., None], y[..., None], hidden), axis=-1))
        return np.nanmin(found, axis=-1)

    return nll, least


def scanned(nll: Function, d: int, count: int) -> Floats:
    """`count` points evenly in the region below 3.3, as a search gives them, as many around them, and some anywhere."""
    rng = np.random.default_rng(1)

    def value(u: Floats) -> Floats:
        inside = ((u > 0) & (u < 1)).all(axis=-1)
        return np.where(inside, np.nan_to_num(nll(u), nan=np.inf), np.inf)

    start = rng.random((100_000, d))
    walkers = start[np.argsort(value(start))[:200]]
    values = value(walkers)
    found: list[Floats] = []
    for step in range(1500):  # differential evolution: each step keeps the even distribution below the bound
        i, j = rng.integers(0, len(walkers), (2, len(walkers)))
        jump = rng.choice([0.05, 0.2, 0.6, 1.0]) * rng.normal(size=(len(walkers), 1))
        proposal = walkers + jump * (walkers[i] - walkers[j]) + 1e-3 * rng.normal(size=walkers.shape)
        proposed = value(proposal)
        taken = proposed < np.maximum(values, 3.3)
        walkers, values = np.where(taken[:, None], proposal, walkers), np.where(taken, proposed, values)
        if step >= 1000 and step % 60 == 0:
            found.append(walkers)
    good = np.concatenate(found)
    good = good[rng.permutation(len(good))[:count]]
    around = good + 0.5 * (good[rng.permutation(count)] - good) * rng.normal(size=(count, 1))
    return np.concatenate([good, around[((around > 0) & (around < 1)).all(axis=1)], rng.random((300, d))])


@pytest.mark.parametrize(
    ("problem", "d"),
    [(gaussian, 3), (gaussian, 5), (banana, 3), (banana, 5), (modes, 3), (modes, 5), (ring, 3), (ring, 5), (cut, 3)],
)
def test_regions_come_closer_to_the_truth_and_are_never_too_wide(
    problem: Callable[[int], tuple[Function, Profile]], d: int
) -> None:
    nll, least = problem(d)
    u = scanned(nll, d, 600)
    above = nll(u) - np.nanmin(nll(u))
    ok = np.isfinite(above)
    shown = u[above < 4][:, :2]
    bounds = tuple(
        edges(max(low - 0.05, 0.0), min(high + 0.05, 1.0), "linear", FINE)
        for low, high in zip(shown.min(axis=0), shown.max(axis=0), strict=True)
    )
    found = surface(u[ok, 0], u[ok, 1], above[ok], (bounds[0], bounds[1]), 0.0)
    estimates = LocalFits(u, above).profile([0, 1])
    assert len(estimates.above) > 100 and estimates.above.min() >= 0.0
    values = np.append(above[estimates.near], estimates.above)
    places = np.concatenate([u[estimates.near, :2], estimates.u[:, :2]])
    measured = np.arange(len(values)) < len(estimates.near)
    lower = surface(places[:, 0], places[:, 1], values, (bounds[0], bounds[1]), 0.0, measured=measured)
    true = least(found.x[None, :], found.y[:, None]) - np.nanmin(nll(u))
    for level in (height(0.68, 2), height(0.95, 2)):
        inside = true < level
        by_points, by_both = found.z < level, np.minimum(found.z, lower.z) < level
        assert (by_both ^ inside).sum() < 0.95 * (by_points ^ inside).sum()
        assert (by_both & ~inside).sum() < 0.03 * inside.sum()


@pytest.mark.parametrize(("problem", "least"), [(gaussian, 0.9), (banana, 0.7)])
def test_intervals_of_one_of_five_variables_are_nearly_whole(
    problem: Callable[[int], tuple[Function, Profile]], least: float
) -> None:
    nll, _ = problem(5)
    u = scanned(nll, 5, 600)
    above, bounds = nll(u), edges(0.0, 1.0, "linear", 200)
    estimates = LocalFits(u, above - above.min()).profile([0])
    drawn = np.fmin(profile(u[:, 0], above - above.min(), bounds), profile(estimates.u[:, 0], estimates.above, bounds))
    sigma = 0.05 if problem is gaussian else 0.12
    for level in (0.68, 0.95):
        width = np.ptp(bounds[:-1][drawn < height(level, 1)]) + 0.005
        true = 2 * np.sqrt(2 * (height(level, 1) + above.min())) * sigma
        assert least < width / true < 1.05


def test_nothing_is_estimated_without_hidden_variables_or_with_few_points() -> None:
    rng = np.random.default_rng(2)
    u = rng.random((300, 2))
    above = 10 * ((u - 0.5) ** 2).sum(axis=1)
    assert len(LocalFits(u, above - above.min()).profile([0]).above) > 0
    assert len(LocalFits(u, above - above.min()).profile([0, 1]).above) == 0
    assert len(LocalFits(u[:10], above[:10]).profile([0]).above) == 0
    assert len(LocalFits(np.zeros((0, 2)), np.zeros(0)).profile([0]).above) == 0


def test_a_place_beside_a_bad_point_is_not_estimated() -> None:
    rng = np.random.default_rng(3)
    u = rng.uniform(0.3, 0.7, (400, 3))
    above = ((u - 0.5) ** 2).sum(axis=1) / 0.02
    shown = LocalFits(u, above).profile([0, 1])
    near = np.abs(shown.u - 0.5).max(axis=1) < 0.03
    assert near.any()
    wall = 0.5 + rng.uniform(-0.04, 0.04, (3000, 3))
    values = np.concatenate([above, np.full(3000, 50.0)])
    walled = LocalFits(np.concatenate([u, wall]), values).profile([0, 1])
    assert not (np.abs(walled.u - 0.5).max(axis=1) < 0.03).any()
