"""Two runs of the same points by two physics codes, side by side.

usage: tools/swap.py RUN RUN

Compares the points that both have worked on (the bootstrap, where the seeds are equal): how many have which
status, and, where both are OK, the second run's observables over the first's.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np

from proposer.run.dataset import Dataset
from proposer.types import Status
from scanspec import read_scan_file

Row = tuple[str, list[float], float]
"""Status, observables, NLL."""


def main(*folders: str) -> int:
    names, first = read(Path(folders[0]))
    other_names, second = read(Path(folders[1]))
    if names != other_names:
        raise SystemExit(f"the runs have other observables: {', '.join(names)}; {', '.join(other_names)}")
    both = [point for point in first if point in second]
    print(f"{len(both)} points are in both runs")
    for pair, count in sorted(Counter((first[each][0], second[each][0]) for each in both).items()):
        print(f"  {pair[0]}, {pair[1]}: {count}")
    ok = [point for point in both if first[point][0] == second[point][0] == "OK"]
    if not ok:
        return 0
    ours, theirs = (np.array([[*run[point][1], run[point][2]] for point in ok]) for run in (first, second))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = theirs / ours
    print(f"{len(ok)} are OK in both; second over first: least, median, largest; largest difference")
    for position, name in enumerate([*names, "NLL"]):
        column, apart = ratios[:, position], np.abs(theirs - ours)[:, position].max()
        print(f"  {name}: {np.min(column):.6g}, {np.median(column):.6g}, {np.max(column):.6g}; {apart:.4g}")
    logs = np.corrcoef(np.log(ours[:, -1]), np.log(theirs[:, -1]))[0, 1]
    print(f"  correlation of ln NLL: {logs:.4f}; lowest NLL: {ours[:, -1].min():.4g}, {theirs[:, -1].min():.4g}")
    return 0


def read(folder: Path) -> tuple[list[str], dict[tuple[float, ...], Row]]:
    """The names of the observables, and each answered point by its parameters."""
    names = [each.name for each in read_scan_file(next(folder.glob("scan.*"))).all_observables()]
    found: dict[tuple[float, ...], Row] = {}
    with Dataset(folder, read_only=True) as dataset:
        for part in dataset.results():
            columns = part.params.tolist(), part.status, part.observables.tolist(), part.nll.tolist()
            for point, status, observables, nll in zip(*columns, strict=True):
                found[tuple(point)] = (Status(status).name, observables, nll)
    return names, found


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
