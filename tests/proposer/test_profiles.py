"""The profile NLL, for a function whose profile is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import label

from proposer.show.profiles import FEW, FINE, edges, profile, surface, without_lone
from proposer.target import height


def test_heights_of_contours_follow_wilks_theorem() -> None:
    assert height(0.95, 2) == pytest.approx(2.996, abs=1e-3)
    assert height(0.95, 1) == pytest.approx(1.921, abs=1e-3)
    assert height(0.6827, 1) == pytest.approx(0.5, abs=1e-3)


def test_the_profile_is_the_least_nll_in_each_bin() -> None:
    found = profile(np.array([0.1, 0.1, 0.9, 5.0]), np.array([3.0, 2.0, np.nan, 0.0]), edges(0, 1, "linear", 2))
    assert found[0] == 2.0 and np.isnan(found[1])


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_contours_of_a_gaussian_are_ellipses(scale: str) -> None:
    rng = np.random.default_rng(3)
    u = rng.random((20_000, 2))
    nll = 0.5 * (((u[:, 0] - 0.5) / 0.1) ** 2 + ((u[:, 1] - 0.5) / 0.1) ** 2)
    low, high = (1.0, 100.0) if scale == "log" else (0.0, 1.0)
    x, y = (low * (high / low) ** u[:, k] if scale == "log" else u[:, k] for k in (0, 1))
    bounds = edges(low, high, scale), edges(low, high, scale)
    found = surface(x, y, nll, bounds, float(nll.min()))
    inside = found.z < height(0.95, 2)
    assert inside.mean() == pytest.approx(np.pi * (0.1**2 * 2 * height(0.95, 2)), rel=0.12)
    rows, columns = np.nonzero(inside)
    distance = np.hypot(rows - 29.5, columns - 29.5) / 60
    assert distance.max() < 0.1 * np.sqrt(2 * height(0.95, 2)) * 1.1, "the contour has a spike"


def test_nothing_is_drawn_across_a_gap() -> None:
    rng = np.random.default_rng(4)
    x = np.concatenate([rng.uniform(0.1, 0.2, 500), rng.uniform(0.8, 0.9, 500)])
    bounds = edges(0, 1, "linear"), edges(0, 1, "linear")
    found = surface(x, rng.uniform(0.4, 0.6, 1000), np.ones(1000), bounds, 1.0)
    between = (found.x > 0.3) & (found.x < 0.7)
    assert found.z[:, between].min() > height(0.95, 2) and found.z.min() < height(0.68, 2)


def test_points_that_lie_alone_have_no_contour() -> None:
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.uniform(0.4, 0.6, 400), [0.05, 0.9, 0.91, -0.05]])
    y = np.concatenate([rng.uniform(0.4, 0.6, 400), [0.1, 0.9, 0.9, 0.1]])
    bounds, level = (edges(0, 1, "linear"), edges(0, 1, "linear")), height(0.95, 2)
    above = np.where(np.arange(404) < 400, rng.uniform(0, 2, 404), 2.5)
    whole = surface(x, y, above, bounds, 0.0)
    found, lone = without_lone(whole, x, y, above, level=level)
    assert np.flatnonzero(lone).tolist() == [400, 401, 402], "and what is outside the axes is not drawn"
    assert (whole.z[6, 3] < level) and (found.z[6, 3] > level) and (found.z[30, 30] < level)
    assert (found.z < level).sum() < (whole.z < level).sum()


@pytest.mark.parametrize("count", [1, FEW - 1, FEW])
def test_a_region_has_as_many_points_as_an_outline_needs(count: int) -> None:
    rng = np.random.default_rng(6)
    x, y, above = rng.uniform(0.4, 0.6, count), rng.uniform(0.4, 0.6, count), np.zeros(count)
    bounds, level = (edges(0, 1, "linear"), edges(0, 1, "linear")), height(0.95, 2)
    found, lone = without_lone(surface(x, y, above, bounds, 0.0), x, y, above, level=level)
    assert lone.any() == (count < FEW) and bool((found.z < level).any()) == (count >= FEW)


def two_valleys(u: np.ndarray, v: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Two narrow valleys along v whose middle depends on a hidden variable; the profile over it is known."""
    return 0.5 * (np.abs(np.abs(u - 0.5) - 0.2) / 0.02) ** 2 + 0.5 * ((v + 0.2 * hidden - 0.7) / 0.08) ** 2


