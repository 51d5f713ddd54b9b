"""GRID: every combination of the variables' steps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Self

import numpy as np

from proposer.strategies.draws import Draws, DrawSettings
from proposer.types import Floats

if TYPE_CHECKING:
    from proposer.space import Space
    from scanspec import ScanFile

MOST_POINTS = 10**9


class GridSettings(DrawSettings):
    """The settings of the other draws; the steps are in the section `variables`."""

    @classmethod
    def read(cls, scan: ScanFile) -> Self:
        """Reads and checks the settings and every variable's steps; raises ScanFileError."""
        without = [variable.name for variable in scan.variables if not variable.grid_steps]
        if without:
            raise scan.setup.error(
                f"type GRID needs the steps of every variable, but {', '.join(without)} has none; write "
                f"{without[0]}: {{range: [low, high], steps: 10}}",
                "type",
            )
        total = math.prod(variable.grid_steps for variable in scan.variables)
        if total > MOST_POINTS:
            raise scan.setup.error(f"the grid has {total:,} points, at most {MOST_POINTS:,}; give fewer steps", "type")
        return super().read(scan)


class Grid(Draws):
    """The strategy `type: GRID`: every combination of the variables' steps, the last variable fastest.

    Steps are even in the prior's quantiles and include both ends of a range, with two exceptions. The ends of a
    periodic variable are one point, so its steps are the starts of equal shares. The ends of an unbounded normal prior
    are at infinity, so its steps are the middles of equal shares.
    """

    origin = "grid"

    def __init__(self, space: Space, settings: DrawSettings, seed: int) -> None:
        super().__init__(space, settings, seed)
        self._shape = tuple(variable.grid_steps for variable in space.variables)
        self._steps = [_steps(space, column) for column in range(space.dim)]

    def _next(self, start: int, n: int) -> Floats:
        total = math.prod(self._shape)
        if start >= total:
            self.stop_reason = f"all {total:,} points of the grid are asked"
        index = np.unravel_index(np.arange(start, min(start + n, total)), self._shape)
        return np.stack([steps[k] for steps, k in zip(self._steps, index, strict=True)], axis=1)


def _steps(space: Space, column: int) -> Floats:
    """The steps of one variable, as u in ascending order."""
    variable = space.variables[column]
    n = variable.grid_steps
    if variable.cardinality or math.isinf(variable.low) or math.isinf(variable.high):
        return (np.arange(n) + 0.5) / n
    return np.linspace(0.0, 1.0, n, endpoint=not variable.periodic) if n > 1 else np.array([0.5])
