"""Writes good points for anesthetic and arviz, in the format that each package writes itself.

Every weight is 1: the points are a map of a region, and a density drawn from them is not a posterior. The files say so.
"""

from __future__ import annotations

import csv
import importlib
import io
from pathlib import Path

import numpy as np

from proposer.run.chains import CHAINS, GoodColumns
from proposer.run.files import writing
from proposer.run.names import plain_names
from proposer.run.tables import MissingPackage

NO_POSTERIOR = "These points are a map of the good region, and no posterior: every weight is 1."


def write_anesthetic(folder: Path, good: GoodColumns) -> Path:
    """Writes a table in the format of `Samples.to_csv` of anesthetic (arXiv:1905.04768): names, labels, then one row
    per point.
    """
    content = io.StringIO()
    table = csv.writer(content, lineterminator="\n")
    table.writerow(["", "", *(column.name for column in good.named), "logL"])
    table.writerow(["labels", "", *(f"${column.label}$" for column in good.named), r"$\ln\mathcal{L}$"])
    table.writerow(["", "weights", *("" for _ in good.named), ""])
    for number, (row, nll) in enumerate(zip(good.values.tolist(), good.nll.tolist(), strict=True)):
        table.writerow([number, 1.0, *row, -nll])
    name = f"{CHAINS}/{folder.resolve().name}.csv"
    with writing(folder, name) as file:
        file.write(content.getvalue().encode())
    return folder / name


def write_arviz(folder: Path, good: GoodColumns) -> Path:
    """Writes NetCDF for arviz (doi:10.21105/joss.01143): one chain, with one draw per point; `lp` is -NLL.

    Raises MissingPackage without xarray and h5netcdf.
    """
    try:
        xarray = importlib.import_module("xarray")
        importlib.import_module("h5netcdf")
    except ImportError as error:
        raise MissingPackage(
            "arviz's format needs xarray and h5netcdf", next_step="pip install '.[exports]' in the clone"
        ) from error
    coordinates = {"chain": [0], "draw": np.arange(len(good.nll))}
    attributes = {"note": NO_POSTERIOR, "created_by": "lodescan"}
    names = plain_names([column.name for column in good.named], "/".__eq__, reserved=coordinates)
    variables = {
        name: (("chain", "draw"), good.values[None, :, position], {"label": column.label})
        for position, (name, column) in enumerate(zip(names, good.named, strict=True))
    }
    groups = {
        "/posterior": xarray.Dataset(variables, coordinates, attributes),
        "/sample_stats": xarray.Dataset({"lp": (("chain", "draw"), -good.nll[None])}, coordinates, attributes),
    }
    name = f"{CHAINS}/{folder.resolve().name}.nc"
    content = io.BytesIO()
    xarray.DataTree.from_dict(groups).to_netcdf(content, engine="h5netcdf")
    with writing(folder, name) as file:
        file.write(content.getbuffer())
    return folder / name
