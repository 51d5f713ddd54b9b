"""`lodescan export`: writes the points of a run for other programs, even while the scan is running."""

from __future__ import annotations

import math
import re
from pathlib import Path

from proposer.run import tables
from proposer.run.chains import GoodColumns, Named, read_good, write_chains
from proposer.run.samples import NO_POSTERIOR, write_anesthetic, write_arviz

TABLES = {"csv": "csv", "parquet": "parquet", "hdf5": "h5"}
"""Formats for tables of all points, with the suffixes of their files."""


def export(folder: Path, kind: str) -> int:
    """Writes the points of a run and prints the paths. Raises DatasetError and MissingPackage."""
    if kind in TABLES:
        print(f"written: {tables.export(folder, TABLES[kind])}")
        return 0
    good = _good(folder)
    if kind == "getdist":
        paths = write_chains(folder, good)
    else:
        paths = [write_arviz(folder, good) if kind == "arviz" else write_anesthetic(folder, good)]
    for path in paths:
        print(f"written: {path}")
    print(NO_POSTERIOR)
    return 0


def _good(folder: Path) -> GoodColumns:
    from proposer.show.plots import read_scan

    scan = read_scan(folder)
    named = [
        Named(variable.name, _label(variable.label, variable.name), variable.low, variable.high)
        for variable in scan.variables
        if not variable.fixed
    ]
    named += [
        Named(observable.name, _label(observable.label, observable.name), -math.inf, math.inf)
        for observable in scan.all_observables()
    ]
    return read_good(folder, named)


def _label(label: str, name: str) -> str:
    """A label as a formula of TeX. What is not between dollar signs, and names, become upright text."""
    parts = label.split("$") if label.count("$") % 2 == 0 and label else [name]
    return "".join(part if k % 2 else _text(part) for k, part in enumerate(parts) if part)


def _text(words: str) -> str:
    """Words within a formula. Matplotlib's formulas take quotation marks in \\text, but not in \\mathrm, and LaTeX does
    if amsmath is loaded.
    """
    return "\\text{" + re.sub(r"([_%#&{}$])", r"\\\1", words.replace("\\", "")) + "}"
