"""Names in a scan file that become folders cannot lead out of the parent folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from scanspec import ScanFileError, read_scan_file

ROOT = Path(__file__).parents[2]
FILE = """\
setup: {SETUP}
variables: {x: [0, 1]}
codes: {toy: {function: "a:b", observables: {o: {mean: 1, sigma: 1}}}}
"""


def read(folder: Path, setup: str, name: str = "scan.yaml"):
    (folder / name).write_text(FILE.replace("SETUP", setup), encoding="utf-8")
    return read_scan_file(folder / name)


@pytest.mark.parametrize("name", ["..", ".", "/tmp/other", "a/b", "../a", "a/", '"a\\nb"', '" "', "x" * 201])
@pytest.mark.parametrize("key", ["run_name", "RunName"])
def test_a_run_name_is_one_folder(tmp_path, name, key):
    with pytest.raises(ScanFileError, match=rf"scan.yaml, line 1: setup: {key} is .*must be one name of a folder"):
        read(tmp_path, f"{key}: {name}")


@pytest.mark.parametrize("name", ["my run", "scan-1", "café", ".tried", "2026", "a..b"])
def test_run_names_that_are_allowed(tmp_path, name):
    assert read(tmp_path, f"run_name: {name}").run_name == name


def test_a_scan_file_whose_name_cannot_be_a_folder_needs_a_run_name(tmp_path):
    with pytest.raises(ScanFileError, match="run_name"):
        read(tmp_path, "type: LODE", "...yaml")


@pytest.mark.parametrize("name", ["../../x", "/tmp/x", "a b", "..", "x;y", "$(x)", "caf\u00e9", "a.b"])
def test_an_environment_is_a_plain_name(tmp_path, name):
    with pytest.raises(ScanFileError, match=r"environment is .*must be a name of letters, digits"):
        read(tmp_path, f"environment: '{name}'")
    precious = tmp_path / "precious"
    precious.mkdir()
    done = subprocess.run(
        [ROOT / "tools/environment.sh", f"../{precious}" if "x" in name else name],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "is not a name of an environment" in done.stderr) == (2, True)
    assert precious.is_dir()
