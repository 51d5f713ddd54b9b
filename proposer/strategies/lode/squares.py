"""Models an NLL as a sum of squared polynomials, to find thin curved regions in many dimensions.

Most NLLs come from few smooth residuals, and depend only on these near their zeros. Some of them are limits: they
count on one side only. Networks find the residuals roughly. Polynomials with few coefficients are found to many digits,
from hundreds of points (`relevance.py`). A descent can end in a local minimum, so it is started many times, and the
descents that generalise best are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from proposer.strategies.lode.polynomials import Polynomials
from proposer.strategies.lode.relevance import WIDTH, Fit, Fitted
from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

RESIDUALS, MOST_COEFFICIENTS = 6, 600
"""The largest number of residuals, and of all their first coefficients. A descent may start with any number of
residuals; with more residuals than the NLL has, it ends in a local minimum less often.
"""
MANY = 0.5
"""The fraction of the descents that start with the largest number of residuals."""
KEPT, WORSE = 3, 4.0
"""The largest number of descents that are kept, among those that are less than WORSE times as bad as the best. The next
descents continue from them.
"""
WIDTHS, STEPS = (1e-2, 3e-3, 1e-3), 10
"""A new descent begins with narrow priors, and with so many steps for each of their weights. With wide ones, it ends in
a local minimum more often.
"""
SELECTED, BETTER = 2.0, 0.5
"""A coefficient counts as SELECTED parameters, because it was selected among many (J. Friedman, Annals of Statistics
19, 1 (1991)). The fits are used if the best has less than BETTER times the error of a constant.
"""
CHANGED = 5
"""The number of descents at a time that start from a kept one in which a residual was changed."""
ROUNDS, ROUND_STEPS = 3, 8
"""The numbers of fits of the priors, and of steps after each."""
STARTS, WORK = 9, 4e9
"""The largest number of new descents at a time, and the number of multiplications after which no further one begins. No
further descent with a change begins after half as many multiplications.
"""
ENOUGH = 0.05
"""No new descents begin if the error of log(1 + energy) of a kept one is below this."""
FIRST_GAMMA, GAMMA = -0.25, -0.5
"""The weight of a point is proportional to (1 + energy)^GAMMA. At the beginning of a descent it is larger far from the
region, because only there are enough points.
"""


class Squares:
    """A regression of energies over [-1, 1]^d."""

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self._polynomials = Polynomials(dim)
        self._kept: list[Fitted] = []  # the best first
        self._fits = False
        self._errors: Floats = np.empty(0)
        self._residuals = min(RESIDUALS, MOST_COEFFICIENTS // self._polynomials.plain)

    @property
    def members(self) -> int:
        """The number of kept descents; 0 if they predict no better than a constant."""
        return len(self._kept) if self._fits else 0

    @property
    def errors(self) -> Floats:
        """The errors of log(1 + energy) that cross-validation predicts for the kept descents, shape (members,)."""
        return self._errors[: self.members]

    def learn(self, x: Floats, energy: Floats, rng: np.random.Generator) -> None:
        """Continues the kept descents, and starts new ones. `x` has shape (n, d), `energy` shape (n,)."""
        if not self._residuals:  # too many variables
            return
        features = self._polynomials(x)
        first, fit = Fit(features, energy, FIRST_GAMMA), Fit(features, energy, GAMMA)
        found = [self._finish(fit, one, 1) for one in self._kept]
        for number in range(CHANGED if self._kept else 0):
            if fit.work > 0.5 * WORK:
                break
            found.append(self._finish(fit, self._changed(fit, found[number % len(self._kept)], rng), 1))
        enough = any(fit.score(one, SELECTED) < ENOUGH**2 for one in found)
        for _ in range(0 if enough else STARTS):
            begun = self._begun(first, rng)
            prior = fit.priors(len(begun.one_sided), WIDTH)
            found.append(self._finish(fit, begun._replace(prior=prior), ROUNDS))
            if first.work + fit.work > WORK:
                break
        scores = [fit.score(one, SELECTED) for one in found]
        order = np.argsort(scores, kind="stable")[:KEPT]
        kept = [number for number in order if scores[number] <= WORSE * scores[order[0]]]
        self._kept, self._errors = [found[number] for number in kept], np.sqrt([scores[number] for number in kept])
        self._fits = bool(fit.score(self._kept[0], SELECTED) < BETTER * fit.variance)

    def _begun(self, first: Fit, rng: np.random.Generator) -> Fitted:
        """A descent from random coefficients."""
        # more coefficients than points are not determined, and take long
        most = min(self._residuals, max(1, len(first.features) // self._polynomials.plain))
        residuals = most if rng.random() < MANY else int(rng.integers(1, most + 1))
        one_sided = np.arange(residuals) < rng.integers(0, residuals // 2 + 1)
        coefficients = first.begin(one_sided, self._polynomials.plain, rng)
        for width in WIDTHS:
            fitted = Fitted(coefficients, one_sided, first.priors(residuals, width))
            coefficients = first.descend(fitted, STEPS, damping=1.0, rough=True).coefficients
        return fitted._replace(coefficients=coefficients)

    def _changed(self, fit: Fit, fitted: Fitted, rng: np.random.Generator) -> Fitted:
        """The fit with one random change: a residual is removed, becomes one-sided or two-sided, starts again, or is
        added.
        """
        r, kind = len(fitted.one_sided), int(rng.integers(4))
        which = int(rng.integers(r))
        others = np.delete(np.arange(r), which)
        if kind == 0 and r > 1:
            return Fitted(fitted.coefficients[others], fitted.one_sided[others], fitted.prior[others])
        if kind <= 1:
            one_sided = fitted.one_sided.copy()
            one_sided[which] ^= True
            return fitted._replace(one_sided=one_sided)
        kept = others if kind == 2 or r == self._residuals else np.arange(r)
        one_sided = np.append(fitted.one_sided[kept], rng.random() < 0.5)
        new = fit.begin(one_sided, self._polynomials.plain, rng)[-1:]
        return Fitted(
            np.concatenate([fitted.coefficients[kept], new]),
            one_sided,
            np.concatenate([fitted.prior[kept], fit.priors(1, WIDTH)]),
        )

    def _finish(self, fit: Fit, fitted: Fitted, rounds: int) -> Fitted:
        for _ in range(rounds):
            fitted = fit.relevant(fitted, ROUND_STEPS, rough=rounds > 1)
        return fit.relevant(fit.descend(fit.grow(fitted), ROUND_STEPS), ROUND_STEPS)

    def energy(self, z: Tensor, member: int) -> Tensor:
        """The energy of one of the kept descents, shape (n,), at z (n, d)."""
        fitted = self._kept[member]
        used = (fitted.coefficients != 0.0).any(axis=0)
        return torch.from_numpy(fitted.energy(self._polynomials(z.double().numpy(), used), used))

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """The arrays for `from_arrays`."""
        arrays = {"sizes": np.array([float(self.dim), float(self._fits)]), "errors": self._errors}
        for n, one in enumerate(self._kept):
            arrays |= {f"kept{n}": one.coefficients, f"prior{n}": one.prior, f"one{n}": one.one_sided.astype(float)}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float64]]) -> Squares:
        """Restores the state from the arrays of `to_arrays`. The descents of an older lodescan, which stored no priors,
        begin anew. Raises KeyError and ValueError.
        """
        made = cls(int(arrays["sizes"][0]))
        if "kept0" in arrays and "prior0" not in arrays:
            return made
        made._fits = bool(arrays["sizes"][1])
        made._errors = arrays.get("errors", np.ones(KEPT))  # older checkpoints have none
        for n in range((len(arrays) - 1) // 3):
            made._kept.append(Fitted(arrays[f"kept{n}"], arrays[f"one{n}"] > 0.5, arrays[f"prior{n}"]))
        if any(one.coefficients.shape[1] != len(made._polynomials) for one in made._kept):
            raise ValueError("the coefficients do not fit")
        return made
