"""The picture of `lodescan plot --profile`: regions of the profile NLL in two columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from proposer.report.axes import side, zoomed
from proposer.report.profile_nll import region_panel
from proposer.report.seen import see
from proposer.run.files import check_no_link, writing
from proposer.show.marks import PAPER
from proposer.show.picture import Marks, Picture
from proposer.show.plots import PLOTS, View, in_plots
from proposer.show.still import figure, rendered
from scanspec import UsageError
from scanspec.document import closest
from scanspec.plotting import file_name

KINDS = ("pdf", "png", "svg", "jpg", "jpeg")


def draw_profile(
    folder: Path,
    names: list[str],
    levels: Sequence[float],
    file: Path | None,
    view: View,
    *,
    say: Callable[[str], None] = lambda _: None,
) -> Path:
    """Draws the picture into `file`, or as PDF and PNG into `plots/`, and returns the first path. `levels` are
    probabilities from 0 to 1. `say` gets a line if regions are drawn too small. Raises DatasetError and UsageError.
    """
    seen = see(folder)
    for name in names:
        if name not in seen.columns:
            raise UsageError(f"{folder} has no variable or observable {name!r}{closest(name, seen.columns)}")
    if seen.no_levels:
        then = "leave out the profile" if seen.target.everything else "compare the unit of its mean with the code's"
        then = "wait for valid points" if seen.best is None else then
        raise UsageError(f"there is no profile NLL: {seen.no_levels}", next_step=then)
    sides = []
    for name, log in zip(names, (view.xlog, view.ylog), strict=True):
        axis = side(seen, name, zoom=view.zoom)
        sides.append(replace(axis, scale="log", limits=zoomed(axis.limits, seen.columns[name])) if log else axis)
    panel = region_panel(seen, names[0], names[1], across=sides[0], up=sides[1], levels=levels)
    if panel is None:
        raise UsageError(f"{names[0]} or {names[1]} has only one value, so there is no region to draw")
    named = [replace(mark, label="best point") if isinstance(mark, Marks) else mark for mark in panel.marks]
    panel = replace(panel, marks=named)
    files = [file] if file is not None else in_plots(folder, f"{file_name('-'.join(names))}-profile")
    path = files[0]
    if path.suffix.removeprefix(".").lower() not in KINDS:
        raise UsageError(f"{path}: there is no kind of picture {path.suffix!r}", next_step="write .pdf, .png, or .svg")
    if file is None:
        check_no_link(folder / PLOTS)
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = figure(Picture(path.stem, "", [panel], columns=1), PAPER).figure
    for each in files:
        with writing(each.parent, each.name) as out:
            out.write(rendered(drawn, each.suffix.removeprefix(".").lower(), PAPER))
    if missing := seen.no_estimates(names):
        say(f"{path.name}: the regions are drawn too small: there are no estimates between points, because {missing}")
    return path
