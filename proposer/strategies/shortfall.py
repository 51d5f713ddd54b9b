"""Losses that say what keeps points from being good, also for points whose codes did not all run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from proposer.types import Status
from scanspec import Kind
from scanspec.likelihoods import LARGEST_LOSS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proposer.types import Floats, Observable, Told


class Shortfall:
    """Computes columns of losses: one per observable in the likelihood, one per window, and one that is 1 for a point
    that is not OK.

    A missing value has the largest loss. Outside a window of any width the loss is log10(1 + distance), as for BSMArt's
    CFUNCTION, so that a search sees the way back. `names` are the observables of the scored columns; `observables` are
    the evaluator's, in the order of the columns of `Told.observables`. `cap`: the largest loss.
    """

    def __init__(self, observables: Sequence[Observable], cap: float = LARGEST_LOSS) -> None:
        self._cap = cap
        numbered = list(enumerate(observables))
        self._scored = [(j, one.likelihood) for j, one in numbered if one.likelihood.kind is not Kind.OFF]
        self._windows = [(j, *one.valid) for j, one in numbered if one.valid is not None]
        self.names = tuple(observables[j].name for j, _ in self._scored)
        self.width = len(self._scored) + len(self._windows) + 1
        self.scored = slice(0, len(self._scored))
        """The columns of observables in the likelihood."""
        self.usual = cap == LARGEST_LOSS
        """Whether the sum of the losses is the NLL, because the cap is the usual one."""
        self.largest = cap * (len(self._scored) + len(self._windows)) + 1.0

    def columns(self, told: Told) -> Floats:
        """The losses, shape (n, scored observables + windows + 1); none is below minus the largest loss."""
        values = told.observables
        found = [self._capped(likelihood.loss(values[:, j])) for j, likelihood in self._scored]
        for j, low, high in self._windows:
            with np.errstate(over="ignore"):
                distance = np.maximum(np.maximum(low - values[:, j], values[:, j] - high), 0.0)
            found.append(np.where(np.isfinite(distance), np.log10(1.0 + distance), self._cap))
        found.append((told.status != Status.OK).astype(float))
        return np.stack(found, axis=1)

    def _capped(self, losses: Floats) -> Floats:
        """Losses M (1 - exp(-raw / M)) with M = LARGEST_LOSS, converted to M = cap."""
        if self.usual:
            return losses
        with np.errstate(divide="ignore"):
            raw = -LARGEST_LOSS * np.log1p(-np.minimum(np.abs(losses) / LARGEST_LOSS, 1.0))
        capped: Floats = -np.sign(losses) * self._cap * np.expm1(-raw / self._cap)
        return capped
