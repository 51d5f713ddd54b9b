"""Commands about a run work in every folder: they find the scan file that the run was started with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proposer.__main__ import main
from proposer.run.original import original
from tests.proposer.runs import make_run


def run_with(folder: Path, scan_file: str) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    run = make_run(folder, 30)
    manifest = json.loads((run / "manifest.json").read_text()) if (run / "manifest.json").exists() else {}
    (run / "manifest.json").write_text(json.dumps(manifest | {"scan_file": scan_file}))
    return run


def test_the_command_of_a_point_works_in_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    elsewhere.mkdir()
    run = run_with(project / "runs" / "a", "scans/scan.yaml")
    (project / "scans").mkdir()
    file = project / "scans" / "scan.yaml"
    file.write_text((run / "scan.yaml").read_text() if (run / "scan.yaml").exists() else "")
    for here, shown in ((project, "scans/scan.yaml"), (elsewhere, str(file)), (run, str(file))):
        monkeypatch.chdir(here)
        assert main(["point", str(run), "1"]) == 0
        assert f"lodescan-evaluator point {shown} " in capsys.readouterr().out


def test_a_file_of_the_same_name_in_another_project_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_with(tmp_path / "first" / "runs" / "a", "scan.yaml")
    for name in ("first", "second"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "scan.yaml").write_text(name)
    monkeypatch.chdir(tmp_path / "second")
    assert original(run).read_text() == "first"


def test_a_file_that_is_nowhere_keeps_its_name(tmp_path: Path) -> None:
    assert original(run_with(tmp_path / "run", "gone.yaml")) == Path("gone.yaml")
    assert original(run_with(tmp_path / "other", "/no/such/file.yaml")) == Path("/no/such/file.yaml")
