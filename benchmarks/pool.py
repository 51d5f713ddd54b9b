"""`make bench-pool`: a code that sleeps, through 1 to 16 evaluators on loopback: the speed-up and the cost.

Speed-up: points a second, divided by those of one evaluator in the same run. Idle: the share of the workers' time, from
the first point to the last, in which no code ran. Cost: the CPU of the proposer, and of the servers and workers of all
evaluators, for a point whose code takes no time. The same points go through one evaluator and through all, in turns;
the first round does not count, and the round with the median cost is shown.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np

from benchmarks.pairs import Cost, cpu_of, evaluators
from proposer.evaluation.work import Work
from proposer.types import Floats, Pending
from proposer.wire.pool import Pool

REPLICAS = (1, 2, 4, 8, 16)
GOALS = {1.0: 15.2, 0.1: 14.0}
"""The goal of the speed-up with 16 evaluators, by the seconds of a point."""

GOAL_COST = 1.3
POINTS_EACH = {1.0: 20, 0.1: 200, 0.01: 1000}
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


def rate_of(addresses: list[str], seconds: float) -> float:
    """Points per second of a code that sleeps."""
    points, count = Points(addresses, seconds), POINTS_EACH[seconds] * len(addresses)
    rate = count / points.evaluate(count, seconds)
    points.close()
    return rate


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
        print(f"{'s a point':>9} {'evaluators':>10} {'points/s':>9} {'speed-up':>8} {'idle':>6}   goal")
        for seconds in options.seconds:
            alone = math.nan
            for replicas in options.replicas:
                rate = rate_of(addresses[:replicas], seconds)
                alone = rate if replicas == 1 else alone
                goal = GOALS.get(seconds) if replicas == max(REPLICAS) else None
                verdict = "" if goal is None else f"{goal}: {_verdict(goal - rate / alone)}"
                idle = 100 * (1.0 - rate * seconds / replicas)
                print(
                    f"{seconds:>9} {replicas:>10} {rate:>9.1f} {rate / alone:>8.2f} {idle:>5.1f}%   {verdict}",
                    flush=True,
                )
        one, many = costs(addresses, pids)
    print("A point that costs nothing (microseconds)")
    print(f"{'evaluators':>10} {'wall':>8} {'proposer':>9} {'servers':>8} {'workers':>8} {'CPU':>8}   goal")
    for number, cost, verdict in (
        (1, one, ""),
        (most, many, f"{GOAL_COST} times: {_verdict(many.cpu / one.cpu - GOAL_COST)}"),
    ):
        row = f"{cost.wall:>8.0f} {cost.proposer:>9.0f} {cost.server:>8.0f} {cost.workers:>8.0f} {cost.cpu:>8.0f}"
        print(f"{number:>10} {row}   {verdict}")
    print(f"{many.cpu / one.cpu:.2f} times as much CPU through {most} as through one")


def _verdict(by: float) -> str:
    return "met" if by <= 0.0 else f"missed by {by:.2f}"


if __name__ == "__main__":
    main()
