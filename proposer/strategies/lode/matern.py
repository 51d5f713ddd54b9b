"""The Matern 5/2 kernel, k(r) = (1 + r + r^2 / 3) exp(-r) with r^2 = 5 times the squared distance in length scales.

Predictions and fits spend their time here. So a block of a kernel is computed and used while it is in the cache, with
few passes over it. Where there is AVX-512, sqrt and exp take about half as long as rsqrt and exp2.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

BLOCK = 40_000
"""The number of kernel elements that are computed at once. With two helper arrays of this size, they stay
in a cache.
"""


def left(a: Tensor, log_scales: Tensor) -> Tensor:
    """A factor of r^2, shape (m, n, d + 2), of a (n, d) and log_scales (m, d). Its product with `right` is r^2."""
    a = a * (torch.exp(-log_scales)[:, None, :] * math.sqrt(5.0))
    return torch.cat([-2.0 * a, a.square().sum(-1, keepdim=True), torch.ones_like(a[..., :1])], dim=-1)


def right(b: Tensor, log_scales: Tensor) -> Tensor:
    """The other factor of r^2, shape (m, d + 2, n), of b (n, d)."""
    b = b * (torch.exp(-log_scales)[:, None, :] * math.sqrt(5.0))
    return torch.cat([b, torch.ones_like(b[..., :1]), b.square().sum(-1, keepdim=True)], dim=-1).transpose(1, 2)


def fall(square: Tensor) -> Tensor:
    """The kernel k(r) of `square`, r^2 of any shape. Overwrites `square`."""
    return _parts(square)[0]


def rows_of(points: int) -> int:
    """The number of rows that are computed at once, of a kernel with `points` columns."""
    return max(8, BLOCK // max(1, points))


def likelihood(x: Tensor, t: Tensor, log_scales: Tensor, amplitude: Tensor, noise: Tensor) -> tuple[Tensor, ...] | None:
    """-ln of the marginal likelihood of one output, without its constant; its gradients with respect to the logarithms
    of the length scales (d,) and of the amplitude, and to the noise; the errors of the leave-one-out predictions, shape
    (n,); and the gradient with respect to each r^2 times -6, shape (n, n). None if the covariance is not positive
    definite.

    `x`: shape (n, d). `t`: shape (n, 1). Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006,
    sections 5.4.1 and 5.4.2. The sum over pairs W_ij (x_i - x_j)^2 is 2 (sum_i w_i x_i^2 - x^T W x) with the row
    sums w.
    """
    square = left(x, log_scales[None])[0] @ right(x, log_scales[None])[0]
    kernel, r, exponential = _parts(square)
    covariance = kernel * amplitude.exp()
    torch.diagonal(covariance).add_(noise)
    root, failed = torch.linalg.cholesky_ex(covariance)
    if bool(failed):
        return None
    weights = torch.cholesky_solve(t, root)
    loss = 0.5 * (t * weights).sum() + torch.diagonal(root).log().sum()
    inverse = torch.cholesky_inverse(root)
    off = weights[:, 0] / torch.diagonal(inverse)
    by_covariance = inverse.sub_(weights @ weights.T).mul_(0.5)
    by_noise = torch.diagonal(by_covariance).sum()
    by_amplitude = (by_covariance * covariance).sum() - noise * by_noise
    pairs = r.add_(1.0).mul_(exponential).mul_(by_covariance).mul_(amplitude.exp())
    distances = 2.0 * ((pairs.sum(dim=1)[:, None] * x.square()).sum(dim=0) - ((pairs @ x) * x).sum(dim=0))
    return loss, distances * (-2.0 * log_scales).exp() * (5.0 / 3.0), by_amplitude, by_noise, off, pairs


def _parts(square: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The kernel k(r), r, and exp(-r), of `square`, which is r^2. The kernel overwrites `square`."""
    square = square.clamp_(min=0.0)  # rounding may make it negative
    r = square.sqrt()
    exponential = r.neg().exp_()
    rising = torch.add(r, square, alpha=1.0 / 3.0, out=square)
    return torch.addcmul(exponential, exponential, rising, out=square), r, exponential
