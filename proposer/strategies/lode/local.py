"""Descents in many basins at once, by a small Gaussian process around the lowest known point of each basin.

A basin is seen by few points, and nothing is known about its shape. A process through the nearest points (K. Jones,
M. Schonlau and W. Welch, J. Global Optim. 13 (1998) 455) needs about eight evaluations to the minimum of a bowl in
three dimensions. Quadratic forms through the same points, with steps aside for their gradients, needed thirteen.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist
from scipy.special import ndtr

from proposer.types import Floats

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEAREST = 40
"""The number of points from which each process learns."""
LENGTHS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""The length scales that are tried, in mean distances to the neighbours. The scale that fits all basins together best
is used, because a single basin has too few points to determine one.
"""
TRIED, REACH, FINER = 200, 1.5, 0.3
"""The number of candidates in a basin. Half of them are within REACH distances to the neighbours, the others within
FINER of this.
"""
STEPS, ASIDE = 21, 0.05
"""The number of points on the way to another point where a ridge is looked for, with both ends; and the length of the
steps that show the way downhill, in mean distances to the neighbours.
"""
ABOVE = 2.0
"""The energy of an INVALID point, relative to the highest energy of the points around a basin."""
NOISE = 1e-6
"""The noise variance, relative to that of the energy, which keeps the covariance of close points regular."""


