"""The next step fits the error."""

from __future__ import annotations

from pathlib import Path

import pytest

from scanspec import LodescanError, ScanFileError, read_scan_file
from scanspec.intermixed import Parser


def test_a_file_that_is_not_there_cannot_be_corrected(tmp_path: Path) -> None:
    with pytest.raises(ScanFileError) as caught:
        read_scan_file(tmp_path / "nofile.yaml")
    assert isinstance(caught.value, LodescanError)
    assert "correct the file" not in caught.value.tell()
    assert caught.value.tell().endswith("next: name a file that can be read; `lodescan init FILE` writes a new one")


def test_a_mistyped_command_is_answered_with_the_closest_one(capsys: pytest.CaptureFixture[str]) -> None:
    parser = Parser(prog="lodescan")
    commands = parser.add_subparsers(metavar="COMMAND")
    for name in ("scan", "status", "report"):
        commands.add_parser(name)
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(["statsu"])
    said = capsys.readouterr().err
    assert said.endswith("'scan', 'status', 'report'); did you mean 'status'?\n")
    assert "\n`lodescan --help` says what this means\nlodescan: error: " in said


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        ("--evalutor", "; did you mean '--evaluator'?"),
        ("--workers", "; run, serve have this option"),
        ("--xlog", "; plot has this option"),
    ],
)
def test_an_unknown_option_is_answered_with_the_closest_one_or_its_commands(
    capsys: pytest.CaptureFixture[str], option: str, hint: str
) -> None:
    parser = Parser(prog="lodescan")
    commands = parser.add_subparsers(metavar="COMMAND")
    options = {"scan": ["--evaluator"], "run": ["--evaluator", "--workers"], "serve": ["--workers"], "plot": ["--xlog"]}
    for name, theirs in options.items():
        command = commands.add_parser(name)
        for one in theirs:
            command.add_argument(one)
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(["scan", option, "3"])
    assert capsys.readouterr().err.endswith(f"lodescan: error: unrecognized arguments: {option} 3{hint}\n")


def test_an_unknown_argument_is_answered_with_the_usage_of_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Options of other commands are not proposed for a misspelling."""
    parser = Parser(prog="lodescan")
    commands = parser.add_subparsers(metavar="COMMAND")
    commands.add_parser("doctor").add_argument("--evaluator")
    commands.add_parser("serve").add_argument("--points")
    for arguments in (["doctor", "a.yaml"], ["doctor", "--port", "80"]):
        with pytest.raises(SystemExit, match="2"):
            parser.parse_args(arguments)
        said = capsys.readouterr().err
        assert said.startswith("usage: lodescan doctor [-h] [--evaluator EVALUATOR]\n`lodescan doctor --help` says ")
        assert said.endswith(f"lodescan: error: unrecognized arguments: {' '.join(arguments[1:])}\n")
