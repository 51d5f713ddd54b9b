"""Writes the report of runs: one page, and all pictures as PDF and PNG in `plots/`, for a paper."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from proposer.formats import in_short
from proposer.report import calibration, completeness, overview, pairs, physics, profile_nll, search, together, trouble
from proposer.report.axes import side, table_of
from proposer.report.live import Live
from proposer.report.page import DPI, Drawn, Head, page
from proposer.report.section import Part, Section
from proposer.report.seen import Seen, see
from proposer.run.files import NoRoom, check_no_link, writing
from proposer.run.folder import PAGE
from proposer.show.marks import PAPER
from proposer.show.picture import Picture, Table
from proposer.show.plots import PLOTS
from proposer.show.still import cut, figure, pixels, png, rendered
from proposer.show.voice import warn
from scanspec import LodescanError
from scanspec.text import quoted

MOST_OBSERVABLES = 12
"""The largest number of observables without a likelihood in live pictures."""


NOTHING = Drawn((), {})
"""A picture without images."""

MANY = 12
"""A picture with more panels than this has fewer dots per inch."""


def write_report(folders: Sequence[Path], file: Path | None = None) -> list[Path]:
    """Writes the report of one run, or of several runs side by side, and their pictures into `plots/` of each run.

    The page is `file`, or `report.html` in the folder of the first run. Returns the written paths. Raises
    ScanFileError, and DatasetError for a folder without a run or without an answered point. A picture that cannot be
    drawn is a warning on the page.
    """
    for folder in folders:
        check_no_link(folder / PLOTS)
    with _quickly():
        runs = [see(folder) for folder in folders]
        sections, lives = _parts(runs)
        target = file or folders[0] / PAGE
        paths = [target]
        folder_of = {
            id(picture): seen.folder
            for section in sections
            for seen, part in zip(runs, section.parts, strict=False)
            for picture in part.pictures
        }

        def drawn(picture: Picture) -> Drawn:
            folder = folder_of[id(picture)]
            with warning_of_failure(folder, picture.name):
                made = _drawn(picture)
                for kind, content in made.files.items():
                    paths.append(_kept(folder, f"{PLOTS}/{picture.name}.{kind}", content))
            return made

        text = page(_head(runs, "Written"), sections, lives, drawn)
        with writing(target.parent, target.name) as out:
            out.write(text.encode())
    return paths


def served_page(folders: Sequence[Path], stamp: str) -> str:
    """The report for a server, which updates it according to its `stamp`. No file is written, and images are drawn only
    if there is no live picture. A run that cannot be read is a warning on the page.
    """
    with _quickly():
        runs, warned = [], []
        for folder in folders:
            try:
                runs.append(see(folder))
            except (LodescanError, OSError) as error:
                warned.append(error.tell() if isinstance(error, LodescanError) else f"{folder}: {error.strerror}")
        sections, lives = _parts(runs) if runs else ([], [])
        head = replace(_head(runs, "As of"), warnings=warned, served=stamp)
        return page(head, sections, lives, lambda picture: NOTHING if picture.lively else _drawn(picture))


def _parts(runs: Sequence[Seen]) -> tuple[list[Section], list[Live]]:
    tables = [table_of(seen) for seen in runs]
    return sections_of(runs, tables), [_live(seen, table) for seen, table in zip(runs, tables, strict=True)]


def _head(runs: Sequence[Seen], verb: str) -> Head:
    title = ", ".join(dict.fromkeys(seen.name for seen in runs)) or "no points yet"
    written = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    found = [f"{int(seen.good.sum()):,} good of {len(seen.ids):,} points ({seen.words})" for seen in runs]
    subtitle = "; ".join(found) + ". " if found else ""
    return Head(title, f"{subtitle}{verb} {written}.", [str(seen.folder) for seen in runs])


@contextmanager
def _quickly() -> Iterator[None]:
    """A context without warnings about numbers and fonts, and without Python's garbage collector."""
    with np.errstate(all="ignore"), warnings.catch_warnings(), _without_collector():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _without_collector() -> Iterator[None]:
    """A context without Python's garbage collector, which would take a sixth of the time to search the many objects of
    pictures.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


@contextmanager
def warning_of_failure(folder: Path, name: str) -> Iterator[None]:
    """A context that also says on standard error why a picture is not drawn; its error goes on to the page."""
    try:
        yield
    except NoRoom:
        raise
    except Exception as error:
        warn(
            f"{folder / PLOTS / name}: the picture is not drawn ({in_short(error)}); the report has all others. "
            f"`lodescan report {quoted(folder)}` draws it again"
        )
        raise


def _drawn(picture: Picture) -> Drawn:
    """Draws a picture once as an image, for the page and for a paper, and once as a PDF."""
    theme = replace(PAPER, dpi=DPI) if len(picture.panels) > MANY else PAPER
    drawing = figure(picture, theme)
    image = pixels(drawing, theme.dpi)
    files = {"pdf": rendered(drawing.figure, "pdf", theme), "png": png(image, theme.dpi)}
    return Drawn(cut(image, drawing, DPI), files)


def _kept(folder: Path, name: str, content: bytes) -> Path:
    check_no_link(folder / PLOTS)
    with writing(folder, name) as out:
        out.write(content)
    return folder / name


def sections_of(runs: Sequence[Seen], tables: Sequence[Table]) -> list[Section]:
    """The sections of a report, in the order in which a referee would ask."""
    both = list(zip(runs, tables, strict=True))

    def of_each(tell: Callable[[Seen], Part]) -> list[Part]:
        return [_told(partial(tell, seen)) for seen in runs]

    def with_points(tell: Callable[..., Part]) -> list[Part]:
        return [_told(partial(tell, seen, table=table)) for seen, table in both]

    return [
        Section("asked", "What was asked", of_each(overview.asked)),
        Section("found", "What was found", [Part(tables=[overview.found(runs)])]),
        *(
            [Section("together", "The runs together", [_told(partial(together.together, runs))])]
            if len(runs) > 1
            else []
        ),
        Section("points", "Where the good points are", with_points(pairs.pairs)),
        Section("profiles", "Profile NLL", of_each(profile_nll.profiles)),
        Section("observables", "Observables against their constraints", of_each(physics.pulls)),
        Section("constraints", "Which constraint excludes how much", of_each(physics.constraints)),
        Section("correlations", "Correlations over the good points", of_each(physics.correlations)),
        Section("search", "How the search went", of_each(search.history)),
        Section("calibration", "Whether the predictions were right", of_each(calibration.calibration)),
        Section("trouble", "Where points are unphysical or failed", with_points(trouble.trouble)),
        Section("seconds", "Seconds by code", of_each(trouble.seconds)),
        Section("completeness", "How much may have been missed", of_each(completeness.completeness)),
        Section("best", "Best points", of_each(overview.best)),
        Section("made", "Versions, seeds, citations", of_each(overview.made_with)),
    ]


def _told(tell: Callable[[], Part]) -> Part:
    """Makes one section. An error becomes a warning in this section, so that the others are still shown."""
    try:
        return tell()
    except NoRoom:
        raise
    except Exception as error:  # noqa: BLE001  # whatever it is, the other sections do not depend on it
        return Part(warnings=[f"this cannot be shown: {in_short(error)}"])


def _live(seen: Seen, table: Table) -> Live:
    variables = [variable.name for variable in seen.variables]
    others = [name for name in seen.columns if name not in variables and name not in seen.likelihoods]
    names = [*variables, *seen.likelihoods, *others[:MOST_OBSERVABLES]]
    axes = {name: side(seen, name, zoom=False) for name in names}
    return Live(table, axes, [*variables, "NLL", *seen.likelihoods])
