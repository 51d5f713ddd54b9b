"""`make bench-search`: other scanners and lodescan's strategies on the problems of `benchmarks.search`.

Each run is a line in `results/METHOD.csv`, and is not done again while its line is there. At the end a table of medians
over the seeds is printed. Every method sees only the NLL. A run ends with 1,000 good points and good points in 95 % of
the cells (with `--until good`: with 1,000 good points), when its evaluations or CPU seconds are spent, or when the
scanner itself ends.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from typing import Any

import numpy as np

from benchmarks.rivals import results
from benchmarks.rivals.answers import Answers
from benchmarks.rivals.ours import OURS, run_ours
from benchmarks.rivals.start import RIVALS, run_rival
from benchmarks.search.metrics import Cells
from benchmarks.search.problems import PROBLEMS
from benchmarks.search.run import figures


def main() -> None:
    """Runs what is asked for, prints a table."""
    options = _options()
    done = [row for method in options.rivals for row in results.read(method)]
    limits = {"most": options.most, "cpu": options.cpu, "until": options.until}
    for name in options.problems:
        cells = Cells.of_problem(PROBLEMS[name])
        for seed in options.seeds:
            for method in options.rivals:
                about = {"method": method, "problem": name, "seed": seed} | limits
                if any(about.items() <= row.items() for row in done):
                    continue
                answers = Answers(PROBLEMS[name], cells, options.most, cells95=options.until == "map")
                row = about | _run(method, answers, cells, seed, options.cpu)
                done.append(row)
                results.append(method, row)
                print(json.dumps(row), file=sys.stderr, flush=True)
    chosen = [row for row in done if limits.items() <= row.items()]
    show([row for row in chosen if row["problem"] in options.problems and row["seed"] in options.seeds])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.rivals", description=__doc__)
    methods = [*RIVALS, *OURS]
    parser.add_argument("--rivals", default="", help=f"of {', '.join(methods)}; all of them where empty")
    parser.add_argument("--problems", default="", help=f"of {', '.join(PROBLEMS)}; all of them where empty")
    parser.add_argument("--seeds", default="", help="default: 0 1 2")
    parser.add_argument("--most", type=int, default=15_000, help="evaluations of a run")
    parser.add_argument("--cpu", type=int, default=120, help="CPU seconds of a run")
    parser.add_argument(
        "--until",
        choices=["map", "good"],
        default="map",
        help="good: do not wait for good points in 95 %% of the cells",
    )
    return results.choose(parser, {"rivals": methods, "problems": list(PROBLEMS)}, [0, 1, 2])


def _run(method: str, answers: Answers, cells: Cells, seed: int, cpu: int) -> dict[str, Any]:
    start = time.perf_counter()
    if method in OURS:
        ended, used = run_ours(method, answers, cells.volume, seed, cpu)
    else:
        ended, used = run_rival(RIVALS[method], answers, cells.volume, seed, cpu)
    found: dict[str, Any] = figures(answers.problem, cells, answers.record())
    return found | {
        "ended": ended,
        "cpu_seconds": round(used, 1),
        "seconds": round(time.perf_counter() - start, 1),
        "repeats": answers.repeats(),
    }


def show(rows: list[dict[str, Any]]) -> None:
    """Prints a line for each problem and method, with medians over the seeds."""
    print(
        f"{'problem':<13} {'method':<20} {'to 1,000 good':>13} {'cells':>6} {'even':>5} {'modes':>6} "
        f"{'to 95 % cells':>13} {'runs':>4} {'CPU s':>6}  ended"
    )
    for problem in dict.fromkeys(row["problem"] for row in rows):
        of_problem = [row for row in rows if row["problem"] == problem]
        for method in dict.fromkeys(row["method"] for row in of_problem):
            runs = [row for row in of_problem if row["method"] == method]
            modes = statistics.median(row["modes"] for row in runs)
            ends = dict.fromkeys(row["ended"] for row in runs)
            print(
                f"{problem:<13} {method:<20} {_median(runs, 'to1000'):>13} "
                f"{statistics.median(row['cells'] for row in runs):>6.2f} "
                f"{statistics.median(row['uniformity'] for row in runs):>5.2f} {modes:>3g}/{runs[0]['of_modes']:<2} "
                f"{_median(runs, 'cells95_at'):>13} {len(runs):>4} "
                f"{statistics.median(row['cpu_seconds'] for row in runs):>6.0f}  {', '.join(ends)}"
            )


def _median(runs: list[dict[str, Any]], key: str) -> str:
    """The median, where a run that did not reach the goal counts as the worst, and the number of such runs."""
    values = sorted(np.inf if row[key] is None else row[key] for row in runs)
    middle = statistics.median_low(values)
    without = sum(row[key] is None for row in runs)
    return ("-" if np.isinf(middle) else f"{middle:,.0f}") + (f" ({without} not)" if without else "")


if __name__ == "__main__":
    main()
