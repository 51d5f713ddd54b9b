"""Pictures of a run: those of its scan file, of two columns, and of all variables."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from proposer.show.drawing import KINDS
from tests.pair.conftest import EvaluatorProcess, Said, read_run

SVG = "{http://www.w3.org/2000/svg}"
SCAN = """
setup: {run_name: copies, seed: 3, max_evaluations: 80, keep_spectra: valid, type: RANDOM}
variables:
  x: {range: [-5, 5]}
  y: {range: [1, 100], prior: log-uniform, unit: GeV, label: $m_y$}
  fixed: [3, 3]
codes:
  one:
    command: cp {input} {output}
    input_file: in.slha
    conditions: [x > -4]
    observables: {z: {slha: [A, 1], mean: 0, sigma: 1}}
networks: {threshold_value: 1}
"""
PLOTS = """
Plotting:
  Strategy: STRATEGY
  Plots:
    files:
      Values: [[A, [1]], [A, [2]]]
      Labels: [entry one, $e_2$]
      Ranges: [[-2, 2], [10, 90]]
      Scaling: [linear, log]
    lines: {Values: [x, y, NLL], Contours: [1, 4]}
    both: {Values: [x, y, z]}
"""


@pytest.fixture
def run(
    lodescan: Callable[..., Said], start_evaluator: Callable[..., EvaluatorProcess], tmp_path: Path
) -> Callable[[str], tuple[Path, Said]]:
    """Runs a scan with a section of pictures; returns the folder of the run and the output."""
    (tmp_path / "in.slha").write_text("BLOCK A\n  1  x\n  2  y\n")
    file = tmp_path / "scan.yaml"
    started: list[EvaluatorProcess] = []

    def scan(plotting: str) -> tuple[Path, Said]:
        file.write_text(SCAN + plotting)
        if not started:
            started.append(start_evaluator(file))
        return tmp_path / "run", lodescan("scan", file, "--evaluator", started[0].address, "--run", tmp_path / "run")

    return scan


def dots(picture: Path) -> dict[str, int]:
    """The number of dots of each kind in an SVG picture."""
    found = {}
    for group in ET.parse(picture).iter(SVG + "g"):
        if group.get("id") in KINDS:
            found[str(group.get("id"))] = len(list(group.iter(SVG + "use")))
    return found


@pytest.mark.slow
def test_two_columns_are_drawn(
    run: Callable[[str], tuple[Path, Said]], lodescan: Callable[..., Said], tmp_path: Path
) -> None:
    folder, _ = run("")
    points = read_run(folder)
    good = sum(status == "OK" and nll < 1 for status, nll in zip(points.status, points.nll, strict=True))
    unphysical = points.status.count("INVALID")
    assert good > 5 and unphysical > 3
    said = lodescan("plot", folder, "x", "y", "--file", tmp_path / "a.svg")
    assert said.code == 0 and said.out == f"drawn: {tmp_path / 'a.svg'}\n"
    wanted = {"unphysical": unphysical, "bad": len(points.status) - good - unphysical, "good": good}
    assert dots(tmp_path / "a.svg") == wanted
    # an unphysical point lacks the observables behind the one that ended it, but this one comes before
    lodescan("plot", folder, "NLL", "z", "--file", tmp_path / "b.svg")
    assert dots(tmp_path / "b.svg") == {kind: number for kind, number in wanted.items() if kind != "unphysical"}
    lodescan("plot", folder, "x", "y", "--file", tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_bytes() == (tmp_path / "a.svg").read_bytes()
    text = (tmp_path / "a.svg").read_text()
    assert "copies" not in text, "a title belongs in a caption"
    assert "$m_y$ (GeV)" in text


def test_the_pictures_of_the_scan_file_are_drawn(
    run: Callable[[str], tuple[Path, Said]], lodescan: Callable[..., Said]
) -> None:
    folder, said = run(PLOTS.replace("STRATEGY", "csv"))
    assert said.code == 0
    names = ["files", "lines", "both", "corner"]
    assert [f"drawn: {folder}/plots/{name}.pdf and {name}.png" in said.err for name in names] == [True] * 4
    for name in names:
        path = folder / "plots" / f"{name}.pdf"
        assert path.read_bytes().startswith(b"%PDF") and path.stat().st_size > 5000
        assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    shutil.rmtree(folder / "plots")
    # with other pictures it is still the same run: they are drawn at once, and nothing is evaluated
    before = read_run(folder).ids
    folder, said = run("plotting: {plots: {new: {values: [x, NLL]}}}\n")
    assert said.code == 0
    assert sorted(path.name for path in (folder / "plots").iterdir()) == ["new.pdf", "new.png"]
    assert read_run(folder).ids == before
    drawn = f"drawn: {folder}/plots/new.pdf and new.png\n"
    assert lodescan("plot", folder).out == drawn  # the pictures of the newest scan file


@pytest.mark.slow
def test_entries_of_spectrum_files_can_be_drawn(run: Callable[[str], tuple[Path, Said]]) -> None:
    from proposer.show.plots import plot_axes, read_points
    from scanspec import read_scan_file
    from scanspec.plotting import read_plotting

    folder, _ = run(PLOTS.replace("STRATEGY", "SLHA"))
    scan = read_scan_file(folder / "scan.yaml")
    plotting = read_plotting(scan)
    assert plotting is not None
    points = read_points(folder, scan)
    x, y = plot_axes(folder, scan, points, plotting.plots[0])
    ok = points.good | points.bad
    assert np.isnan(x.values[~ok]).all() and (~ok).any()
    np.testing.assert_allclose(x.values[ok], points.columns["x"][ok], rtol=1e-8)
    np.testing.assert_allclose(y.values[ok], points.columns["y"][ok], rtol=1e-8)
    assert (x.label, y.label, x.scale, y.scale) == ("entry one", "$e_2$", "linear", "log")
    assert (x.limits, y.limits) == ((-2.0, 2.0), (10.0, 90.0))
    plain = plot_axes(folder, scan, points, plotting.plots[2])
    assert [(plot.label, plot.scale, plot.limits) for plot in plain] == [
        ("x", "linear", (-5.0, 5.0)),
        ("$m_y$ (GeV)", "log", (1.0, 100.0)),
        ("z", "linear", None),
    ]


def test_a_picture_that_cannot_be_drawn_is_named(
    run: Callable[[str], tuple[Path, Said]], lodescan: Callable[..., Said], tmp_path: Path
) -> None:
    folder, said = run("plotting: {plots: {a: {values: [x, [B, [1]]]}}}\n")
    assert said.code == 0  # the scan itself succeeds
    assert f"not drawn: no spectrum file in {folder}/files has the entry B 1; `keep_spectra: valid`" in said.err
    assert "correct the scan file, and the same command draws again" in said.err
    for arguments, words in [
        ((folder,), "has the entry B 1"),
        ((folder, "x"), "name two columns to draw, or none"),
        ((folder, "x", "yy"), "has no variable or observable 'yy'; did you mean 'y'?"),
        ((folder, "x", "y", "--file", tmp_path / "a.doc"), "no kind of picture is called '.doc'; write .pdf"),
        ((tmp_path / "none",), "there is no run here"),
    ]:
        said = lodescan("plot", *arguments)
        assert said.code == 2 and words in said.err, said.err


@pytest.mark.slow
def test_a_picture_that_cannot_be_drawn_does_not_prevent_others(
    run: Callable[[str], tuple[Path, Said]], lodescan: Callable[..., Said]
) -> None:
    bad = "a: {values: [x, [B, [1]]]}, tex: {values: [x, y], labels: ['$x_{$', y]}, c: {values: [x, z]}"
    folder, said = run(f"plotting: {{strategy: csv, plots: {{{bad}}}}}\n")
    assert said.code == 0 and "has the entry B 1" in said.err and "tex.pdf cannot be drawn" in said.err
    assert {"c.pdf", "corner.pdf"} <= {path.name for path in (folder / "plots").iterdir()}
    again = lodescan("plot", folder)
    assert again.code == 2 and "tex.pdf cannot be drawn, perhaps for a label" in again.err
    assert lodescan("plot", folder, "x", "y").code == 0


def test_a_run_of_read_csv_can_be_drawn_from_another_folder(
    lodescan: Callable[..., Said], start_evaluator: Callable[..., EvaluatorProcess], tmp_path: Path
) -> None:
    (tmp_path / "in.slha").write_text("BLOCK A\n  1  x\n  2  y\n")
    (tmp_path / "points.csv").write_text("x,y,fixed\n1,2,3\n2,3,3\n3,50,3\n")
    file = tmp_path / "scan.yaml"
    read = SCAN.replace("type: RANDOM", "type: READ_CSV, init_csv: points.csv").replace("max_evaluations: 80, ", "")
    file.write_text(read.replace("run_name: copies", "run_name: 'costs $5 _{ $'"))
    evaluator = start_evaluator(file)
    said = lodescan("scan", file, "--evaluator", evaluator.address, "--run", tmp_path / "run")
    assert said.code == 0, said.err
    assert lodescan("plot", tmp_path / "run", "x", "z", "--file", tmp_path / "a.svg").code == 0
    assert sum(dots(tmp_path / "a.svg").values()) == 3


@pytest.mark.slow
def test_a_file_takes_one_picture(
    run: Callable[[str], tuple[Path, Said]], lodescan: Callable[..., Said], tmp_path: Path
) -> None:
    folder, _ = run(PLOTS.replace("STRATEGY", "all"))
    said = lodescan("plot", folder, "--file", tmp_path / "a.svg")
    assert said.code == 2 and "--file is for one picture" in said.err
    assert not (tmp_path / "a.svg").exists()


def test_all_variables_are_drawn_if_the_file_asks_for_nothing(
    run: Callable[[str], tuple[Path, Said]], lodescan: Callable[..., Said], tmp_path: Path
) -> None:
    folder, said = run("")
    assert "drawn: " not in said.err and not (folder / "plots").exists()
    assert lodescan("plot", folder, "--file", tmp_path / "corner.svg").code == 0
    text = (tmp_path / "corner.svg").read_text()
    assert text.count('<g id="axes_') == 3  # two histograms and one pair; none for the fixed variable
    assert dots(tmp_path / "corner.svg")["good"] > 5
