"""`proposer.scan` of a Python function: the run that it makes, crashes, errors and notebooks."""

from __future__ import annotations

import base64
import dataclasses
import doctest
import importlib
import json
import math
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import proposer
from proposer.commands.merge import merge
from proposer.evaluation.processes import LocalProcesses
from proposer.run.dataset import Dataset
from proposer.run.manifest import AnotherRun
from proposer.show.tally import Tally, read_tally
from scanspec import Kind, Likelihood, PriorKind, ScanFileError, UsageError, Variable
from tests.proposer.called import SCRIPT, problem, scan


def test_a_scan_is_marked_as_finished_before_its_evaluators_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever happens at that moment, the same command later needs no evaluator."""

    def interrupted(backend: LocalProcesses) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(LocalProcesses, "finish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        scan(problem(lambda point: {"radius": point["x"]}, points=5), tmp_path)
    with Dataset(tmp_path, read_only=True) as dataset:
        assert dataset.meta()["stopped"] == "5 good points found (points: 5)"


@pytest.mark.slow
def test_the_start_that_is_shown_is_that_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LODE's is as long as the first command's max_evaluations allow; a later command may have more."""
    tallies = []

    def read(*arguments: Any) -> Tally:
        tallies.append(read_tally(*arguments))
        return tallies[-1]

    monkeypatch.setattr("proposer.scanning.read_tally", read)
    for evaluations in (30, 300):
        setup = {"max_evaluations": evaluations}
        scan(problem(lambda point: {"radius": point["x"]}, points=31, setup=setup), tmp_path)
    assert tallies[1].start == tallies[0].start < 30


def test_a_scan_has_points_of_each_status_and_survives_a_process_that_dies(tmp_path: Path) -> None:
    def ring(point):
        x, y = point["x"], point["y"]
        if x > 2.5:
            return None
        if x < -2.5:
            raise type("InvalidPoint", (Exception,), {})("not perturbative")
        if y > 2.5:
            raise ValueError("too high")
        if y < -2.9:
            os._exit(3)
        return {"radius": math.nan} if abs(x) < 0.05 else {"radius": math.hypot(x, y)}

    setup = {"type": "RANDOM", "max_evaluations": 120, "max_hours": 1e300}
    points = scan(problem(ring, points=1000, setup=setup), tmp_path).points()
    assert len(points) == 120
    for row in points.itertuples():
        if abs(row.x) > 2.5:
            why = "" if row.x > 0 else "not perturbative"
            assert row.status == "INVALID" and row.message == why
        elif row.y > 2.5:
            assert row.status == "FAILED" and row.message.startswith("ValueError: too high (") and "line" in row.message
        elif row.y < -2.9:
            assert row.status == "FAILED" and row.message.startswith("its process died")
        elif abs(row.x) < 0.05:
            assert row.status == "FAILED" and "not a finite number" in row.message
        else:
            assert row.status == "OK" and math.isclose(math.hypot(row.x, row.y), row.radius)
            assert pytest.approx((row.radius - 2) ** 2 / 0.18, rel=0.02) == row.NLL
    assert (points.y < -2.9).any() and (points.x > 2.5).any() and (points.y > 2.5).any()
    with closing(sqlite3.connect(tmp_path / "dataset.sqlite")) as db:
        described = db.execute("SELECT quantity, description FROM columns WHERE kind = 'variable'").fetchall()
    assert [(name, json.loads(text)) for name, text in described] == [(name, {"range": [-3.0, 3.0]}) for name in "xy"]


def test_a_scan_may_follow_the_best_point(tmp_path: Path) -> None:
    def bowl(point):
        return {"radius": 3.0 + math.hypot(point["x"], point["y"])}

    target = proposer.Target.following(20.0)
    run = scan(problem(bowl, threshold=None, target=target, points=25), tmp_path)
    points = run.points()
    best = points["NLL"].min()  # the minimum is 5.6
    assert len(run.good()) == (points["NLL"] < best + 20).sum() >= 25 and best > 5.5
    assert run.target == target.at(best) and '"above_best": 20.0' in (tmp_path / "scan.json").read_text()
    with pytest.raises(UsageError, match="a threshold or a target"):
        scan(problem(bowl, target=target), tmp_path / "both")


def test_an_error_of_a_scan_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ScanFileError, match="cannot be read") as refused:
        proposer.scan(tmp_path / "none.yaml", quiet=True)
    assert refused.value.__notes__ == ["next: name a file that can be read; `lodescan init FILE` writes a new one"]


