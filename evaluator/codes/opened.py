"""`python -m evaluator.codes.opened ANSWER MODULE FOLDER FOLDERS...`: finds the files that a module reads during its
import.

FOLDER is the folder of the module. The program writes a list of absolute paths to the file ANSWER: the files in the
FOLDERS that the module opened for reading, and not for writing. It is a separate process, because an audit hook cannot
be removed.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC
_PYTHONS = (".py", ".pyc", ".so", ".pth")


def main() -> None:
    """Imports the module, and writes the list."""
    answer, module, beside, *folders = sys.argv[1:]
    below = tuple(folder.rstrip(os.sep) + os.sep for folder in folders)
    read: dict[str, None] = {}
    written: set[str] = set()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open" or not isinstance(arguments[0], (str, bytes, os.PathLike)):
            return
        path = os.path.realpath(os.fsdecode(arguments[0]))
        if not path.startswith(below) or path.endswith(_PYTHONS) or _is_anothers(path, below):
            return
        if arguments[2] & _WRITES:
            written.add(path)
        else:
            read[path] = None

    sys.path.insert(0, beside)
    sys.dont_write_bytecode = True
    sys.addaudithook(hook)
    try:
        importlib.import_module(module)
    finally:
        found = [name for name in read if name not in written]
        with open(answer, "w", encoding="utf-8") as file:
            json.dump(found, file)


def _is_anothers(path: str, below: tuple[str, ...]) -> bool:
    """Whether a file belongs to a package or a cache: it is in site-packages, or in a folder whose name begins with a
    dot.
    """
    inside = path[max(len(folder) for folder in below if path.startswith(folder)) :]
    folders = inside.split(os.sep)[:-1]
    return any(folder.startswith(".") or folder in ("site-packages", "dist-packages") for folder in folders)


if __name__ == "__main__":
    main()
