"""Every error that a user can fix is a LodescanError, and its message says what to do next."""

from __future__ import annotations

import ast
from collections.abc import Collection
from pathlib import Path

import pytest

from scanspec import LodescanError, ScanFileError, UsageError

ROOT = Path(__file__).parents[2]
FILES = [path for side in ("scanspec", "proposer", "evaluator") for path in sorted((ROOT / side).rglob("*.py"))]


def name_of(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def errors(trees: Collection[ast.Module]) -> dict[str, bool]:
    """All errors by name, and whether each class has a next step, its own or that of a base class."""
    bases, own = {}, {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases[node.name] = [name_of(base) for base in node.bases]
                own[node.name] = any(
                    isinstance(statement, ast.Assign) and name_of(statement.targets[0]) == "next_step"
                    for statement in node.body
                )

    def derived(name: str) -> bool:
        return name == "LodescanError" or any(map(derived, bases.get(name, [])))

    def has_step(name: str) -> bool:
        return name != "LodescanError" and (own.get(name, False) or any(map(has_step, bases.get(name, []))))

    return {name: has_step(name) for name in bases if derived(name)}


def test_every_error_says_what_to_do_next():
    trees = {path: ast.parse(path.read_text()) for path in FILES}
    found = errors(trees.values())
    assert {"ScanFileError", "ConfigurationError", "DatasetError", "NoEvaluator", "EvaluatorLost"} <= set(found)
    assert found["UsageError"] and not found["LodescanError"] and list(found.values()).count(False) < 40
    without = []
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or found.get(name_of(node.func), True):
                continue
            if not any(keyword.arg == "next_step" for keyword in node.keywords):
                without.append(f"{path.relative_to(ROOT)}:{node.lineno}: {name_of(node.func)}")
    assert not without, "give these a next_step"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (UsageError("too few", next_step="name two"), "too few; name two"),
        (UsageError("too few"), f"too few\nnext: {UsageError.next_step}"),
        (ScanFileError("a.yaml, line 3: no", 3), f"a.yaml, line 3: no\nnext: {ScanFileError.next_step}"),
        (LodescanError("a", next_step="b"), "a; b"),
    ],
)
def test_the_text_of_an_error_ends_with_the_next_step(error, told):
    assert error.tell() == told
    assert told.startswith(str(error))
    assert error.next_step and told.endswith(error.next_step)