def test_the_same_call_goes_on_and_another_function_is_refused(tmp_path: Path) -> None:
    def ring(point):
        return {"radius": math.hypot(point["x"], point["y"])}

    few = scan(problem(ring, points=10), tmp_path / "a")
    assert len(few.good()) >= 10
    more = scan(problem(ring, points=30), tmp_path / "a")
    whole = scan(problem(ring, points=30), tmp_path / "b")
    assert (tmp_path / "a/good_points.csv").read_bytes() == (tmp_path / "b/good_points.csv").read_bytes()
    assert len(more.points()) >= len(few.points()) and whole.variables == ["x", "y"]
    document = json.loads((tmp_path / "a/scan.json").read_text())
    assert document["codes"]["ring"]["observables"] == {"radius": {"mean": 2.0, "sigma": 0.3}}

    def other(point):
        return {"radius": 2 * math.hypot(point["x"], point["y"])}

    other.__name__ = "ring"
    with pytest.raises(AnotherRun, match="the function ring has changed"):
        scan(problem(other, points=40), tmp_path / "a")
    with pytest.raises(AnotherRun, match="range"):
        scan(problem(ring, points=40, variables={"x": (-2, 3), "y": (-3, 3)}), tmp_path / "a")


def test_objects_in_python_mean_the_same_as_a_scan_file(tmp_path: Path) -> None:
    variables = {
        "a": Variable("a", 1.0, 10.0, PriorKind.LOG_UNIFORM, unit="GeV", label="$a$"),
        "b": Variable("b", -math.inf, math.inf, prior=PriorKind.NORMAL, mean=1.0, sigma=0.5),
        "c": Variable("c", -5.0, 5.0, PriorKind.SYMMETRIC_LOG, inner=0.1),
        "d": Variable("d", 0.0, 3.0, integer=True),
        "e": Variable("e", 1.0, 4.0, values=(4.0, 1.0)),
        "f": Variable("f", 0.0, 1.0, periodic=True, steps=4),
    }
    observables = {
        "o": Likelihood(Kind.UPPER, 5.0, 0.1),
        "p": Likelihood(Kind.CFUNCTION, lower=1.0, log_scaling=True),
        "q": Likelihood(),
        "r": {"mean": 1, "sigma": 2, "valid": [0, 9]},
        "s": None,
    }
    read = problem(lambda point: point, variables=variables, observables=observables).read(tmp_path)
    assert {variable.name: variable for variable in read.variables} == variables
    found = {observable.name: observable for observable in read.all_observables()}
    assert [found[name].likelihood for name in "opqs"] == [observables[name] for name in "opq"] + [Likelihood()]
    assert found["r"].valid == (0.0, 9.0) and found["r"].likelihood.kind is Kind.GAUSS
    with pytest.raises(UsageError, match="'g' is a Variable named 'a'"):
        problem(len, variables={"g": variables["a"]}).read(tmp_path)
    with pytest.raises(ScanFileError, match=r"scan.json, line \d+.*prior"):
        problem(len, variables={"a": {"range": [0, 1], "prio": "uniform"}}).read(tmp_path)


@pytest.mark.slow
def test_a_notebook_shows_the_display_and_the_run(tmp_path: Path) -> None:
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    sources = (SCRIPT.replace("print(", "run = (") + "\nrun", 'run.plot("x", "y")', 'run.plot("x", "y", "a.svg")')
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = notebook.cells[0].outputs
    pages = [output.data.get("text/html", "") for output in outputs if output.output_type == "display_data"]
    (panel,) = [page for page in pages if "hit rate" in page]
    text = re.sub("<[^>]+>", "", panel)
    assert int(re.search(r"good\s+(\d+) of 40 good", text)[1]) >= 40 and "ring · RANDOM" in text
    table = outputs[-1]
    assert table.output_type == "execute_result" and "<table" in table.data["text/html"]
    (drawn,), (vectors,) = (cell.outputs for cell in notebook.cells[1:])
    assert base64.b64decode(drawn.data["image/png"]).startswith(b"\x89PNG") and "x-y.pdf" in drawn.data["text/plain"]
    assert "<svg" in vectors.data["image/svg+xml"]


@pytest.mark.slow
def test_a_notebook_shows_short_errors_and_whole_lines(tmp_path: Path) -> None:
    """An error shows the user's own lines and what to do, and none of the lines of lodescan."""
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    wrong = (
        "def of(code):\n    return proposer.Problem(variables={'x': 1}, observables={}, code=code, threshold=1)\n"
        "\nproposer.scan(of(len))"
    )
    cells = [nbformat.v4.new_code_cell(source) for source in (SCRIPT, wrong, 'proposer.scan("none.yaml")')]
    notebook = nbformat.v4.new_notebook(cells=cells)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=60, resources=resources, allow_errors=True).execute()
    said = "".join(output.text for output in notebook.cells[0].outputs if output.output_type == "stream")
    assert "folder run\n" in said and "\nstopped: 40 good points found (points: 40)\n" in said
    (refused,), (absent,) = (cell.outputs for cell in notebook.cells[1:])
    assert refused.traceback == [
        "cell, line 4: proposer.scan(of(len))",
        "UsageError: variables: x is 1; give (low, high), a Variable, or a mapping with the keys of a scan file",
    ]
    assert absent.traceback == [
        'cell, line 1: proposer.scan("none.yaml")',
        "NoScanFile: none.yaml: cannot be read (No such file or directory)",
        "next: name a file that can be read; `lodescan init FILE` writes a new one",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["asking", "generator", "scans"])
