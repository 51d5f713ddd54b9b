"""`lodescan export --format slha`: finds the spectrum files of all good points, and makes missing files again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from proposer.asked import check_agreement
from proposer.evaluation.backend import Description
from proposer.evaluation.work import Work
from proposer.run.dataset import DATASET, Dataset
from proposer.run.files import START, DatasetError
from proposer.run.manifest import check_same_evaluator
from proposer.run.record import RunRecord
from proposer.run.spectra import FOLDER, save_spectra
from proposer.show.failures import scan_file
from proposer.show.plots import read_scan
from proposer.show.voice import say
from proposer.types import Pending
from proposer.wire.attendance import Purpose
from proposer.wire.pool import Pool
from proposer.wire.security import Security
from scanspec.tools import kind_key

NO_FILES = ("function", "flavio", "umbridge")
"""Kinds of codes that write no spectrum files. A kind of another package may write them."""


@dataclass(frozen=True, kw_only=True)
class Makers:
    """The evaluators that make files again; none if `places` is empty. `wait` is the time to wait for an evaluator, in
    seconds.
    """

    places: Sequence[str]
    security: Security
    wait: float


def export_spectra(folder: Path, makers: Makers) -> int:
    """Makes missing spectrum files of good points again, and prints the folder of the files. Returns 0.

    The dataset does not change. Raises DatasetError, NoEvaluator, EvaluatorRefused, and AnotherRun if the evaluator
    computes something else than the run.
    """
    if not (folder / DATASET).exists():
        raise DatasetError(f"{folder}: there is no run here", next_step=START)
    with Dataset(folder, read_only=not makers.places) as dataset:
        record = RunRecord.read(dataset.meta())
        ids, values = [np.empty(0, dtype=np.int64)], [np.empty((0, len(record.variables)))]
        for part in dataset.results(target=record.target):
            ids.append(part.ids)
            values.append(part.params)
        every, rows = np.concatenate(ids), np.concatenate(values)
        missing = np.array([not _has_files(folder, point) for point in every.tolist()], dtype=np.bool_)
        none = missing.any() and _writes_none(folder)
        if missing.any() and makers.places and not none:
            points = Pending(every[missing], rows[missing], np.zeros(int(missing.sum()), dtype=np.int64))
            _make(dataset, record, points, makers)
    kept = sum(_has_files(folder, point) for point in every.tolist())
    print(f"files of {kept:,} of {len(every):,} good points: {folder / FOLDER}/<id>/")
    if none:
        print("there are none to make: the codes of this scan write no SLHA files, only programs (`command`) do")
    elif kept < len(every):
        asked = "the evaluator wrote no files for the others" if makers.places else "--evaluator PLACE makes the others"
        print(asked)
    return 0


def _writes_none(folder: Path) -> bool:
    """Whether each code is of a kind that never writes a spectrum file."""
    return all(kind_key(code.section) in NO_FILES for code in read_scan(folder).codes)


def _has_files(folder: Path, point: int) -> bool:
    return any((folder / FOLDER / str(point)).glob("*.slha"))


def _make(dataset: Dataset, record: RunRecord, points: Pending, makers: Makers) -> None:
    folder = dataset.path.parent
    spec = read_scan(folder)
    purpose = Purpose(spectra_below=math.inf, file=scan_file(folder))
    with closing(Pool(makers.places, security=makers.security, say=say, purpose=purpose)) as pool:

        def fits(description: Description) -> None:
            check_agreement(spec, description, pool.where)
            check_same_evaluator(dataset, record, description, same_physics=False)

        pool.describe(makers.wait, fits)
        say(f"{folder}: running {len(points.ids):,} good points again for their files")
        work = Work(record.variables)
        work.add(points, len(points.ids))
        for received in pool.evaluate(work, wait=makers.wait, until=math.inf):
            save_spectra(folder, received.outcomes)
