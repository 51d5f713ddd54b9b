"""Gaussian-process regression of several outputs at once, with which LODE learns.

The regression is exact, with a Matern 5/2 kernel (Rasmussen and Williams, Gaussian Processes for Machine Learning,
2006, sections 2.2, 4.2.1 and 5.4.1). Each output has its own length scale in each variable, which shows whether
the output depends on the variable. An output may have plane waves (`waves.py`). Then its process learns what these
leave.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from proposer.strategies.adam import Adam
from proposer.strategies.lode.matern import fall, left, likelihood, right, rows_of
from proposer.strategies.lode.waves import Waves
from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from numpy.typing import NDArray

LEARN_FROM = 250
"""The largest number of points from which the length scales are learned. The cost grows with its cube."""
FIRST_STEPS, LATER_STEPS, STEP = 60, 12, 0.1
"""The numbers of steps of the first fit and of later ones, and their learning rate."""
MOST_FIRST, LEAST_FIRST, FIRST_PART = 2500, 100, 0.6
"""A first fit takes FIRST_PART of its steps with at most MOST_FIRST points times outputs, but at least with LEAST_FIRST
points. So it differs only for more than ten outputs.
"""
CHECKED = 4
"""The number of steps between two checks for outputs that are predicted well enough."""
MUCH_NOISE, NOISY_STEPS, SURELY, PREDICTED = 0.3, 16, 25.0, 0.03
"""A fit may mistake noise for short-range structure. So a descent from the noise variance MUCH_NOISE is tried once, and
used if its log likelihood is better by at least SURELY. It is not tried for an output whose leave-one-out errors have a
mean square below PREDICTED, because they cannot be smaller than the noise. Larger errors mean a bad prediction.
"""
LEAST_NOISE = 1e-6
"""The smallest noise variance, relative to the variance of an output, which keeps the covariance of close points
regular.
"""
_LEAST_LOG_NOISE = math.log(1e-5)


class Processes:
    """A regression of m outputs over [-1, 1]^d. `learn` fits the length scales, `condition` sets the data, and `mean`
    predicts.
    """

    def __init__(self, dim: int, outputs: int) -> None:
        self.dim, self.outputs = dim, outputs
        self.learned = False
        self.conditioned = False
        """Whether there are data, without which nothing can be predicted."""
        self._asked_for_noise = False
        self._scales = torch.full((outputs, dim), 0.5 * math.log(dim), dtype=torch.float64)
        self._amplitude = torch.zeros(outputs, dtype=torch.float64)
        self._noise = torch.full((outputs,), math.log(1e-3), dtype=torch.float64)
        self.waves: dict[int, Waves] = {}
        """The waves of those outputs that have some."""

    def learn(
        self,
        x: Floats,
        t: Floats,
        rng: np.random.Generator,
        *,
        which: NDArray[np.bool_] | None = None,
        exact: Callable[[Floats, Floats], NDArray[np.bool_]] | None = None,
    ) -> NDArray[np.bool_]:
        """Maximises the marginal likelihood of at most 250 points, from where the last call left off. Returns which
        outputs, shape (m,), are then predicted badly at each point from all others.

        `x`: shape (n, d) in [-1, 1]. `t`: shape (n, m), each column of about unit variance. `which`: the outputs, shape
        (m,), that are learned; None: all. `exact` takes predictions and targets, shape (k, m) each, and says which
        outputs, shape (m,), are predicted well enough; these are learned no further. A weak prior holds the logarithm
        of a length scale about which the data say nothing.
        """
        rows = _some_with_neighbours(x, rng)
        of = torch.arange(self.outputs) if which is None else torch.from_numpy(np.flatnonzero(which))
        badly = np.zeros(self.outputs, dtype=np.bool_)
        if not len(of):
            return badly
        xs, ts = torch.from_numpy(x[rows]), torch.from_numpy(self.without_waves(x[rows], t[rows])).T[of][..., None]

        def rest(off: Tensor) -> Tensor:
            """Which outputs are learned no further, by the leave-one-out errors of all points, shape (m, n)."""
            if exact is None:
                return torch.zeros(len(of), dtype=torch.bool)
            predicted = t[rows].copy()
            predicted[:, of.numpy()] -= off.T.numpy()
            return torch.from_numpy(exact(predicted, t[rows]))[of]

        found = [self._scales[of], self._amplitude[of], self._noise[of]]
        steps = LATER_STEPS if self.learned else FIRST_STEPS
        few = max(LEAST_FIRST, MOST_FIRST // len(of))
        if not self.learned and few < len(rows):
            some = torch.from_numpy(rng.choice(len(rows), size=few, replace=False))
            found, _, _ = _descend(xs[some], ts[:, some], found, round(FIRST_PART * steps))
            steps -= round(FIRST_PART * steps)
        found, loss, off = _descend(xs, ts, found, steps, rest)
        if len(x) >= LEARN_FROM and not self._asked_for_noise:  # few points with much structure look like noise
            self._asked_for_noise = True
            unsure = torch.nonzero(~(off.square().mean(dim=1) < PREDICTED))[:, 0]
            other, its_loss, _ = _descend(xs, ts[unsure], self._noisy(len(unsure)), NOISY_STEPS)
            better = its_loss < loss[unsure] - SURELY
            for mine, its in zip(found, other, strict=True):
                mine[unsure[better]] = its[better]
        if all(bool(torch.isfinite(part).all()) for part in found):
            self._scales[of], self._amplitude[of], self._noise[of] = found
            self.learned = True
        badly[of.numpy()] = (off.square().mean(dim=1) > PREDICTED).numpy()
        return badly

    def without_waves(self, x: Floats, t: Floats) -> Floats:
        """What the waves leave of t, shape (n, m), at x, shape (n, d)."""
        if not self.waves:
            return t
        rest = t.copy()
        for j, waves in self.waves.items():
            rest[:, j] -= waves(x)
        return rest

    @property
    def waving(self) -> NDArray[np.bool_]:
        """Which outputs have waves, shape (m,)."""
        return np.isin(np.arange(self.outputs), list(self.waves))

    @classmethod
    def with_waves(cls, waves: Waves, x: Floats, t: Floats, rng: np.random.Generator) -> Processes:
        """A process of one output that has learned what the waves leave; x and t as in `learn`."""
        made = cls(x.shape[1], 1)
        made.waves[0] = waves
        variance = max(float(made.without_waves(x, t).var()), LEAST_NOISE)
        made._amplitude += math.log(variance)
        made._noise += math.log(variance)
        made.learn(x, t, rng)
        return made

    def _noisy(self, outputs: int) -> tuple[Tensor, Tensor, Tensor]:
        """The numbers from which a descent with much noise begins."""
        first = Processes(self.dim, outputs)
        return first._scales, first._amplitude, torch.full_like(first._noise, math.log(MUCH_NOISE))

    def evidence(self, x: Floats, t: Floats) -> Floats:
        """The logarithms, shape (m,), of the marginal likelihoods of t, shape (n, m), at x, shape (n, d), without their
        constant; -inf without a regular covariance.
        """
        points, targets = torch.from_numpy(x), torch.from_numpy(self.without_waves(x, t)).T[..., None]
        found = [
            likelihood(points, targets[j], self._scales[j], self._amplitude[j], self.noise[j])
            for j in range(self.outputs)
        ]
        return np.array([-np.inf if one is None else -float(one[0]) for one in found])

    def condition(self, x: Floats, t: Floats) -> None:
        """Sets the data for predictions: `x`, shape (n, d) in [-1, 1], and `t`, shape (n, m)."""
        self.conditioned = True
        t = self.without_waves(x, t)
        points, self._middle = torch.from_numpy(np.ascontiguousarray(x)), torch.from_numpy(t).mean(dim=0)
        targets = (torch.from_numpy(t) - self._middle).T[..., None]
        self._data = list(right(points, self._scales))
        amplitude = self._amplitude.exp()
        self._root, self._weights = [], []
        for j, scaled in enumerate(left(points, self._scales)):
            covariance = fall(scaled @ self._data[j]) * amplitude[j]
            diagonal = torch.diagonal(covariance)
            diagonal += self.noise[j]
            root, failed = torch.linalg.cholesky_ex(covariance)
            added = 1e-3
            while bool(failed):  # this ends, because a matrix with a large diagonal is positive definite
                diagonal += added * amplitude[j]
                added *= 10.0
                root, failed = torch.linalg.cholesky_ex(covariance)
            self._root.append(root)
            self._weights.append(torch.cholesky_solve(targets[j], root) * amplitude[j])

    def replace(self, which: NDArray[np.bool_], other: Processes) -> None:
        """Takes over the data of another process with the same length scales, for the outputs `which`, shape (m,)."""
        for j in np.flatnonzero(which).tolist():
            for mine, its in ((self._data, other._data), (self._root, other._root), (self._weights, other._weights)):
                mine[j] = its[j]
            self._middle[j] = other._middle[j]

    def mean(self, z: Tensor, without: Collection[int] = ()) -> Tensor:
        """Predictions, shape (n, m), at z of shape (n, d) in [-1, 1]. Those of the outputs `without` are left out, and
        mean nothing.

        It uses double precision, because the weights of a smooth observable are large and cancel.
        """
        return self._predict(z, deviations=False, without=without)[0]

    def predict(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Predictions and their standard deviations without the noise, shape (n, m) each. The cost per point is
        n_data^2.
        """
        mean, variance = self._predict(z, deviations=True)
        return mean, variance.clamp(min=1e-12).sqrt()

    def _predict(self, z: Tensor, *, deviations: bool, without: Collection[int] = ()) -> tuple[Tensor, Tensor]:
        mean, variance = torch.zeros(2, self.outputs, len(z), dtype=torch.float64)
        amplitude = self._amplitude.exp()
        for j in range(self.outputs):
            if j in without:
                continue
            z_scaled = left(z, self._scales[j : j + 1])[0]
            rows = rows_of(self._data[j].shape[1])
            for start in range(0, len(z), rows):
                of = slice(start, start + rows)
                kernel = fall(z_scaled[of] @ self._data[j])
                mean[j, of] = (kernel @ self._weights[j])[:, 0]
                if deviations:
                    solved = torch.linalg.solve_triangular(self._root[j], kernel.T * amplitude[j], upper=False)
                    variance[j, of] = amplitude[j] - solved.square_().sum(dim=0)
            if j in self.waves:
                mean[j] += torch.from_numpy(self.waves[j](z.numpy()))
        return mean.T + self._middle, variance.T

    @property
    def noise(self) -> Tensor:
        """The variances, shape (m,), of the part that the regression does not explain."""
        return self._noise.clamp(min=_LEAST_LOG_NOISE).exp() + LEAST_NOISE

    def thinned(self, x: Floats, t: Floats) -> Processes:
        """A copy with the same length scales and fewer data, for cheaper and less exact predictions."""
        made = Processes.from_arrays(self.to_arrays())
        made.condition(x, t)
        return made

    @property
    def amplitude(self) -> Tensor:
        """The variances, shape (m,), of the part that the regression explains."""
        return self._amplitude.exp()

    @property
    def lengths(self) -> Floats:
        """The length scales, shape (m, d)."""
        return np.asarray(self._scales.exp().numpy())

    def squares(self, x: Floats, j: int) -> Tensor:
        """r^2 of the kernel of output j for each pair of the points x, shape (n, d); see `matern.py`."""
        points, scales = torch.from_numpy(x), self._scales[j : j + 1]
        return left(points, scales)[0] @ right(points, scales)[0]

    def left_out(self, j: int) -> Floats:
        """The errors, shape (n,), of the predictions of output j at each point from all others (Rasmussen and Williams,
        equation 5.12).
        """
        inverse = torch.cholesky_inverse(self._root[j])
        return np.asarray((self._weights[j][:, 0] / self.amplitude[j] / torch.diagonal(inverse)).numpy())

    def only(self, j: int) -> Processes:
        """A copy of output j, without data."""
        arrays = self.to_arrays()
        made = Processes.from_arrays(
            arrays | {name: arrays[name][j : j + 1] for name in ("scales", "amplitude", "noise")}
        )
        made.waves = {0: self.waves[j]} if j in self.waves else {}
        return made

    def take(self, j: int, other: Processes) -> None:
        """Takes over the numbers and the waves of output j from a process of one output."""
        self.waves.pop(j, None)
        if 0 in other.waves:
            self.waves[j] = other.waves[0]
        self._scales[j], self._amplitude[j], self._noise[j] = other._scales[0], other._amplitude[0], other._noise[0]

    def with_inputs(self, kept: int, lengths: Floats) -> Processes:
        """A copy without data that keeps the first `kept` inputs, and has more inputs with the given length scales,
        shape (m, k).
        """
        arrays = self.to_arrays()
        return Processes.from_arrays(
            arrays | {"scales": np.concatenate([arrays["scales"][:, :kept], np.log(lengths)], axis=1)}
        )

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """The fitted length scales, amplitudes, and noises as arrays, without the data."""
        return {
            "scales": self._scales.numpy(),
            "amplitude": self._amplitude.numpy(),
            "noise": self._noise.numpy(),
            "learned": np.array(float(self.learned)),
            "asked_for_noise": np.array(float(self._asked_for_noise)),
            **{f"waves{j}": waves.to_array() for j, waves in self.waves.items()},
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float64]]) -> Processes:
        """Restores the state from the arrays of `to_arrays`. Raises KeyError and ValueError."""
        outputs, dim = arrays["scales"].shape
        made = cls(dim, outputs)
        made._scales = torch.from_numpy(arrays["scales"].copy())
        made._amplitude = torch.from_numpy(arrays["amplitude"].copy())
        made._noise = torch.from_numpy(arrays["noise"].copy())
        made.learned, made._asked_for_noise = bool(arrays["learned"]), bool(arrays["asked_for_noise"])
        made.waves = {j: Waves.from_array(arrays[f"waves{j}"]) for j in range(outputs) if f"waves{j}" in arrays}
        if made._amplitude.shape != (outputs,) or made._noise.shape != (outputs,):
            raise ValueError("the parts do not fit together")
        return made


