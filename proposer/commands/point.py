"""`lodescan point`: shows a stored point in full, and the command that runs it again and keeps its files."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from proposer.formats import show_number
from proposer.run.columns import Columns
from proposer.run.dataset import Dataset
from proposer.run.record import RunRecord
from proposer.run.rows import Results
from proposer.run.spectra import FOLDER
from proposer.show.failures import command, scan_file
from proposer.types import Status
from scanspec import UsageError


def point(folder: Path, number: int, *, as_json: bool = False) -> int:
    """Prints all stored values of a point, and returns 0. Raises DatasetError, and UsageError if the run has no such
    point.
    """
    with Dataset(folder, read_only=True) as dataset:
        columns, found = dataset.columns, dataset.point(number)
        if found is None:
            raise UsageError(
                f"{folder} has no point {number}", next_step=f"its points have the numbers 1 to {dataset.points:,}"
            )
        record = RunRecord.read(dataset.meta())
    again = _again(folder, record.variables, found)
    values = to_json(columns, found) | {"again": again, "files": _files(folder, number)}
    if as_json:
        print(json.dumps(values))
    else:
        for line in _lines(values, columns):
            print(line)
    return 0


def to_json(columns: Columns, point: Results) -> dict[str, Any]:
    """One point as JSON. Values that are missing, NaN, or infinite are None."""
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
            variable.name: value for variable, value in zip(columns.variables, point.params[0].tolist(), strict=True)
        },
        "observables": [
            {
                "name": observable.name,
                "code": observable.code,
                "unit": observable.unit,
                "value": _finite(value),
                "missing": position in missing,
                "likelihood": observable.likelihood,
                "loss": _finite(loss),
            }
            for position, (observable, value, loss) in enumerate(observables)
        ],
        "seconds": dict(zip([code.name for code in columns.codes], point.seconds[0].tolist(), strict=False)),
        "failed_code": point.failed_code[0] or None,
        "message": point.message[0] or None,
        "warnings": list(point.warnings[0]),
    }


def _again(folder: Path, names: list[str], point: Results) -> str:
    return command(scan_file(folder), names, point.params[0], f"point{int(point.ids[0])}")


def _files(folder: Path, number: int) -> list[str]:
    return sorted(str(path) for path in (folder / FOLDER / str(number)).glob("*") if path.is_file())


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _lines(values: dict[str, Any], columns: Columns) -> list[str]:
    ended = f" at {values['failed_code']}" if values["failed_code"] else ""
    lines = [
        f"point {values['id']}: {values['status'] or 'no answer yet'}{ended}"
        + ("" if values["nll"] is None else f", NLL {show_number(values['nll'])}"),
        f"batch {values['batch']}, iteration {values['iteration']}, proposed by {values['origin']}",
    ]
    if values["attempts"]:
        lines.append(f"killed from outside before: {values['attempts']} times")
    lines += [f"message: {values['message']}"] if values["message"] else []
    lines += [f"warning: {value}" for value in values["warnings"]]
    lines += [
        f"  {variable.name} = {values['variables'][variable.name]!r} {variable.unit}".rstrip()
        for variable in columns.variables
    ]
    for observable in values["observables"]:
        shown = (
            "missing"
            if observable["missing"]
            else "not a number"
            if observable["value"] is None
            else f"{observable['value']!r}"
        )
        loss = "" if observable["loss"] is None else f", loss {show_number(observable['loss'])}"
        unit = f" {observable['unit']}" if observable["unit"] and observable["value"] is not None else ""
        scored = (observable["likelihood"] or "OFF") != "OFF"
        words = f"{observable['likelihood']}{loss}" if scored else "no likelihood of its own"
        lines.append(f"  {observable['name']}: {shown}{unit} ({words})")
    if values["seconds"]:
        lines.append("seconds: " + ", ".join(f"{name} {seconds:.3g}" for name, seconds in values["seconds"].items()))
    lines += [f"file: {value}" for value in values["files"]]
    return [*lines, f"run it again: {values['again']}"]
