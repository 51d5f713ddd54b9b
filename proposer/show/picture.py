"""Pictures as data: panels with marks. matplotlib draws them for paper and the page, Bokeh for brushing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from proposer.types import Floats


@dataclass(frozen=True)
class Table:
    """The points that dots stand for, a row a point, in the order of drawing: `columns` by name, each of shape (n,).

    `kind`: 0 unphysical or without an NLL, 1 bad, 2 good. `low` and `high`: the NLLs between which good points are
    coloured. `status` and `ids`, shape (n,).
    """

    columns: dict[str, Floats]
    nll: Floats
    kind: NDArray[np.int8]
    status: NDArray[np.int8]
    ids: NDArray[np.int64]
    low: float
    high: float


@dataclass(frozen=True)
class Side:
    """One axis of a panel. `label` may hold TeX between dollars; `plain` is without. Categories, bottom first."""

    label: str = ""
    plain: str = ""
    scale: Literal["linear", "log"] = "linear"
    limits: tuple[float, float] | None = None
    categories: Sequence[str] = ()


@dataclass(frozen=True)
class Dots:
    """Points of the table, x against y by name; `by`: coloured by NLL, or by status."""

    x: str
    y: str
    by: Literal["NLL", "status"] = "NLL"


@dataclass(frozen=True)
class Curve:
    """A line through x and y, shape (n,), broken at NaN; `number` is that of its colour and dashes."""

    x: Floats
    y: Floats
    label: str = ""
    number: int = 0


@dataclass(frozen=True)
class Regions:
    """Filled contours of z above its least value, shape (m, n), on x (n,) and y (m,); `levels`, rising, by `names`."""

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
class Bars:
    """Horizontal bars of the categories of y, from 0, or `start`; stacked where several follow each other."""

    values: Floats
    label: str = ""
    number: int = 0
    start: Floats | None = None


@dataclass(frozen=True)
class Spread:
    """For each category of y an interval with a middle: shapes (n,)."""

    low: Floats
    middle: Floats
    high: Floats
    label: str = ""


@dataclass(frozen=True)
class Marks:
    """For each category of y one marker; or, with y, a marker at each point."""

    x: Floats
    y: Floats | None = None
    label: str = ""


@dataclass(frozen=True)
class Cells:
    """A square for each pair of categories, values of shape (rows, columns) from -1 to 1; NaN is left open."""

    values: Floats


@dataclass(frozen=True)
class Rule:
    """A line across the panel; `number` is that of its dashes."""

    value: float
    upright: bool = False
    label: str = ""
    number: int = 0


Mark = Dots | Curve | Regions | Lone | Bars | Spread | Marks | Cells | Rule


@dataclass(frozen=True)
class Panel:
    """One pair of axes; `place`: row and column in the picture where its form matters."""

    x: Side
    y: Side
    marks: Sequence[Mark]
    title: str = ""
    place: tuple[int, int] | None = None
    tall: float = 0.8
    """Height over width."""


@dataclass(frozen=True)
class Picture:
    """What one figure shows. `name` is that of its file; `says` is a text for those who cannot see it.

    `columns`: panels in a row. `lively`: whether it is worth being drawn by Bokeh.
    """

    name: str
    says: str
    panels: Sequence[Panel]
    caption: str = ""
    columns: int = 3
    lively: bool = True
    table: Table | None = field(default=None, repr=False)


STATUS_NAMES = ("", "OK", "INVALID", "FAILED", "TIMED_OUT")
