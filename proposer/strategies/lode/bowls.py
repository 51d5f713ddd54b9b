"""The shape that many good regions share.

Around its minimum c, an energy is about a + |L (x - c)|^(2 p), a *bowl*. The power p is 1 if the energy is a quadratic
form, 1/2 for a cone, and larger for a flat bottom with steep walls. If many regions are known, their bowls are alike.
So the bowl of an unknown region can be guessed from few points on its slope, and points on the slopes of known regions
can be told from it, because the known bowls already explain them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from proposer.types import Floats

LEAST, MOST = 3, 200
"""Bowls are learned from at least LEAST known regions, and from at most MOST, those with the lowest energies."""
NEAREST, CONSTRAINTS = 40, 20
"""The number of points from which each bowl is learned, and of others that known bowls explain. No bowl may be lower
than those.
"""
STARTS, ROUNDS, DAMPING, REGULAR = 8, 15, 1e-2, 1e-9
"""The number of starts for each bowl, and of Levenberg-Marquardt steps from each; the first damping of the steps; and
what is added to the diagonal of the normal equations, relative to its largest element, because one point alone does
not fix a bowl.
"""
RELATIVE, ABSOLUTE, SOFT = 0.1, 0.02, 0.05
"""The errors of the root of the energy (the distance from the centre in radii if the power is 1): a fraction of it, and
a constant. SOFT is added to the energies, so that the root is smooth at the centre.
"""
APART, BELOW, ITSELF = 4.0, 3.0, 1e3
"""A point far below its bowl may belong to another one, so its square error approaches APART. A point above its bowl
cannot, because the energy is that of the lowest bowl. Its square error continues as a straight line beyond BELOW
errors. The lowest point of a basin belongs to its bowl: ITSELF takes the place of APART.
"""
FIRST, NARROWEST, FREE_LOWEST = 1.0, 0.1, 0.3
"""The standard deviation of the logarithm of a radius before the shape is known, and the least one afterwards; and the
standard deviation of the lowest energy.
"""
FIRST_POWERS, FREE_POWER, MOST_POWER, SHARPEST = (0.5, 1.0, 2.0), 0.5, 1.2, 1e-3
"""The powers from which the fits of known regions start, all with the same one, of which the one counts whose bowls
explain most points; the largest standard deviation of the logarithm of a power; the bound of this logarithm; and what
is added to |L (x - c)|^2, so that the tip of a cone is smooth.
"""
EXPLAINED, PLATEAU = 1.0, 0.05
"""A point is explained if the lowest known bowl predicts the root of its energy within so many errors. It also is if at
least the fraction PLATEAU of all points has exactly this energy, because then the energy is flat there.
"""
SAME, DRAWS = 1.0, 64
"""Two guesses are the same if one is in the other, at an energy below SAME above the minimum; and the number of draws
of a bowl that show how sure its centre is.
"""


class Bowls(NamedTuple):
    """n bowls in d dimensions: their minima, shape (n, d), their lowest energies, shape (n,), the triangular matrices
    L, shape (n, d, d), and the powers, shape (n,).
    """

    centre: Floats
    lowest: Floats
    axes: Floats
    power: Floats

    def above(self, u: Floats) -> Floats:
        """How far the energies of the bowls at the points u, shape (m, d), are above their minima, shape (n, m)."""
        at = np.einsum("nij,nmj->nmi", self.axes, u[None] - self.centre[:, None])
        return np.asarray(_rise((at**2).sum(axis=2), self.power[:, None]))

    def take(self, rows: NDArray[np.int64]) -> Bowls:
        """The bowls at the positions `rows`."""
        return Bowls(*(part[rows] for part in self))


class Shape(NamedTuple):
    """What bowls have in common: mean and standard deviation of the logarithms of the diagonal of L, the mean of the
    lowest energies, and mean and standard deviation of the logarithms of the powers.
    """

    scale: float
    spread: float
    lowest: float
    power: float
    powers: float

    @property
    def radius(self) -> float:
        """The distance from the centre at which an energy is 1 above its minimum."""
        return math.exp(-self.scale)

    def distance(self, energy: Floats) -> Floats:
        """The distances from the centre at which energies are so far above the minimum, shape unchanged."""
        return np.asarray(self.radius * energy ** (0.5 * math.exp(-self.power)))


class Learned(NamedTuple):
    """The shape of the known regions, and which of the n known points say nothing about others, shape (n,): those that
    the known bowls explain, and those where the energy is flat.
    """

    shape: Shape
    explained: NDArray[np.bool_]


class _Problem(NamedTuple):
    """n bowls to be fitted to k points each, shape (n, k, d), with the roots of their energies, shape (n, k), and the
    limits of their square errors, shape (n, k). `mean` and `precision`, shape (p,): the prior of the parameters.
    """

    points: Floats
    root: Floats
    limit: Floats
    mean: Floats
    precision: Floats


def learn(u: Floats, energy: Floats, good: NDArray[np.bool_]) -> Learned | None:
    """The shape of the known regions, from n points u, shape (n, d), with their energies, shape (n,). None if there are
    too few regions.
    """
    dim, of = u.shape[1], np.flatnonzero(good)
    if len(of) < LEAST:
        return None
    of = of[np.argsort(energy[of], kind="stable")]
    tree = cKDTree(u)
    near = np.asarray(tree.query(u[of], k=min(2 * dim + 1, len(u)))[1]).reshape(len(of), -1)
    of = of[(energy[near[:, 1:]] > energy[of][:, None]).all(axis=1)][:MOST]
    if len(of) < LEAST:
        return None
    distance, near = map(np.asarray, tree.query(u[of], k=min(NEAREST // 2, len(u))))
    bad = (energy[near] > 1.0) & (distance > 0.0)
    if not bad.any():
        return None
    _, value, count = np.unique(energy, return_inverse=True, return_counts=True)
    flat = count[value] >= max(LEAST, PLATEAU * len(u))
    found = []
    for power in FIRST_POWERS:
        scale = -math.log(np.median(distance[bad] / energy[near][bad] ** (0.5 / power)))
        first = _known(u, energy, of, Shape(scale, FIRST, FREE_LOWEST, math.log(power), FREE_POWER))
        bowls = _known(u, energy, of, _common(first))
        found.append((_explained(bowls, u, energy), bowls))
    explained, bowls = max(found, key=lambda each: np.count_nonzero(each[0] & ~flat))
    return Learned(_common(bowls), flat | explained)


def _known(u: Floats, energy: Floats, of: NDArray[np.int64], shape: Shape) -> Bowls:
    """The bowls around the good points at the positions `of`."""
    problem = _around(u, energy, of, np.zeros(len(u), dtype=np.bool_), shape, wider=3.0)
    return _bowls(_fit(problem, _begin(problem, u[of]))[0], u.shape[1])


def _explained(bowls: Bowls, u: Floats, energy: Floats) -> NDArray[np.bool_]:
    """Whether the lowest bowl predicts the energies of the points u, shape (m,) each."""
    predicted = (bowls.above(u) + np.maximum(bowls.lowest, 0.0)[:, None]).min(axis=0)
    root = np.sqrt(energy + SOFT)
    return np.asarray(np.abs(np.sqrt(predicted + SOFT) - root) < EXPLAINED * _error(root))


def _common(bowls: Bowls) -> Shape:
    """What bowls have in common."""
    logs, power = np.log(np.diagonal(bowls.axes, axis1=1, axis2=2)), np.log(bowls.power)
    middle = float(np.median(logs))
    spread = math.hypot(1.5 * float(np.median(np.abs(logs - middle))), NARROWEST / 2.0)
    spread, powers = min(max(spread, NARROWEST), FIRST), min(max(float(power.std()), NARROWEST), FREE_POWER)
    return Shape(middle, spread, float(np.median(bowls.lowest).clip(0.0, 1.0)), float(power.mean()), powers)


def guess(
    u: Floats, energy: Floats, of: NDArray[np.int64], learned: Learned, rng: np.random.Generator
) -> tuple[Bowls, Floats]:
    """The likeliest bowls around the points at the positions `of`, shape (n,); and the probabilities, shape (n,), that
    their minima are good. The other arguments are those of `learn`.
    """
    dim, n = u.shape[1], len(of)
    problem = _around(u, energy, of, learned.explained, learned.shape)
    to = rng.standard_normal((n, STARTS, dim))
    to /= np.linalg.norm(to, axis=2, keepdims=True)
    to[:, 0] = 0.0
    starts = u[of][:, None] + learned.shape.distance(energy[of])[:, None, None] * to
    problem = problem._replace(**{k: np.repeat(getattr(problem, k), STARTS, axis=0) for k in problem._fields[:3]})
    parameters, loss, curvature = _fit(problem, _begin(problem, starts.reshape(-1, dim)))
    loss = loss.reshape(n, STARTS)
    order = np.argsort(loss, axis=1, kind="stable") + STARTS * np.arange(n)[:, None]
    every = _bowls(parameters, dim)
    others = np.array([_weight(every.take(rows), loss.ravel()[rows]) for rows in order])
    best = order[:, 0]
    drawn = np.linalg.solve(
        np.linalg.cholesky(curvature[best]).transpose(0, 2, 1),
        rng.standard_normal((n, parameters.shape[1], DRAWS)),
    )
    away = np.einsum("nij,njm->nim", every.axes[best], drawn[:, :dim])
    lowest = np.maximum(every.lowest[best][:, None] + drawn[:, dim], 0.0)
    rise = _rise((away**2).sum(axis=1), every.power[best][:, None])
    return every.take(best), (rise + lowest < 1.0).mean(axis=1) / others


def _weight(bowls: Bowls, loss: Floats) -> float:
    """The sum of the weights of different guesses, the best of which comes first and has the weight 1."""
    same = bowls.above(bowls.centre) < SAME
    kept: list[int] = []
    for row in range(len(loss)):
        if not same[kept, row].any():
            kept.append(row)
    return float(np.exp(-0.5 * (loss[kept] - loss[0])).sum())


def _around(
    u: Floats, energy: Floats, of: NDArray[np.int64], explained: NDArray[np.bool_], shape: Shape, wider: float = 1.0
) -> _Problem:
    """The points from which the bowls around the points at the positions `of` are learned."""
    near = [of[:, None]]
    for rows, most in ((np.flatnonzero(~explained), NEAREST), (np.flatnonzero(explained), CONSTRAINTS)):
        if len(rows):
            found = np.asarray(cKDTree(u[rows]).query(u[of], k=min(most, len(rows)))[1])
            near.append(rows[found.reshape(len(of), -1)])
    rows = np.concatenate(near, axis=1)
    far = np.linalg.norm(u[rows] - u[of][:, None], axis=2)
    far /= 2.0 * wider * shape.distance(energy[of] + SOFT)[:, None]
    limit = np.where(explained[rows] | (rows == of[:, None]), 0.0, APART / (1.0 + far**2)) + 1e-3
    limit[:, 0] = ITSELF
    diagonal = np.equal(*np.tril_indices(u.shape[1]))
    mean = np.concatenate([np.zeros(u.shape[1]), [shape.lowest], np.where(diagonal, shape.scale, 0.0), [shape.power]])
    width = shape.spread * np.where(diagonal, 1.0, math.exp(shape.scale))
    precision = np.concatenate([np.zeros(u.shape[1]), [FREE_LOWEST], width, [shape.powers]])
    precision[u.shape[1] :] **= -2.0
    return _Problem(u[rows], np.sqrt(energy[rows] + SOFT), limit, mean, precision)


def _begin(problem: _Problem, centres: Floats) -> Floats:
    """The parameters, shape (n, p), of bowls with the mean shape."""
    parameters = np.tile(problem.mean, (len(centres), 1))
    parameters[:, : centres.shape[1]] = centres
    return parameters


def _fit(problem: _Problem, parameters: Floats) -> tuple[Floats, Floats, Floats]:
    """Fitted parameters, shape (n, p), their losses, shape (n,), and half of the second derivatives of these, shape (n,
    p, p), without those of the residuals. The first parameters are `parameters`.
    """
    error, jacobian = _residuals(problem, parameters)
    loss = _loss(problem, parameters, error)
    damping = np.full(len(parameters), DAMPING)
    for _ in range(ROUNDS):
        curvature, slope = _normal(problem, parameters, error, jacobian)
        diagonal = np.diagonal(curvature, axis1=1, axis2=2)
        damped = curvature + (damping[:, None] * diagonal)[:, None] * np.eye(parameters.shape[1])
        tried = parameters - np.linalg.solve(damped, slope[:, :, None])[:, :, 0]
        new_error, new_jacobian = _residuals(problem, tried)
        new_loss = _loss(problem, tried, new_error)
        lower = new_loss < loss
        parameters, loss = np.where(lower[:, None], tried, parameters), np.where(lower, new_loss, loss)
        error = np.where(lower[:, None], new_error, error)
        jacobian = np.where(lower[:, None, None], new_jacobian, jacobian)
        damping = np.where(lower, 0.3 * damping, 5.0 * damping).clip(1e-6, 1e6)
    return parameters, loss, _normal(problem, parameters, error, jacobian)[0]


def _residuals(problem: _Problem, parameters: Floats) -> tuple[Floats, Floats]:
    """The differences of the roots of the energies, bowl minus point, in units of their errors, shape (n, k); and their
    derivatives, shape (n, k, p).
    """
    dim = problem.points.shape[2]
    bowls = _bowls(parameters, dim)
    row, column = np.tril_indices(dim)
    away = problem.points - bowls.centre[:, None]
    scaled = away @ bowls.axes.transpose(0, 2, 1)
    power, square = bowls.power[:, None], (scaled**2).sum(axis=2)
    rise = _rise(square, power)
    root = np.sqrt(np.maximum(rise + bowls.lowest[:, None], 0.0) + SOFT)
    steeper = power * rise / (square + SHARPEST)
    by_axes = 2.0 * scaled[:, :, row] * away[:, :, column]
    on = row == column
    by_axes[:, :, on] *= bowls.axes[:, None, row[on], column[on]]
    by_power = power * rise * np.log(square + SHARPEST)
    jacobian = np.concatenate(
        [
            steeper[:, :, None] * (-2.0 * scaled @ bowls.axes),
            np.ones((*root.shape, 1)),
            steeper[:, :, None] * by_axes,
            by_power[:, :, None],
        ],
        axis=2,
    )
    error = _error(problem.root)
    return (root - problem.root) / error, jacobian / (2.0 * root * error)[:, :, None]


def _loss(problem: _Problem, parameters: Floats, error: Floats) -> Floats:
    """The losses, shape (n,), of bowls whose residuals are `error`, shape (n, k)."""
    apart = problem.limit * error**2 / (problem.limit + error**2)
    below = np.where(-error < BELOW, error**2, 2.0 * BELOW * np.abs(error) - BELOW**2)
    prior = (problem.precision * (parameters - problem.mean) ** 2).sum(axis=1)
    return np.asarray(np.where(error > 0.0, apart, below).sum(axis=1) + prior)


def _normal(problem: _Problem, parameters: Floats, error: Floats, jacobian: Floats) -> tuple[Floats, Floats]:
    """The matrix, shape (n, p, p), and the right side, shape (n, p), of the normal equations of a step."""
    apart = (1.0 + error**2 / problem.limit) ** -2.0
    weight = np.where(error > 0.0, apart, np.minimum(1.0, BELOW / np.maximum(-error, BELOW)))
    weighted = (weight[:, :, None] * jacobian).transpose(0, 2, 1)
    curvature = weighted @ jacobian + np.diag(problem.precision)
    largest = np.diagonal(curvature, axis1=1, axis2=2).max(axis=1)
    curvature += REGULAR * largest[:, None, None] * np.eye(len(problem.mean))
    slope = (weighted @ error[:, :, None])[:, :, 0] + problem.precision * (parameters - problem.mean)
    return curvature, slope


def _bowls(parameters: Floats, dim: int) -> Bowls:
    """The bowls with these parameters, shape (n, p): the centre, the lowest energy, the lower triangle of L, with the
    logarithms of its diagonal, and the logarithm of the power.
    """
    row, column = np.tril_indices(dim)
    axes = np.zeros((len(parameters), dim, dim))
    axes[:, row, column] = parameters[:, dim + 1 : -1]
    on = np.arange(dim)
    axes[:, on, on] = np.exp(axes[:, on, on].clip(-20.0, 20.0))
    power = np.exp(parameters[:, -1].clip(-MOST_POWER, MOST_POWER))
    return Bowls(parameters[:, :dim], parameters[:, dim], axes, power)


def _rise(square: Floats, power: Floats) -> Floats:
    """How far an energy is above the minimum where |L (x - c)|^2 is `square`, shape unchanged."""
    return np.asarray((square + SHARPEST) ** power)


def _error(root: Floats) -> Floats:
    """The errors of roots of energies, shape unchanged."""
    return RELATIVE * root + ABSOLUTE
