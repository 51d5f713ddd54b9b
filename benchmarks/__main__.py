"""`make bench`: what a point costs in addition to the physics; medians of three runs, with goals and with BSMArt's
costs.
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.bsmart_cost import bsmart_costs
from benchmarks.memory import memory_by_points
from benchmarks.pairs import COPY, FREE, TEMPLATE, Cost, measure

RUNS = 3
GOAL_WORKERS, GOAL_PROGRAM = 150.0, 5.0  # microseconds, milliseconds
RATIO, COMPARED = 15, 64  # goal: in batches of 64, a point takes at most 1/15 of BSMArt's CPU
GOAL_MEMORY = 1.2  # goal: the growth of memory when there are ten times the points


def main() -> None:
    """Prints every table."""
    rival = bsmart_costs() or []
    ours: dict[int, float] = {}  # CPU by workers, in the batches that are compared
    print("A point that costs nothing, through gRPC and SQLite (microseconds a point; median of three runs)")
    print(f"{'workers':>8} {'batch':>6} {'wall':>8} {'proposer':>9} {'server':>8} {'workers':>8} {'CPU':>8}   goal")
    for workers in (0, 1, 2):
        for batch, points in ((1, 300), (64, 20_000), (1000, 40_000)):
            cost = _median([measure(FREE, workers, batch, points) for _ in range(RUNS)])
            verdict = f"{GOAL_WORKERS:.0f}: {_verdict(cost.cpu, GOAL_WORKERS)}" if workers and batch >= COMPARED else ""
            if batch == COMPARED:
                ours[workers] = cost.cpu
            print(
                f"{workers:>8} {batch:>6} {cost.wall:>8.0f} {cost.proposer:>9.0f} {cost.server:>8.0f} "
                f"{cost.workers:>8.0f} {cost.cpu:>8.0f}   {verdict}"
            )
    for cores, batch, wall, cpu in rival:
        print(f"BSMArt 2.0.2 with its csv, Cores {cores}, batches of {batch:,}: wall {wall:.0f}, CPU {cpu:.0f}")
    its = {cores: cpu for cores, batch, _, cpu in rival if batch == COMPARED}
    # the proposer and the evaluator are two processes even without workers, as BSMArt's are with two cores
    for workers, cores in ((0, 1), (0, 2), (1, 1), (1, 2), (2, 2)):
        what = f"--workers {workers} beside BSMArt with Cores {cores}, batches of {COMPARED}: {ours[workers]:.0f}"
        if (theirs := its.get(cores)) is None:
            print(f"{what}   1/{RATIO}: not measured")
        else:
            verdict = _verdict(ours[workers], theirs / RATIO)
            print(f"{what} of {theirs:.0f}, 1/{theirs / ours[workers]:.1f}   1/{RATIO}: {verdict}")

    bare = _bare_program()
    print(f"\nA point that runs a program, `cp`: {bare:.2f} ms alone (ms a point; above it: a worker's wall time)")
    print(f"{'workers':>8} {'batch':>6} {'wall':>8} {'CPU':>8} {'above':>8}   goal")
    for workers in (1, 2):
        for batch, points in ((1, 64), (64, 512), (1000, 1000)):
            cost = _median([measure(COPY, workers, batch, points) for _ in range(RUNS)])
            # two workers share a batch of many points, but with one point the second worker is idle
            over = cost.wall / 1000 * min(workers, batch) - bare
            verdict = "met" if over <= GOAL_PROGRAM else f"missed by {over - GOAL_PROGRAM:.1f}"
            print(
                f"{workers:>8} {batch:>6} {cost.wall / 1000:>8.2f} {cost.cpu / 1000:>8.2f} {over:>8.2f}   "
                f"{GOAL_PROGRAM:.0f}: {verdict}"
            )

    print("\nThe dataset (5 variables, 10 observables)")
    most = 0.0  # MiB, once the first row has shown what is needed
    for points, memory, disk, cost_us in memory_by_points((100_000, 1_000_000)):
        verdict = f"at most {most:.0f} MiB resident: {_verdict(memory, most)}" if most else ""
        most = most or GOAL_MEMORY * memory
        print(
            f"{points:>9,} points: {memory:.0f} MiB resident, {disk:.0f} MiB on disk, {cost_us:.0f} us a point   "
            f"{verdict}"
        )


def _verdict(used: float, goal: float) -> str:
    return "met" if used <= goal else f"missed by {used - goal:.0f}"


def _median(costs: list[Cost]) -> Cost:
    return Cost(
        *(
            statistics.median(getattr(cost, name) for cost in costs)
            for name in ("wall", "proposer", "server", "workers")
        )
    )


def _bare_program() -> float:
    """Milliseconds of one `cp` started from Python."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").write_text(TEMPLATE)
        times = []
        for _ in range(200):
            start = time.perf_counter()
            subprocess.run(["cp", folder / "in", folder / "out"], check=True)
            times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


if __name__ == "__main__":
    main()
