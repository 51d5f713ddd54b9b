"""The spectrum files of a run's points: `files/<id>/<n>.slha` in its folder, n counting the codes that wrote one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from proposer.run.files import writing
from proposer.target import NONE, Target
from proposer.types import Outcome
from scanspec import ScanFile

FOLDER = "files"


def kept_below(scan: ScanFile, target: Target) -> float:
    """The NLL below which spectrum files are kept: `keep_spectra` is good (the default), valid or none.

    Infinite where the target follows the best point that is not known yet. Raises ScanFileError for anything else.
    """
    threshold = math.inf if target.follows and target.threshold == NONE else target.threshold
    word = scan.setup.text("keep_spectra", "good").strip().lower()
    found = {"good": threshold if scan.is_scored else math.inf, "valid": math.inf, "none": -math.inf}.get(word)
    if found is None:
        raise scan.setup.wrong("keep_spectra", "good, valid (all points that are OK) or none")
    return found


def keeps_good_ones(scan: ScanFile) -> bool:
    """Whether the files of good points are kept, and of no others."""
    return scan.is_scored and scan.setup.text("keep_spectra", "good").strip().lower() == "good"


def save_spectra(run: Path, outcomes: Sequence[Outcome]) -> None:
    """Writes the files of each point that has some, onto the disk; raises DatasetError.

    Before the results are stored: a kill between the two leaves files that the next answer
    writes anew, never a point without them.
    """
    for outcome in outcomes:
        for number, content in enumerate(outcome.spectra, 1):
            with writing(run, f"{FOLDER}/{outcome.id}/{number}.slha") as file:
                file.write(content)
