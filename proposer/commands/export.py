"""`lodescan export`: the points of a run for other programs, also while it goes on."""

from __future__ import annotations

import math
from pathlib import Path

from proposer.run import tables
from proposer.run.chains import Named, write_chains

FORMATS = {"csv": "csv", "parquet": "parquet", "hdf5": "h5", "getdist": ""}
"""Names of formats, and what their files end with."""


def export(folder: Path, kind: str) -> int:
    """Writes the points of a run and says where. Raises DatasetError, MissingPackage."""
    if kind == "getdist":
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
        for path in write_chains(folder, named):
            print(f"written: {path}")
        print("these are the good points, each with a weight of 1: a map of the region, and no posterior")
    else:
        print(f"written: {tables.export(folder, FORMATS[kind])}")
    return 0


def _label(label: str, name: str) -> str:
    """TeX without its dollars; a label without TeX, and a name, as upright text."""
    if label.startswith("$") and label.endswith("$") and label.count("$") == 2:
        return label[1:-1]
    return "\\mathrm{" + (label or name).replace("$", "").replace("_", r"\_") + "}"
