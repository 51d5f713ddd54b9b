"""Writes the report of runs: one page, and in `plots/` each picture as PDF and PNG for a paper."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from proposer.report import calibration, overview, physics, region, search, trouble
from proposer.report.axes import table_of
from proposer.report.live import Live
from proposer.report.page import page
from proposer.report.section import Part, Section
from proposer.report.seen import Seen, see
from proposer.run.files import check_no_link, writing
from proposer.show.marks import PAPER
from proposer.show.picture import Picture, Table
from proposer.show.plots import PLOTS
from proposer.show.still import figure, rendered

REPORT = "report.html"
"""The page in the folder of a run."""

MOST_OBSERVABLES = 12
"""Observables without a likelihood that the live pictures can show."""


MANY = 12
"""Panels above which a picture for a paper has fewer dots an inch."""


def write_report(folders: Sequence[Path], file: Path | None = None) -> list[Path]:
    """Writes `report.html` of one run or of several side by side, and the pictures of each into its `plots/`.

    The page goes into `file`, or the folder of the first run. Returns what was written. Raises DatasetError for a
    folder without a run or without an answered point, ScanFileError.
    """
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runs = [see(folder) for folder in folders]
        tables = [table_of(seen) for seen in runs]
        sections = sections_of(runs, tables)
        lives = [_live(seen, table) for seen, table in zip(runs, tables, strict=True)]
        title = ", ".join(dict.fromkeys(seen.name for seen in runs))
        written = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        subtitle = "; ".join(
            f"{int(seen.good.sum()):,} good of {len(seen.ids):,} points ({seen.words})" for seen in runs
        )
        text = page(title, f"{subtitle}. Written {written}.", [str(seen.folder) for seen in runs], sections, lives)
        target = file or folders[0] / REPORT
        with writing(target.parent, target.name) as out:
            out.write(text.encode())
        paths = [target]
        for number, seen in enumerate(runs):
            shown = [
                picture
                for section in sections
                if len(section.parts) > number
                for picture in section.parts[number].pictures
            ]
            paths += _plots(seen.folder, shown)
    return paths


def _plots(folder: Path, pictures: Sequence[Picture]) -> list[Path]:
    check_no_link(folder / PLOTS)
    paths = []
    for picture in pictures:
        look = replace(PAPER, dpi=150.0) if len(picture.panels) > MANY else PAPER
        drawn = figure(picture, look)
        for kind in ("pdf", "png"):
            name = f"{PLOTS}/{picture.name}.{kind}"
            with writing(folder, name) as out:
                out.write(rendered(drawn, kind, look))
            paths.append(folder / name)
    return paths


def sections_of(runs: Sequence[Seen], tables: Sequence[Table]) -> list[Section]:
    """The sections, in the order of a referee's questions."""
    both = list(zip(runs, tables, strict=True))

    def of_each(tell: Callable[[Seen], Part]) -> list[Part]:
        return [_told(tell, seen) for seen in runs]

    def with_points(tell: Callable[..., Part]) -> list[Part]:
        return [_told(partial(tell, table=table), seen) for seen, table in both]

    return [
        Section("found", "What was found", [Part(tables=[overview.found(runs)])]),
        Section("asked", "What was asked", of_each(overview.asked)),
        Section("points", "Where the good points are", with_points(region.pairs)),
        Section("profiles", "Profile NLL", of_each(region.profiles)),
        Section("observables", "Observables against their constraints", of_each(physics.pulls)),
        Section("constraints", "Which constraint excludes how much", of_each(physics.constraints)),
        Section("correlations", "Correlations over the good points", of_each(physics.correlations)),
        Section("search", "How the search went", of_each(search.history)),
        Section("calibration", "Whether the predictions were right", of_each(calibration.calibration)),
        Section("trouble", "Where points are unphysical or failed", with_points(trouble.trouble)),
        Section("seconds", "Seconds by code", of_each(trouble.seconds)),
        Section("best", "Best points", of_each(overview.best)),
        Section("made", "Versions, seeds, citations", of_each(overview.made_with)),
    ]


def _told(tell: Callable[[Seen], Part], seen: Seen) -> Part:
    """Runs one section. A section that fails must not cost the others."""
    try:
        return tell(seen)
    except (ValueError, ArithmeticError, RuntimeError, LookupError) as error:
        return Part(warnings=[f"this cannot be shown: {' '.join(str(error).split()):.200}"])


def _live(seen: Seen, table: Table) -> Live:
    variables = [variable.name for variable in seen.variables]
    others = [name for name in seen.columns if name not in variables and name not in seen.likelihoods]
    names = [*variables, *seen.likelihoods, *others[:MOST_OBSERVABLES]]
    return Live(table, names, [*variables, "NLL", *seen.likelihoods])
