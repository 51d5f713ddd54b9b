"""The marginal likelihood of a process whose inputs are distances from planes (`ridges.py`), and its maximum.

A plane that is off by a tenth of the thickness of a resonance is hardly better than none, and random moves do not get
that close. So the planes climb the likelihood by its gradient. The length scales climb with them, because a process
without the plane needs shorter ones, and these hide what the plane is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import Bounds, minimize

from proposer.strategies.lode.matern import fall, likelihood
from proposer.strategies.lode.process import Processes
from proposer.types import Floats

SHRINK = 4.0
"""The new input is asinh(distance / width) / SHRINK for a step, and ln(1 + (distance / width)^2) / (2 SHRINK) for a
peak. Inputs have the range [-1, 1].
"""
WIDTH, OF_STEP, OF_PEAK = 0.02, (0.01, 0.05), (0.002, 0.05)
"""The width is WIDTH at first, and stays within OF_STEP or OF_PEAK. With widths up to 0.2, planes were found that only
warp a smooth part of an observable. Steps with a width below 0.01 hid the slope at their edge, where the target is.
"""
LENGTH = 0.7
"""The first length scale of a new input."""
FROM, OUTLIERS = 300, 0.1
"""The largest number of points from which the likelihood is computed, and the fraction of all points, those with the
largest errors, that count as outliers. At most a quarter of the former are outliers.
"""
EDGE = 2.0
"""All points may be on one side of a plane if some of them are within this many of its widths."""
MOVE, WIDER = 0.02, 0.5
"""The units in which a normal and its c, and the logarithm of a width, climb."""
LENGTHS, AMPLITUDES, NOISES = (-3.0, 5.5), (-5.0, 5.0), (np.log(1e-5), 1.0)
"""The bounds of the logarithms of the length scales, the amplitude, and the noise."""
NORMAL, C, KIND = slice(None, -3), -3, -1


class Fit(NamedTuple):
    """Planes, the logarithms of the length scales of all inputs, of the amplitude and of the noise, and the logarithm
    of the marginal likelihood.
    """

    planes: Floats
    scales: Floats
    amplitude: float
    noise: float
    value: float

    @property
    def process(self) -> Processes:
        """A process with these numbers, without data."""
        arrays = {"scales": self.scales[None], "amplitude": np.array([self.amplitude]), "noise": np.array([self.noise])}
        return Processes.from_arrays(arrays | {"learned": np.array(1.0), "asked_for_noise": np.array(1.0)})

    def with_plane(self, plane: Floats) -> Fit:
        """The same with one more plane, whose input has LENGTH."""
        planes = np.concatenate([self.planes, plane[None]])
        return self._replace(planes=planes, scales=np.append(self.scales, np.log(LENGTH)))

    def without(self, plane: int) -> Fit:
        """The same without one plane."""
        before = len(self.scales) - len(self.planes)
        planes, scales = np.delete(self.planes, plane, axis=0), np.delete(self.scales, before + plane)
        return self._replace(planes=planes, scales=scales)

    def as_other_kind(self, plane: int) -> Fit:
        """The same with a peak in place of a step at one plane, or a step in place of a peak."""
        planes = self.planes.copy()
        planes[plane, KIND] = 1.0 - planes[plane, KIND]
        return self._replace(planes=planes)


def distances(x: Floats, planes: Floats) -> Floats:
    """The new inputs, shape (n, k), of points x, shape (n, d)."""
    off = _off(x, planes)
    return np.asarray(np.where(planes[:, KIND] > 0.0, 0.5 * np.log1p(off**2), np.arcsinh(off)) / SHRINK)


def _off(x: Floats, planes: Floats) -> Floats:
    """The distances, shape (n, k), in widths."""
    return np.asarray((x @ planes[:, NORMAL].T - planes[:, C]) / planes[:, -2])


class Marginal:
    """The logarithm of the marginal likelihood, without its constant, for other planes.

    x: shape (n, d). t: shape (n, 1). `process` has the inputs x and the distances from `planes`.
    """

    def __init__(self, x: Floats, t: Floats, planes: Floats, process: Processes, rng: np.random.Generator) -> None:
        process.condition(np.concatenate([x, distances(x, planes)], axis=1), t)
        off = np.abs(process.left_out(0))
        self.outlier: NDArray[np.bool_] = off >= np.quantile(off, 1.0 - OUTLIERS)
        first = np.argsort(-off)[: min(FROM // 4, round(OUTLIERS * len(x)))]
        others = np.setdiff1d(np.arange(len(x)), first)
        others = rng.choice(others, min(len(others), FROM - len(first)), replace=False)
        rows = np.concatenate([first, others])
        self._x, self._t = x[rows], torch.from_numpy(t[rows] - t[rows].mean())
        amplitude, noise = float(process.amplitude[0].log()), float(process.noise[0].log())
        self.fit = Fit(planes, np.log(process.lengths[0]), amplitude, noise, -np.inf)
        """The numbers from which a climb begins."""

    def value(self, fit: Fit) -> float:
        """The likelihood with other numbers."""
        x = np.concatenate([self._x, distances(self._x, fit.planes)], axis=1) * np.exp(-fit.scales)
        z = torch.from_numpy(x)
        own = z.square().sum(dim=1)
        square = (own[:, None] + own - 2.0 * (z @ z.T)).clamp_(min=0.0)
        covariance = fall(square.mul_(5.0)) * float(np.exp(fit.amplitude))
        torch.diagonal(covariance).add_(float(np.exp(fit.noise)))
        root, failed = torch.linalg.cholesky_ex(covariance)
        if bool(failed):
            return -np.inf
        solved = torch.linalg.solve_triangular(root, self._t, upper=False)
        return float(-0.5 * solved.square().sum() - torch.diagonal(root).log().sum())

    def _crossed(self, planes: Floats) -> bool:
        """Whether there are points on both sides of each plane, or close to it."""
        off = _off(self._x, planes)
        return bool(((off.min(axis=0) < EDGE) & (off.max(axis=0) > -EDGE)).all())

    def climbed(self, fit: Fit, moving: Sequence[int], steps: int) -> Fit:
        """The numbers after at most `steps` steps of L-BFGS, in which the planes at these positions move. The
        likelihood is -inf if a plane leaves the points.
        """
        planes = _Moving(fit.planes, np.asarray(moving, dtype=np.int64))
        start = np.concatenate([planes.start, fit.scales, [fit.amplitude, fit.noise]])
        low, high = np.concatenate([planes.bounds, [LENGTHS] * len(fit.scales), [AMPLITUDES, NOISES]]).T
        found = minimize(
            partial(self._loss, planes),
            start.clip(low, high),
            jac=True,
            method="L-BFGS-B",
            bounds=Bounds(low, high),
            options={"maxiter": steps, "maxfun": 2 * steps},
        )
        now = planes.at(found.x)
        length = np.linalg.norm(now[:, NORMAL], axis=1)
        now[:, :KIND] /= length[:, None]
        now[:, -2] = now[:, -2].clip(OF_PEAK[0], OF_PEAK[1])
        value = -float(found.fun) if self._crossed(now[planes.rows]) else -np.inf
        scales = found.x[len(planes.start) : -2]
        return Fit(now, scales, float(found.x[-2]), float(found.x[-1]), value)

    def _loss(self, planes: _Moving, numbers: Floats) -> tuple[float, Floats]:
        """Minus the likelihood and its gradient, shape (p,), for the numbers, shape (p,): those of the planes, the
        scales, the amplitude, and the noise.
        """
        now, scales = planes.at(numbers), numbers[len(planes.start) : -2]
        amplitude, noise = torch.from_numpy(numbers[-2:])
        inputs = distances(self._x, now)
        x = torch.from_numpy(np.concatenate([self._x, inputs], axis=1))
        one = likelihood(x, self._t, torch.from_numpy(scales), amplitude, noise.exp())
        if one is None:
            return 1e10, np.zeros(len(numbers))
        value, by_scales, by_amplitude, by_noise, _, pairs = one
        mine = torch.from_numpy(inputs[:, planes.rows])
        by_inputs = (pairs.sum(dim=1)[:, None] * mine - pairs @ mine).numpy()
        by_inputs *= -10.0 / 3.0 * np.exp(-2.0 * scales[self._x.shape[1] + planes.rows])
        by_planes = planes.gradient(self._x, now, by_inputs)
        return float(value), np.concatenate(
            [by_planes, by_scales.numpy(), [float(by_amplitude), float(by_noise * noise.exp())]]
        )


class _Moving:
    """The planes at the positions `rows` of `planes`, as numbers that climb: their normals and c, and the logarithms of
    their widths, in units of MOVE and WIDER. Components of a normal that are 0 do not change.
    """

    def __init__(self, planes: Floats, rows: NDArray[np.int64]) -> None:
        self.rows, self._planes = rows, planes
        self._first = planes[rows, :KIND]
        self._first[:, -1] = np.log(self._first[:, -1])
        self._free = self._first != 0.0
        self._free[:, -2:] = True
        self._unit = np.full(self._first.shape, MOVE)
        self._unit[:, -1] = WIDER
        self.start: Floats = (self._first / self._unit)[self._free]
        """The first numbers, shape (k,)."""

    @property
    def bounds(self) -> Floats:
        """The bounds of the numbers, shape (k, 2)."""
        bounds = np.full((len(self.start), 2), [-np.inf, np.inf])
        of_width = np.argwhere(self._free)[:, 1] == self._first.shape[1] - 1
        bounds[of_width] = np.log(np.where(self._planes[self.rows, KIND:] > 0.0, OF_PEAK, OF_STEP)) / WIDER
        return bounds

    def at(self, numbers: Floats) -> Floats:
        """All planes for the first k of the numbers."""
        now, moved = self._planes.copy(), self._first.copy()
        moved[self._free] = numbers[: len(self.start)] * self._unit[self._free]
        moved[:, -1] = np.exp(moved[:, -1])
        now[self.rows, :KIND] = moved
        return now

    def gradient(self, x: Floats, now: Floats, by_inputs: Floats) -> Floats:
        """The derivatives by the numbers, shape (k,), from those by the inputs of these planes, shape (n, len(rows)),
        at points x, shape (n, d), if `now` are all planes.
        """
        moved = now[self.rows]
        off = _off(x, moved)
        slope = np.where(moved[:, KIND] > 0.0, off / (1.0 + off**2), 1.0 / np.sqrt(1.0 + off**2))
        by_off = by_inputs * slope / SHRINK
        scaled = by_off / moved[:, -2]
        by_planes = [scaled.T @ x, -scaled.sum(axis=0)[:, None], -(by_off * off).sum(axis=0)[:, None]]
        return np.asarray((np.concatenate(by_planes, axis=1) * self._unit)[self._free])
