"""`lodescan point`: a stored point in full, and the command that runs it again with its files kept."""

from __future__ import annotations

import json
import math
import shlex
from pathlib import Path
from typing import Any

from proposer.formats import show_number
from proposer.run.columns import Columns
from proposer.run.dataset import Dataset
from proposer.run.rows import Results
from proposer.run.spectra import FOLDER
from proposer.show.failures import command, scan_file
from proposer.types import Status
from scanspec import UsageError


def point(folder: Path, number: int, *, as_json: bool = False) -> int:
    """Prints all that is known of a point. Raises UsageError where the run has no such point, DatasetError."""
    with Dataset(folder, read_only=True) as dataset:
        columns, found = dataset.columns, dataset.point(number)
        if found is None:
            raise UsageError(
                f"{folder} has no point {number}", next_step=f"its points have the numbers 1 to {dataset.points:,}"
            )
        meta = dataset.meta()
    again = _again(folder, list(meta["variables"]), found)
    values = to_json(columns, found) | {"again": again, "files": _files(folder, number)}
    if as_json:
        print(json.dumps(values))
    else:
        for line in _lines(values, columns):
            print(line)
    return 0


def to_json(columns: Columns, point: Results) -> dict[str, Any]:
    """One point as JSON has it; None for what is not there, is NaN or infinite."""
    missing, status = set(point.missing[0]), int(point.status[0])
    observables = zip(columns.observables, point.observables[0].tolist(), point.losses[0].tolist(), strict=True)
    return {
        "id": int(point.ids[0]),
        "batch": int(point.batches[0]),
        "iteration": int(point.iterations[0]),
        "origin": point.origins[0],
        "attempts": int(point.attempts[0]),
        "status": Status(status).name if status else None,
        "nll": _finite(float(point.nll[0])),
        "variables": {
            each.name: value for each, value in zip(columns.variables, point.params[0].tolist(), strict=True)
        },
        "observables": [
            {
                "name": each.name,
                "code": each.code,
                "unit": each.unit,
                "value": _finite(value),
                "missing": place in missing,
                "likelihood": each.likelihood,
                "loss": _finite(loss),
            }
            for place, (each, value, loss) in enumerate(observables)
        ],
        "seconds": dict(zip([each.name for each in columns.codes], point.seconds[0].tolist(), strict=False)),
        "failed_code": point.failed_code[0] or None,
        "message": point.message[0] or None,
        "warnings": list(point.warnings[0]),
    }


def _again(folder: Path, names: list[str], point: Results) -> str:
    keep = shlex.quote(f"point{int(point.ids[0])}")
    return f"{command(scan_file(folder), names, point.params[0])} --keep {keep}"


def _files(folder: Path, number: int) -> list[str]:
    return sorted(str(path) for path in (folder / FOLDER / str(number)).glob("*") if path.is_file())


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _lines(values: dict[str, Any], columns: Columns) -> list[str]:
    ended = f" at {values['failed_code']}" if values["failed_code"] else ""
    lines = [
        f"point {values['id']}: {values['status'] or 'no answer yet'}{ended}"
        + ("" if values["nll"] is None else f", NLL {show_number(values['nll'])}"),
        f"batch {values['batch']}, iteration {values['iteration']}, asked for as {values['origin']}",
    ]
    if values["attempts"]:
        lines.append(f"killed from outside before: {values['attempts']} times")
    lines += [f"message: {values['message']}"] if values["message"] else []
    lines += [f"warning: {each}" for each in values["warnings"]]
    lines += [f"  {each.name} = {values['variables'][each.name]!r} {each.unit}".rstrip() for each in columns.variables]
    for each in values["observables"]:
        shown = "missing" if each["missing"] else "not a number" if each["value"] is None else f"{each['value']!r}"
        loss = "" if each["loss"] is None else f", loss {show_number(each['loss'])}"
        unit = f" {each['unit']}" if each["unit"] else ""
        lines.append(f"  {each['name']}: {shown}{unit} ({each['likelihood'] or 'no likelihood'}{loss})")
    if values["seconds"]:
        lines.append("seconds: " + ", ".join(f"{name} {s:.3g}" for name, s in values["seconds"].items()))
    lines += [f"file: {each}" for each in values["files"]]
    return [*lines, f"run it again: {values['again']}"]
