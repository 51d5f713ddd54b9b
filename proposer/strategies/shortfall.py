"""What keeps points from being good, column by column: also of those whose codes did not all run."""

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
    """Columns of losses: of every observable in the likelihood, of every window, and 1 for a point that is not OK.

    What was not computed has the largest loss. Outside a window of width anything the loss is log10(1 + distance), as
    BSMArt's CFUNCTION has it, so that a search sees which way leads back. `names` are those of the columns;
    `observables` are the evaluator's, in the order of the columns of `Told.observables`. `cap`: the largest loss.
    """

    def __init__(self, observables: Sequence[Observable], cap: float = LARGEST_LOSS) -> None:
        self._cap = cap
        each = list(enumerate(observables))
        self._scored = [(j, one.likelihood) for j, one in each if one.likelihood.kind is not Kind.OFF]
        self._windows = [(j, *one.valid) for j, one in each if one.valid is not None]
        self.names = tuple(observables[j].name for j, _ in self._scored)
        self.width = len(self._scored) + len(self._windows) + 1
        self.scored = slice(0, len(self._scored))
        """The columns of observables in the likelihood."""
        self.usual = cap == LARGEST_LOSS
        """Whether the losses are those whose sum is the NLL."""
        self.largest = cap * (len(self._scored) + len(self._windows)) + 1.0

    def columns(self, told: Told) -> Floats:
        """Shape (n, scored observables + windows + 1), none below minus the largest loss."""
        values = told.observables
        found = [self._capped(likelihood.loss(values[:, j])) for j, likelihood in self._scored]
        for j, low, high in self._windows:
            with np.errstate(over="ignore"):
                distance = np.maximum(np.maximum(low - values[:, j], values[:, j] - high), 0.0)
            found.append(np.where(np.isfinite(distance), np.log10(1.0 + distance), self._cap))
        found.append((told.status != Status.OK).astype(float))
        return np.stack(found, axis=1)

    def _capped(self, losses: Floats) -> Floats:
        """Losses below LARGEST_LOSS, M (1 - exp(-raw / M)), with another M."""
        if self.usual:
            return losses
        with np.errstate(divide="ignore"):
            raw = -LARGEST_LOSS * np.log1p(-np.minimum(np.abs(losses) / LARGEST_LOSS, 1.0))
        capped: Floats = -np.sign(losses) * self._cap * np.expm1(-raw / self._cap)
        return capped
