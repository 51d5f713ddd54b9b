"""A picture that cannot be drawn costs neither the other pictures nor the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from proposer.ending import draw_pictures
from proposer.report import physics
from proposer.report.section import Part
from proposer.report.seen import Seen
from proposer.report.write import warning_of_failure
from scanspec import ScanFile, read_scan_file
from tests.proposer.runs import SCAN, make_run

PLOTS = """
plotting:
  strategy: csv
  plots:
    entry: {values: [x, [B, [1]]]}
    tex: {values: [x, mass], labels: ['$x_{$', m]}
    folder: {values: [x, mass]}
    good: {values: [x, mass]}
"""
WORDS = [
    "has the entry B 1",
    "the picture tex.pdf cannot be drawn, perhaps for a label",
    "plots/folder.pdf: cannot be written (Is a directory)",
]
"""Of the pictures that cannot be drawn, in their order."""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    run = make_run(tmp_path / "run", 60)
    (run / "plots" / "folder.pdf").mkdir(parents=True)
    return run


@pytest.fixture
def asked(tmp_path: Path) -> ScanFile:
    (tmp_path / "asked.yaml").write_text(SCAN.format(name="ring", other="other") + PLOTS)
    return read_scan_file(tmp_path / "asked.yaml")


@pytest.mark.slow
def test_each_fault_is_said_and_the_other_pictures_are_drawn(
    run: Path, asked: ScanFile, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_pictures(run, asked, report=False)
    lines = capsys.readouterr().err.splitlines()
    drawn = [line.partition("drawn: ")[2] for line in lines if "not drawn" not in line and "drawn: " in line]
    assert drawn == [f"{run}/plots/good.pdf and good.png", f"{run}/plots/corner.pdf and corner.png"]
    faults = [line for line in lines if "not drawn: " in line]
    assert len(faults) == len(WORDS) and all(words in line for words, line in zip(WORDS, faults, strict=True))
    assert all(line.endswith("the same command draws again") for line in faults)
    files = ["corner.pdf", "corner.png", "folder.pdf", "good.pdf", "good.png"]
    assert sorted(path.name for path in (run / "plots").iterdir()) == files


@pytest.mark.slow
def test_the_report_is_written_and_warns_of_its_own_faults(
    run: Path, asked: ScanFile, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(seen: Seen) -> Part:
        raise TypeError("no such kind")

    monkeypatch.setattr(physics, "correlations", broken)
    (run / "plots" / "constraints.pdf").mkdir()
    draw_pictures(run, asked, report=True)
    said = capsys.readouterr().err
    assert all(words in said for words in WORDS) and f"report: {run}/report.html\n" in said
    (line,) = [line for line in said.splitlines() if f"{run}/plots/constraints: the picture is not drawn" in line]
    assert "cannot be written" in line and line.endswith(f"`lodescan report {run}` draws it again")
    text = (run / "report.html").read_text()
    assert "this cannot be shown: TypeError: no such kind" in text
    assert f"the picture constraints cannot be drawn: {run}/plots/constraints.pdf: cannot be written" in text
    assert {"points.pdf", "profiles.pdf"} <= {path.name for path in (run / "plots").iterdir()}


def test_the_command_that_draws_again_names_a_folder_with_a_blank(capsys: pytest.CaptureFixture[str]) -> None:
    @warning_of_failure(Path("my runs/ring"), "profiles")
    def draw() -> None:
        raise TypeError("no such kind")

    with pytest.raises(TypeError, match="no such kind"):
        draw()
    assert "`lodescan report 'my runs/ring'` draws it again" in capsys.readouterr().err


@pytest.mark.slow
def test_contours_of_points_on_a_line_are_refused_in_plain_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path / "run", 60)
    plots = "plotting: {strategy: valid, plots: {line: {values: [x, x, mass], contours: 3}}}\n"
    (tmp_path / "asked.yaml").write_text(SCAN.format(name="ring", other="other") + plots)
    draw_pictures(run, read_scan_file(tmp_path / "asked.yaml"), report=False)
    said = capsys.readouterr().err
    assert "points: in $x_1$ and $x_1$ they lie on one line; " in said and "qhull" not in said
