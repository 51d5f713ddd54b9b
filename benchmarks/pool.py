"""`make bench-pool`: a code that sleeps, through 1 to 16 evaluators on loopback: the speed-up and the cost.

Speed-up: points a second, divided by those of one evaluator in the same run. Idle: the share of the workers' time, from
the first point to the last, in which no code ran. Cost: the CPU of the proposer, and of the servers and workers of all
evaluators, for a point. If the code takes no time, the same points go through one evaluator and through all, in turns;
the first round does not count, and the round with the median cost is shown. The tables are in Markdown.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence

import numpy as np

from benchmarks.pairs import Cost, cpu_of, evaluators
from proposer.evaluation.work import Work
from proposer.types import Floats, Pending
from proposer.wire.pool import Pool

REPLICAS = (1, 2, 4, 8, 16)
GOALS = {1.0: 15.2, 0.1: 14.0}
"""The goal of the speed-up with 16 evaluators, by the seconds of a point."""

GOAL_COST = 1.3
"""The goal of the cost through all evaluators, as a multiple of that through one."""

POINTS_EACH = {1.0: 20, 0.1: 120, 0.01: 600}
FREE_POINTS, ROUNDS = 20_000, 5

SCAN = """
setup: {run_name: sleep}
variables: {nap: [0, 10]}
codes:
  sleep: {function: "bench_sleep:sleeps", observables: {cost: {scaling: MINUSEXPUSER}}}
"""
CODE = """
import time


def sleeps(point):
    if point["nap"]:
        time.sleep(point["nap"])
    return {"cost": point["nap"]}
"""


class Points:
    """Sends new points to evaluators. All of these take part from the start, and the pool already knows how long their
    points take.
    """

    def __init__(self, addresses: list[str], sleep: float) -> None:
        self._pool, self._ids = Pool(addresses, say=lambda _: None), 0
        self._pool.describe(60.0)
        while len(self._pool.addresses) < len(addresses):
            self.evaluate(2 * len(addresses), sleep)
        self.evaluate(2 * len(addresses), sleep)

    def evaluate(self, count: int, sleep: float) -> float:
        """Seconds until `count` points are answered, whose code sleeps for this time."""
        ids = np.arange(self._ids, self._ids + count)
        self._ids += count
        work = Work(["nap"])
        work.add(Pending(ids, np.full((count, 1), sleep), np.zeros(count, np.int64)), count)
        start = time.perf_counter()
        for _ in self._pool.evaluate(work, wait=60.0, until=math.inf):
            pass
        return time.perf_counter() - start

    def close(self) -> None:
        """Closes the connections."""
        self._pool.close()


def sleeping(addresses: list[str], pids: list[int], seconds: float) -> tuple[float, float]:
    """Points per second of a code that sleeps, and the CPU of all processes for a point in microseconds."""
    points, count = Points(addresses, seconds), POINTS_EACH[seconds] * len(addresses)
    before = _cpu(pids)
    rate = count / points.evaluate(count, seconds)
    spent = float((_cpu(pids) - before).sum())
    points.close()
    return rate, 1e6 * spent / count


def costs(addresses: list[str], pids: list[int]) -> tuple[Cost, Cost]:
    """The cost of a point whose code takes no time, through one evaluator and through all."""
    pools = [Points(addresses[:1], 0.0), Points(addresses, 0.0)]
    found: list[list[Cost]] = [[], []]
    for number in range(ROUNDS + 1):
        for points, values in zip(pools, found, strict=True):
            before = _cpu(pids)
            wall = points.evaluate(FREE_POINTS, 0.0)
            if number > 0:  # the first round does not count: gRPC's windows grow, and modules are loaded
                spent = np.array([wall, *(_cpu(pids) - before)])
                values.append(Cost(*(1e6 * spent / FREE_POINTS).tolist()))
    for points in pools:
        points.close()
    one, all_of_them = (sorted(values, key=lambda cost: cost.cpu)[ROUNDS // 2] for values in found)
    return one, all_of_them


def _cpu(servers: list[int]) -> Floats:
    """Seconds of CPU so far of this process, of all servers, and of all workers."""
    each = np.array([cpu_of(pid) for pid in servers])
    return np.array([each[0, 0], *each[:, 1:].sum(axis=0)])


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pool")
    parser.add_argument("--seconds", type=float, nargs="*", choices=POINTS_EACH, default=list(POINTS_EACH))
    parser.add_argument("--replicas", type=int, nargs="*", default=list(REPLICAS))
    options = parser.parse_args()
    most = max(options.replicas)
    with evaluators(SCAN, 1, ("bench_sleep.py", CODE), number=most) as (addresses, pids):
        _row(["s a point", "evaluators", "points/s", "speed-up", "idle", "CPU a point (µs)", "goal of the speed-up"])
        _row([*["---:"] * 6, "---"])
        for seconds in options.seconds:
            alone = math.nan
            for replicas in options.replicas:
                rate, spent = sleeping(addresses[:replicas], pids[:replicas], seconds)
                alone = rate if replicas == 1 else alone
                goal = GOALS.get(seconds) if replicas == max(REPLICAS) else None
                verdict = "" if goal is None else f"{goal:g}: {_verdict(goal - rate / alone)}"
                idle = 100 * (1.0 - rate * seconds / replicas)
                numbers = [f"{rate:.1f}", f"{rate / alone:.2f}", f"{idle:.1f} %", f"{spent:,.0f}"]
                _row([f"{seconds:g}", str(replicas), *numbers, verdict])
        one, many = costs(addresses, pids)
    print()
    _row(["points that cost nothing", "wall (µs)", "proposer", "servers", "workers", "CPU a point (µs)", "goal"])
    _row(["---", *["---:"] * 5, "---"])
    times = many.cpu / one.cpu
    for name, cost, verdict in (
        ("through 1 evaluator", one, ""),
        (
            f"through {most} evaluators",
            many,
            f"{GOAL_COST} times one; {times:.2f} times: {_verdict(times - GOAL_COST)}",
        ),
    ):
        parts = (cost.wall, cost.proposer, cost.server, cost.workers, cost.cpu)
        _row([name, *[f"{part:.0f}" for part in parts], verdict])


def _row(cells: Sequence[str]) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


def _verdict(by: float) -> str:
    return "met" if by <= 0.0 else f"missed by {by:.2f}"


if __name__ == "__main__":
    main()
