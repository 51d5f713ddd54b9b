"""`lodescan-evaluator new NAME` writes a backend that works, and overwrites nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from evaluator.commands.new import FILES, new
from scanspec import UsageError

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_the_new_backend_works(tmp_path, capsys):
    assert new("heavy_boson", tmp_path) == 0
    folder = tmp_path / "heavy_boson"
    assert sorted(path.name for path in folder.iterdir()) == sorted(n.replace("NAME", "heavy_boson") for n in FILES)
    assert all("NAME" not in path.read_text() for path in folder.iterdir())
    assert len((folder / "heavy_boson.py").read_text().splitlines()) <= 40
    assert "lodescan-evaluator check" in capsys.readouterr().out
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'proto'}"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("two words", "that Python can import"),
        ("class", "that Python can import"),
        ("numpy", "installed"),
        ("there", "exists already"),
    ],
)
def test_names_that_cannot_be_used_are_refused(tmp_path, name, words):
    (tmp_path / "there").mkdir()
    with pytest.raises(UsageError, match=words):
        new(name, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["there"] and not list((tmp_path / "there").iterdir())


def test_where_it_cannot_be_written_nothing_is_left(tmp_path):
    command = [sys.executable, "-B", "-m", "evaluator", "new", "backend"]
    limited = ["bash", "-c", 'ulimit -f 0; exec "$@"', "bash", *command]  # the system answers as on a full disk
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'proto'}"}
    said = subprocess.run(limited, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert said.returncode == 2
    assert "backend: cannot be written (File too large)" in said.stderr and "Traceback" not in said.stderr
    assert not list(tmp_path.iterdir())