def test_examples_in_docstrings_work(name: str) -> None:
    module = importlib.import_module(f"proposer.interface.{name}")
    found = doctest.testmod(module)
    assert found.attempted >= 4 and found.failed == 0


def test_runs_of_other_code_are_not_merged_nor_is_rescore_proposed(tmp_path: Path) -> None:
    """Scoring again changes constants; here the stored observables themselves are those of another function."""
    few = {"setup": {"type": "RANDOM", "max_evaluations": 3}}
    scan(problem(lambda point: {"radius": point["x"]}, **few), tmp_path / "a", workers=1)
    scan(problem(lambda point: {"radius": point["y"]}, **few), tmp_path / "b", workers=1)
    with pytest.raises(UsageError, match="contents of codes") as refused:
        merge(tmp_path / "both", [tmp_path / "a", tmp_path / "b"])
    assert refused.value.next_step == "merge runs of one scan file, with different seeds or types"


def test_what_is_no_problem_is_refused_with_what_to_give(tmp_path: Path) -> None:
    def wrong_names(a, b):
        return {"radius": a + b}

    for settings, why in (
        ({"variables": ["x", "y"]}, r"variables is \['x', 'y'\], not a mapping; give {\"x\": \(0, 1\)}"),
        ({"variables": {"x": 2}}, "variables: x is 2; give .low, high., "),
        ({"variables": {"x": "0,1"}}, "variables: x is '0,1'; give .low, high., "),
        ({"observables": [2, 3]}, r"observables is \[2, 3\], not a mapping; give {\"mh\": "),
        ({"observables": {"radius": 2}}, "observables: radius is 2; give .mean, sigma., "),
        ({"observables": {"radius": (2, 1, 0)}}, r"observables: radius is \(2, 1, 0\); give .mean, sigma., "),
        ({"code": wrong_names}, "'wrong_names' cannot be called: it takes a, b, but the variables are x, y; give a "),
        ({"code": {"radius": 1}}, "{'radius': 1} is not a function; give a function of one argument"),
        ({"code": lambda: {"radius": 1}}, "it takes no arguments, but the variables are x, y"),
    ):
        with pytest.raises(UsageError, match=why):
            scan(dataclasses.replace(problem(len), **settings), tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_invalid_point_has_its_code_and_the_window_that_it_left(tmp_path: Path) -> None:
    def bowl(point):
        return None if point["x"] < 0 else {"radius": point["x"]}

    few = {"setup": {"type": "RANDOM", "max_evaluations": 20}}
    observables = {"radius": {"mean": 1, "sigma": 1, "valid": [0, 1]}}
    run = scan(dataclasses.replace(problem(bowl, **few), observables=observables), tmp_path)
    bad = run.points().query("status == 'INVALID'")
    assert {*bad.failed_code} == {"bowl"}
    left = bad.query("radius > 1")
    assert len(left) and all(text.endswith("is outside [0, 1]") for text in left.message)


def test_an_array_is_not_a_number(tmp_path: Path) -> None:
    import numpy as np

    few = {"setup": {"type": "RANDOM", "max_evaluations": 2}}
    run = scan(problem(lambda point: {"radius": np.ones(3)}, **few), tmp_path)
    assert run.points().message.str.endswith("but an array of shape (3,): return one of its values").all()


def test_the_same_call_can_go_on_with_the_same_physics_in_other_words(tmp_path: Path) -> None:
    few = {"setup": {"type": "RANDOM", "max_evaluations": 3}}
    scan(problem(lambda point: {"radius": point["x"]}, **few), tmp_path)
    again = problem(lambda point: {"radius": 1.0 * point["x"]}, setup={"type": "RANDOM", "max_evaluations": 5})
    with pytest.raises(AnotherRun, match=r"choose another folder \(`folder`\).*`same_physics=True` goes on"):
        scan(again, tmp_path)
    run = proposer.scan(again, folder=tmp_path, seed=1, workers=1, quiet=True, report=False, same_physics=True)
    assert len(run.points()) == 5
