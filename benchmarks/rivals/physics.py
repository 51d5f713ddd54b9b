"""`make bench-physics`: the real codes of the examples, with lodescan's types as real scans with an evaluator.

Each run is a line in `results/physics.csv`, and is not done again while its line is there. Other scanners, LODE with
only the NLL, and random points run on camb_w0wa, which takes 7 ms a point. Its good region is cut into 64 cells of
equal volume.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.rivals import results
from benchmarks.rivals.answers import Answers
from benchmarks.rivals.codes import nll_of
from benchmarks.rivals.ours import OURS, run_ours
from benchmarks.rivals.results import in_words
from benchmarks.rivals.start import RIVALS, run_rival
from benchmarks.search.metrics import Cells
from benchmarks.search.problems import Problem
from benchmarks.search.run import ENOUGH
from proposer.run.dataset import Dataset
from proposer.strategies.choice import read_settings
from proposer.types import Floats, Status
from scanspec import read_scan_file


@dataclass(frozen=True)
class Limits:
    """A run ends after this number of good points, evaluations or minutes."""

    points: int
    most: int
    minutes: float


SCANS = {
    "simsusy_stau": Limits(points=100, most=4000, minutes=40),
    "hazma_darkphoton": Limits(points=50, most=4000, minutes=30),
    "camb_w0wa": Limits(points=2000, most=8000, minutes=15),
}
"""The limits for each example. camb_w0wa goes on beyond a thousand good points, so that more runs reach 95 % of its
cells.
"""
MAPPED = "camb_w0wa"
REFERENCE, CELLS = 30_000, 64
"""The number of random evaluations from which the cells are made, and the number of cells, each of which has 9 good
points.
"""
TYPES = ("LODE", "MLS_DNNC", "RANDOM")
BY_NLL = ("lode-nll", "bsmart-cmaes-nd", "nautilus")
"""These methods see only the NLL, through a function; lodescan's types see the observables, as in a real scan."""
COUNTS = (10, 50, 100, 1000)
FIELDS = (
    "problem",
    "method",
    "seed",
    "points",
    "most",
    "minutes",
    *(f"to{count}" for count in COUNTS),
    "cells",
    "cells95_at",
    "evaluations",
    "good",
    "invalid",
    "failed",
    "seconds",
    "ended",
)
"""`points`, `most`, `minutes`: the limits of the run. `to10`...: evaluations to so many good points. `cells`: of the
first 1,000 good points; `cells95_at`: evaluations until 95 % of the cells hold one; both empty without cells."""


def main() -> None:
    """Runs the requested methods and prints a table."""
    options = _options()
    done = results.read("physics")
    for name in options.scans:
        for method in options.methods:
            once = method in BY_NLL or method == "RANDOM"
            if once and name != MAPPED:
                continue
            for seed in options.seeds[:1] if once else options.seeds:
                about = {"problem": name, "method": method, "seed": seed} | vars(SCANS[name])
                if any(about.items() <= row.items() for row in done):
                    continue
                row = about | (_run_by_nll(method, seed) if method in BY_NLL else _run_scan(name, method, seed))
                done.append(row)
                results.append("physics", row, FIELDS)
                print(json.dumps(row), file=sys.stderr, flush=True)
    show([row for row in done if row["problem"] in options.scans and row["method"] in options.methods])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.rivals.physics", description=__doc__)
    methods = [*TYPES, *BY_NLL]
    parser.add_argument("--scans", default="", help=f"of {', '.join(SCANS)}; all of them where empty")
    parser.add_argument("--methods", default="", help=f"of {', '.join(methods)}; all of them where empty")
    parser.add_argument("--seeds", default="", help="default: 1 2; only the first for other scanners and RANDOM")
    return results.choose(parser, {"scans": list(SCANS), "methods": methods}, [1, 2])


