"""Each error that a user can correct says what to do next."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from scanspec import LodescanError, ScanFileError, read_scan_file
from scanspec.intermixed import Parser

ROOT = Path(__file__).parents[2]
SOURCES = [file for room in ("proposer", "evaluator", "scanspec") for file in sorted((ROOT / room).rglob("*.py"))]


def classes_without_a_step() -> set[str]:
    """The names of the classes of LodescanError that have no `next_step` for all their errors."""
    nodes = [node for file in SOURCES for node in ast.walk(ast.parse(file.read_text()))]
    found = {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}
    errors = {"LodescanError"}
    while more := {name for name, node in found.items() if bases(node) & errors} - errors:
        errors |= more
    with_step = {name for name in errors if name in found and sets_next_step(found[name])} - {"LodescanError"}
    while more := {name for name in errors if bases(found[name]) & with_step} - with_step:
        with_step |= more
    return errors - with_step


def bases(node: ast.ClassDef) -> set[str]:
    return {base.id for base in node.bases if isinstance(base, ast.Name)}


def sets_next_step(node: ast.ClassDef) -> bool:
    return any(
        isinstance(target, ast.Name) and target.id == "next_step"
        for statement in node.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
    )


def made() -> Iterator[tuple[str, ast.Call]]:
    """Each call of a name in the sources, with its place."""
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                yield f"{file.relative_to(ROOT)}:{node.lineno}", node


def test_each_error_is_made_with_a_next_step_unless_its_class_has_one() -> None:
    needs = classes_without_a_step()
    assert "LodescanError" in needs and "UsageError" not in needs and len(needs) < 40
    silent = [
        f"{place}: {call.func.id}"
        for place, call in made()
        if isinstance(call.func, ast.Name) and call.func.id in needs
        if not any(word.arg in ("next_step", None) for word in call.keywords)
    ]
    assert not silent


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
