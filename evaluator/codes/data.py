"""Finds the data files of a code: those that the scan file names as `data`, and those that a module opens during its
import.

Their hashes are part of the physics digest, as that of the code itself.
"""

from __future__ import annotations

import ast
import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from evaluator.codes.sources import FileHash, file_hash, files_below, syntax_tree, written_hash
from evaluator.errors import ConfigurationError
from scanspec import Section
from scanspec.canonical import canonical_path

MOST_FILES = 10_000
"""The largest number of data files of one code."""

IMPORT_LIMIT = 120.0
"""Seconds that the import of a module may take during the search for its data files."""


def check_data(section: Section, folder: Path) -> None:
    """Raises ScanFileError if `data` of a code's section names a missing file."""
    for name in section.texts("data"):
        if not os.path.exists(folder / name):
            raise section.error(f"{section.path}: data: there is no {folder / name}", "data")


def named_data(section: Section, folder: Path) -> dict[str, FileHash]:
    """The hashes of the files that `data` of a code's section names, including all files in folders. Raises
    ScanFileError, and ConfigurationError as `files_below` does.
    """
    found: dict[str, FileHash] = {}
    for name in section.texts("data"):
        path = folder / name
        for file in _data_below(path) if path.is_dir() else [path]:
            if len(found) == MOST_FILES:
                message = f"{section.path}: data: {name!r} and what stands before it are more than {MOST_FILES:,} files"
                raise section.error(f"{message}; name those that the code reads", "data")
            try:
                below = Path(canonical_path(name, folder), file.relative_to(path))
                found[f"data {os.path.normpath(below)}"] = written_hash(file)
            except (OSError, ConfigurationError) as error:
                raise section.error(f"{section.path}: data: {file} cannot be read ({error})", "data") from None
    return found


def _data_below(folder: Path) -> Iterator[Path]:
    return (file for file in files_below(folder) if "__pycache__" not in file.parts)


def opened_by(module: str, files: Collection[Path], scan: Path) -> dict[str, FileHash]:
    """The files in the scan file's folder, or in the module's folder, that the module reads during its import, and the
    modules that it imports in another way than by an `import` with their names.

    `files` are the source files of the module and of its imports. If none of them has a call that may open a file, the
    result is empty. Otherwise another process imports the module once more and reports the opened files. Files that are
    also written, and the scan file itself, are left out.
    """
    folder = scan.resolve().parent
    if not any(_may_open(path) for path in files if path.suffix == ".py"):
        return {}
    folders = sorted({str(folder), *(str(path.resolve().parent) for path in files)})
    answer = _ask_another_process(module, folder, folders)
    own = {scan.resolve(), *(path.resolve() for path in files)}
    found = [path for path in map(Path, answer.get("files", [])) if path not in own and path.is_file()]
    roots = [folder, *map(Path, answer.get("roots", []))]
    code = _by_names("file", (file_hash(path) for path in found if path.suffix == ".py"), roots)
    return code | _by_names("data", (written_hash(path) for path in found if path.suffix != ".py"), roots)


def _by_names(kind: str, files: Iterable[FileHash], roots: Sequence[Path]) -> dict[str, FileHash]:
    """Files by keys that do not depend on where a checkout is. The first of the `roots` is the scan file's folder."""
    named: dict[str, FileHash] = {}
    for file in sorted(files):  # by content
        key = first = f"{kind} {_name(file.path, roots)}"
        numbers = itertools.count(2)
        while key in named:
            key = f"{first} ({next(numbers)})"
        named[key] = file
    return named


def _name(path: Path, roots: Sequence[Path]) -> str:
    """The path from the scan file's folder; elsewhere `.../` and the path from the outermost root."""
    if path.is_relative_to(roots[0]):
        return str(path.relative_to(roots[0]))
    above = [root for root in roots[1:] if path.is_relative_to(root)]
    return f".../{path.relative_to(min(above, key=lambda root: len(root.parts), default=path.parent))}"


def _ask_another_process(module: str, folder_of_module: Path, folders: Sequence[str]) -> dict[str, list[str]]:
    """The answer of evaluator.codes.opened; empty if there is none. Then the first worker reports the reason."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        answer = Path(folder, "answer")  # no pipe, because a daemon of the module would keep it open
        words = [sys.executable, "-m", "evaluator.codes.opened", str(answer), module, str(folder_of_module), *folders]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(
            words,
            stdin=quiet,
            stdout=quiet,
            stderr=quiet,
            start_new_session=True,
            env=os.environ | {"TMPDIR": folder},
        )
        try:
            process.wait(IMPORT_LIMIT)
            found: dict[str, list[str]] = json.loads(answer.read_bytes() or b"{}")
        except (subprocess.TimeoutExpired, ValueError, FileNotFoundError):
            return {}
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return found


_OPENERS = (
    *("open", "load", "read", "parse", "fromfile", "genfromtxt", "glob", "iterdir", "listdir", "walk", "file"),
    *("import", "exec", "run_", "dll", "get_data", "connect"),
)


def _may_open(path: Path) -> bool:
    """Whether a Python file uses `sys.path`, or has a call whose name sounds like opening a file, and not for writing
    only.
    """
    return any(
        _is_opener(node) if isinstance(node, ast.Call) else isinstance(node, ast.Attribute) and _is_search_path(node)
        for node in ast.walk(syntax_tree(path))
    )


def _is_search_path(node: ast.Attribute) -> bool:
    return node.attr == "path" and isinstance(node.value, ast.Name) and node.value.id == "sys"


def _is_opener(call: ast.Call) -> bool:
    name = getattr(call.func, "attr", getattr(call.func, "id", "")).lower()
    if not any(opener in name for opener in _OPENERS):
        return False
    words = {node.attr for argument in call.args for node in ast.walk(argument) if isinstance(node, ast.Attribute)}
    modes = [
        argument.value
        for argument in [*call.args, *(key.value for key in call.keywords)]
        if isinstance(argument, ast.Constant)
    ]
    only_writes = any(
        isinstance(mode, str) and mode[:1] in "wax" and len(mode) <= 3 and "+" not in mode for mode in modes
    )
    return not only_writes and "O_WRONLY" not in words