def _run_scan(name: str, kind: str, seed: int) -> dict[str, Any]:
    """Runs a scan as a user does, in a folder that is removed afterwards."""
    limits = SCANS[name]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree("examples", f"{folder}/examples", ignore=shutil.ignore_patterns("pictures")))
        scan, run = copy / f"{name}.yaml", Path(folder) / "run"
        scan.write_text(_with_limits(scan.read_text(), kind, limits))
        spec = read_scan_file(scan)
        ended = subprocess.run(
            [
                *(str(Path(sys.executable).with_name("lodescan")), "run", str(scan)),
                *("--workers", "1", "--run", str(run), "--seed", str(seed)),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if ended.returncode:
            raise RuntimeError(f"{name}, {kind}: exit {ended.returncode}\n{ended.stderr[-2000:]}")
        u, nll, status = [np.empty((0, len(spec.variables)))], [np.empty(0)], [np.empty(0, dtype=np.int8)]
        with Dataset(run, read_only=True) as dataset:
            for part in dataset.results():
                u.append(part.u)
                nll.append(part.nll)
                status.append(part.status)
            meta = dataset.meta()
        good = np.concatenate(nll) < read_settings(spec).target.threshold  # not NaN
    of_status = np.concatenate(status)
    return _figures(np.concatenate(u), good, _cells() if name == MAPPED else None) | {
        "invalid": int((of_status == Status.INVALID).sum()),
        "failed": int((of_status > Status.INVALID).sum()),
        "seconds": round(meta["seconds"], 1),
        "ended": meta["stopped"].split(" (")[0],
    }


def _with_limits(text: str, kind: str, limits: Limits) -> str:
    """The text of a scan file with another type and other limits."""
    text, types = re.subn(r"(?m)^  type: .*", f"  type: {kind}\n  max_evaluations: {limits.most}", text)
    text, points = re.subn(r"(?m)^  points: .*", f"  points: {limits.points}\n  max_hours: {limits.minutes / 60}", text)
    if (types, points) != (1, 1):
        raise RuntimeError("the scan file has no line for its type or its points")
    return text


def _run_by_nll(method: str, seed: int) -> dict[str, Any]:
    limits, cells = SCANS[MAPPED], _cells()
    with nll_of(_file(MAPPED)) as nll:
        answers = Answers(_problem(nll), cells, limits.most, cells95=True)
        start = time.perf_counter()
        cpu = int(60 * limits.minutes)
        if method in OURS:
            ended, _ = run_ours(method, answers, cells.volume, seed, cpu)
        else:
            ended, _ = run_rival(RIVALS[method], answers, cells.volume, seed, cpu)
    record = answers.record()
    _, first = np.unique(record.u, axis=0, return_index=True)
    good = np.zeros(len(record.u), dtype=np.bool_)
    good[first] = record.good[first]
    return _figures(record.u, good, cells) | {"seconds": round(time.perf_counter() - start, 1), "ended": ended}


def _figures(u: Floats, good: NDArray[np.bool_], cells: Cells | None) -> dict[str, Any]:
    """The figures of points u (n, d) in the order in which they were asked for; `good` has shape (n,)."""
    good_at = np.flatnonzero(good)
    found: dict[str, Any] = {f"to{n}": int(good_at[n - 1]) + 1 if len(good_at) >= n else None for n in COUNTS}
    found |= {"evaluations": len(u), "good": len(good_at), "cells": None, "cells95_at": None}
    if cells is not None:
        found["cells"] = round(cells.occupied(u[good_at[:ENOUGH]]), 3)
        found["cells95_at"] = cells.evaluations_to(0.95, u[good_at], good_at)
    return found


def _file(name: str) -> Path:
    return Path(f"examples/{name}.yaml")


def _problem(nll: Any) -> Problem:
    spec = read_scan_file(_file(MAPPED))
    threshold = read_settings(spec).target.threshold
    return Problem(MAPPED, len(spec.variables), threshold, nll_only=nll)


def _cells() -> Cells:
    return Cells.cached(MAPPED, _reference, CELLS)


def _reference() -> tuple[Floats, float]:
    """The good ones of many random points, and their share."""
    with nll_of(_file(MAPPED)) as nll:
        problem = _problem(nll)
        u = np.random.default_rng(20260).random((REFERENCE, problem.dim))
        good = nll(u) < problem.threshold  # not NaN
    return u[good], float(good.mean())


def show(rows: list[dict[str, Any]]) -> None:
    """Prints a line for each run."""
    print(
        f"{'scan':<17} {'method':<16} {'seed':>4}"
        + "".join(f"{f'to {count:,}':>9}" for count in COUNTS)
        + f" {'cells':>6} {'95 % at':>8} {'evaluated':>9} {'good':>5} {'INVALID':>7}  ended"
    )
    for row in sorted(rows, key=lambda row: list(SCANS).index(row["problem"])):
        counts = "".join(f"{in_words(row[f'to{count}']):>9}" for count in COUNTS)
        cells = "" if row["cells"] is None else f"{row['cells']:.2f}"
        print(
            f"{row['problem']:<17} {row['method']:<16} {row['seed']:>4}{counts} {cells:>6} "
            f"{in_words(row['cells95_at']) if cells else '':>8} {row['evaluations']:>9,} {row['good']:>5,} "
            f"{in_words(row.get('invalid')):>7}  {row['ended']}"
        )


if __name__ == "__main__":
    main()