def descend(
    u: Floats, energy: Floats, of: NDArray[np.int64], widths: Floats, *, each: int, rng: np.random.Generator
) -> Floats:
    """The next points in n basins, `each` of them in a basin, shape (n, each, d).

    The known points are u, shape (k, d), with the energies `energy`, shape (k,), NaN where a point is INVALID. The
    lowest points of the basins are at the positions `of`, shape (n,). `widths`, shape (n,), are their mean distances to
    their neighbours.

    A chosen point has the largest expected improvement over the lowest point of its basin (Jones et al.).
    The second point of a basin is chosen as if the first had its predicted energy. A candidate does not count if it is
    closer to a lower known point than to the lowest point of its basin, because it may belong to that point's basin.
    """
    dim = u.shape[1]
    points, known = _around(u, energy, of)
    length = best_length(points, known, float(np.median(widths)))
    to = rng.standard_normal((len(of), TRIED, dim))
    to *= rng.random((len(of), TRIED, 1)) ** (1.0 / dim) / np.linalg.norm(to, axis=2, keepdims=True)
    to[:, TRIED // 2 :] *= FINER
    tried = np.clip(u[of][:, None] + REACH * widths[:, None, None] * to, 0.0, 1.0)
    basin, found, least = np.arange(len(of)), [], energy[of][:, None]
    elsewhere = _elsewhere(points, known < least, tried, u[of])
    for _ in range(each):
        middle, width = predict(points, known, tried, length)
        below = least - middle
        improvement = below * ndtr(below / width) + width * np.exp(-0.5 * (below / width) ** 2) / math.sqrt(2 * math.pi)
        best = np.where(elsewhere, -1.0, improvement).argmax(axis=1)
        found.append(tried[basin, best])
        points = np.concatenate([points, tried[basin, best][:, None]], axis=1)
        known = np.concatenate([known, middle[basin, best][:, None]], axis=1)
        least = np.minimum(least, known[:, -1:])
    return np.stack(found, axis=1)


def ways(
    u: Floats, energy: Floats, of: NDArray[np.int64], widths: Floats, *, to: Floats
) -> tuple[NDArray[np.bool_], Floats]:
    """Whether there is a ridge on the straight way from the lowest points of n basins to the points `to`, shape (n, d);
    and the distances by which the straight way downhill misses these points. Both have the shape (n,), and are those of
    the processes of `descend`. The other arguments are those of `descend`.
    """
    points, known = _around(u, energy, of)
    towards = to - u[of]
    way = np.linspace(0.0, 1.0, STEPS)[1:-1, None] * towards[:, None]
    beside = ASIDE * widths[:, None, None] * np.concatenate([np.eye(u.shape[1]), -np.eye(u.shape[1])])
    tried = u[of][:, None] + np.concatenate([way, beside], axis=1)
    middle, _ = predict(points, known, tried, best_length(points, known, float(np.median(widths))))
    ridge = middle[:, : STEPS - 2].max(axis=1) > energy[of]
    above, below = np.split(middle[:, STEPS - 2 :], 2, axis=1)
    down = (below - above) / np.maximum(np.linalg.norm(below - above, axis=1, keepdims=True), 1e-300)
    ahead = np.maximum((towards * down).sum(axis=1), 0.0)
    return ridge, np.asarray(np.linalg.norm(towards - ahead[:, None] * down, axis=1))


def _around(u: Floats, energy: Floats, of: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """The points around the lowest points of n basins, shape (n, k, d), and their energies, shape (n, k). INVALID ones
    are above the highest of the others.
    """
    near = np.asarray(cKDTree(u).query(u[of], k=min(NEAREST, len(u)))[1]).reshape(len(of), -1)
    known = energy[near]
    highest = np.nanmax(known, axis=1, keepdims=True)
    return u[near], np.where(np.isnan(known), ABOVE * highest, known)


def _elsewhere(points: Floats, lower: NDArray[np.bool_], tried: Floats, of: Floats) -> NDArray[np.bool_]:
    """Whether candidates are outside their basin, shape (n, m). Such a candidate, one of `tried`, shape (n, m, d), is
    closer to a lower point than to the lowest point of its basin, one of `of`, shape (n, d). `lower`, shape (n, k),
    says which of the points, shape (n, k, d), are lower.
    """
    closest = np.full(tried.shape[:2], np.inf)
    for number in np.flatnonzero(lower.any(axis=1)).tolist():
        closest[number] = cdist(tried[number], points[number][lower[number]]).min(axis=1)
    return np.asarray(closest < np.linalg.norm(tried - of[:, None], axis=2))


def best_length(points: Floats, known: Floats, unit: float) -> float:
    """The length scale with the largest likelihood of the energies `known` (n, k) at `points` (n, k, d), over all n
    basins.
    """
    lengths, distance = unit * np.array(LENGTHS), _distances(points, points)
    likelihoods = []
    for length in lengths.tolist():
        root, above, _, variance = fit(distance, known, length)
        logs = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
        likelihoods.append(-(0.5 * above.shape[1] * np.log(variance) + logs).sum())
    return float(lengths[int(np.argmax(likelihoods))])


def fit(distance: Floats, known: Floats, length: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Fits means and variances of n processes by maximum likelihood (Jones et al.), from the distances between their
    points, shape (n, k, k).

    Returns the Cholesky factors L of the correlations, shape (n, k, k); L^-1 (energy - mean), shape (n, k); the means,
    shape (n,); and the variances, shape (n,).
    """
    root = np.asarray(np.linalg.cholesky(correlation(distance, length) + NOISE * np.eye(known.shape[1])))
    left = solved(root, np.stack([np.ones_like(known), known], axis=2))
    mean: Floats = (left[:, :, 0] * left[:, :, 1]).sum(axis=1) / (left[:, :, 0] ** 2).sum(axis=1)
    above: Floats = left[:, :, 1] - mean[:, None] * left[:, :, 0]
    return root, above, mean, np.asarray((above**2).mean(axis=1) + 1e-300)


def predict(points: Floats, known: Floats, at: Floats, length: float) -> tuple[Floats, Floats]:
    """Energies and their standard deviations, shape (n, m) each, at the points `at`, shape (n, m, d) (the
    predictor and the standard error of Jones et al., but without the uncertainty of the mean).
    """
    root, above, mean, variance = fit(_distances(points, points), known, length)
    left = solved(root, correlation(_distances(points, at), length))
    unknown = np.clip(1.0 - (left**2).sum(axis=1), 1e-9, None)
    return mean[:, None] + (left * above[:, :, None]).sum(axis=1), np.sqrt(variance[:, None] * unknown)


def solved(root: Floats, right: Floats) -> Floats:
    """The solutions, shape (n, k, m), for lower triangular matrices, shape (n, k, k), and right sides (n, k, m)."""
    found = torch.linalg.solve_triangular(torch.from_numpy(root), torch.from_numpy(right), upper=False)
    return np.asarray(found.numpy())


def _distances(a: Floats, b: Floats) -> Floats:
    """The distances between the points a (n, k, d) and b (n, m, d), shape (n, k, m)."""
    square = np.zeros((*a.shape[:2], b.shape[1]))
    for x, y in zip(np.moveaxis(a, 2, 0), np.moveaxis(b, 2, 0), strict=True):
        square += (x[:, :, None] - y[:, None]) ** 2
    return np.sqrt(square, out=square)


def correlation(distance: Floats, length: float) -> Floats:
    """The Matern 5/2 kernel for distances of any shape."""
    r = math.sqrt(5.0) / length * distance
    return np.asarray((1.0 + r + r**2 / 3.0) * np.exp(-r))
