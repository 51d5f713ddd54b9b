"""Exports are read back by the packages for which they are made."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray
from matplotlib.mathtext import MathTextParser

from proposer import open_run
from proposer.__main__ import main
from proposer.run.chains import Named, read_good
from proposer.run.columns import Columns
from proposer.run.dataset import Dataset
from proposer.run.samples import write_arviz
from proposer.run.tables import export
from proposer.types import Batch, Outcome, Status
from scanspec import read_scan_file
from tests.proposer.runs import make_run

READERS = Path(__file__).parents[2] / ".envs" / "readers"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("exports") / "run", 300)


def test_hdf5_is_read_back(folder: Path) -> None:
    assert main(["export", str(folder), "--format", "hdf5"]) == 0
    points = open_run(folder).points()
    with h5py.File(folder / "points.h5") as file:
        np.testing.assert_array_equal(file["points/radius"][:], points["radius"])
        np.testing.assert_array_equal(file["points/NLL"][:], points["NLL"])
        assert file["points/id"][:].tolist() == points.index.tolist()
        assert file["points/message"].asstr()[:].tolist() == points["message"].tolist()


def test_names_that_a_format_cannot_hold_stay_different(tmp_path: Path) -> None:
    names = ["a/b", "a_b", "a_b_2", "a/b/", "chain"]
    with Dataset(tmp_path) as dataset:
        dataset.start(
            Columns.named(names, ["o/"], ["c"]), {"variables": names, "observables": ["o/"], "threshold": 2.0}
        )
        dataset.add_batch(Batch(np.full((1, 5), 0.5), ["start"], 0), np.array([[1.0, 2.0, 3.0, 4.0, 5.0]]), b"")
        dataset.record([Outcome(1, Status.OK, nll=0.5, observables=[6.0], losses=[0.5], seconds=[0.1])])
    plain = {"a_b_3": 1.0, "a_b": 2.0, "a_b_2": 3.0, "a_b_": 4.0, "chain": 5.0, "o_": 6.0}
    with h5py.File(export(tmp_path, "h5")) as file:
        assert {name: file[f"points/{name}"][0] for name in plain} == plain
    good = read_good(tmp_path, [Named(name, name, 0.0, 9.0) for name in [*names, "o/"]])
    with xarray.open_dataset(write_arviz(tmp_path, good), group="posterior", engine="h5netcdf") as found:
        assert {str(name): float(column[0, 0]) for name, column in found.data_vars.items()} == {
            ("chain_2" if name == "chain" else name): value for name, value in plain.items()
        }


@pytest.mark.filterwarnings("default")
def test_getdist_reads_the_export(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import getdist

    assert main(["export", str(folder), "--format", "getdist"]) == 0
    assert "no posterior" in capsys.readouterr().out
    chain = getdist.loadMCSamples(str(folder / "chains" / "run"), settings={"ignore_rows": 0})
    good = open_run(folder).good()
    names = [entry.name for entry in chain.getParamNames().names]
    assert names == ["x", "mass", "phase", "radius", "limit", "other"]
    assert [parameter.label for parameter in chain.getParamNames().names][:2] == ["x_1", "m_\\chi"]
    assert [parameter.isDerived for parameter in chain.getParamNames().names] == [False] * 3 + [True] * 3
    for position, name in enumerate(names):
        np.testing.assert_array_equal(chain.samples[:, position], good[name])
    np.testing.assert_array_equal(chain.loglikes, good["NLL"])
    assert chain.ranges.getLower("mass") == 1.0 and chain.ranges.getUpper("x") == 4.0


def test_labels_of_every_name_can_be_drawn(tmp_path: Path) -> None:
    """GetDist and anesthetic draw them with matplotlib, as formulas."""
    names = ['it\'s "quoted"', "m\"0'", "50 % & #1", "<script>", "λ1", "a_b^c{d}", "two words"]
    labels = {"first": "mass $m_0$ (GeV)", "second": "$x_1$", "third": "5 $ a piece"}
    entries: dict[str, Any] = {name: {"range": [0, 1]} for name in names}
    entries |= {name: {"range": [0, 1], "label": label} for name, label in labels.items()}
    scan = {
        "variables": entries,
        "codes": {"c": {"function": "m:f", "observables": {"y": {"mean": 0.5, "sigma": 1}}}},
    }
    folder = tmp_path / "run"
    (tmp_path / "scan.json").write_text(json.dumps(scan))
    found = list(read_scan_file(tmp_path / "scan.json").variables)
    written = [variable.name for variable in found]
    with Dataset(folder) as dataset:
        meta = {"variables": written, "observables": ["y"], "threshold": 2.0}
        dataset.start(Columns.named(written, ["y"], ["c"]), meta)
        dataset.add_batch(Batch(np.full((1, 10), 0.5), ["start"], 0), np.full((1, 10), 0.5), b"")
        dataset.record([Outcome(1, Status.OK, nll=0.5, observables=[0.5], losses=[0.0], seconds=[0.1])])
    (tmp_path / "scan.json").rename(folder / "scan.json")
    assert main(["export", str(folder), "--format", "getdist"]) == 0
    lines = (folder / "chains" / "run.paramnames").read_text().splitlines()
    drawn = [line.split("\t")[1] for line in lines]
    assert drawn[7:10] == ["\\text{mass }m_0\\text{ (GeV)}", "x_1", "\\text{third}"] and "two words" in drawn[6]
    for label in drawn:
        MathTextParser("path").parse(f"${label}$")


def read_by(program: str, file: Path) -> dict:
    """Reads a file with a package of the environment `readers`, which needs an older pandas than lodescan."""
    python = READERS / "bin" / "python"
    if not python.exists():
        pytest.skip("tools/environment.sh readers makes the environment of anesthetic and arviz")
    done = subprocess.run([python, "-W", "ignore", "-c", program, file], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


ANESTHETIC = """
import json, sys, anesthetic
found = anesthetic.read_csv(sys.argv[1])
labels = found.get_labels_map()
print(json.dumps({
    "values": {name: found[name].tolist() for name in labels.index},
    "labels": labels.to_dict(), "weights": found.get_weights().tolist(),
}))
"""


@pytest.mark.slow
def test_anesthetic_reads_the_export(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(folder), "--format", "anesthetic"]) == 0
    assert "no posterior" in capsys.readouterr().out
    found, good = read_by(ANESTHETIC, folder / "chains" / "run.csv"), open_run(folder).good()
    names = ["x", "mass", "phase", "radius", "limit", "other"]
    assert list(found["values"]) == [*names, "logL"]
    for name in names:
        np.testing.assert_allclose(
            found["values"][name], good[name], rtol=1e-13, atol=1e-15
        )  # the precision with which pandas reads digits
    np.testing.assert_allclose(found["values"]["logL"], -good["NLL"], rtol=1e-13, atol=1e-15)
    assert set(found["weights"]) == {1.0}
    assert found["labels"]["mass"] == "$m_\\chi$"


ARVIZ = """
import json, sys, arviz
found = arviz.from_netcdf(sys.argv[1])
print(json.dumps({
    "values": {name: values.values[0].tolist() for name, values in found.posterior.data_vars.items()},
    "lp": found.sample_stats["lp"].values[0].tolist(), "note": found.posterior.attrs["note"],
    "summary": arviz.summary(found, kind="stats")["mean"].to_dict(),
}))
"""


@pytest.mark.slow
def test_arviz_reads_the_export(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(folder), "--format", "arviz"]) == 0
    assert "no posterior" in capsys.readouterr().out
    found, good = read_by(ARVIZ, folder / "chains" / "run.nc"), open_run(folder).good()
    for name in ["x", "mass", "phase", "radius", "limit", "other"]:
        assert found["values"][name] == good[name].tolist()
        assert found["summary"][name] == pytest.approx(good[name].mean(), rel=0.01, abs=0.01)
    assert found["lp"] == (-good["NLL"]).tolist() and "no posterior" in found["note"]


def test_a_run_without_good_points_is_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_run(tmp_path / "run", 1)
    assert main(["export", str(folder), "--format", "getdist"]) == 2
    assert "no point is good" in capsys.readouterr().err
