"""Finds plane waves of which an observable is a sum.

A product of oscillating functions, the interference of several amplitudes, or a phase changes too fast for a process:
between points that are as far apart as half a wave, it learns nothing. But each of them is a sum of few plane waves,
and these show in all points together, as in a spectrum. A process then learns only what the waves leave.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft, rfft
from scipy.spatial import cKDTree

from proposer.types import Floats

CELLS = {1: 256, 2: 64, 3: 32, 4: 24, 5: 12}
"""The number of cells of the spectrum along each of d variables. The highest frequency that it resolves is CELLS / 4
waves in the cube. In more than five variables, a spectrum would need too many cells.
"""
MOST, AHEAD, ROUNDS = 32, 16, 6
"""The largest number of waves; how many are tried beyond the best number, because a product of cosines is a sum of many
waves, of which the first ones explain little; and the number of Gauss-Newton steps after each new wave.
"""
FROM = 500
"""The largest number of points from which waves are found, those with the largest volume around them."""
LEAST = 0.75
"""The least number of waves in the cube along the wave vector. A process learns slower changes itself."""
SURE = 2.0
"""A wave must lower the logarithm of the likelihood by SURE times what its parameters would by chance (G. Schwarz,
Ann. Statist. 6 (1978) 461), and by the logarithm of the number of cells from which it was chosen.
"""
SMALLEST = 1e-10
"""The variance of the rest, relative to that of the observable, at which no more waves are looked for."""


class Waves(NamedTuple):
    """A sum of k plane waves, of which the last is a constant.

    `vectors`, shape (k, d): the wave vectors, in radians per unit of the inputs. `cosines` and `sines`: the amplitudes,
    shape (k,) each.
    """

    vectors: Floats
    cosines: Floats
    sines: Floats

    def __call__(self, x: Floats) -> Floats:
        """The sum at inputs x, shape (n, at least d); shape (n,)."""
        phase = x[:, : self.vectors.shape[1]] @ self.vectors.T
        return np.asarray(np.cos(phase) @ self.cosines + np.sin(phase) @ self.sines)

    @property
    def numbers(self) -> int:
        """The number of free parameters: the wave vectors and both amplitudes of all waves but the constant."""
        waves, dim = self.vectors.shape
        return int((waves - 1) * (dim + 2))

    def to_array(self) -> Floats:
        """The array for `from_array`."""
        return np.column_stack(self)

    @classmethod
    def from_array(cls, array: Floats) -> Waves:
        """Restores waves from the array of `to_array`."""
        return cls(array[:, :-2], array[:, -2], array[:, -1])


def find(x: Floats, t: Floats) -> Waves | None:
    """The waves of t, shape (n,), of about unit variance, at inputs x, shape (n, d) in [-1, 1]. They are found one
    after the other, each at the largest peak of the spectrum of what the others leave (S. Mallat and Z. Zhang, IEEE
    Trans. Signal Process. 41 (1993) 3397), and then all are improved together. None if there are none.
    """
    dim = x.shape[1]
    if dim not in CELLS:
        return None
    weight = _weights(x)
    if len(x) > FROM:
        rows = np.sort(np.argsort(-weight, kind="stable")[:FROM])
        x, t, weight = x[rows], t[rows], weight[rows]
    chance = SURE * 0.5 * (dim + 2) * math.log(len(x)) + dim * math.log(CELLS[dim])
    data, vectors, best, most = _Data(x, t, weight, _slow(x)), np.empty((0, dim)), np.empty((0, dim)), 0.0
    fit = data.fit(vectors)
    first = loss = float((weight * fit.rest**2).mean())
    while len(vectors) < min(MOST, len(best) + AHEAD) and loss > SMALLEST * first:
        vectors, fit = data.improved(np.concatenate([vectors, _peak(x, weight * fit.rest)[None]]))
        loss = float((weight * fit.rest**2).mean())
        free = len(x) - (dim + 2) * len(vectors) - (dim + 1) * (dim + 2) // 2
        worth = 0.5 * free * math.log(first / max(loss, SMALLEST * first)) - chance * len(vectors)
        if worth > most:
            best, most = vectors, worth
    if not len(best):
        return None
    cosines, sines = data.fit(best).amplitudes[: 2 * len(best)].reshape(2, -1)
    middle = float((t - Waves(best, cosines, sines)(x)).mean())
    return Waves(np.concatenate([best, np.zeros((1, dim))]), np.append(cosines, middle), np.append(sines, 0.0))


def _weights(x: Floats) -> Floats:
    """Weights, shape (n,), of mean 1: a point counts as much as the volume around it, because most points are in the
    known good regions.
    """
    near = np.asarray(cKDTree(x).query(x, k=2)[0])[:, 1]
    volume = np.minimum(near / max(float(np.median(near)), 1e-12), 1.0) ** x.shape[1]
    return np.asarray((volume + 1e-3) / (volume + 1e-3).mean())


def _peak(x: Floats, weighted: Floats) -> Floats:
    """The wave vector, shape (d,), at the largest peak of the spectrum of values at points x. The cube fills half of
    the cells in each direction, so that the spectrum has two values for each wave in the cube.
    """
    dim, cells = x.shape[1], CELLS[x.shape[1]]
    filled = np.zeros((cells // 2,) * dim)
    at = np.minimum(((x + 1.0) * (cells / 4)).astype(np.int64), cells // 2 - 1)
    np.add.at(filled, tuple(at.T), weighted)
    spectrum = rfft(filled, cells)
    for axis in range(dim - 1):  # one axis after the other, because half of the cells of the next ones are empty
        spectrum = fft(spectrum, cells, axis=axis)
    power = np.where(_slow_waves(dim), 0.0, spectrum.real**2 + spectrum.imag**2)
    best = np.array(np.unravel_index(int(power.argmax()), power.shape))
    best[best > cells // 2] -= cells
    return np.asarray(0.5 * np.pi * best)


@cache
def _slow_waves(dim: int) -> NDArray[np.bool_]:
    """Which waves of the spectrum are too slow, shape (cells, ..., cells, cells / 2 + 1)."""
    cells = CELLS[dim]
    waves = np.meshgrid(*[0.5 * np.fft.fftfreq(cells, 1.0 / cells)] * (dim - 1), indexing="ij", sparse=True)
    square = sum((part[..., None] ** 2 for part in waves), np.zeros(1))
    last = 0.5 * np.arange(cells // 2 + 1)
    return np.asarray(square + last**2 < LEAST**2)


def _slow(x: Floats) -> Floats:
    """1, the variables, and their products, shape (n, (d + 1) (d + 2) / 2)."""
    every = np.concatenate([np.ones((len(x), 1)), x], axis=1)
    first, second = np.triu_indices(every.shape[1])
    return np.asarray(every[:, first] * every[:, second])


class _Fit(NamedTuple):
    """A fit of k waves: the functions that are summed, shape (n, k + k + slow ones), their amplitudes, first those of
    the cosines, then those of the sines; and what they leave, shape (n,).
    """

    basis: Floats
    amplitudes: Floats
    rest: Floats


class _Data(NamedTuple):
    """Values t, shape (n,), at x, shape (n, d), with a weight for each, and the functions `slow` of x, which are fitted
    too, because a process learns slow changes itself.
    """

    x: Floats
    t: Floats
    weight: Floats
    slow: Floats

    def fit(self, vectors: Floats) -> _Fit:
        """The fit of waves with these vectors, shape (k, d)."""
        phase = self.x @ vectors.T
        basis = np.concatenate([np.cos(phase), np.sin(phase), self.slow], axis=1)
        normal = (basis * self.weight[:, None]).T @ basis
        normal[np.diag_indices(len(normal))] += 1e-9 * len(basis)
        amplitudes = np.linalg.solve(normal, basis.T @ (self.weight * self.t))
        return _Fit(basis, amplitudes, self.t - basis @ amplitudes)

    def improved(self, vectors: Floats) -> tuple[Floats, _Fit]:
        """The vectors, shape (k, d), after damped Gauss-Newton steps of all of them, and their fit."""
        fit, damping, better = self.fit(vectors), 1e-3, True
        loss = float((self.weight * fit.rest**2).sum())
        for _ in range(ROUNDS):
            if better:
                normal, downhill = self._linear(fit, len(vectors))
            damped = normal.copy()
            damped[np.diag_indices(len(normal))] += damping * np.diag(normal) + 1e-9 * len(self.x)
            tried = vectors + np.linalg.solve(damped, downhill)[: vectors.size].reshape(vectors.shape)
            new = self.fit(tried)
            new_loss = float((self.weight * new.rest**2).sum())
            if better := new_loss < loss:
                vectors, fit, loss, damping = tried, new, new_loss, 0.3 * damping
            else:
                damping *= 10.0
        length = np.linalg.norm(vectors, axis=1, keepdims=True) / np.pi
        if (length >= LEAST).all():
            return vectors, fit
        vectors = vectors * np.maximum(1.0, LEAST / np.maximum(length, 1e-9))
        return vectors, self.fit(vectors)

    def _linear(self, fit: _Fit, k: int) -> tuple[Floats, Floats]:
        """The normal equations of all numbers of k waves, first their vectors: the matrix and the right side."""
        cosines, sines = fit.basis[:, :k], fit.basis[:, k : 2 * k]
        slope = fit.amplitudes[k : 2 * k] * cosines - fit.amplitudes[:k] * sines
        jacobian = (slope[:, :, None] * self.x[:, None, :]).reshape(len(self.x), -1)
        basis = np.concatenate([jacobian, fit.basis], axis=1)
        return (basis * self.weight[:, None]).T @ basis, basis.T @ (self.weight * fit.rest)
