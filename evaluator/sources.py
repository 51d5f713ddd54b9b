"""What decides a code's results: its files by hash, its packages by version."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import re
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_EXTRA = re.compile(r"\bextra\s*==")


def file_hash(path: Path) -> str:
    """SHA-256 of a file without a `#!` line, which holds the place of an environment, not physics."""
    content = path.read_bytes()
    if content.startswith(b"#!"):
        content = content.partition(b"\n")[2]
    return hashlib.sha256(content).hexdigest()


def module_sources(module: str, folder: Path) -> dict[str, str]:
    """Hashes of a module beside the scan file and of those there that it imports; versions of packages behind them."""
    found: dict[str, str] = {}
    _visit(module, folder, found)
    return found


def script_sources(path: Path) -> dict[str, str]:
    """The same for an executable; one written in Python brings the packages that it imports."""
    found = {f"program {path.name}": file_hash(path)}
    with path.open("rb") as file:
        head = file.readline(200)
    if head.startswith(b"#!") and b"python" in head:
        for name in _imports(path):
            _visit(name, path.parent, found)
    return found


def _visit(module: str, folder: Path, found: dict[str, str]) -> None:
    top = module.partition(".")[0]
    single = folder / f"{top}.py"
    files = [single] if single.is_file() else sorted((folder / top).rglob("*.py"))  # a package as a whole
    if not files:
        found.update(_package_versions(top))
    for path in files:
        key = f"file {path.relative_to(folder)}"
        if key not in found:
            found[key] = file_hash(path)
            for name in _imports(path):
                _visit(name, folder, found)


def _imports(path: Path) -> list[str]:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return []
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.append(node.module)
    return [name for name in names if name.partition(".")[0] not in sys.stdlib_module_names | {"evaluator"}]


def _package_versions(top: str) -> dict[str, str]:
    found: dict[str, str] = {}
    _add_versions(_distributions().get(top, []), found)
    return found


def _add_versions(names: Iterable[str], found: dict[str, str]) -> None:
    for name in names:
        key = f"package {name.lower().replace('_', '-')}"
        if key in found:
            continue
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:  # an optional one that is not installed
            continue
        found[key] = distribution.version
        required = [each for each in distribution.requires or [] if not _EXTRA.search(each)]
        _add_versions([match.group() for each in required if (match := _NAME.match(each))], found)


@cache
def _distributions() -> dict[str, list[str]]:
    return {top: sorted(set(names)) for top, names in importlib.metadata.packages_distributions().items()}
