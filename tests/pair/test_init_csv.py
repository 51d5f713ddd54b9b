"""InitCSV: points to start from, with or without a known NLL."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from proposer.run.init_csv import InitPoints
from scanspec.likelihoods import LARGEST_LOSS
from tests.pair.conftest import EvaluatorProcess, Said, ScanFolder, read_run
from tests.pair.test_outputs import rows

Lodescan = Callable[..., Said]
MakeScan = Callable[..., ScanFolder]
StartEvaluator = Callable[..., EvaluatorProcess]

CSV = """\
 remark ,z,NLL, x,y
"far, away",20,50.25,0.9,1.5
good,100,0.125,0.5,0.1
good too,1000,1.75,0.30000000000000004,-2

unknown,100,,0.5,0.2
unknown, 200 ,nan,0.25,1e-3
good again,100,0.125,0.5,0.1
"""


def nll(x: float, y: float, z: float) -> float:
    loss = math.hypot(x - 0.5, y / 4, math.log10(z) / 2 - 1.0) ** 2 / 0.02
    return LARGEST_LOSS * -math.expm1(-loss / LARGEST_LOSS)


def test_known_points_are_not_evaluated(
    make_scan: MakeScan, start_evaluator: StartEvaluator, lodescan: Lodescan, tmp_path: Path
) -> None:
    scan = make_scan(setup="  seed: 1\n  init_csv: start/points.csv", points=4)
    (scan.folder / "start").mkdir()
    (scan.folder / "start" / "points.csv").write_text(CSV)
    evaluator, run = start_evaluator(scan.file), tmp_path / "run"
    said = lodescan("scan", scan.file, "--evaluator", evaluator.address, "--run", run)
    assert said.code == 0, said.err
    points = read_run(run)
    assert points.origins[:5] == ["init"] * 5
    assert "init" not in points.origins[5:]
    expected = [(0.9, 1.5, 20.0), (0.5, 0.1, 100.0), (0.30000000000000004, -2.0, 1000.0), (0.5, 0.2, 100.0)]
    assert points.params[:5] == [*expected, (0.25, 1e-3, 200.0)]
    assert points.status[:5] == ["OK"] * 5
    assert points.nll[:3] == [50.25, 0.125, 1.75]
    assert points.nll[3:5] == pytest.approx([nll(0.5, 0.2, 100), nll(0.25, 1e-3, 200)])
    assert np.isnan(points.observables[:3]).all()
    # Only the points without an NLL were evaluated, each once.
    assert sorted(scan.evaluated()) == sorted(points.params[3:])
    assert f"{len(points.ids) - 3} points evaluated" in said.err
    # Good points of the table count, and are marked.
    table = rows(run / "good_points.csv")
    assert len(table) == 4 <= sum(value < 2 for value in points.nll)
    assert [row["origin"] for row in table[:3]] == ["init"] * 3
    assert (table[0]["x"], table[0]["NLL"], table[0]["r"]) == ("0.5", "0.125", "")
    assert "stopped: 4 good points found" in said.err or "good points found (points: 4)" in said.err


def test_a_scan_may_end_with_the_good_points_of_its_table(
    make_scan: MakeScan, start_evaluator: StartEvaluator, lodescan: Lodescan, tmp_path: Path
) -> None:
    scan = make_scan(setup="  seed: 1\n  init_csv: points.csv", points=2)
    (scan.folder / "points.csv").write_text("x,y,z,NLL\n0.5,0,100,0\n0.5,0.1,100,0.2\n")
    evaluator = start_evaluator(scan.file)
    for _ in range(2):
        said = lodescan("scan", scan.file, "--evaluator", evaluator.address, "--run", tmp_path / "run")
        assert said.code == 0
        assert "stopped: 2 good points found (points: 2)" in said.err
        assert "\n0 points evaluated" in said.err and "2 good (2 of them came with the NLL of init_csv)" in said.err
    assert scan.evaluated() == []


def test_good_points_of_one_run_start_another(
    make_scan: MakeScan, start_evaluator: StartEvaluator, lodescan: Lodescan, tmp_path: Path
) -> None:
    scan = make_scan(iterations=1)
    evaluator = start_evaluator(scan.file)
    assert lodescan("scan", scan.file, "--evaluator", evaluator.address, "--run", tmp_path / "a").code == 0
    begun = len(scan.evaluated())
    good = rows(tmp_path / "a" / "good_points.csv")
    scan.write(setup=f"  seed: 1\n  init_csv: {tmp_path / 'a' / 'good_points.csv'}")
    said = lodescan("scan", scan.file, "--evaluator", evaluator.address, "--run", tmp_path / "b")
    assert said.code == 0, said.err
    first, points = read_run(tmp_path / "a"), read_run(tmp_path / "b")
    known = [(params, nll) for params, nll in zip(first.params, first.nll, strict=True) if nll < 2]
    assert list(zip(points.params, points.nll, strict=True))[: len(good)] == known
    again = set(scan.evaluated()[begun:])
    assert not again & {params for params, _ in known}
    assert again == set(points.params[len(good) :])


@pytest.mark.slow
def test_a_table_of_a_run_with_another_likelihood_is_scored_again(
    make_scan: MakeScan, start_evaluator: StartEvaluator, lodescan: Lodescan, tmp_path: Path
) -> None:
    """Observables and losses are stored with the NLLs. The NLLs of a table without observables are accepted with a
    note.
    """
    scan = make_scan(iterations=1)
    evaluator = start_evaluator(scan.file)
    lodescan("scan", scan.file, "--evaluator", evaluator.address, "--run", tmp_path / "a")
    lodescan("export", tmp_path / "a")
    other = make_scan("other", iterations=1, mean=0.5, setup=f"  seed: 1\n  init_csv: {tmp_path / 'a' / 'points.csv'}")
    evaluator = start_evaluator(other.file)
    said = lodescan("scan", other.file, "--evaluator", evaluator.address, "--run", tmp_path / "b")
    assert said.code == 0 and "computed anew from the table's observables" in said.err and "going on" not in said.err
    first, points = read_run(tmp_path / "a"), read_run(tmp_path / "b")
    n = len(first.ids)
    assert points.params[:n] == first.params and (points.observables[:n] == first.observables).all()
    expected = 0.5 * ((first.observables[:, 0] - 0.5) / 0.1) ** 2
    near = expected < 5
    assert np.allclose(points.losses[:n, 0][near], expected[near], rtol=0.01) and near.sum() > 5
    assert points.nll[:n] == points.losses[:n, 0].tolist()
    assert not set(other.evaluated()) & set(first.params)
    assert f"\n{len(points.ids) - n} points evaluated" in said.err
    table = (tmp_path / "a" / "points.csv").read_text().splitlines()
    at = [table[0].split(",").index(name) for name in ("x", "y", "z", "NLL")]
    bare = "\n".join(",".join(row.split(",")[k] for k in at) for row in table)
    (tmp_path / "a" / "bare.csv").write_text(bare)
    other.write(setup=f"  seed: 1\n  init_csv: {tmp_path / 'a' / 'bare.csv'}")
    said = lodescan("check", other.file)
    assert "are taken unchanged" in said.out and "made with another likelihood of r" in said.out


def test_a_run_that_began_with_impossible_nlls_can_go_on(
    make_scan: MakeScan,
    start_evaluator: StartEvaluator,
    lodescan: Lodescan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scan = make_scan(setup="  seed: 1\n  init_csv: points.csv\n  max_evaluations: 5", points=500)
    (scan.folder / "points.csv").write_text("x,y,z,NLL\n0.5,0,100,-0.001\n0.5,0.1,100,0.2\n")
    evaluator = start_evaluator(scan.file)
    command = ("scan", scan.file, "--evaluator", evaluator.address, "--run", tmp_path / "run")
    for refused in (lodescan(*command), lodescan("check", scan.file)):
        assert refused.code == 2 and "line 2: NLL is -0.001, but the likelihoods of" in refused.err
    assert not (tmp_path / "run").exists()
    with monkeypatch.context() as older:  # an older lodescan accepted such numbers
        older.setattr(InitPoints, "check", lambda _: None)
        assert lodescan(*command).code == 0
    scan.write(setup="  seed: 1\n  init_csv: points.csv\n  max_evaluations: 10", points=500)
    assert lodescan(*command).code == 0
    assert len(read_run(tmp_path / "run").ids) == 12


def test_columns_and_rows_that_are_not_used_are_named(make_scan: MakeScan, lodescan: Lodescan) -> None:
    scan = make_scan(setup="  seed: 1\n  init_csv: points.csv")
    (scan.folder / "points.csv").write_text("x,y,z,nll\n0.5,0,100,1\n")
    assert "has a column 'nll', which is not read" in lodescan("check", scan.file).out
    (scan.folder / "points.csv").write_text("x,y,z,NLL\n0.5,0,100,1\n0.5,0.1,100,1\n0.5,0,100,3\n")
    assert "lines 2 and 4 are one point with the NLL 1 and 3" in lodescan("check", scan.file).out


BAD = {
    "no column": ("x,z,NLL\n0.5,100,1\n", ["no column 'y'", "'x', 'z', 'NLL'"]),
    "no columns": ("a,b\n1,2\n", ["no column 'x', 'y', 'z'"]),
    "outside": ("x,y,z\n0.5,0,100\n\n0.5,3,100\n", ["line 4", "y = 3 is outside its range [-2, 2]"]),
    "a word": ("x,y,z\n0.5,0,100\n0.5,zero,100\n", ["line 3", "y is 'zero'", "not a finite number"]),
    "NaN": ("x,y,z\nnan,0,100\n", ["line 2", "x is", "not a finite number"]),
    "an infinite value": ("x,y,z\n0.5,0,inf\n", ["line 2", "z is 'inf'", "not a finite number"]),
    "an NLL that is a word": ("x,y,z,NLL\n0.5,0,100,good\n", ["line 2", "NLL is 'good'"]),
    "an infinite NLL": ("x,y,z,NLL\n0.5,0,100,inf\n", ["line 2", "NLL is 'inf'"]),
    "a row too long": ("x,y,z\n0.5,0,100,7\n", ["cannot be read as CSV"]),
    "a column twice": ("x,y,z,x\n0.5,0,100,0.6\n", ["column 'x' twice"]),
    "no CSV at all": ("", ["cannot be read as CSV"]),
    "bytes": ("x,y,z\n\udcff\udcfe\n", ["cannot be read as CSV"]),
}


@pytest.mark.parametrize(("text", "words"), BAD.values(), ids=BAD)
def test_a_bad_table_is_refused(
    text: str, words: list[str], make_scan: MakeScan, lodescan: Lodescan, tmp_path: Path
) -> None:
    scan = make_scan(setup="  init_csv: points.csv")
    (scan.folder / "points.csv").write_bytes(text.encode(errors="surrogateescape"))
    for command in ("scan", scan.file, "--run", tmp_path / "run", "--wait", 0), ("check", scan.file):
        said = lodescan(*command)
        assert (said.code, said.out) == (2, ""), said.err
        assert [line.partition(":")[0] for line in said.err.splitlines()] == ["lodescan", "next"]
        for word in ["points.csv", *words]:
            assert word in said.err
    assert not (tmp_path / "run").exists()
