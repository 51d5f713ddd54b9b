"""Draws pictures of a run: those that its scan file asks for, one of two columns, or one of all variables."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from proposer.formats import LONGEST, in_short, plain
from proposer.run.dataset import Dataset, DatasetError
from proposer.run.files import START, WAIT, NoAnswers, NoRoom, check_no_link, not_written
from proposer.run.original import original
from proposer.run.record import RunRecord
from proposer.run.spectra import FOLDER
from proposer.show.drawing import Axis, Points
from proposer.show.not_drawn import NotDrawn
from proposer.types import Floats, Status
from scanspec import LodescanError, PriorKind, ScanFile, SlhaAddress, UsageError, read_scan_file
from scanspec.document import ScanFileError, closest
from scanspec.plotting import Plot, Plotting, file_name, read_plotting
from scanspec.spectrum import EntryMissing, read_spectrum

PLOTS = "plots"
"""The folder of pictures in the folder of a run."""

MOST_VARIABLES = 12
"""The most variables in a corner plot; with more it is not readable."""

SHORT = 24
"""The largest number of letters of a label in it."""


@dataclass(frozen=True)
class View:
    """The options for a picture of two columns. `colour`: a column, or None."""

    zoom: bool = False
    xlog: bool = False
    ylog: bool = False
    colour: str | None = None


AS_IT_IS = View()


def plot(folder: Path, names: list[str], file: Path | None, view: View = AS_IT_IS) -> int:
    """Draws pictures and prints their paths. Raises DatasetError if there is no run, and UsageError or ScanFileError if
    something cannot be drawn.
    """
    _drawn(folder, names, file, view, print)
    return 0


def draw_columns(folder: Path, names: list[str], file: Path | None, view: View) -> Path:
    """Draws two columns and returns the path. Raises the errors of `plot`."""
    return _drawn(folder, names, file, view, lambda _: None)[0]


def _drawn(folder: Path, names: list[str], file: Path | None, view: View, say: Callable[[str], None]) -> list[Path]:
    scan = read_scan(folder)
    points = read_points(folder, scan)
    for name in [*names, *([view.colour] if view.colour else [])]:
        if name not in points.columns:
            raise UsageError(f"{folder} has no variable or observable {name!r}{closest(name, points.columns)}")
    if names:
        scales = _asked_scales(scan, names)
        asked = Plotting(
            (Plot(file_name("-".join(names)), tuple(names), scales=scales),), unphysical=True, corner=False
        )
    else:
        asked = read_plotting(scan) or Plotting((), unphysical=True, corner=True)
    if file is not None and len(asked.plots) + (asked.corner or not asked.plots) != 1:
        raise UsageError("--file is for one picture, and the scan file asks for several", next_step="name two columns")
    return draw(
        folder,
        scan,
        points=points,
        asked=asked,
        file=file,
        say=say,
        drawn=lambda path: say(f"drawn: {path if file is not None else and_png(path)}"),
        view=view,
    )


def draw(
    folder: Path,
    scan: ScanFile,
    points: Points,
    asked: Plotting,
    *,
    file: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
    drawn: Callable[[Path], None] = lambda _: None,
    view: View = AS_IT_IS,
) -> list[Path]:
    """Draws into `file`, or as PDF and PNG into `plots/` in the run's folder, and returns the paths of the PDFs. `say`
    gets a line about points that a picture leaves out, and `drawn` the path of each picture once it is drawn.

    After all others are drawn, raises the error of the picture that cannot be drawn, or NotDrawn for several. Raises
    NoRoom at once.
    """
    if file is None:
        check_no_link(folder / PLOTS)
    paths: list[Path] = []
    faults: list[LodescanError] = []
    drawing = _Drawing(folder, scan, points, view)
    pictures: dict[str, Callable[[Path, Path | None], str]] = {
        plot.name: partial(drawing.columns, plot, unphysical=asked.unphysical) for plot in asked.plots
    }
    if asked.corner or not asked.plots:
        pictures["corner"] = drawing.corner
    for name, picture in pictures.items():
        path, beside = (file, None) if file is not None else in_plots(folder, name)
        try:
            _make_folder(path.parent)
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                missing = picture(path, beside)
        except NoRoom:
            raise
        except LodescanError as error:
            faults.append(error)
        except Exception as error:  # noqa: BLE001  # matplotlib has many kinds of errors for odd labels and values
            faults.append(ScanFileError(f"the picture {path.name} cannot be drawn: {in_short(error)}"))
        else:
            if missing:
                say(f"{path.name}: {missing}")
            paths.append(path)
            drawn(path)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise NotDrawn(faults)
    return paths


@dataclass(frozen=True)
class _Drawing:
    """Draws pictures of a run. Each method draws one into a file, and into a second file `beside` it if one is given.
    It says in words how many points lie outside the axes; empty if none do.
    """

    folder: Path
    scan: ScanFile
    points: Points
    view: View

    def columns(self, plot: Plot, path: Path, beside: Path | None, *, unphysical: bool) -> str:
        from proposer.show.drawing import Look, draw_plot, left_out, looked_at

        points, view = self.points, self.view
        axes = plot_axes(self.folder, self.scan, points, plot)
        colour = _axis(self.scan, points, view.colour) if view.colour else None
        look = Look(view.zoom, view.xlog, view.ylog, colour)
        draw_plot(points, axes, plot.contours, path, unphysical=unphysical, look=look, beside=beside)
        axes[:2] = [looked_at(axes[0], points, look, log=view.xlog), looked_at(axes[1], points, look, log=view.ylog)]
        return left_out(points, axes, unphysical=unphysical)

    def corner(self, path: Path, beside: Path | None) -> str:
        from proposer.show.drawing import draw_corner, left_out

        free = [variable.name for variable in self.scan.variables if not variable.fixed]
        axes = [_axis(self.scan, self.points, name, SHORT) for name in free[:MOST_VARIABLES]]
        draw_corner(self.points, axes, path, beside)
        return left_out(self.points, axes, unphysical=True) if len(axes) > 1 else ""


def in_plots(folder: Path, name: str) -> tuple[Path, Path]:
    """The files of a picture in the folder of a run: PDF and PNG."""
    return folder / PLOTS / f"{name}.pdf", folder / PLOTS / f"{name}.png"


def and_png(path: Path) -> str:
    """The PDF of a picture and the PNG beside it, in words."""
    return f"{path} and {path.with_suffix('.png').name}"


def _asked_scales(scan: ScanFile, names: list[str]) -> tuple[str | None, str | None]:
    """The scaling that the section `plotting` gives for the same two columns."""
    plotting = read_plotting(scan)
    for plot in plotting.plots if plotting is not None else ():
        if list(plot.values[:2]) == names:
            return plot.scales
    return None, None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_written(folder, error) from error


def read_scan(folder: Path) -> ScanFile:
    """The scan file of a run, from its copy. Raises DatasetError if there is no run, and ScanFileError."""
    files = sorted(folder.glob("scan.*"))
    if not files:
        raise DatasetError(f"{folder}: there is no run here, or it has not started yet", next_step=START)
    try:
        return read_scan_file(files[0])
    except ScanFileError:  # it may name a table beside the original scan file
        first = original(folder)
        if not first.is_file():
            raise
        return read_scan_file(first)


def read_points(folder: Path, scan: ScanFile) -> Points:
    """All answered points of a run, which may still go on. Raises DatasetError if there is none."""
    with Dataset(folder, read_only=True) as dataset:
        record = RunRecord.read(dataset.meta())
        if not record.variables:
            raise DatasetError(f"{folder}: the run has not started yet, so there is nothing to draw", next_step=START)
        names = [*record.variables, *record.observables]
        parts, target = list(dataset.results()), dataset.now(record.target)
    if not parts:
        raise NoAnswers(f"{folder}: no point has an answer yet, so there is nothing to draw", next_step=WAIT)
    rows = np.vstack([np.hstack([part.params, part.observables]) for part in parts])
    nll = np.concatenate([part.nll for part in parts])
    status = np.concatenate([part.status for part in parts])
    ok, good = status == Status.OK, (status == Status.OK) & target.contains(nll)
    title = f"{scan.run_name}: {len(nll):,} points, {int(good.sum()):,} good ({target.describe()})"
    columns = {"NLL": nll} | {name: rows[:, position] for position, name in enumerate(names)}
    ids = np.concatenate([part.ids for part in parts])
    return Points(title, columns, ids=ids, good=good, bad=ok & ~good, unphysical=status == Status.INVALID)


def plot_axes(folder: Path, scan: ScanFile, points: Points, wanted: Plot) -> list[Axis]:
    """The axes of a picture, x first. Entries of spectra are read from the files that the run has kept."""
    axes = []
    for position, value in enumerate(wanted.values):
        if isinstance(value, SlhaAddress):
            axis = Axis(str(value), _from_files(folder, points, value), "linear", None)
        else:
            axis = _axis(scan, points, value)
        if position < 2:
            axis = Axis(
                wanted.labels[position] or axis.label,
                axis.values,
                wanted.scales[position] or axis.scale,
                wanted.ranges[position] or axis.limits,
            )
        axes.append(axis)
    return axes


def _axis(scan: ScanFile, points: Points, name: str, longest: int = LONGEST) -> Axis:
    values = points.columns[name]
    variable = next((candidate for candidate in scan.variables if candidate.name == name), None)
    spec = variable or next((observable for observable in scan.all_observables() if observable.name == name), None)
    label = (spec.label if spec is not None else "") or plain(name, longest)
    if spec is not None and spec.unit and spec.unit not in label:
        label = f"{label} ({spec.unit})"
    if variable is None:
        return Axis(label, values, "linear", None)
    scale = "log" if variable.prior is PriorKind.LOG_UNIFORM else "linear"
    bounded = bool(np.isfinite([variable.low, variable.high]).all()) and not variable.fixed
    return Axis(label, values, scale, (variable.low, variable.high) if bounded else None)


def _from_files(folder: Path, points: Points, address: SlhaAddress) -> Floats:
    """An entry of the spectra, from the last file of each point that has the entry, shape (n,); NaN for the other
    points.
    """
    found = np.full(len(points.ids), np.nan)
    kept = folder / FOLDER
    for position in np.flatnonzero(points.good | points.bad).tolist():
        files = [path for path in (kept / str(points.ids[position])).glob("*.slha") if path.stem.isdecimal()]
        files.sort(key=lambda path: int(path.stem))
        for path in reversed(files):  # a chain may write its last blocks into a file of their own
            try:
                found[position] = read_spectrum(path.read_text(errors="replace")).entry(address)
            except EntryMissing:
                continue
            break
    if np.isnan(found).all():
        raise ScanFileError(
            f"no spectrum file in {kept} has the entry {address}; `keep_spectra: valid` in setup keeps those of all "
            "valid points, and an observable of this entry needs no files"
        )
    return found
