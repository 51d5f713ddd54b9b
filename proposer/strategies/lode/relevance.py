"""Fits energies by sums of squared polynomials, with few coefficients.

A damped Gauss-Newton descent (K. Levenberg, Q. Appl. Math. 2, 164 (1944); D. Marquardt, J. SIAM 11, 431 (1963))
minimises the errors. Automatic relevance determination (D. MacKay, Neural Computation 4, 415 (1992); M. Tipping, JMLR
1, 211 (2001)) gives each coefficient a prior of its own, whose width is fitted. Coefficients that the points do not
need vanish.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dposv as posv
from scipy.linalg.lapack import dpotrf as potrf
from scipy.linalg.lapack import dpotri as potri

from proposer.time_limit import check_time
from proposer.types import Floats

LEAST_STEPS, SLOWER = 8, 1e-4
"""After LEAST_STEPS, a descent ends if a step gains less than the fraction SLOWER of the loss."""
WIDTH = 1e-4
"""The weight of the prior of a coefficient before the first fit of its width, in units of points per median energy."""
UNNEEDED = 0.3
"""A coefficient vanishes if the square error that it changes is below this fraction of that of one point."""
WORTH, AT_ONCE = 8.0, 6
"""A new coefficient must lower the square error by WORTH times that of one point. Each residual gets at most AT_ONCE
new ones at a time.
"""


class Fitted(NamedTuple):
    """A sum of r squared residuals. `coefficients`, shape (r, p), are those of the p features; a feature with the
    coefficient 0 is absent. `one_sided`, shape (r,), says whether a residual counts only where it is positive. `prior`,
    shape (r, p), has the weights of the priors.
    """

    coefficients: Floats
    one_sided: NDArray[np.bool_]
    prior: Floats

    def energy(self, features: Floats, used: NDArray[np.bool_]) -> Floats:
        """The energies, shape (n,), by the features (n, k) that are `used`, shape (p,)."""
        return np.asarray((self.residuals(features, used) ** 2).sum(axis=1))

    def residuals(self, features: Floats, used: NDArray[np.bool_]) -> Floats:
        """The residuals, shape (n, r)."""
        residuals = features @ self.coefficients[:, used].T
        return np.where(self.one_sided, residuals.clip(min=0.0), residuals)


class Fit:
    """The points of a fit: their features, shape (n, p), and their energies, shape (n,).

    The loss is the sum over points of weight (log(1 + sum of squared residuals) - log(1 + energy))^2, plus the prior.
    The weight is proportional to (1 + energy)^gamma. `work` counts multiplications.
    """

    def __init__(self, features: Floats, energy: Floats, gamma: float) -> None:
        self.features, self._log = features, np.log1p(energy)
        weight = (1.0 + energy) ** gamma
        self._root = np.sqrt(weight / weight.mean())
        self.variance = float(((self._root * (self._log - np.average(self._log, weights=weight))) ** 2).mean())
        self.middle = max(float(np.median(energy)), 1e-9)
        self.work = 0.0

    def priors(self, residuals: int, width: float) -> Floats:
        """Equal weights of the priors of all coefficients but the constants, shape (residuals, p)."""
        prior = np.full((residuals, self.features.shape[1]), width * len(self._log) / self.middle)
        prior[:, 0] = 0.0
        return prior

    def begin(self, one_sided: NDArray[np.bool_], plain: int, rng: np.random.Generator) -> Floats:
        """Random coefficients of the first features, whose energies are as large as those of the points."""
        coefficients = np.zeros((len(one_sided), self.features.shape[1]))
        coefficients[:, :plain] = rng.standard_normal((len(one_sided), plain))
        return np.asarray(coefficients * np.sqrt(self.middle / len(one_sided) / plain))

    def _errors(self, fitted: Fitted) -> tuple[Floats, Floats]:
        """Residuals, shape (n, r), and weighted errors of the logarithm, shape (n,)."""
        used = (fitted.coefficients != 0.0).any(axis=0)
        residuals = fitted.residuals(self.features[:, used], used)
        return residuals, self._root * (np.log1p((residuals**2).sum(axis=1)) - self._log)

    def _derivatives(self, residuals: Floats) -> Floats:
        """The derivatives of the errors by the residuals, shape (n, r)."""
        return np.asarray(2.0 * self._root[:, None] * residuals / (1.0 + (residuals**2).sum(axis=1))[:, None])

    def _curvature(self, derivatives: Floats, present: NDArray[np.bool_], *, rough: bool = False) -> Floats:
        """The square of the Jacobian of the errors by the coefficients that are present. `rough`: in single precision,
        which halves the time.
        """
        size, start = int(present.sum()), 0
        jacobian = np.empty((len(self.features), size), dtype=np.float32 if rough else np.float64)
        for k, of in enumerate(map(np.flatnonzero, present)):
            part = jacobian[:, start : start + len(of)]
            np.multiply(derivatives[:, k, None], self.features[:, of], out=part, casting="same_kind")
            start += len(of)
        self.work += (len(jacobian) * size**2 / 2.0 + size**3 / 3.0) * (0.5 if rough else 1.0)
        return np.asarray((jacobian.T @ jacobian).astype(np.float64, copy=False))

    def descend(self, fitted: Fitted, steps: int, *, damping: float = 1e-3, rough: bool = False) -> Fitted:
        """A minimum near the given coefficients, with the same priors, after at most so many steps."""
        present = fitted.coefficients != 0.0
        prior = fitted.prior[present]
        residuals, errors = self._errors(fitted)
        loss = float((errors**2).sum() + (prior * fitted.coefficients[present] ** 2).sum())
        for step in range(steps):
            check_time()
            derivatives = self._derivatives(residuals)
            square = self._curvature(derivatives, present, rough=rough)
            own = fitted.coefficients[present]
            gradient = ((derivatives * errors[:, None]).T @ self.features)[present] + prior * own
            diagonal = np.diag(square) + prior
            diagonal += 1e-9 * diagonal.max() + 1e-300
            for _ in range(5):
                damped = square.copy()
                damped[np.diag_indices(len(square))] += prior + damping * diagonal
                new = np.zeros_like(fitted.coefficients)
                new[present] = own - _solved(damped, gradient)
                tried = fitted._replace(coefficients=new)
                new_residuals, new_errors = self._errors(tried)
                new_loss = float((new_errors**2).sum() + (prior * new[present] ** 2).sum())
                if new_loss < loss:
                    break
                damping *= 4.0
            if not new_loss < loss:
                break
            gain = (loss - new_loss) / loss
            fitted, residuals, errors, loss = tried, new_residuals, new_errors, new_loss
            damping = max(damping / 3.0, 1e-9)
            if step >= LEAST_STEPS and gain < SLOWER:
                break
        return fitted

    def relevant(self, fitted: Fitted, steps: int, *, rough: bool = False) -> Fitted:
        """Fits the widths of the priors by the fixed point of Tipping, removes coefficients that are not needed, and
        descends again. `rough` as in `descend`.
        """
        present = fitted.coefficients != 0.0
        residuals, errors = self._errors(fitted)
        square = self._curvature(self._derivatives(residuals), present)
        determined, noise = self._determined(fitted, square, errors)
        own = fitted.coefficients[present]
        prior, coefficients = fitted.prior.copy(), fitted.coefficients.copy()
        prior[present] = noise * (determined + 1e-3) / (own**2 + 1e-12)
        prior[:, 0] = 0.0
        coefficients[present] = np.where(own**2 * np.diag(square) < UNNEEDED * noise, 0.0, own)
        coefficients[:, 0] = fitted.coefficients[:, 0]
        return self.descend(Fitted(coefficients, fitted.one_sided, prior), steps, rough=rough)

    def _determined(self, fitted: Fitted, square: Floats, errors: Floats) -> tuple[Floats, float]:
        """How much of each present coefficient the points determine, from 0 to 1, shape (coefficients,), and the square
        error of one point: Tipping's gamma and his estimate of the noise variance.
        """
        prior = fitted.prior[fitted.coefficients != 0.0]
        inverse = _diagonal_of_inverse(square + np.diag(prior + 1e-12 * (1.0 + np.diag(square).max())))
        determined = np.asarray((1.0 - prior * inverse).clip(0.0, 1.0))
        free = max(len(errors) - float(determined.sum()), 0.05 * len(errors))
        return determined, max(float((errors**2).sum()) / free, 1e-12)

    def grow(self, fitted: Fitted) -> Fitted:
        """Adds the coefficients that lower the loss most, each as if it were alone."""
        residuals, errors = self._errors(fitted)
        derivatives = self._derivatives(residuals)
        gradient = (derivatives * errors[:, None]).T @ self.features
        curvature = (derivatives**2).T @ self.features**2 + 1e-300
        gain = np.where(fitted.coefficients != 0.0, 0.0, gradient**2 / curvature)
        best = np.sort(gain, axis=1)[:, -min(AT_ONCE, gain.shape[1])][:, None]
        new = (gain >= best) & (gain > WORTH * float((errors**2).mean()))
        coefficients, prior = fitted.coefficients.copy(), fitted.prior.copy()
        coefficients[new] = 0.5 * (-gradient / curvature)[new]
        prior[new] = self.priors(len(prior), WIDTH)[new]
        return Fitted(coefficients, fitted.one_sided, prior)

    def score(self, fitted: Fitted, cost: float = 1.0) -> float:
        """Generalised cross-validation (P. Craven and G. Wahba, Numer. Math. 31, 377 (1979)): the mean square error
        over (1 - cost * effective parameters / n)^2."""
        residuals, errors = self._errors(fitted)
        square = self._curvature(self._derivatives(residuals), fitted.coefficients != 0.0)
        determined = self._determined(fitted, square, errors)[0]
        return float((errors**2).mean()) / max(1.0 - cost * float(determined.sum()) / len(errors), 1e-3) ** 2


def _solved(matrix: Floats, right: Floats) -> Floats:
    """The solution, shape (n,), for a symmetric matrix, shape (n, n), and the right side, shape (n,). By Cholesky's
    method, which halves the time, if the matrix is positive definite in spite of rounding.
    """
    found, failed = posv(matrix.T, right, lower=True)[1:]
    return np.asarray(np.linalg.solve(matrix, right) if failed else found)


def _diagonal_of_inverse(matrix: Floats) -> Floats:
    """The diagonal, shape (n,), of the inverse of a symmetric matrix, shape (n, n). By Cholesky's method, if the matrix
    is positive definite in spite of rounding.
    """
    root, failed = potrf(matrix.T, lower=True)
    return np.asarray(np.diag(np.linalg.inv(matrix) if failed else potri(root, lower=True)[0]))