def points_of_a_scan(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`count` points evenly in the region below the 95 % contour, and as many anywhere."""
    rng = np.random.default_rng(8)
    draws = rng.random((3, 200 * count))
    nll = two_valleys(*draws)
    chosen = np.concatenate([np.flatnonzero(nll < 3.0)[:count], np.arange(count)])
    return draws[0, chosen], draws[1, chosen], nll[chosen]


def truth(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return two_valleys(x[None, :, None], y[:, None, None], np.linspace(0, 1, 101)).min(axis=2)


@pytest.mark.parametrize("window", [(0.0, 1.0), (0.2, 0.8)])
def test_a_region_is_as_wide_as_it_is_in_truth_with_few_points_and_in_every_window(window: tuple[float, float]) -> None:
    x, y, nll = points_of_a_scan(300)
    found = surface(x, y, nll, (edges(*window, "linear", FINE), edges(*window, "linear", FINE)), 0.0)
    drawn, true = found.z < height(0.95, 2), truth(found.x, found.y) < height(0.95, 2)
    assert (drawn & ~true).sum() < 0.1 * true.sum(), "wider than it is"
    assert (true & ~drawn).sum() < 0.35 * true.sum(), "narrower than it is"
    sizes = np.bincount(label(drawn)[0][drawn])
    assert (sizes > 0.1 * true.sum()).sum() == 2


def test_a_region_has_the_same_size_in_every_window() -> None:
    x, y, nll = points_of_a_scan(300)
    sizes = []
    for low, high in ((0.0, 1.0), (0.2, 0.9), (-0.3, 1.3)):
        bounds = edges(low, high, "linear", FINE), edges(0.2, 0.9, "linear", FINE)
        sizes.append((surface(x, y, nll, bounds, 0.0).z < height(0.95, 2)).mean() * (high - low))
    assert sizes == pytest.approx([sizes[0]] * 3, rel=0.15)


@pytest.mark.parametrize(
    ("count", "variables", "least"), [(150, 2, 0.85), (1000, 2, 0.9), (1000, 3, 0.8), (1000, 5, 0.6)]
)
def test_a_region_of_several_variables_is_never_too_wide(count: int, variables: int, least: float) -> None:
    """A round Gaussian: the points are even in the ball with an NLL below 3, and as many lie around it."""
    rng, sigma = np.random.default_rng(1), 0.05
    radius = np.sqrt(6.0) * sigma
    draws = rng.normal(size=(2 * count, variables))
    far = np.concatenate([rng.random(count) ** (1 / variables), 1 + rng.random(count)])
    at = draws * (radius * far / np.linalg.norm(draws, axis=1))[:, None]
    nll = (at**2).sum(axis=1) / (2 * sigma**2)
    bounds = edges(0.3, 0.7, "linear", FINE)
    found = surface(0.5 + at[:, 0], 0.5 + at[:, 1], nll, (bounds, bounds), float(nll.min()))
    drawn = (found.z < height(0.95, 2)).mean() * 0.4**2
    true = np.pi * 2 * (height(0.95, 2) + float(nll.min())) * sigma**2
    assert least < drawn / true < 1.08


def test_what_lies_between_regions_is_not_drawn_as_one() -> None:
    """Regions with gaps of several times the distance between points: the toy of arXiv:2207.09959."""

    def toy(u: np.ndarray, v: np.ndarray, w: np.ndarray) -> np.ndarray:
        return 0.5 * (((2 + np.cos(u / 7) * np.cos(v / 7) * np.cos(w / 7)) ** 5 - 100) / 10) ** 2

    rng, end = np.random.default_rng(9), 31.41593
    draws = rng.uniform(-end, end, (3, 60_000))
    nll = toy(*draws)
    chosen = np.concatenate([np.flatnonzero(nll < 0.5)[:420], np.arange(500)])
    bounds = edges(-end, end, "linear", FINE)
    found = surface(draws[0, chosen], draws[1, chosen], nll[chosen], (bounds, bounds), 0.0)
    true = toy(found.x[None, :, None], found.y[:, None, None], np.linspace(-end, end, 101)).min(axis=2)
    for level in (height(0.68, 2), height(0.95, 2)):
        drawn, inside = found.z < level, true < level
        assert (drawn & ~inside).sum() < 0.35 * inside.sum() and (inside & ~drawn).sum() < 0.45 * inside.sum()
