"""Two axes of a run as an SVG picture: unphysical, bad and good points; not those that failed.

usage: tools/picture.py RUN X Y FILE; X and Y are variables or observables of the run

An axis is logarithmic where its variable has the prior log-uniform. Needs no plotting package, and draws
the same file from the same run.
"""

from __future__ import annotations

import math
import sys
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from proposer.dataset import Dataset
from proposer.strategies.base import Status
from scanspec import PriorKind, ScanFile, read_scan_file

Column = NDArray[np.float64]

WIDTH, HEIGHT = 480, 360
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 30, 46
LEAST = 0.5
"""The least distance in pixels of two points of one kind; nearer ones are one point in the picture."""

KINDS = {"unphysical": ("#b0bec5", 2.0), "bad": ("#78909c", 2.2), "good": ("#d84315", 3.4)}
"""Colour and diameter in pixels, drawn in this order."""


def main(run: str, x: str, y: str, file: str) -> int:
    folder = Path(run)
    scan = read_scan_file(next(each for each in folder.glob("scan.*")))
    with Dataset(folder, read_only=True) as dataset:
        threshold = float(dataset.meta()["threshold"])
    names, columns, status, nll = _read(folder, scan)
    for name in (x, y):
        if name not in names:
            raise SystemExit(f"{run} has no variable or observable {name!r}; it has {', '.join(names)}")
    axes = [_Axis(scan, name, columns[:, names.index(name)]) for name in (x, y)]
    Path(file).write_text(_draw(axes, scan.setup.text("run_name", folder.name), threshold, status, nll))
    return 0


def _read(folder: Path, scan: ScanFile) -> tuple[list[str], Column, NDArray[np.int_], Column]:
    """Names; a row a point; its status; its NLL (NaN without one)."""
    observables = [each.name for each in scan.all_observables()]
    rows: list[Column] = []
    status: list[int] = []
    nll: list[Column] = []
    with Dataset(folder, read_only=True) as dataset:
        for part in dataset.results(len(observables)):
            rows.append(np.hstack([part.params, part.observables]))
            status += [int(each) for each in part.status]
            nll.append(part.nll)
    return [each.name for each in scan.variables] + observables, np.vstack(rows), np.array(status), np.concatenate(nll)


class _Axis:
    """One axis: values to fractions of it, and its ticks."""

    def __init__(self, scan: ScanFile, name: str, values: Column) -> None:
        variable = next((each for each in scan.variables if each.name == name), None)
        unit = variable.unit if variable else next(o.unit for o in scan.all_observables() if o.name == name)
        self.label = f"{name} / {unit}" if unit else name
        self._log = variable is not None and variable.prior is PriorKind.LOG_UNIFORM
        finite = values[np.isfinite(values)]
        low, high = (variable.low, variable.high) if variable else np.percentile(finite, [0, 98])
        self.values = np.log10(values) if self._log else values
        self._low, self._high = (math.log10(low), math.log10(high)) if self._log else (float(low), float(high))

    def fraction(self, values: Column) -> Column:
        return (values - self._low) / (self._high - self._low)

    def ticks(self) -> list[tuple[float, str]]:
        """Where, as fractions, and what to write."""
        span = self._high - self._low
        step = 10 ** math.floor(math.log10(span / 3))
        step = 1.0 if self._log else next(step * each for each in (1, 2, 5, 10) if span / (step * each) <= 6)
        first, last = math.ceil(self._low / step - 1e-9), math.floor(self._high / step + 1e-9)
        places = [round(number * step, 10) for number in range(first, last + 1)]
        if self._log and last - first < 2:  # less than two decades
            places = sorted({math.log10(n * 10.0**d) for d in range(first - 1, last + 1) for n in (1, 2, 5)})
            places = [each for each in places if self._low - 1e-9 <= each <= self._high + 1e-9]
        return [((each - self._low) / span, f"{10**each:.3g}" if self._log else f"{each:g}") for each in places]


def _draw(axes: list[_Axis], name: str, threshold: float, status: NDArray[np.int_], nll: Column) -> str:
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    ok = status == Status.OK
    good = ok & (nll < threshold)
    masks = {"unphysical": status == Status.INVALID, "bad": ok & ~good, "good": good}
    said = f"{name}: {len(ok):,} points, {int(good.sum()):,} good (NLL below {threshold:g})"
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="11"',
        f' viewBox="0 0 {WIDTH} {HEIGHT}">',
        f"<title>{escape(said)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="11">{escape(said)}</text>',
    ]
    x, y = (axis.fraction(axis.values) for axis in axes)
    inside = np.isfinite(x) & np.isfinite(y) & (np.abs(x - 0.5) <= 0.5) & (np.abs(y - 0.5) <= 0.5)
    place = LEFT
    for kind, (colour, size) in KINDS.items():
        shown = masks[kind] & inside
        dots = np.stack([LEFT + x[shown] * wide, TOP + (1 - y[shown]) * high], axis=1)
        _, first = np.unique(np.round(dots / LEAST), axis=0, return_index=True)
        path = "".join(f"M{a:.1f} {b:.1f}h0" for a, b in dots[np.sort(first)].tolist())
        stroke = f'stroke="{colour}" stroke-width="{size}" stroke-linecap="round"'
        if path:
            lines.append(f'<path d="{path}" {stroke} fill="none"/>')
            lines.append(f'<path d="M{place} 21h0" {stroke} fill="none"/><text x="{place + 6}" y="25">{kind}</text>')
            place += 90
    lines.append(f'<rect x="{LEFT}" y="{TOP}" width="{wide}" height="{high}" fill="none" stroke="black"/>')
    for where, text in axes[0].ticks():
        at = LEFT + where * wide
        lines.append(f'<path d="M{at:.1f} {TOP + high}v4" stroke="black"/>')
        lines.append(f'<text x="{at:.1f}" y="{TOP + high + 16}" text-anchor="middle">{text}</text>')
    for where, text in axes[1].ticks():
        at = TOP + (1 - where) * high
        lines.append(f'<path d="M{LEFT} {at:.1f}h-4" stroke="black"/>')
        lines.append(f'<text x="{LEFT - 7}" y="{at + 4:.1f}" text-anchor="end">{text}</text>')
    middle = TOP + high / 2
    lines.append(
        f'<text x="{LEFT + wide / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(axes[0].label)}</text>'
        f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">{escape(axes[1].label)}</text>'
    )
    return "\n".join([*lines, "</svg>", ""])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