def _some_with_neighbours(x: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """The positions of at most LEARN_FROM points x, shape (n, d). Of many points, half are neighbours of the others,
    because short distances show the roughness of a function.
    """
    rows = rng.choice(len(x), size=min(len(x), LEARN_FROM), replace=False)
    if len(x) <= LEARN_FROM:
        return rows
    rows = rows[: LEARN_FROM // 2]
    near = np.asarray(cKDTree(x).query(x[rows], k=2)[1])[:, 1]
    return np.unique(np.concatenate([rows, near]))


def _descend(
    xs: Tensor, ts: Tensor, start: Sequence[Tensor], steps: int, rest: Callable[[Tensor], Tensor] | None = None
) -> tuple[list[Tensor], Tensor, Tensor]:
    """Scales, amplitudes, and noises after `steps` from `start`, the last loss of each output, shape (m,), and its last
    leave-one-out errors of all points, shape (m, n). `rest` takes these errors, and says which outputs, shape (m,), are
    learned no further.
    """
    parameters = scales, amplitude, noise = [part.clone() for part in start]
    optimiser = Adam(parameters)
    losses = torch.full((len(ts),), math.inf, dtype=torch.float64)
    gradient = [torch.zeros_like(part) for part in parameters]
    off = torch.full(ts.shape[:2], math.inf, dtype=torch.float64)
    active = torch.ones(len(ts), dtype=torch.bool)
    for step in range(steps):
        spread = noise.clamp(min=_LEAST_LOG_NOISE).exp() + LEAST_NOISE
        for j in torch.nonzero(active)[:, 0].tolist():
            one = likelihood(xs, ts[j], scales[j], amplitude[j], spread[j])
            if one is None:
                return parameters, losses, off
            losses[j], gradient[0][j], gradient[1][j], gradient[2][j], off[j], _ = one
        if rest is not None and step % CHECKED == 0:
            active &= ~rest(off)
            if not bool(active.any()):
                break
        by = [gradient[0], gradient[1], gradient[2] * noise.exp() * (noise >= _LEAST_LOG_NOISE)]
        prior = [0.1 * (scales - 0.7) / scales.numel(), 0.02 * amplitude / len(ts), torch.zeros_like(noise)]
        before = [part.clone() for part in parameters]
        optimiser.step([part / len(xs) + of for part, of in zip(by, prior, strict=True)], STEP)
        for part, was in zip(parameters, before, strict=True):
            part[~active] = was[~active]
    return parameters, losses, off
