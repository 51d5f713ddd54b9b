"""Reads the section `plotting`: the pictures that a scan file asks for."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass

from scanspec import keys
from scanspec.document import Section, closest, plain_name, to_number
from scanspec.observables import SlhaAddress, read_address
from scanspec.scanfile import ScanFile

STRATEGIES = ("valid", "all", "csv")
SCALES = ("linear", "log", "symlog")

MOST_CONTOURS = 100

Range = tuple[float, float]


@dataclass(frozen=True)
class Plot:
    """One picture. `values` are x, then one or more y: names of columns, or entries of the spectrum files.

    `labels`, `ranges` and `scales` are those of x and y; None stands for those of the column. `contours` draws lines of
    constant third value: its entries are the levels, or a single entry is the number of lines.
    """

    name: str
    values: tuple[str | SlhaAddress, ...]
    labels: tuple[str | None, str | None] = (None, None)
    ranges: tuple[Range | None, Range | None] = (None, None)
    scales: tuple[str | None, str | None] = (None, None)
    contours: tuple[float, ...] = ()


@dataclass(frozen=True)
class Plotting:
    """The pictures of a run. `unphysical` draws all points, not only the valid ones; `corner` adds a corner plot of all
    variables.

    `notes` say which pictures are not drawn.
    """

    plots: tuple[Plot, ...]
    unphysical: bool
    corner: bool
    notes: tuple[str, ...] = ()


def read_plotting(scan: ScanFile) -> Plotting | None:
    """Reads the section `plotting`; None if the file has none. Raises ScanFileError.

    A plot of something that is not a column of the results is left out with a note.
    """
    section = scan.plotting
    if not list(section):
        return None
    strategy = section.text("strategy", STRATEGIES[0])
    if strategy not in STRATEGIES:
        raise section.wrong("strategy", f"one of {', '.join(STRATEGIES)}")
    named = section.section("plots")
    names = {variable.name for variable in scan.variables} | {observable.name for observable in scan.all_observables()}
    plots: list[Plot] = []
    notes: list[str] = []
    for name in named:
        with section.faults.collect():
            plot = _read_plot(named, name, plots)
            if missing := _missing(plot, names, scan.switched_off):
                notes.append(f"{named.file}, line {named.line(name)}: {named.path}: {name} is not drawn: {missing}")
            else:
                plots.append(plot)
    return Plotting(tuple(plots), strategy == "all", strategy == "csv", tuple(notes))


def _missing(plot: Plot, names: Collection[str], off: Collection[str]) -> str:
    """Why a plot cannot be drawn; empty if it can. This does not stop the scan."""
    known = {*names, "NLL"}
    for value in plot.values:
        if isinstance(value, str) and value not in known:
            if value in off:
                return f"{value} belongs to a code that does not run"
            return f"{value!r} is not a variable or observable{closest(value, known)}"
    return ""


def file_name(name: str) -> str:
    """The name of a picture, with characters that are safe in a file name."""
    return re.sub(r"[^\w.+-]", "_", name)


def _read_plot(named: Section, name: str, before: list[Plot]) -> Plot:
    entry = named.section(name, keys.PLOT)
    if file_name(name) in {plot.name for plot in before} | {"", "corner"}:
        raise named.error(f"{name!r}: is not a name for a file, or another picture has it; rename it", name)
    entry.require("values", ": what to draw, [x, y]")
    values = entry.raw("values")
    if not isinstance(values, list) or len(values) < 2:
        raise entry.wrong("values", "[x, y], names or [BLOCK, [indices]]")
    found: list[str | SlhaAddress] = []
    for value in values:
        if isinstance(value, list):
            found.append(read_address(entry, "values", value))
        elif value is None or isinstance(value, dict):
            raise entry.wrong("values", "[x, y], names or [BLOCK, [indices]]")
        else:
            found.append(plain_name(str(value)))
    contours = _read_contours(entry)
    if contours and len(found) != 3:
        raise entry.error(f"{entry.path}: contours need three values: x, y, and what is constant on a line", "contours")
    labels = entry.texts("labels")
    if labels and len(labels) < 2:
        raise entry.wrong("labels", "a list of two texts, for x and y")
    scales = entry.texts("scaling")
    if scales and (len(scales) != 2 or any(word not in SCALES for word in scales)):
        raise entry.wrong("scaling", f"a list of two of {', '.join(SCALES)}, for x and y")
    ranges = _read_ranges(entry)
    for ends, scale in zip(ranges, scales, strict=False):
        if ends is not None and scale == "log" and ends[0] <= 0:
            raise entry.error(f"{entry.path}: a logarithmic axis needs a range above 0", "ranges")
    return Plot(
        file_name(name),
        tuple(found),
        labels=(labels[0], labels[1]) if labels else (None, None),
        ranges=ranges,
        scales=(scales[0], scales[1]) if scales else (None, None),
        contours=contours,
    )


def _read_ranges(entry: Section) -> tuple[Range | None, Range | None]:
    value = entry.raw("ranges")
    if value is None:
        return None, None
    found: list[Range] = []
    for item in value if isinstance(value, list) else []:
        ends = [to_number(end) for end in item] if isinstance(item, list) else []
        finite = sorted(end for end in ends if end is not None and math.isfinite(end))
        if len(finite) == len(ends) == 2 and finite[0] < finite[1]:
            found.append((finite[0], finite[1]))
    if len(found) != 2 or len(found) != len(value):
        raise entry.wrong("ranges", "[[low, high], [low, high]], for x and y")
    return found[0], found[1]


def _read_contours(entry: Section) -> tuple[float, ...]:
    if "contours" not in entry:
        return ()
    if isinstance(entry.raw("contours"), list):
        levels = tuple(sorted(entry.numbers("contours")))
        if len(set(levels)) < len(levels) or len(levels) > MOST_CONTOURS or not all(map(math.isfinite, levels)):
            raise entry.wrong("contours", f"a list of different levels, at most {MOST_CONTOURS}")
        return levels
    if (count := entry.integer("contours", low=1)) > MOST_CONTOURS:
        raise entry.wrong("contours", f"at most {MOST_CONTOURS} lines")
    return (float(count),)
