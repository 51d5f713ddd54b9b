"""`make bench-idle`: how long workers are idle while LODE chooses points, and what it costs to keep them busy.

Each run is a real scan of toy3d: an evaluator process with 8 workers, and a Python code that sleeps before it computes.
The idle share is 1 - (seconds in the code, summed over all points) / (8 x seconds from the start of the first point to
the end of the last). The cost of busy workers is that the scan needs more points.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.pairs import serving
from benchmarks.search.metrics import Cells
from benchmarks.search.problems import PROBLEMS, Problem
from proposer.loop import Limits, Scan
from proposer.run.columns import Columns
from proposer.run.dataset import Dataset
from proposer.run.tables import GoodPoints
from proposer.show.progress import About, Progress
from proposer.show.tally import read_tally
from proposer.space import Space
from proposer.strategies.lode.energy import ScoredObservable
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.lode.strategy import Lode
from proposer.target import Target
from proposer.types import Floats
from scanspec import Variable

WORKERS = 8
GOALS = {1.0: 0.02, 0.05: 0.10}
"""The largest share of time that workers may be idle, by the seconds of a point, in a scan with LODE's lag and in an
eager one.
"""
LAGS = {"lag0": 0, "lag1": 1, "lag2": 2, "eager": 1}

SCAN = """
setup: {{run_name: idle}}
variables: {{x0: [{low}, {high}], x1: [{low}, {high}], x2: [{low}, {high}]}}
codes:
  sleep: {{function: "bench_idle:toy3d", observables: {{y0: {{scaling: GAUSS, mean: 100, sigma: 10}}}}}}
"""
CODE = """
import math, os, struct, time

LOG = os.open({log!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def toy3d(point):
    start = time.monotonic()
    time.sleep({seconds})
    y = (2.0 + math.prod(math.cos(value / 7.0) for value in point.values())) ** 5
    os.write(LOG, struct.pack("dd", start, time.monotonic()))
    return {{"y0": y}}
"""


@dataclass(frozen=True)
class Run:
    """`idle`: the idle share of the workers. `wall`: seconds from the first point to the last. `to_good`: evaluations
    until the good points were found. `evaluated`: all evaluations. `cells`: the share of the good region's 256 parts
    that hold a good point.
    """

    idle: float
    wall: float
    to_good: int
    evaluated: int
    cells: float


def measure(problem: Problem, seconds: float, mode: str, good: int, seed: int) -> Run:
    """Runs one scan to its end; `mode`: a key of LAGS."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        code = CODE.format(log=str(folder / "log"), seconds=seconds)
        scan = SCAN.format(low=problem.low, high=problem.high)
        with serving(scan, WORKERS, ("bench_idle.py", code)) as (evaluator, _), Dataset(folder / "run") as dataset:
            space = Space([Variable(f"x{k}", problem.low, problem.high) for k in range(problem.dim)])
            observables = [ScoredObservable("y0", problem.likelihoods[0])]
            strategy = Lode(space, LodeSettings(target=Target(problem.threshold)), seed, observables)
            strategy.lag = LAGS[mode]
            dataset.start(Columns.named(space.names, ["y0"], ["sleep"]))
            tally = read_tally(dataset, good, Target(problem.threshold))
            table = GoodPoints(folder / "run" / "good_points.csv", list(space.names), ["y0"], Target(problem.threshold))
            evaluator.describe(20.0)
            Scan(
                dataset=dataset,
                strategy=strategy,
                space=space,
                backend=evaluator,
                good_points=table,
                limits=Limits(good, math.inf, math.inf),
                tally=tally,
                progress=Progress(tally, about=About(variables=space.names)),
                wait=20.0,
                eager=mode == "eager",
            ).run()
            parts = list(dataset.results())
        times = np.fromfile(folder / "log").reshape(-1, 2)
    u, nll = np.concatenate([part.u for part in parts]), np.concatenate([part.nll for part in parts])
    if len(times) != len(u) or not np.allclose(nll, problem.evaluate(u)[1]):
        raise RuntimeError("the code gave other values than the problem, or a point was evaluated twice")
    found = np.flatnonzero(nll < problem.threshold)[:good]
    idle, wall = idle_share(times, WORKERS)
    return Run(idle, wall, int(found[-1]) + 1, len(u), Cells.of_problem(problem).occupied(u[found]))


def idle_share(times: Floats, workers: int) -> tuple[float, float]:
    """The idle share of workers, and the seconds from the first point to the last; `times`: start and end of each
    point, shape (n, 2), seconds."""
    wall = float(times[:, 1].max() - times[:, 0].min())
    return 1.0 - float((times[:, 1] - times[:, 0]).sum()) / (workers * wall), wall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", default="1 0.05 0.005", help="seconds of a point; several separated by spaces")
    parser.add_argument("--modes", default=" ".join(LAGS), help="several separated by spaces")
    parser.add_argument("--good", type=int, default=1000, help="good points after which a scan ends")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    problem = PROBLEMS["toy3d"]
    Cells.of_problem(problem)  # made here, because the first use takes time
    print(f"LODE on toy3d to {arguments.good:,} good points, {WORKERS} workers, seed {arguments.seed}")
    print(f"{'s a point':>9} {'mode':>6} {'idle':>7} {'wall/s':>7} {'to good':>8} {'all':>6} {'cells':>6}   goal")
    for seconds in (float(text) for text in arguments.seconds.split()):
        for mode in arguments.modes.split():
            run = measure(problem, seconds, mode, arguments.good, arguments.seed)
            print(
                f"{seconds:>9g} {mode:>6} {100 * run.idle:>5.1f} % {run.wall:>7.1f} {run.to_good:>8,} "
                f"{run.evaluated:>6,} {run.cells:>6.2f}   {_verdict(seconds, mode, run.idle)}",
                flush=True,
            )


def _verdict(seconds: float, mode: str, idle: float) -> str:
    if seconds not in GOALS or mode not in ("lag1", "eager"):
        return ""
    goal = GOALS[seconds]
    return f"{100 * goal:.0f} %: {'met' if idle <= goal else f'missed by {100 * (idle - goal):.1f} %'}"


if __name__ == "__main__":
    main()
