"""Are the reference points of rare problems right? `python -m benchmarks.search.references [PROBLEM ...]`.

Where less than 5e-4 of the cube is good, `metrics` draws the reference points with subset simulation. This check
compares them with plain uniform draws, which need no method: the good share of the cube, and the numbers of good draws
in 16 groups of 16 cells, which should be equal.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from benchmarks.search.metrics import RARE, REFERENCE, Cells, good_draws
from benchmarks.search.problems import PROBLEMS, Problem

ENOUGH = 800
"""Good draws after which a check ends."""
GROUPS = 16


@dataclass(frozen=True)
class Check:
    """`draws`: uniform draws, of which `good` are good. `share`: the good share by the reference points. `probability`:
    of groups at least as unequal as these, if the reference points are uniform (chi-squared test).
    """

    share: float
    draws: int
    good: int
    probability: float

    @property
    def ratio(self) -> float:
        """The good share by the reference points, relative to that of the draws."""
        return self.share * self.draws / max(1, self.good)

    @property
    def error(self) -> float:
        """The standard error of `ratio` from the number of good draws."""
        return self.ratio / math.sqrt(max(1, self.good))


def check(problem: Problem, cells: Cells, most: int, seed: int = 0) -> Check:
    """Compares the reference points with at most `most` uniform draws."""
    rng = np.random.default_rng(seed)
    groups, draws = np.zeros(GROUPS), 0
    while draws < most and groups.sum() < ENOUGH:
        u, n = good_draws(problem, rng)
        draws += n
        groups += np.bincount(cells.cell(u) * GROUPS // cells.count, minlength=GROUPS)
    expected = max(1.0, groups.sum()) / GROUPS
    # The borders of the cells come from the reference points, and have an error too.
    variance = expected * (1 + groups.sum() / REFERENCE)
    unequal = float(((groups - expected) ** 2).sum() / variance)
    return Check(cells.volume, draws, int(groups.sum()), float(chi2.sf(unequal, GROUPS - 1)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("problems", nargs="*", help="default: all with a good share below 5e-4")
    parser.add_argument("--most", type=int, default=40_000_000, help="draws for a problem")
    arguments = parser.parse_args()
    print("| problem | good share | good draws | ratio of the shares | probability of the groups |")
    print("|---|---|---|---|---|")
    for name in arguments.problems or PROBLEMS:
        cells = Cells.of_problem(PROBLEMS[name])
        if arguments.problems or cells.volume < RARE:
            seen = check(PROBLEMS[name], cells, arguments.most)
            print(
                f"| {name} | {seen.share:.1e} | {seen.good} of {seen.draws:,} | {seen.ratio:.2f} ± {seen.error:.2f} | "
                f"{seen.probability:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
