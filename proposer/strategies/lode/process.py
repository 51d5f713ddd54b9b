"""Gaussian-process regression of several outputs at once: what LODE learns with.

Exact regression with a Matern 5/2 kernel (Rasmussen and Williams, Gaussian Processes for
Machine Learning, 2006, equations 2.23 to 2.26, 4.17 and 5.8). Each output has a length
scale of its own in each variable: an observable that does not depend on a variable says so.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from proposer.strategies.lode.adam import Adam
from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

LEARN_FROM = 250
"""Points that the length scales are learned from: the cost grows with the cube of it."""
FIRST_STEPS, LATER_STEPS, STEP = 60, 12, 0.1
MUCH_NOISE, NOISY_STEPS, SURELY = 0.3, 16, 25.0
"""Noise is taken for structure of a short range. So a descent from this variance is tried once, and taken where its log
likelihood is so much better."""
LEAST_NOISE = 1e-6
"""Variance, in units of an output's own, which keeps the covariance of points that nearly agree regular."""
_ROWS = 32  # points predicted at once: their kernel stays in the cache
_LEAST_LOG_NOISE = math.log(1e-5)


class Processes:
    """m outputs over [-1, 1]^d. `learn` finds the length scales, `condition` takes the data, `mean` predicts."""

    def __init__(self, dim: int, outputs: int) -> None:
        self.dim, self.outputs = dim, outputs
        self.learned = False
        self._asked_for_noise = False
        self._scales = torch.full((outputs, dim), 0.5 * math.log(dim), dtype=torch.float64)
        self._amplitude = torch.zeros(outputs, dtype=torch.float64)
        self._noise = torch.full((outputs,), math.log(1e-3), dtype=torch.float64)

    def learn(self, x: Floats, t: Floats, rng: np.random.Generator) -> None:
        """Maximises the marginal likelihood of at most 250 points, from where the last call left off.

        `x`: shape (n, d) in [-1, 1]. `t`: shape (n, m), each column of about unit variance.
        A weak prior on the logarithms of the length scales keeps those that the data
        say nothing about where they are.
        """
        rows = rng.choice(len(x), size=min(len(x), LEARN_FROM), replace=False)
        # half of them lie next to the other half, because short distances show how rough the function is
        if len(x) > LEARN_FROM:
            near = np.asarray(cKDTree(x).query(x[rows[: LEARN_FROM // 2]], k=2)[1])[:, 1]
            rows = np.unique(np.concatenate([rows[: LEARN_FROM // 2], near]))
        xs, ts = torch.from_numpy(x[rows]), torch.from_numpy(t[rows]).T[..., None]
        start = (self._scales, self._amplitude, self._noise)
        found, loss = _descend(xs, ts, start, LATER_STEPS if self.learned else FIRST_STEPS)
        if len(x) >= LEARN_FROM and not self._asked_for_noise:  # a few points with much structure look like noise
            self._asked_for_noise = True
            first = Processes(self.dim, self.outputs)
            noisy = (first._scales, first._amplitude, torch.full_like(first._noise, math.log(MUCH_NOISE)))
            other, its_loss = _descend(xs, ts, noisy, NOISY_STEPS)
            better = its_loss < loss - SURELY
            found = [torch.where(*part) for part in zip([better[:, None], better, better], other, found, strict=True)]
        if all(bool(torch.isfinite(part).all()) for part in found):
            self._scales, self._amplitude, self._noise = found
            self.learned = True

    def condition(self, x: Floats, t: Floats) -> None:
        """Takes the data to predict from."""
        self._x = torch.from_numpy(np.ascontiguousarray(x))
        self._middle = torch.from_numpy(t).mean(dim=0)
        targets = (torch.from_numpy(t) - self._middle).T[..., None]
        covariance = _matern(self._x, self._x, self._scales) * self._amplitude.exp()[:, None, None]
        diagonal = torch.diagonal(covariance, dim1=1, dim2=2)
        diagonal += self.noise[:, None]
        root, failed = torch.linalg.cholesky_ex(covariance)
        added = 1e-3
        while bool(failed.any()):  # ends: a matrix with a large diagonal is positive definite
            diagonal += added * self._amplitude.exp()[:, None]
            added *= 10.0
            root, failed = torch.linalg.cholesky_ex(covariance)
        weights = torch.cholesky_solve(targets, root)[..., 0] * self._amplitude.exp()[:, None]
        self._root, self._weights = root, weights[..., None]
        self._data = _right(self._x, self._scales)

    def mean(self, z: Tensor) -> Tensor:
        """Predictions, shape (n, m), at z of shape (n, d) in [-1, 1].

        In double precision: of a smooth observable the weights are large and cancel.
        """
        parts = [
            torch.bmm(_fall(torch.bmm(rows, self._data)), self._weights)[..., 0]
            for rows in torch.split(_left(z, self._scales), _ROWS, dim=1)
        ]
        return torch.cat(parts, dim=1).T + self._middle

    def deviation(self, z: Tensor) -> Tensor:
        """Standard deviations of the predictions, shape (n, m); without the noise. Costs n_data^2 a point."""
        amplitude = self._amplitude.exp()[:, None]
        k = _fall(torch.bmm(_left(z, self._scales), self._data)).transpose(1, 2) * amplitude[..., None]
        v = torch.linalg.solve_triangular(self._root, k, upper=False)
        left: Tensor = (amplitude - v.square().sum(dim=1)).clamp(min=1e-12).sqrt().T
        return left

    @property
    def noise(self) -> Tensor:
        """Variances, shape (m,), of what the regression does not explain."""
        return self._noise.clamp(min=_LEAST_LOG_NOISE).exp() + LEAST_NOISE

    def thinned(self, x: Floats, t: Floats) -> Processes:
        """The same length scales with fewer data: rougher, and cheaper to predict from."""
        made = Processes.from_arrays(self.to_arrays())
        made.condition(x, t)
        return made

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """What was learned; the data are not part of it."""
        return {
            "scales": self._scales.numpy(),
            "amplitude": self._amplitude.numpy(),
            "noise": self._noise.numpy(),
            "learned": np.array(float(self.learned)),
            "asked_for_noise": np.array(float(self._asked_for_noise)),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float64]]) -> Processes:
        """The opposite of `to_arrays`; raises KeyError and ValueError."""
        outputs, dim = arrays["scales"].shape
        made = cls(dim, outputs)
        made._scales = torch.from_numpy(arrays["scales"].copy())
        made._amplitude = torch.from_numpy(arrays["amplitude"].copy())
        made._noise = torch.from_numpy(arrays["noise"].copy())
        made.learned, made._asked_for_noise = bool(arrays["learned"]), bool(arrays["asked_for_noise"])
        if made._amplitude.shape != (outputs,) or made._noise.shape != (outputs,):
            raise ValueError("the parts do not fit together")
        return made


def _descend(xs: Tensor, ts: Tensor, start: tuple[Tensor, ...], steps: int) -> tuple[list[Tensor], Tensor]:
    """Scales, amplitudes and noises after `steps` from `start`, and the last loss of each output, shape (m,)."""
    scales, amplitude, noise = (part.clone().requires_grad_(True) for part in start)
    parameters = (scales, amplitude, noise)
    optimiser = Adam(parameters)
    eye = torch.eye(len(xs), dtype=torch.float64)
    losses = torch.full((len(ts),), math.inf, dtype=torch.float64)
    for _ in range(steps):
        spread = noise.clamp(min=_LEAST_LOG_NOISE).exp() + LEAST_NOISE
        covariance = _matern(xs, xs, scales) * amplitude.exp()[:, None, None] + spread[:, None, None] * eye
        root, failed = torch.linalg.cholesky_ex(covariance)
        if bool(failed.any()):
            break
        weights = torch.cholesky_solve(ts, root)
        loss = 0.5 * (ts * weights).sum() + torch.diagonal(root, dim1=1, dim2=2).log().sum()
        prior = 0.05 * (scales - 0.7).square().mean() + 0.01 * amplitude.square().mean()
        optimiser.step(torch.autograd.grad(loss / len(xs) + prior, parameters), STEP)
        with torch.no_grad():
            losses = 0.5 * (ts * weights).sum(dim=(1, 2)) + torch.diagonal(root, dim1=1, dim2=2).log().sum(dim=1)
    return [part.detach() for part in parameters], losses


def _matern(a: Tensor, b: Tensor, log_scales: Tensor) -> Tensor:
    """Matern 5/2 correlations, shape (m, n_a, n_b), of a (n_a, d) and b (n_b, d)."""
    square = torch.bmm(_left(a, log_scales), _right(b, log_scales))
    if not square.requires_grad:
        return _fall(square)
    square = square.clamp(min=1e-12)
    r = square.sqrt()
    return (1.0 + r + square / 3.0) * torch.exp(-r)


def _left(a: Tensor, log_scales: Tensor) -> Tensor:
    """Shape (m, n, d + 2), of a (n, d); its product with `_right` is 5 times the squared distances in length scales."""
    a = a * (torch.exp(-log_scales)[:, None, :] * math.sqrt(5.0))
    return torch.cat([-2.0 * a, a.square().sum(-1, keepdim=True), torch.ones_like(a[..., :1])], dim=-1)


def _right(b: Tensor, log_scales: Tensor) -> Tensor:
    """Shape (m, d + 2, n), of b (n, d)."""
    b = b * (torch.exp(-log_scales)[:, None, :] * math.sqrt(5.0))
    return torch.cat([b, torch.ones_like(b[..., :1]), b.square().sum(-1, keepdim=True)], dim=-1).transpose(1, 2)


def _fall(square: Tensor) -> Tensor:
    """(1 + r + r^2 / 3) exp(-r) of r^2, in its memory: what is predicted spends its time here."""
    r = square.clamp_(min=1e-12).sqrt()
    fall = r.neg().exp_()
    return square.mul_(1.0 / 3.0).add_(r).add_(1.0).mul_(fall)
