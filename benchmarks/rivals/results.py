"""The measured runs: a CSV file for each method in `results/`, with a line for each run.

A run with the same problem, seed and limits is not done again; delete its line to measure it again.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"

_WORDS = ("problem", "method", "without", "until", "ended")
_FLOATS = ("cells", "ideal", "uniformity", "cpu_seconds", "seconds", "minutes", "cpu_per_300")
FIELDS = (
    "problem",
    "seed",
    "most",
    "cpu",
    "until",
    "to100",
    "to1000",
    "cells",
    "ideal",
    "uniformity",
    "modes",
    "of_modes",
    "cells95_at",
    "evaluations",
    "good",
    "repeats",
    "cpu_seconds",
    "seconds",
    "ended",
)
"""`most`, `cpu`: the limits of a run in evaluations and CPU seconds. `until`: "good" for 1,000 good points, "map" for
good points in 95 % of the cells as well. `to100`, `to1000`: evaluations until so many distinct good points were found,
empty if this was not reached. `cells` (and `ideal`, for 1,000 uniform good points), `uniformity`, `modes`: figures of
the first 1,000 good points. `cells95_at`: evaluations until 95 % of the cells hold a good point. `repeats`: evaluations
of points that were evaluated before. `ended`: why the run ended.
"""


def read(method: str) -> list[dict[str, Any]]:
    """The runs of a method; an empty field is None."""
    path = RESULTS / f"{method}.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        rows = csv.DictReader(file)
        return [{"method": method} | {key: _value(key, text) for key, text in row.items()} for row in rows]


def append(method: str, run: dict[str, Any], fields: Sequence[str] = FIELDS) -> None:
    """Adds a run; values without a field are left out."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{method}.csv"
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fields, extrasaction="ignore", lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(run)


def choose(
    parser: argparse.ArgumentParser, known: Mapping[str, Sequence[str]], seeds: Sequence[int]
) -> argparse.Namespace:
    """The options, those that name what is `known` split at spaces, all of it where empty; the same for `--seeds`."""
    options = parser.parse_args()
    for name, every in known.items():
        wanted = getattr(options, name).split() or list(every)
        if unknown := [word for word in wanted if word not in every]:
            parser.error(f"there is no {unknown[0]!r}; there are {', '.join(every)}")
        setattr(options, name, wanted)
    options.seeds = [int(seed) for seed in options.seeds.split()] or list(seeds)
    return options


def in_words(value: int | None) -> str:
    """A number of evaluations for people."""
    return "-" if value is None else f"{value:,}"


def _value(key: str, text: str) -> Any:
    if key in _WORDS:
        return text
    if not text:
        return None
    return float(text) if key in _FLOATS else int(text)
