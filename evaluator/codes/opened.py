"""`python -m evaluator.codes.opened ANSWER MODULE FOLDER FOLDERS...`: finds the files that an import needs.

FOLDER is the folder of the module. The program writes a JSON object to the file ANSWER. `files` are absolute paths of
the imported modules that are not installed packages, and of the files in the FOLDERS, or beside those modules, that
were opened for reading, and not for writing. `roots` are the folders from which these modules were imported. It is a
separate process, because an audit hook cannot be removed.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from evaluator.codes.from_source import PACKAGES, import_from_source, is_of_the_user

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC
_LIBRARIES = ("ctypes.dlopen", "sqlite3.connect")
"""Events of files that are opened, but not by Python itself."""


def main() -> None:
    """Imports the module, and writes the list."""
    answer, module, beside, *folders = sys.argv[1:]
    read: dict[str, None] = {}
    written: set[str] = set()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in ("open", *_LIBRARIES) or not isinstance(arguments[0], (str, bytes, os.PathLike)):
            return
        name = os.fsdecode(arguments[0])
        if event == "ctypes.dlopen" and os.sep not in name:  # the system looks for it in its own folders
            return
        if event == "open" and may_write(arguments[2]):
            written.add(os.path.realpath(name))
        else:
            read[os.path.realpath(name)] = None

    sys.path.insert(0, beside)
    sys.dont_write_bytecode = True
    import_from_source()
    before = set(sys.modules)
    sys.addaudithook(hook)
    try:
        importlib.import_module(module)
    finally:
        imported = {name: path for name in set(sys.modules) - before if (path := file_of(name))}
        kept = dict.fromkeys(_source(path) for path in read if path not in written)
        files = _of_the_user(kept, imported.values(), folders)
        roots = _roots(imported, [path for path in files if path.endswith(".py")])
        with open(answer, "w", encoding="utf-8") as file:
            json.dump({"files": files, "roots": roots}, file)


def file_of(name: str) -> str:
    """The file of an imported module; empty if it has none. A module may be any object."""
    with contextlib.suppress(Exception):
        file = getattr(sys.modules[name], "__file__", None)
        return os.path.realpath(file) if isinstance(file, str) else ""
    return ""


def _roots(imported: Mapping[str, str], code: Collection[str]) -> list[str]:
    """The folders from which the code was imported, and those of the code that was run by its path."""
    names = {path: name for name, path in imported.items()}
    found = {_root(names[path], Path(path)) for path in code if path in names}
    alone = {os.path.dirname(path) for path in code if not any(Path(path).is_relative_to(root) for root in found)}
    return sorted(found | alone)


def _root(name: str, path: Path) -> str:
    """The folder on `sys.path` from which a module comes; its own folder if it was imported by its path."""
    stem, parts = path.parent if path.name == "__init__.py" else path.with_suffix(""), tuple(name.split("."))
    return str(stem.parents[len(parts) - 1] if stem.parts[-len(parts) :] == parts else path.parent)


def _of_the_user(read: Collection[str], imported: Collection[str], folders: Collection[str]) -> list[str]:
    """The files that were read, and the modules, without those of Python and of installed packages."""
    code = {*imported} | {path for path in read if path.endswith(".py")}
    code = {path for path in code if is_of_the_user(path)}
    data = [path for path in below_folders(read, [*folders, *map(os.path.dirname, code)]) if not path.endswith(".py")]
    return [*sorted(code), *data]


def below_folders(paths: Iterable[str], folders: Iterable[str]) -> list[str]:
    """Which of some absolute paths are below the folders, and belong to no package and no cache there. A file of
    Python's cache counts as its source.
    """
    below = tuple({folder.rstrip(os.sep) + os.sep for folder in folders})
    sources = dict.fromkeys(map(_source, paths))
    return [
        path
        for path in sources
        if path.startswith(below) and not path.endswith(".pth") and not _is_anothers(path, below)
    ]


def may_write(flags: int) -> bool:
    """Whether a file that is opened with these flags may be written."""
    return bool(flags & _WRITES)


def _source(path: str) -> str:
    """The file from which Python has made a file of its cache; any other file itself."""
    with contextlib.suppress(ValueError):
        if path.endswith(".pyc"):
            return importlib.util.source_from_cache(path)
    return path


def _is_anothers(path: str, below: tuple[str, ...]) -> bool:
    """Whether a file belongs to a package or a cache: it is in site-packages, or in a folder whose name begins with a
    dot.
    """
    inside = path[max(len(folder) for folder in below if path.startswith(folder)) :]
    folders = inside.split(os.sep)[:-1]
    return any(folder.startswith(".") or folder in PACKAGES for folder in folders)


if __name__ == "__main__":
    main()
