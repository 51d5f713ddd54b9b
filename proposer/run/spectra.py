"""The spectrum files of a run's points: `files/<id>/<n>.slha` in its folder, where n counts the codes that
wrote one.
"""

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
    """The NLL below which spectrum files are kept. `keep_spectra` is good (the default), valid or none.

    It is infinite if the target follows the best NLL, which is not known yet. Raises ScanFileError for another word.
    """
    threshold = math.inf if target.follows and target.threshold == NONE else target.threshold
    word = scan.setup.text("keep_spectra", "good").strip().lower()
    found = {"good": threshold if scan.is_scored else math.inf, "valid": math.inf, "none": -math.inf}.get(word)
    if found is None:
        raise scan.setup.wrong("keep_spectra", "good, valid (all points that are OK) or none")
    return found


def keeps_good_ones(scan: ScanFile) -> bool:
    """Whether only the files of good points are kept."""
    return scan.is_scored and scan.setup.text("keep_spectra", "good").strip().lower() == "good"


def save_spectra(run: Path, outcomes: Sequence[Outcome]) -> None:
    """Writes the spectrum files of points to the disk. Raises DatasetError.

    The scan calls this before it stores the results. A kill between the two leaves files that the next answer
    overwrites, but never a point without its files.
    """
    for outcome in outcomes:
        for number, content in enumerate(outcome.spectra, 1):
            with writing(run, f"{FOLDER}/{outcome.id}/{number}.slha") as file:
                file.write(content)
