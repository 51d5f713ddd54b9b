"""One search of one problem: `python -m benchmarks.search.run PROBLEM SEED`; prints a JSON line.

The strategy is driven as a scan drives it: ask number k sees the batches up to k - 1 - lag.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from benchmarks.search.ablations import NLL_ALONE, PARTS
from benchmarks.search.metrics import Cells
from benchmarks.search.problems import PROBLEMS, Problem
from proposer.drive import drive
from proposer.strategies.base import Strategy
from proposer.strategies.lode.method import METHOD
from proposer.strategies.lode.settings import BATCH, LodeSettings
from proposer.strategies.lode.strategy import Lode
from proposer.target import Target
from proposer.types import Floats, Status

ENOUGH = 1000
FIRST = (100, 200, 300, 400)
"""Good points and modes are counted after this number of evaluations, for codes that take an hour."""


@dataclass
class Record:
    """What a search evaluated: points (n, d), which of them are good, and the seconds of each ask."""

    u: Floats
    good: Any
    seconds: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)


def search(strategy: Strategy, problem: Problem, cells: Cells, most: int, *, nll_only: bool, verbose: bool) -> Record:
    """Runs until 1,000 good points are found and 95 % of the cells hold one, or `most` points are evaluated."""
    record = Record(np.empty((0, problem.dim)), np.empty(0, dtype=np.bool_))
    for told, seconds in drive(strategy, problem.backend(nll_only=nll_only), problem.space()):
        record.seconds.append(seconds)
        good = (told.status == Status.OK) & (told.nll < problem.threshold)
        record.u = np.concatenate([record.u, told.u])
        record.good = np.concatenate([record.good, good])
        record.sizes.append(len(told))
        if verbose:
            _show(told.origins, good, record, cells)
        found = record.u[record.good]
        if len(record.u) >= most or (
            len(found) >= ENOUGH and cells.evaluations_to(0.95, found, np.flatnonzero(record.good)) is not None
        ):
            break
    return record


def _show(origins: Any, good: Any, record: Record, cells: Cells) -> None:
    words = np.array(origins)
    shares = " ".join(f"{word} {int(good[words == word].sum())}/{int((words == word).sum())}" for word in set(origins))
    print(
        f"{len(record.u):6d} good {int(record.good.sum()):5d} cells {cells.occupied(record.u[record.good]):.2f} "
        f"{record.seconds[-1]:.2f} s  {shares}",
        file=sys.stderr,
        flush=True,
    )


def figures(problem: Problem, cells: Cells, record: Record) -> dict[str, Any]:
    """The figures of a run; None for what it did not reach."""
    rows = np.flatnonzero(record.good)
    _, first = np.unique(np.round(record.u[rows], 12), axis=0, return_index=True)
    rows = rows[np.sort(first)]  # only distinct points
    found = record.u[rows]
    thousand = found[:ENOUGH]
    modes = len(np.unique(problem.mode(problem.physical(thousand)))) if len(thousand) else 0
    return {
        "evaluations": len(record.u),
        "good": len(found),
        "to100": int(rows[99]) + 1 if len(found) >= 100 else None,
        "to1000": int(rows[ENOUGH - 1]) + 1 if len(found) >= ENOUGH else None,
        "good_at": {most: int((rows < most).sum()) for most in FIRST},
        "cells_at": {most: round(cells.occupied(found[rows < most]), 3) for most in FIRST},
        "cells": round(cells.occupied(thousand), 3),
        "ideal": round(cells.occupied(cells.points[:ENOUGH]), 3),
        "uniformity": round(cells.uniformity(thousand), 3),
        "modes": modes,
        "of_modes": problem.modes,
        "cells95_at": cells.evaluations_to(0.95, found, rows),
        "asks": len(record.seconds),
        "cpu_per_ask": round(float(np.mean(record.seconds[2:])), 2) if len(record.seconds) > 2 else None,
        "cpu_per_300": round(300 * float(np.sum(record.seconds)) / max(1, len(record.u)), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("problem", choices=sorted(PROBLEMS))
    parser.add_argument("seed", type=int)
    parser.add_argument("--nll-only", action="store_true", help="the strategy sees only the NLL")
    parser.add_argument("--collect", action="store_true", help="goal: collect")
    parser.add_argument("--without", choices=sorted(PARTS), help="the part of LODE that is removed or replaced")
    parser.add_argument("--most", type=int, default=8000, help="evaluations after which a run ends")
    parser.add_argument("--batch", type=int, help="the largest number of points in a batch")
    parser.add_argument("--budget", action="store_true", help="LODE knows the number of evaluations of the run")
    parser.add_argument("--verbose", action="store_true", help="print a line for each ask to stderr")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    logging.basicConfig(level=logging.DEBUG if arguments.verbose else logging.WARNING, format="%(message)s")
    problem = PROBLEMS[arguments.problem]
    cells = Cells.of_problem(problem)
    observables = problem.scored()
    budget = arguments.most if arguments.budget else math.inf
    batch = arguments.batch or BATCH
    settings = LodeSettings(Target(problem.threshold), batch, arguments.collect, evaluations=budget)
    method = PARTS[arguments.without] if arguments.without else METHOD
    strategy = Lode(problem.space(), settings, arguments.seed, observables, method)
    nll_only = arguments.nll_only or not observables or arguments.without in NLL_ALONE
    record = search(strategy, problem, cells, arguments.most, nll_only=nll_only, verbose=arguments.verbose)
    about = {
        "problem": problem.name,
        "seed": arguments.seed,
        "sees": "nll" if nll_only else "observables",
    }
    print(json.dumps(about | figures(problem, cells, record)), flush=True)


if __name__ == "__main__":
    main()
