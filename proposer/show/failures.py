"""Why points failed, in words, and the command that runs one of them alone."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from proposer.run.dataset import Dataset
from proposer.types import Floats, Status

MOST_REASONS = 3
"""The most reasons that are named."""


def command(file: Path, names: Sequence[str], values: Floats) -> str:
    """The command, quoted for a shell, that runs one point; `values`: shape (d,)."""
    point = [f"{name}={value!r}" for name, value in zip(names, values.tolist(), strict=True)]
    return shlex.join(["lodescan-evaluator", "point", str(file), *point])


def show_failed(file: Path, names: Sequence[str], values: Floats | None, code: str, message: str) -> list[str]:
    """A failed point for people: the code, what it said, how to run it alone."""
    lines = [f"code {code or '(not named by the evaluator)'}: {message or 'without a message'}"]
    if values is not None:
        lines.append(f"run it alone: {command(file, names, values)}")
    return lines


def find_point(dataset: Dataset, point: int) -> Floats | None:
    """The values of an answered point, shape (d,)."""
    for part in dataset.results():
        for row in np.flatnonzero(part.ids == point).tolist():
            return np.asarray(part.params[row])
    return None


def show_reasons(dataset: Dataset, folder: Path, names: Sequence[str]) -> list[str]:
    """The codes that failed most often with what they said, and one such point; empty when none failed."""
    reasons: Counter[tuple[str, str]] = Counter()
    last: dict[tuple[str, str], Floats] = {}
    for part in dataset.results():
        for row in np.flatnonzero(np.isin(part.status, [Status.FAILED, Status.TIMED_OUT])).tolist():
            reason = part.failed_code[row], part.message[row]
            reasons[reason] += 1
            last[reason] = part.params[row]
    lines: list[str] = []
    for (code, message), points in reasons.most_common(MOST_REASONS):
        shown = show_failed(scan_file(folder), names, last[code, message], code, message)
        lines += [f"failed, {points:,} points: {shown[0]}", *(f"  {line}" for line in shown[1:])]
    if len(reasons) > MOST_REASONS:
        lines.append(f"and {len(reasons) - MOST_REASONS:,} other reasons: the column message of an export has all")
    return lines


def scan_file(folder: Path) -> Path:
    """The scan file that a run was started with: functions and templates are beside it."""
    try:
        return Path(str(json.loads((folder / "manifest.json").read_text())["scan_file"]))
    except (OSError, ValueError, KeyError):
        return folder / "scan.yaml"
