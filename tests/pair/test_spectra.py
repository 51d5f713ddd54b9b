"""The spectrum files of good points are stored in the folder of the run, before the points are."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from proposer.run.columns import Columns
from proposer.run.dataset import Dataset, DatasetError
from proposer.run.spectra import save_spectra
from proposer.types import Batch, Outcome, Status
from tests.pair.conftest import EvaluatorProcess, Said, read_run

SCAN = """
setup: {run_name: copies, seed: 3, points: 5, KEEP}
variables: {x: [-5, 5], y: [0, 1]}
codes:
  one:
    command: cp {input} {output}
    input_file: in.slha
    observables: {z: {slha: [A, 1], mean: 0, sigma: 1}}
networks: {threshold_value: 1, bootstrap_points: 30, points_per_iteration: 20, epochs: 3, neurons: 8}
"""


@pytest.mark.parametrize(("keep", "below"), [("", 1.0), ("StoreAllPoints: 'True'", 1e9), ("keep_spectra: none", -1.0)])
def test_files_of_good_points_are_kept(
    keep: str,
    below: float,
    lodescan: Callable[..., Said],
    start_evaluator: Callable[..., EvaluatorProcess],
    tmp_path: Path,
) -> None:
    (tmp_path / "in.slha").write_text("BLOCK A\n  1  x\n  2  y\n")
    file = tmp_path / "scan.yaml"
    file.write_text(SCAN.replace("KEEP", keep))
    evaluator = start_evaluator(file)
    said = lodescan("scan", file, "--evaluator", evaluator.address, "--run", tmp_path / "run")
    assert said.code == 0, said.err
    assert ("their spectrum files" in said.err) == (below > 0)
    points = read_run(tmp_path / "run")
    wanted = {point for point, nll in zip(points.ids, points.nll, strict=True) if nll < below}
    assert {int(path.name) for path in (tmp_path / "run" / "files").glob("*")} == wanted
    for point, params in zip(points.ids, points.params, strict=True):
        if point in wanted:
            found = re.findall(r"\d  (\S+)\n", (tmp_path / "run" / "files" / f"{point}" / "1.slha").read_text())
            assert [float(number) for number in found] == pytest.approx(params, rel=1e-8)


def test_missing_files_are_made_again_on_demand(
    lodescan: Callable[..., Said], start_evaluator: Callable[..., EvaluatorProcess], tmp_path: Path
) -> None:
    (tmp_path / "in.slha").write_text("BLOCK A\n  1  x\n  2  y\n")
    file, run = tmp_path / "scan.yaml", tmp_path / "run"
    file.write_text(SCAN.replace("KEEP", "type: RANDOM, keep_spectra: none"))
    evaluator = start_evaluator(file)
    assert lodescan("scan", file, "--evaluator", evaluator.address, "--run", run, "--no-report").code == 0
    said = lodescan("export", run, "--format", "slha")
    points = read_run(run)
    good = [point for point, nll in zip(points.ids, points.nll, strict=True) if nll < 1]
    assert f"files of 0 of {len(good)} good points" in said.out and "--evaluator PLACE makes the others" in said.out
    said = lodescan("export", run, "--format", "slha", "--evaluator", evaluator.address)
    assert said.code == 0 and f"files of {len(good)} of {len(good)} good points" in said.out
    for point, params in zip(points.ids, points.params, strict=True):
        path = run / "files" / f"{point}" / "1.slha"
        assert path.exists() == (point in good)
        if path.exists():
            found = re.findall(r"\d  (\S+)\n", path.read_text())
            assert [float(number) for number in found] == pytest.approx(params, rel=1e-8)
    np.testing.assert_array_equal(read_run(run).nll, points.nll)


def test_files_that_are_too_large_are_counted_at_the_end(
    lodescan: Callable[..., Said], start_evaluator: Callable[..., EvaluatorProcess], tmp_path: Path
) -> None:
    (tmp_path / "in.slha").write_text("BLOCK A\n  1  x\n  2  y\n" + "# filler\n" * 120_000)
    file = tmp_path / "scan.yaml"
    file.write_text(SCAN.replace("KEEP", "type: RANDOM, max_evaluations: 5, keep_spectra: valid"))
    evaluator = start_evaluator(file)
    command = ("scan", file, "--evaluator", evaluator.address, "--run", tmp_path / "run")
    for said in (lodescan(*command), lodescan(*command)):  # a finished run tells it too
        assert said.code == 0, said.err
        assert "without the spectrum files of 5 points, which are too large to be kept (1 MiB a point)" in said.err
    assert not (tmp_path / "run" / "files").exists()


@pytest.mark.parametrize("where", ["files", "files/1", "files/1/1.slha"])
def test_links_in_the_folder_of_a_run_are_not_followed(tmp_path: Path, where: str) -> None:
    other = tmp_path / "precious"
    other.mkdir() if "." not in where else other.write_text("precious")
    link = tmp_path / "run" / where
    link.parent.mkdir(parents=True)
    link.symlink_to(other)
    outcome = Outcome(1, Status.OK, 0.5, spectra=[b"BLOCK A\n"])
    if "." in where:  # the link is replaced, as every file that is written again
        save_spectra(tmp_path / "run", [outcome])
        assert (other.read_text(), link.read_bytes(), link.is_symlink()) == ("precious", b"BLOCK A\n", False)
    else:
        with pytest.raises(DatasetError, match=r"1\.slha: \w+ is a link or no folder"):
            save_spectra(tmp_path / "run", [outcome])
        assert list(other.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named_before_anything_is_stored(tmp_path: Path) -> None:
    with Dataset(tmp_path / "run") as dataset:
        dataset.start(Columns.named(["x"], ["y"], ["c"]))
        batch = Batch(np.array([[0.5]]), ["a"], 0)
        dataset.add_batch(batch, batch.u, b"")
        (tmp_path / "run" / "files").write_text("a file where a folder should be")
        with pytest.raises(DatasetError, match=r"files/1/1.slha: files is a link or no folder"):
            save_spectra(tmp_path / "run", [Outcome(1, Status.OK, 0.5, spectra=[b"BLOCK A\n"])])


def test_an_unknown_word_is_refused(lodescan: Callable[..., Said], tmp_path: Path) -> None:
    (tmp_path / "in.slha").write_text("BLOCK A\n  1  x\n")
    file = tmp_path / "scan.yaml"
    file.write_text(SCAN.replace("KEEP", "keep_spectra: best"))
    scan = ("scan", file, "--evaluator", "127.0.0.1:9", "--run", tmp_path / "r")
    for said in (lodescan("check", file), lodescan(*scan)):
        assert said.code == 2
        assert "keep_spectra" in said.err and "good, valid" in said.err and "'best'" in said.err
    assert not (tmp_path / "r").exists()
