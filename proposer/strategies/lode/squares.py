"""Models an NLL as a sum of squared polynomials, to find thin curved regions in many dimensions.

Most NLLs come from few smooth residuals, and depend only on these near their zeros. Networks find the residuals
roughly. A damped Gauss-Newton descent (K. Levenberg 1944, D. Marquardt 1963) finds polynomials to many digits, from
hundreds of points. It can end in local minima, so it is started many times, and the descents that generalise best are
kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from proposer.time_limit import check_time
from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

RESIDUALS, MOST_COEFFICIENTS = 6, 600
"""The largest number of residuals, and of all their coefficients. A descent may start with any number of residuals;
with more residuals than the NLL has, it ends in a local minimum less often.
"""
KEPT, WORSE = 3, 4.0
"""The largest number of descents that are kept, among those that are less than WORSE times as bad as the best. The next
descents continue from them.
"""
STEPS, LEAST_STEPS, SLOWER = 80, 8, 1e-4
"""The largest number of steps of a descent. After LEAST_STEPS, it ends if a step gains less than the fraction SLOWER of
the loss.
"""
STARTS, WORK = 9, 5e9
"""The number of new descents at a time, and the largest number of multiplications for all descents, half of them for
new ones. Both bound the cost of an iteration.
"""
PRIOR = 1e-6
"""The width of the prior of a coefficient, in units of the median energy, for coefficients that the points do not
determine.
"""
GAMMA = -0.5
"""The weight of a point is proportional to (1 + energy)^GAMMA."""


def polynomials(x: Floats) -> Floats:
    """Features, shape (n, p), of x, shape (n, d), in [-1, 1]: all polynomials up to degree 2, and the Legendre
    polynomials of degree 3 and 4 of each variable.
    """
    i, j = np.triu_indices(x.shape[1])
    cubes, fourth = x * (2.5 * x**2 - 1.5), (35.0 * x**4 - 30.0 * x**2 + 3.0) / 8.0
    return np.hstack([np.ones((len(x), 1)), x, x[:, i] * x[:, j], cubes, fourth])


class Squares:
    """A regression of energies over [-1, 1]^d."""

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self._kept: list[Floats] = []  # coefficients, shape (residuals, p), the best first
        self._fits = False
        self._residuals = min(RESIDUALS, MOST_COEFFICIENTS // polynomials(np.zeros((1, dim))).shape[1])

    @property
    def members(self) -> int:
        """The number of kept descents; 0 if they predict no better than a constant."""
        return len(self._kept) if self._fits else 0

    def learn(self, x: Floats, energy: Floats, rng: np.random.Generator) -> None:
        """Continues the kept descents, and starts new ones. `x` has shape (n, d), `energy` shape (n,)."""
        if not self._residuals:  # too many variables
            return
        fit = _Fit(polynomials(x), energy)
        found = list[Floats]()
        for _ in range(STARTS):
            residuals = int(rng.integers(1, self._residuals + 1))
            if fit.work > 0.5 * WORK:
                break
            found.append(fit.descend(fit.begin(residuals, rng)))
        found += [fit.descend(start) for start in self._kept]
        scores = [fit.score(coefficients) for coefficients in found]
        order = np.argsort(scores, kind="stable")[:KEPT]
        self._kept = [found[number] for number in order if scores[number] <= WORSE * scores[order[0]]]
        self._fits = bool(scores[order[0]] < fit.variance)

    def energy(self, z: Tensor, member: int) -> Tensor:
        """The energy of one of the kept descents, shape (n,), at z (n, d)."""
        return torch.from_numpy(((polynomials(z.double().numpy()) @ self._kept[member].T) ** 2).sum(axis=1))

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """The arrays for `from_arrays`."""
        sizes = np.array([float(self.dim), float(self._fits)])
        return {"sizes": sizes} | {f"kept{n}": one for n, one in enumerate(self._kept)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float64]]) -> Squares:
        """Restores the state from the arrays of `to_arrays`. Raises KeyError and ValueError."""
        made = cls(int(arrays["sizes"][0]))
        made._fits = bool(arrays["sizes"][1])
        made._kept = [arrays[f"kept{number}"] for number in range(len(arrays) - 1)]
        if any(one.shape[1] != polynomials(np.zeros((1, made.dim))).shape[1] for one in made._kept):
            raise ValueError("the coefficients do not fit")
        return made


class _Fit:
    """Descents of the loss: the sum over points of weight (log(1 + sum of squared residuals) - log(1 + energy))^2, plus
    the prior.
    """

    def __init__(self, features: Floats, energy: Floats) -> None:
        self._features, self._log = features, np.log1p(energy)
        weight = (1.0 + energy) ** GAMMA
        self._root = np.sqrt(weight / weight.mean())
        self.variance = float(((self._root * (self._log - np.average(self._log, weights=weight))) ** 2).mean())
        self._middle = max(float(np.median(energy)), 1e-9)
        self._prior = np.full(features.shape[1], PRIOR * len(energy) / self._middle)
        self._prior[0] = 0.0
        self.work = 0.0

    def begin(self, residuals: int, rng: np.random.Generator) -> Floats:
        """Random coefficients whose energies are as large as those of the points."""
        p = self._features.shape[1]
        return np.asarray(rng.standard_normal((residuals, p)) * np.sqrt(self._middle / residuals / p))

    def _errors(self, coefficients: Floats) -> tuple[Floats, Floats]:
        """Residuals, shape (n, r), and weighted errors of the logarithm, shape (n,)."""
        residuals = self._features @ coefficients.T
        return residuals, self._root * (np.log1p((residuals**2).sum(axis=1)) - self._log)

    def _loss(self, coefficients: Floats, errors: Floats) -> float:
        return float((errors**2).sum() + (self._prior * coefficients**2).sum())

    def _curvature(self, residuals: Floats) -> tuple[Floats, Floats]:
        """The Jacobian of the errors, shape (n, r p), and its square."""
        slope = 2.0 * self._root / (1.0 + (residuals**2).sum(axis=1))
        jacobian = ((slope[:, None] * residuals)[:, :, None] * self._features[:, None, :]).reshape(len(residuals), -1)
        self.work += len(jacobian) * jacobian.shape[1] ** 2 / 2.0 + jacobian.shape[1] ** 3 / 3.0
        return jacobian, jacobian.T @ jacobian

    def descend(self, coefficients: Floats) -> Floats:
        """The coefficients of a minimum near the given coefficients, shape (r, p)."""
        damping, prior = 1.0, np.tile(self._prior, len(coefficients))
        residuals, errors = self._errors(coefficients)
        loss = self._loss(coefficients, errors)
        for step in range(STEPS):
            check_time()
            if self.work > WORK:
                break
            jacobian, square = self._curvature(residuals)
            square[np.diag_indices(len(square))] += prior
            gradient = jacobian.T @ errors + prior * coefficients.ravel()
            diagonal = np.diag(square).copy()
            diagonal += 1e-9 * diagonal.max() + 1e-300
            for _ in range(5):
                damped = square.copy()
                damped[np.diag_indices(len(square))] += damping * diagonal
                tried = coefficients - np.linalg.solve(damped, gradient).reshape(coefficients.shape)
                new_residuals, new_errors = self._errors(tried)
                new_loss = self._loss(tried, new_errors)
                if new_loss < loss:
                    break
                damping *= 4.0
            if not new_loss < loss:
                break
            gain = (loss - new_loss) / loss
            coefficients, residuals, errors, loss = tried, new_residuals, new_errors, new_loss
            damping = max(damping / 3.0, 1e-9)
            if step >= LEAST_STEPS and gain < SLOWER:
                break
        return coefficients

    def score(self, coefficients: Floats) -> float:
        """Generalised cross-validation (P. Craven and G. Wahba, Numer. Math. 31, 377 (1979)): the mean square error
        over (1 - effective parameters / n)^2."""
        residuals, errors = self._errors(coefficients)
        square = self._curvature(residuals)[1]
        damped = square + np.diag(np.tile(self._prior, len(coefficients)) + 1e-12)
        free = 1.0 - float(np.trace(np.linalg.solve(damped, square))) / len(errors)
        return float((errors**2).mean()) / max(free, 1e-3) ** 2
