"""No command writes control sequences, whatever the names of files, folders and arguments are."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from proposer.__main__ import main
from tests.proposer.runs import make_run

EVIL = "\x1b]0;title\x07\x1b[2Jrun\u202e"
COMMANDS = [
    ["export", "{run}"],
    ["export", "{run}", "--format", "\x1b[31mred"],
    ["status", "{run}"],
    ["status", "{run}/none"],
    ["point", "{run}", "1"],
    ["plot", "{run}", "x", "mass"],
    ["plot", "{run}", "x", "mass", "--profile"],
    ["plot", "{run}", "x", "\x1b[31mred"],
    ["compare", "{run}", "{run}"],
    ["merge", "{run}", "--run", "{run}/other"],
    ["init", "{run}/scan.yaml", "--function", "m:f"],
    ["certificates", "{run}/certificates"],
    ["doctor", "{run}"],
    ["\x1b[31mred"],
    ["check", "{run}.yaml", "--\x1b[31mred"],
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / EVIL, points=40)


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: f"{words[0]!r}")
def test_a_command_writes_no_control_sequences(
    run: Path, words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    with contextlib.suppress(SystemExit):
        main([word.replace("{run}", str(run)) for word in words])
    said = "".join(capsys.readouterr())
    assert said and not any(char in said for char in "\x1b\x07\u202e")


@pytest.mark.slow
def test_neither_does_the_report(run: Path) -> None:
    main(["report", str(run)])
    text = (run / "report.html").read_text(encoding="utf-8")
    assert "2Jrun" in text or "run\N{REPLACEMENT CHARACTER}" in text
    assert not [char for char in set(text) if not char.isprintable() and char not in "\n\t"]


def test_names_in_letters_that_the_terminal_lacks_are_shown_by_number(tmp_path: Path) -> None:
    scan = tmp_path / "scan.yaml"
    observable = "observables: {y: {function: 2*θ, mean: 1, sigma: 1}}"
    scan.write_text(f"variables: {{θ: [0, 1]}}\ncodes: {{c: {{function: 'm:f'}}}}\n{observable}\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": "iso-8859-1"}
    command = [sys.executable, "-m", "proposer", "check", str(scan)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert rb"\u03b8: 0 to 1" in done.stdout
