"""Explains why points failed, and gives the command that runs a failed point alone."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from proposer.evaluation.backend import FUNCTION
from proposer.run.dataset import DATASET, Dataset, DatasetError
from proposer.run.files import read_object
from proposer.run.names import PROBLEM
from proposer.run.original import original
from proposer.types import Floats, Outcome, Status
from scanspec.text import argument

MOST_REASONS = 3
"""The most reasons that are named."""

_NUMBER = re.compile(r"[-+]?\d[\w.]*(?:[eE][-+]\d+)?")


def kind_of(code: str, message: str) -> tuple[str, str]:
    """The kind of a failure: the code, and its message without numbers, because a message may contain values of the
    point.
    """
    return code, _NUMBER.sub("#", message)


@dataclass(eq=False)
class Failures:
    """The number of failed points of one kind, and the last one."""

    last: Outcome
    points: int = 0


def command(file: Path, names: Sequence[str], values: Floats, keep: str = "") -> str:
    """The command, quoted for a shell, that runs one point and keeps its files in the folder `keep`. `values`: shape
    (d,). For the function of a notebook it is a Python call.
    """
    point = dict(zip(names, values.tolist(), strict=True))
    if is_of_a_notebook(file):
        return _call(file, point)
    words = [f"{name}={value!r}" for name, value in point.items()]
    return shlex.join(["lodescan-evaluator", "point", argument(file), *words, *(["--keep", keep] if keep else [])])


def is_of_a_notebook(file: Path) -> bool:
    """Whether the scan file belongs to a `proposer.Problem`, so that it is in the folder of the run."""
    return file.name == PROBLEM and (file.parent / DATASET).exists()


def _call(file: Path, point: Mapping[str, float]) -> str:
    try:
        function = next(iter(read_object(file.parent / "manifest.json")["sources"])).removeprefix(FUNCTION)
    except (DatasetError, LookupError, TypeError, StopIteration):  # somebody has changed the manifest
        function = "code"
    name, by_name, _ = function.partition("(")
    return f"{name}(**{point!r})" if by_name else f"{name}({point!r})"


def show_failed(file: Path, names: Sequence[str], values: Floats | None, code: str, message: str) -> list[str]:
    """Describes a failed point: the code, its message, and how to run the point alone."""
    lines = [f"code {code or '(not named by the evaluator)'}: {message or 'without a message'}"]
    if values is not None:
        lines.append(f"run it alone: {command(file, names, values)}")
    return lines


@dataclass(frozen=True)
class FailureKind:
    """Failed points of one kind in a dataset: their number, and the message and the values, shape (d,), of the last
    one.
    """

    code: str
    message: str
    points: int
    values: Floats


FAILED = (Status.FAILED, Status.TIMED_OUT)


def failure_kinds(dataset: Dataset, statuses: Collection[Status] = FAILED) -> list[FailureKind]:
    """The reasons why points ended with these statuses, the most frequent first; empty if no point did."""
    found: dict[tuple[str, str], FailureKind] = {}
    for part in dataset.results():
        for row in np.flatnonzero(np.isin(part.status, list(statuses))).tolist():
            code, message = part.failed_code[row], part.message[row]
            kind = kind_of(code, message)
            points = found[kind].points if kind in found else 0
            found[kind] = FailureKind(code, message, points + 1, part.params[row])
    return sorted(found.values(), key=lambda failures: -failures.points)


def show_reasons(kinds: Sequence[FailureKind], file: Path, names: Sequence[str], word: str = "failed") -> list[str]:
    """The most frequent kinds in words, each with the command that runs the last such point of the scan file. `word`:
    for their status.
    """
    lines: list[str] = []
    for kind in kinds[:MOST_REASONS]:
        shown = show_failed(file, names, kind.values, kind.code, kind.message)
        lines += [
            f"{word}, {kind.points:,} point{'s' if kind.points > 1 else ''}: {shown[0]}",
            *(f"  {line}" for line in shown[1:]),
        ]
    if len(kinds) > MOST_REASONS:
        lines.append(f"and {len(kinds) - MOST_REASONS:,} other reasons: the column message of an export has all")
    return lines


def scan_file(folder: Path) -> Path:
    """The original scan file of a run, or its copy if the manifest does not name it."""
    try:
        file = original(folder)
    except DatasetError:  # the manifest is for people; another program may have changed it
        return folder / "scan.yaml"
    return folder / PROBLEM if file.name == PROBLEM and not file.exists() else file
