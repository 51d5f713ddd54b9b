"""Test problems as plain functions: points to observables, with their likelihoods, and the NLL.

Points are in physical units, shape (n, d); observables have shape (n, m), NaN in rows that are invalid.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from benchmarks.search import chi2, kinds
from benchmarks.search.many import DIM, Many
from proposer.evaluation.local import Answers, LocalFunction
from proposer.space import Space
from proposer.strategies.lode.energy import ScoredObservable
from proposer.types import Floats, Observable
from scanspec import Kind, Likelihood, Variable, losses_and_nll

Modes = Callable[[Floats], NDArray[np.int64]]


def _one(x: Floats) -> NDArray[np.int64]:
    return np.zeros(len(x), dtype=np.int64)


@dataclass(frozen=True)
class Problem:
    """`low`, `high`: the box, the same in each of `dim` variables. `modes`: number of separate good regions, which
    `mode` tells apart. `likelihoods`, `windows`: of the columns of `observables`; none where `nll_only` gives the
    NLL."""

    name: str
    dim: int
    threshold: float
    low: float = 0.0
    high: float = 1.0
    modes: int = 1
    mode: Modes = _one
    likelihoods: tuple[Likelihood, ...] = ()
    observables: Callable[[Floats], Floats] | None = None
    nll_only: Callable[[Floats], Floats] | None = None
    windows: tuple[tuple[float, float] | None, ...] = ()

    def scored(self) -> list[ScoredObservable]:
        """The observables for LODE."""
        windows = self.windows or (None,) * len(self.likelihoods)
        every = zip(self.likelihoods, windows, strict=True)
        return [ScoredObservable(f"y{j}", likelihood, window) for j, (likelihood, window) in enumerate(every)]

    def space(self) -> Space:
        return Space([Variable(f"x{i}", self.low, self.high) for i in range(self.dim)])

    def physical(self, u: Floats) -> Floats:
        return np.asarray(self.low + (self.high - self.low) * u)

    def evaluate(self, u: Floats) -> tuple[Floats, Floats]:
        """Observables (n, m) and NLL (n,), NaN where invalid, of points in the unit cube."""
        y, nll, _ = self.answers(self.physical(u))
        return y, nll

    def answers(self, x: Floats) -> Answers:
        """The same for points in physical units."""
        if self.observables is None:
            assert self.nll_only is not None
            return Answers(np.empty((len(x), 0)), self.nll_only(x))
        y = self.observables(x)
        valid = np.isfinite(y).all(axis=1)
        nll = np.full(len(x), math.nan)
        nll[valid] = losses_and_nll(self.likelihoods, y[valid])[1]
        return Answers(y, nll)

    def backend(self, *, nll_only: bool = False) -> LocalFunction:
        """Evaluates points in this process; `nll_only`: without observables."""
        ranges = {variable.name: (variable.low, variable.high) for variable in self.space().variables}
        if not nll_only:
            described = [Observable(f"y{j}", "", "", None, likelihood) for j, likelihood in enumerate(self.likelihoods)]
            return LocalFunction(self.answers, ranges, described)
        return LocalFunction(lambda x: Answers(np.empty((len(x), 0)), self.answers(x).nll), ranges)


def _gauss(means: list[float], sigmas: list[float]) -> tuple[Likelihood, ...]:
    return tuple(Likelihood(Kind.GAUSS, m, s) for m, s in zip(means, sigmas, strict=True))


def _nearest(centres: Floats) -> Modes:
    width = np.ptp(centres, axis=0)
    width[width == 0] = 1.0
    return lambda x: (((x[:, None, :] - centres) / width) ** 2).sum(axis=2).argmin(axis=1)


def _side(axis: int) -> Modes:
    return lambda x: (x[:, axis] > 0.5).astype(np.int64)


def _funnel(u: Floats) -> NDArray[np.int64]:
    """The number of the region: annihilation at half of the heavy mass, or coannihilation."""
    m, heavy = 50.0 * 40.0 ** u[:, 0], 100.0 * 40.0 ** u[:, 2]
    return (np.abs(2.0 * m / heavy - 1.0) < 0.15).astype(np.int64)


def _toy3d(x: Floats) -> Floats:
    """arXiv:2207.09959: [2 + cos(x/7) cos(y/7) cos(z/7)]^5."""
    return np.asarray((2.0 + np.cos(x / 7.0).prod(axis=1)) ** 5)[:, None]


_SHELLS = (
    7.0
    * math.pi
    * np.array(
        [[i, j, k] for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1) if abs(i) + abs(j) + abs(k) in (0, 2)],
        dtype=float,
    )
)


def _himmelblau(x: Floats) -> Floats:
    return np.stack([x[:, 0] ** 2 + x[:, 1], x[:, 0] + x[:, 1] ** 2], axis=1)


_HIMMELBLAU = np.array([[3.0, 2.0], [-2.805118, 3.131312], [-3.779310, -3.283186], [3.584428, -1.848126]])


def _rosenbrock(x: Floats) -> Floats:
    return np.concatenate([x[:, 1:] - x[:, :-1] ** 2, x[:, :-1]], axis=1)


_CENTRES = np.zeros((2, 6))
_CENTRES[:, 0] = -3.3, 3.3


def _gshells(x: Floats) -> Floats:
    distance = np.linalg.norm(x[:, None, :] - _CENTRES, axis=2)
    return np.asarray((((distance - 2.4) / 0.2) ** 2 / 2.0).min(axis=1))


_BLOBS = np.array([[0.3, 0.65] * 4, [0.7, 0.35] * 4])


def _blobs(x: Floats) -> Floats:
    return np.asarray((((x[:, None, :] - _BLOBS) ** 2).sum(axis=2) / (2.0 * 0.172**2)).min(axis=1))


def _multi8(u: Floats) -> Floats:
    a, b, c, d, e, f, g, h = (2.0 * u - 1.0).T
    return np.stack([a**2 + b + 0.5 * np.sin(3 * c), d * e + f, g**2 + h**2, np.tanh(2 * c) * d], axis=1)


def _multi10(u: Floats) -> Floats:
    x = (2.0 * u - 1.0).T
    return np.stack(
        [
            x[0] ** 2 + x[1] - 0.5 * x[2] * x[3] + 0.3 * np.sin(3 * x[4]),
            x[3] * x[5] + x[6] ** 2 - 0.3 * x[0],
            np.tanh(2 * x[7]) * x[8] + 0.4 * x[9] * x[1],
            np.exp(1.5 * (x[2] + x[6] * x[9] - x[5])),
            x[4] ** 2 + x[8] ** 2 + x[9] ** 2,
            np.exp(2 * x[7] * x[0] + x[3]),
        ],
        axis=1,
    )


class _Limit(Likelihood):
    """Half a Gaussian above the mean, and flat below it. Scan files have no such kind, but many limits look like it."""

    def loss(self, x: Any) -> Any:
        return Likelihood(Kind.GAUSS, self.mean, self.sigma).loss(x.clip(self.mean))


def _invalid6(u: Floats) -> Floats:
    a, b, c, d, e, f = (2.0 * u - 1.0).T
    valid = a + 0.8 * b * c + 0.3 * np.sin(4 * d) > 0.07
    y = np.stack([a * b + e, c**2 + d**2, f * e + 0.5 * np.sin(3 * a)], axis=1)
    return np.where(valid[:, None], y, math.nan)


def _balls(dim: int, count: int, share: float, seed: int) -> Problem:
    """Many separate balls, known only through the NLL, which is flat at more than three radii from all of them."""
    centres, r = kinds.balls(dim, count, share, seed), kinds.radius(dim, count, share)

    def nll(u: Floats) -> Floats:
        distance = cKDTree(centres).query(u)[0] / r
        return np.asarray(np.minimum(distance**2, 60.0))

    def mode(x: Floats) -> NDArray[np.int64]:
        return np.asarray(cKDTree(centres).query(x)[1], dtype=np.int64)

    return Problem(f"balls{count}_{dim}d", dim, 1.0, modes=count, mode=mode, nll_only=nll)


def _ellipsoids(dim: int, count: int, share: float, seed: int, *, deepest: float = 0.0) -> Problem:
    """Many separate ellipsoids, known only through the NLL. Their lowest NLLs are between 0 and `deepest`."""
    centres, axes = kinds.balls(dim, count, share, seed), kinds.ellipsoids(dim, count, share, seed)
    depth = deepest * np.random.default_rng(seed).random(count)

    def nll_of_each(u: Floats) -> Floats:
        return np.asarray((np.einsum("kij,nkj->nki", axes, u[:, None] - centres) ** 2).sum(axis=2) + depth)

    def mode(x: Floats) -> NDArray[np.int64]:
        return np.asarray(nll_of_each(x).argmin(axis=1), dtype=np.int64)

    name = f"wells{count}_{dim}d" if deepest else f"ell{dim}d"
    return Problem(name, dim, 1.0, modes=count, mode=mode, nll_only=lambda u: nll_of_each(u).min(axis=1))


def _wave(x: Floats) -> NDArray[np.int64]:
    """The number of the region of `waves`: no two have all variables in the same eighths of their ranges."""
    return np.asarray((x * 8.0).astype(np.int64) @ 8 ** np.arange(x.shape[1]))


def _limits(kinds_: list[Kind], values: list[float], sigmas: list[float]) -> tuple[Likelihood, ...]:
    return tuple(Likelihood(*row) for row in zip(kinds_, values, sigmas, strict=True))


def _as_nll(name: str, of: Problem, regressed: Sequence[int], kind: Kind) -> Problem:
    """The same problem where a code gives -ln L of all observables but the `regressed` ones as one number, as
    HiggsTools gives a χ²."""
    inner = of.observables
    assert inner is not None
    others = [j for j in range(len(of.likelihoods)) if j not in regressed]

    def observables(x: Floats) -> Floats:
        y = inner(x)
        nll = losses_and_nll([of.likelihoods[j] for j in others], y[:, others])[1]
        return np.column_stack([y[:, list(regressed)], -nll if kind is Kind.EXPUSER else nll])

    likelihoods = (*(of.likelihoods[j] for j in regressed), Likelihood(kind))
    return replace(of, name=name, likelihoods=likelihoods, observables=observables)


def _many(outputs: int, resolution: float, threshold: float) -> Problem:
    of = Many(outputs, resolution)
    return Problem(f"many{outputs}_{DIM}d", DIM, threshold, likelihoods=of.likelihoods, observables=of)


G, U = Kind.GAUSS, Kind.UPPER

_PROBLEMS = {
    problem.name: problem
    for problem in (
        Problem(
            "himmelblau2d",
            2,
            1.0,
            low=-5,
            high=5,
            modes=4,
            mode=_nearest(_HIMMELBLAU),
            likelihoods=_gauss([11, 7], [0.5**0.5] * 2),
            observables=_himmelblau,
        ),
        Problem(
            "toy3d",
            3,
            0.5,
            low=-10 * math.pi,
            high=10 * math.pi,
            modes=13,
            mode=_nearest(_SHELLS),
            likelihoods=_gauss([100], [10]),
            observables=_toy3d,
        ),
        Problem(
            "toy3d_thin",
            3,
            math.log(2.0),
            low=-10 * math.pi,
            high=10 * math.pi,
            modes=13,
            mode=_nearest(_SHELLS),
            likelihoods=_gauss([150], [5]),
            observables=_toy3d,
        ),
        Problem(
            "rosenbrock4d",
            4,
            1.0,
            low=-2,
            high=2,
            likelihoods=_gauss([0.0] * 3 + [1.0] * 3, [0.05**0.5] * 3 + [5**0.5] * 3),
            observables=_rosenbrock,
        ),
        Problem("gshells6d", 6, 1.0, low=-6, high=6, modes=2, mode=_nearest(_CENTRES), nll_only=_gshells),
        Problem("blobs8d", 8, 1.0, modes=2, mode=_nearest(_BLOBS), nll_only=_blobs),
        Problem(
            "multi8d",
            8,
            1.5,
            modes=2,
            mode=_side(2),
            likelihoods=_gauss([0.3, 0.2, 0.6, 0.35], [0.09, 0.09, 0.07, 0.07]),
            observables=_multi8,
        ),
        Problem(
            "multi10d",
            10,
            0.8,
            modes=2,
            mode=_side(7),
            likelihoods=(
                *_gauss([0.4, 0.3, 0.35], [0.08] * 3),
                _Limit(Kind.GAUSS, 0.6, 0.1),
                *_gauss([1.2], [0.1]),
                _Limit(Kind.GAUSS, 0.5, 0.1),
            ),
            observables=_multi10,
        ),
        Problem("invalid6d", 6, 1.0, likelihoods=_gauss([0.3, 0.7, 0.35], [0.05] * 3), observables=_invalid6),
        Problem(
            "singlet2d",
            2,
            3.0,
            likelihoods=_limits([G, U, U], [0.12, 1, 0.11], [0.025, 0.1, 0.01]),
            observables=kinds.singlet,
        ),
        Problem(
            "mediator3d",
            3,
            3.0,
            likelihoods=_limits([G, U, U], [0.12, 1, 1], [0.02, 0.1, 0.1]),
            observables=kinds.mediator,
        ),
        Problem(
            "coann5d",
            5,
            0.5,
            modes=2,
            mode=_funnel,
            likelihoods=(Likelihood(), *_limits([G, U], [0.12, 1], [0.012, 0.1])),
            observables=kinds.coannihilation,
            windows=((0.0, math.inf), None, None),
        ),
        Problem("closed4d", 4, 2.0, likelihoods=_gauss([0.004, 100], [0.001, 6]), observables=kinds.closed_channel),
        Problem(
            "decay5d", 5, 2.0, likelihoods=_gauss([4e-8, 0.12, 126], [8e-9, 0.03, 1.5]), observables=kinds.rare_decay
        ),
        Problem("moment5d", 5, 2.0, likelihoods=_gauss([0.25, 400], [0.06, 40]), observables=kinds.magnetic_moment),
        Problem("dipole4d", 4, 2.0, likelihoods=_gauss([0, 1], [2, 0.1]), observables=kinds.dipole),
        Problem("lightest4d", 4, 2.0, likelihoods=_gauss([0.3, 420], [0.05, 15]), observables=kinds.lightest),
        Problem(
            "thresholds5d",
            5,
            2.0,
            likelihoods=_gauss([2.5, 4.5, 0.4], [0.06, 0.15, 0.06]),
            observables=kinds.thresholds,
        ),
        Problem("sentinel4d", 4, 2.0, likelihoods=_gauss([0.4, 2.2], [0.05, 0.15]), observables=kinds.sentinel),
        Problem("tachyon3d", 3, 2.0, likelihoods=_gauss([128, 0.02], [0.5, 0.002]), observables=kinds.no_spectrum),
        Problem("phase4d", 4, 1.5, likelihoods=_gauss([3.05, 0.9], [0.1, 0.05]), observables=kinds.phase),
        Problem(
            "underflow6d",
            6,
            2.0,
            likelihoods=(*_gauss([125], [4]), Likelihood(Kind.USER)),
            observables=kinds.likelihood_of_code,
        ),
        Problem("mass5d", 5, 2.0, likelihoods=_gauss([20, 3.5, 125], [5, 0.3, 3]), observables=kinds.light_mass),
        Problem(
            "poles4d",
            4,
            3.0,
            likelihoods=_limits([G, U, U], [0.12, 1, 1], [0.02, 0.1, 0.1]),
            observables=kinds.two_poles,
        ),
        _balls(3, 100, 1e-3, 1),
        _balls(2, 40, 4e-3, 2),
        _balls(5, 50, 1e-3, 3),
        _ellipsoids(3, 50, 1e-3, 4),
        _ellipsoids(4, 60, 1e-3, 5, deepest=0.7),
        Problem(
            "waves3d", 3, 2.0, modes=64, mode=_wave, likelihoods=_gauss([0.6] * 3, [0.05] * 3), observables=kinds.waves
        ),
        Problem("flavour6d", 6, 133.2, likelihoods=chi2.FLAVOUR, observables=chi2.flavour),
        Problem("doublets7d", 7, 4.5, likelihoods=chi2.DOUBLETS, observables=chi2.two_doublets),
        Problem("rates8d", 8, 3.0, likelihoods=_limits([U] * 3, [0.02] * 3, [0.004] * 3), observables=kinds.rates),
        Problem("sheet8d", 8, 2.0, nll_only=kinds.sheet),
        Problem("saddle8d", 8, 2.0, nll_only=kinds.saddle),
        _many(25, 0.3, 15.0),
        _many(60, 0.5, 25.0),
    )
}

_AS_NLL = (
    _as_nll("chi2_8d", _PROBLEMS["multi8d"], (), Kind.MINUSEXPUSER),
    _as_nll("mixed8d", _PROBLEMS["multi8d"], (0, 1), Kind.MINUSEXPUSER),
    _as_nll("mixed10d", _PROBLEMS["multi10d"], (0, 1, 2), Kind.EXPUSER),
)

PROBLEMS = _PROBLEMS | {problem.name: problem for problem in _AS_NLL}
