"""Exports, read back by the packages that they are for."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from proposer import open_run
from proposer.__main__ import main
from tests.proposer.runs import make_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("exports") / "run", 300)


def test_hdf5(folder: Path) -> None:
    assert main(["export", str(folder), "--format", "hdf5"]) == 0
    points = open_run(folder).points()
    with h5py.File(folder / "points.h5") as file:
        np.testing.assert_array_equal(file["points/radius"][:], points["radius"])
        np.testing.assert_array_equal(file["points/NLL"][:], points["NLL"])
        assert file["points/id"][:].tolist() == points.index.tolist()
        assert file["points/message"].asstr()[:].tolist() == points["message"].tolist()


@pytest.mark.filterwarnings("default")
def test_getdist(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import getdist

    assert main(["export", str(folder), "--format", "getdist"]) == 0
    assert "no posterior" in capsys.readouterr().out
    chain = getdist.loadMCSamples(str(folder / "chains" / "run"), settings={"ignore_rows": 0})
    good = open_run(folder).good()
    names = [entry.name for entry in chain.getParamNames().names]
    assert names == ["x", "mass", "phase", "radius", "limit", "other"]
    assert [each.label for each in chain.getParamNames().names][:2] == ["x_1", "m_\\chi"]
    assert [each.isDerived for each in chain.getParamNames().names] == [False] * 3 + [True] * 3
    for place, name in enumerate(names):
        np.testing.assert_array_equal(chain.samples[:, place], good[name])
    np.testing.assert_array_equal(chain.loglikes, good["NLL"])
    assert chain.ranges.getLower("mass") == 1.0 and chain.ranges.getUpper("x") == 4.0


def test_no_good_point(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_run(tmp_path / "run", 1)
    assert main(["export", str(folder), "--format", "getdist"]) == 2
    assert "no point is good" in capsys.readouterr().err
