"""Explains in words why points failed, and gives the command that runs one of them alone."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from proposer.run.dataset import Dataset, DatasetError
from proposer.run.files import read_object
from proposer.types import Floats, Outcome, Status

MOST_REASONS = 3
"""The most reasons that are named."""

_NUMBER = re.compile(r"[-+]?\d[\w.]*(?:[eE][-+]\d+)?")


def kind_of(code: str, message: str) -> tuple[str, str]:
    """The kind of a failure: the code and its message without numbers, because a message may name the point."""
    return code, _NUMBER.sub("#", message)


@dataclass(eq=False)
class Failures:
    """Failed points of one kind: how many, and the last of them."""

    last: Outcome
    points: int = 0


def command(file: Path, names: Sequence[str], values: Floats) -> str:
    """The command, quoted for a shell, that runs one point; `values`: shape (d,)."""
    point = [f"{name}={value!r}" for name, value in zip(names, values.tolist(), strict=True)]
    return shlex.join(["lodescan-evaluator", "point", str(file), *point])


def show_failed(file: Path, names: Sequence[str], values: Floats | None, code: str, message: str) -> list[str]:
    """Describes a failed point: the code, its message, and how to run the point alone."""
    lines = [f"code {code or '(not named by the evaluator)'}: {message or 'without a message'}"]
    if values is not None:
        lines.append(f"run it alone: {command(file, names, values)}")
    return lines


@dataclass(frozen=True)
class Kind:
    """Failed points of one kind in a dataset; message and values, shape (d,), of the last one."""

    code: str
    message: str
    points: int
    values: Floats


def failure_kinds(dataset: Dataset) -> list[Kind]:
    """Why points failed, the most frequent kind first; empty when none failed."""
    found: dict[tuple[str, str], Kind] = {}
    for part in dataset.results():
        for row in np.flatnonzero(np.isin(part.status, [Status.FAILED, Status.TIMED_OUT])).tolist():
            code, message = part.failed_code[row], part.message[row]
            kind = kind_of(code, message)
            points = found[kind].points if kind in found else 0
            found[kind] = Kind(code, message, points + 1, part.params[row])
    return sorted(found.values(), key=lambda failures: -failures.points)


def show_reasons(kinds: Sequence[Kind], file: Path, names: Sequence[str]) -> list[str]:
    """The most frequent kinds in words, each with the command that runs the last such point of the scan file."""
    lines: list[str] = []
    for kind in kinds[:MOST_REASONS]:
        shown = show_failed(file, names, kind.values, kind.code, kind.message)
        lines += [f"failed, {kind.points:,} points: {shown[0]}", *(f"  {line}" for line in shown[1:])]
    if len(kinds) > MOST_REASONS:
        lines.append(f"and {len(kinds) - MOST_REASONS:,} other reasons: the column message of an export has all")
    return lines


def scan_file(folder: Path) -> Path:
    """The scan file that a run was started with: functions and templates are beside it."""
    try:
        return Path(str(read_object(folder / "manifest.json")["scan_file"]))
    except (DatasetError, KeyError):  # the manifest is for people; another program may have changed it
        return folder / "scan.yaml"
