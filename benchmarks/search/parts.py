"""`make bench-parts`: what each part of LODE is worth, from runs with all parts and without one of them.

Each run is a line in `benchmarks/rivals/results/parts.csv`, and is not done again while its line is there.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import torch

from benchmarks.rivals import results
from benchmarks.rivals.results import in_words
from benchmarks.search.ablations import NLL_ALONE, PARTS
from benchmarks.search.metrics import Cells
from benchmarks.search.problems import PROBLEMS
from benchmarks.search.run import figures, search
from proposer.strategies.lode.method import METHOD
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.lode.strategy import Lode
from proposer.target import Target

NONE = "nothing"
"""LODE with all of its parts."""
FIELDS = (
    "problem",
    "without",
    "seed",
    "most",
    "to100",
    "to1000",
    "cells",
    "uniformity",
    "modes",
    "of_modes",
    "cells95_at",
    "evaluations",
    "good",
    "cpu_per_300",
)


def main() -> None:
    """Runs what is missing, and prints a table."""
    parser = argparse.ArgumentParser(prog="benchmarks.search.parts", description=__doc__)
    every = [NONE, *PARTS]
    parser.add_argument("--without", nargs="*", default=every, choices=every)
    parser.add_argument("--problems", nargs="*", default=["himmelblau2d", "toy3d", "multi8d"], choices=sorted(PROBLEMS))
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1])
    parser.add_argument("--most", type=int, default=3000, help="evaluations of a run")
    options = parser.parse_args()
    torch.set_num_threads(1)
    done = results.read("parts")
    for name in options.problems:
        for part in options.without:
            for seed in options.seeds:
                about = {"problem": name, "without": part, "seed": seed, "most": options.most}
                if any(about.items() <= row.items() for row in done):
                    continue
                row = about | _run(name, part, seed, options.most)
                done.append(row)
                results.append("parts", row, FIELDS)
                print(json.dumps(row), file=sys.stderr, flush=True)
    show([row for row in done if row["most"] == options.most and row["seed"] in options.seeds], options)


def _run(name: str, part: str, seed: int, most: int) -> dict[str, Any]:
    problem = PROBLEMS[name]
    cells = Cells.of_problem(problem)
    observables = problem.scored()
    method = PARTS.get(part, METHOD)
    strategy = Lode(problem.space(), LodeSettings(Target(problem.threshold)), seed, observables, method)
    record = search(strategy, problem, cells, most, nll_only=part in NLL_ALONE, verbose=False)
    return figures(problem, cells, record)


def show(rows: list[dict[str, Any]], options: argparse.Namespace) -> None:
    """Prints a line for each problem and part, with a figure for each seed."""
    print(f"{'problem':<13} {'without':<12} {'1,000 good':>15} {'95 % of the cells':>18} {'cells':>11} {'modes':>9}")
    for name in options.problems:
        for part in options.without:
            runs = [row for row in rows if (row["problem"], row["without"]) == (name, part)]
            to1000, at95 = (", ".join(in_words(row[key]) for row in runs) for key in ("to1000", "cells95_at"))
            cells = ", ".join(f"{row['cells']:.2f}" for row in runs)
            modes = ", ".join(str(row["modes"]) for row in runs)
            print(f"{name:<13} {part:<12} {to1000:>15} {at95:>18} {cells:>11} {modes:>6}/{runs[0]['of_modes']}")


if __name__ == "__main__":
    main()
