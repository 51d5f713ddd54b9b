"""Describes pictures as data: panels with marks. matplotlib draws them for paper and for the page, Bokeh for
interactive brushing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from proposer.types import Floats


@dataclass(frozen=True)
class Table:
    """The points behind the dots, one row per point, in the order of drawing: `columns` by name, shape (n,) each.

    `kind`, `status` and `ids` have shape (n,). `kind` is 0 for points that are unphysical or have no NLL, 1 for bad and
    2 for good points. `low` and `high` are the NLLs at the ends of the colour scale. `best` is the row of the best
    point, None if there is none.
    """

    columns: dict[str, Floats]
    nll: Floats
    kind: NDArray[np.int8]
    status: NDArray[np.int8]
    ids: NDArray[np.int64]
    low: float
    high: float
    best: int | None = None


@dataclass(frozen=True)
class Side:
    """One axis of a panel. `label` may contain TeX between dollars; `plain` is the label without TeX. `categories`
    start at the bottom.
    """

    label: str = ""
    plain: str = ""
    scale: Literal["linear", "log"] = "linear"
    limits: tuple[float, float] | None = None
    categories: Sequence[str] = ()


@dataclass(frozen=True)
class Dots:
    """Points of the table: the columns x and y by name. `by`: whether NLL or status gives the colour."""

    x: str
    y: str
    by: Literal["NLL", "status"] = "NLL"


@dataclass(frozen=True)
class Curve:
    """A line through x and y, shape (n,), broken at NaN. `number` chooses its colour and dashes."""

    x: Floats
    y: Floats
    label: str = ""
    number: int = 0


@dataclass(frozen=True)
class Regions:
    """Filled contours of z above its lowest value, shape (m, n), on x (n,) and y (m,). `levels` rise and have the
    `names`.
    """

    x: Floats
    y: Floats
    z: Floats
    levels: Sequence[float]
    names: Sequence[str]


@dataclass(frozen=True)
class Lone:
    """Points that are too few for a region: shapes (n,); `number`: the level that they are within, 0 the first."""

    x: Floats
    y: Floats
    number: int
    label: str


@dataclass(frozen=True)
class Outline:
    """The region of one of several runs: where z, shape (m, n), on x (n,) and y (m,) is below the level. `number`
    chooses its colour and dashes. `lone`: positions of points that are too few for a region, shape (2, k). `best`: the
    position of the best point.
    """

    x: Floats
    y: Floats
    z: Floats
    level: float
    label: str
    number: int
    lone: Floats
    best: tuple[float, float]


@dataclass(frozen=True)
class Bars:
    """Horizontal bars for the categories of y, from 0 or from `start`; several of them are stacked."""

    values: Floats
    label: str = ""
    number: int = 0
    start: Floats | None = None


@dataclass(frozen=True)
class Spread:
    """An interval with a middle for each category of y; shapes (n,)."""

    low: Floats
    middle: Floats
    high: Floats
    label: str = ""


@dataclass(frozen=True)
class Marks:
    """One marker for each category of y, or, with y, a marker at each point."""

    x: Floats
    y: Floats | None = None
    label: str = ""


@dataclass(frozen=True)
class Cells:
    """A square for each pair of categories. The values, shape (rows, columns), are from -1 to 1; a NaN has
    no square.
    """

    values: Floats


@dataclass(frozen=True)
class Rule:
    """A line across the panel; `number` chooses its dashes."""

    value: float
    upright: bool = False
    label: str = ""
    number: int = 0


MARGIN = 0.025
"""The room for dots and stars at the ends of an axis, as a share of its length."""

Mark = Dots | Curve | Regions | Lone | Outline | Bars | Spread | Marks | Cells | Rule


@dataclass(frozen=True)
class Panel:
    """One pair of axes. `grid_cell`: row and column in the picture, if its panels form a grid."""

    x: Side
    y: Side
    marks: Sequence[Mark]
    title: str = ""
    grid_cell: tuple[int, int] | None = None
    tall: float = 0.8
    """Height over width."""

    def drawn(self, side: Side) -> tuple[float, float] | None:
        """The limits of an axis as they are drawn: with room for dots and stars at its ends, which would be cut off."""
        placed = any(
            isinstance(mark, Dots | Lone) or (isinstance(mark, Marks) and mark.y is not None) for mark in self.marks
        )
        if side.limits is None or not placed:
            return side.limits
        low, high = np.log(side.limits) if side.scale == "log" else np.array(side.limits)
        ends = np.array([low - MARGIN * (high - low), high + MARGIN * (high - low)])
        low, high = map(float, np.exp(ends) if side.scale == "log" else ends)
        return low, high


@dataclass(frozen=True)
class Picture:
    """The content of one figure. `name` is the name of its file; `says` is a text for readers who cannot see it.

    `columns`: the number of panels in a row. `lively`: whether Bokeh draws it, too.
    """

    name: str
    says: str
    panels: Sequence[Panel]
    caption: str = ""
    columns: int = 3
    lively: bool = True
    table: Table | None = field(default=None, repr=False)


STATUS_NAMES = ("", "OK", "INVALID", "FAILED", "TIMED_OUT")
