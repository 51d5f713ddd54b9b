"""Writes good points as chains for GetDist: `ROOT.txt`, `ROOT.paramnames`, `ROOT.ranges`.

The format is that of CosmoMC and GetDist (arXiv:1910.13970, https://getdist.readthedocs.io). Every weight is 1, because
the points are a map of a region: a density drawn from them is not a posterior.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from proposer.run.dataset import Dataset, DatasetError
from proposer.run.files import START, writing
from proposer.run.names import plain_names
from proposer.run.record import RunRecord
from proposer.types import Floats

CHAINS = "chains"
"""The folder of these files in the folder of a run."""


@dataclass(frozen=True)
class Named:
    """A variable with its range, or an observable (`low` and `high` infinite), and a label in TeX without dollars."""

    name: str
    label: str
    low: float
    high: float


@dataclass(frozen=True)
class GoodColumns:
    """n good points: `values`, shape (n, k), of the columns `named`; `nll`, shape (n,); `derived`: whether each column
    is an observable.
    """

    named: Sequence[Named]
    values: Floats
    nll: Floats
    derived: Sequence[bool]


def read_good(folder: Path, named: Sequence[Named]) -> GoodColumns:
    """The good points of the run in `folder`. `named`: the wanted variables and observables.

    Raises DatasetError if there is no good point.
    """
    with Dataset(folder, read_only=True) as dataset:
        record = RunRecord.read(dataset.meta())
        if not record.started:
            raise DatasetError(f"{folder}: the run has not started yet, so there is nothing to export", next_step=START)
        parts = list(dataset.results(target=record.target))
    columns = [*record.variables, *record.observables]
    rows = [np.column_stack([part.nll, part.params, part.observables]) for part in parts]
    points = np.vstack(rows) if rows else np.empty((0, 1 + len(columns)))
    if not len(points):
        raise DatasetError(f"{folder}: no point is good, so there is no chain", next_step="scan on, or export a table")
    chosen = points[:, [1 + columns.index(column.name) for column in named]]
    return GoodColumns(named, chosen, points[:, 0], [column.name in record.observables for column in named])


def write_chains(folder: Path, good: GoodColumns) -> list[Path]:
    """Writes the good points of a run for GetDist, and returns the paths.

    In names, `_` replaces characters that GetDist cannot read: blanks, `*`, `?` and `#`.
    """
    root = f"{CHAINS}/{folder.resolve().name}"
    names = plain_names([column.name for column in good.named], _unwanted)
    rows = np.column_stack([good.nll, good.values]).tolist()
    contents = {
        "txt": "".join("1 " + " ".join(f"{value:.17g}" for value in row) + "\n" for row in rows),
        "paramnames": "".join(
            f"{name}{'*' if derived else ''}\t{column.label}\n"
            for name, derived, column in zip(names, good.derived, good.named, strict=True)
        ),
        "ranges": "".join(
            f"{name} {_end(column.low)} {_end(column.high)}\n" for name, column in zip(names, good.named, strict=True)
        ),
    }
    for kind, text in contents.items():
        with writing(folder, f"{root}.{kind}") as file:
            file.write(text.encode())
    return [folder / f"{root}.{kind}" for kind in contents]


def _end(value: float) -> str:
    return f"{value:.17g}" if np.isfinite(value) else "N"


def _unwanted(character: str) -> bool:
    return character.isspace() or character in "*?#"
