"""Axes of the pictures in the report: their labels, scales and limits."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from matplotlib.mathtext import MathTextParser

from proposer.formats import LONGEST, plain
from proposer.report.seen import Seen
from proposer.show.marks import drawable
from proposer.show.picture import Side, Table
from proposer.show.profiles import around
from proposer.types import Floats
from scanspec import ObservableSpec, PriorKind, Variable
from scanspec.variables import MOST_VALUES

ROOM = 0.06
"""The margin around the good points, as a fraction of their span."""


def side(seen: Seen, name: str, *, zoom: bool) -> Side:
    """The axis of a variable or observable: with `zoom` over the good points, or those near the best, else over its
    range.
    """
    specs: dict[str, Variable | ObservableSpec] = {
        observable.name: observable for observable in seen.scan.all_observables()
    }
    specs |= {column.name: column for column in seen.scan.variables}
    spec = specs.get(name)
    unit = f" ({spec.unit})" if spec is not None and spec.unit else ""
    without = f"{plain(name)}{plain(unit)}"
    own = spec.label if spec is not None else ""
    label = own if own and unit.strip() in own else f"{own or plain(name)}{unit}"
    variable = spec if isinstance(spec, Variable) else None
    scale = "log" if variable is not None and variable.prior is PriorKind.LOG_UNIFORM else "linear"
    limits, values = _limits(seen, name, scale, variable, zoom), discrete(seen, name)
    if limits is not None and len(values):  # with room for dots on the first and the last
        inside = values[(values >= limits[0]) & (values <= limits[1])]
        limits = (float(around(inside)[0]), float(around(inside)[-1])) if len(inside) else limits
    return Side(readable(label, without), without, "log" if scale == "log" else "linear", limits)


def discrete(seen: Seen, name: str) -> Floats:
    """The values that a variable can have, rising; none for a continuum, an observable, or more than MOST_VALUES, which
    a picture cannot tell from a continuum.
    """
    variable = next((variable for variable in seen.variables if variable.name == name), None)
    if variable is None or not 0 < variable.cardinality <= MOST_VALUES:
        return np.empty(0)
    return np.array(sorted(variable.values) or np.arange(round(variable.low), round(variable.high) + 1), dtype=float)


@lru_cache(maxsize=1000)
def readable(label: str, instead: str) -> str:
    """A label that matplotlib can draw: `label`, or `instead` if the TeX of `label` is invalid or too long."""
    try:
        MathTextParser("path").parse(label)
    except (ValueError, RuntimeError):
        return instead
    return label if len(label) <= 4 * LONGEST else instead


def zoomed(limits: tuple[float, float] | None, values: Floats) -> tuple[float, float] | None:
    """Limits for a logarithmic axis. They begin at the smallest positive value if `limits` begin at 0 or below."""
    positive = values[drawable(values, "log")]
    if limits is None or limits[0] > 0 or not len(positive):
        return limits
    return float(positive.min()), limits[1]


def _limits(seen: Seen, name: str, scale: str, variable: Variable | None, zoom: bool) -> tuple[float, float] | None:
    values = seen.columns[name]
    if variable is not None and variable.fixed:
        return None
    near = values[seen.near & drawable(values, scale)]
    if zoom and len(near) > 1 and near.min() < near.max():
        low, high = _roomy(near, scale)
        if variable is not None and np.isfinite([variable.low, variable.high]).all():
            low, high = max(low, variable.low), min(high, variable.high)
        return low, high
    if variable is not None and np.isfinite([variable.low, variable.high]).all():
        return variable.low, variable.high
    every = values[seen.ok & drawable(values, scale)]
    if len(every) < 2:
        return None
    ends = np.percentile(every, [1, 99])
    if len(near):
        ends = np.array([min(ends[0], near.min()), max(ends[1], near.max())])
    return _roomy(ends, scale) if ends[0] < ends[1] else None


def _roomy(values: Floats, scale: str) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    if scale == "log":
        factor = (high / low) ** ROOM
        return low / factor, high * factor
    return low - ROOM * (high - low), high + ROOM * (high - low)


def widened(seen: Seen, name: str, axis: Side, *, at_ends: tuple[bool, bool]) -> Side:
    """The axis extended by a sixth at the chosen ends, but not beyond the range of a variable."""
    if axis.limits is None:
        return axis
    low, high = np.log(axis.limits) if axis.scale == "log" else np.array(axis.limits)
    more = (high - low) / 6
    ends = np.array([low - more * at_ends[0], high + more * at_ends[1]])
    low, high = map(float, np.exp(ends) if axis.scale == "log" else ends)
    variable = next((variable for variable in seen.scan.variables if variable.name == name), None)
    if variable is not None and np.isfinite([variable.low, variable.high]).all():
        low, high = max(low, min(variable.low, axis.limits[0])), min(high, max(variable.high, axis.limits[1]))
    return replace(axis, limits=(low if at_ends[0] else axis.limits[0], high if at_ends[1] else axis.limits[1]))


def table_of(seen: Seen) -> Table:
    """The table of points for all pictures of a run."""
    rows = seen.shown
    kind = np.where(seen.good, 2, np.where(seen.ok, 1, 0))[rows].astype(np.int8)
    nll = np.where(seen.ok, seen.nll, np.nan)[rows]
    good = nll[kind == 2]
    # Without a good point nothing is coloured: the others lie above the threshold.
    threshold = seen.target.threshold
    low, high = (float(good.min()), float(good.max())) if len(good) else (threshold - 1.0, threshold)
    columns = {name: values[rows] for name, values in seen.columns.items()}
    columns["NLL"] = nll
    columns["id"] = seen.ids[rows].astype(np.float64)
    return Table(
        columns,
        nll,
        kind=kind,
        status=seen.status[rows],
        ids=seen.ids[rows],
        low=low,
        high=max(high, np.nextafter(low, np.inf)),
        best=next(iter(np.flatnonzero(rows == seen.best).tolist()), None) if not seen.no_levels else None,
    )
