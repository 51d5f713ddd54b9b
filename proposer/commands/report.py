"""`lodescan report`: writes a page with the results of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from proposer.report.write import write_report
from proposer.show.plots import PLOTS
from proposer.show.voice import busy


def report(folders: Sequence[Path], file: Path | None) -> int:
    """Writes the page and the pictures of the runs, and prints their paths. Returns 0. Raises DatasetError and
    ScanFileError.
    """
    with busy("drawing the report ..."):
        written = write_report(folders, file)
    print(f"written: {written[0]}")
    for folder in folders:
        print(f"pictures: {folder / PLOTS}/")
    return 0
