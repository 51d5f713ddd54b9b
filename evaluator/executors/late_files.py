"""Finds the user's own files that a function needs only while a point runs: modules, data, and scripts."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Collection
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from evaluator.codes.from_source import is_of_the_user
from evaluator.codes.opened import below_folders, file_of, may_write

MOST_NAMED = 20
"""The most files that one process names."""

MOST_KNOWN = 1000
"""The most names of opened files that are remembered. If there are more, opened files are no longer looked at."""

_STARTED = ("subprocess.Popen", "os.posix_spawn", "os.exec")
"""Events of programs that are started. They give the program and its arguments."""

_WITH_NAMES = (*_STARTED, "ctypes.dlopen")
"""Events that may give a name without a folder, which is not a file of the present folder."""

_EVENTS = frozenset({"open", "sqlite3.connect", *_WITH_NAMES})


class Late(NamedTuple):
    """Files that points have `read` or `imported`."""

    done: str
    files: list[str]


class LateFiles:
    """Compares the imported modules with those that were there before the first point, and notes which files the
    present thread opens for reading, or hands to a program, and never for writing.
    """

    def __init__(self, scratch: Path, folder: Path) -> None:
        """`scratch`: the folder of the points' own files, which are not noted. `folder`: that of the scan file."""
        self._scratch = f"{scratch.resolve()}/"
        self._modules, self._count, self._named = set(sys.modules), len(sys.modules), 0
        files = [path for name in self._modules if (path := file_of(name)) and is_of_the_user(path)]
        self._folders = sorted({str(folder.resolve()), *map(os.path.dirname, files)})
        self._thread = threading.get_ident()
        self._opened: dict[str, None] = {}
        self._known, self._written = set[str](), set[str]()
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _EVENTS or threading.get_ident() != self._thread:
            return
        names = [arguments[0], *(arguments[1] if event in _STARTED else ())]
        for name in names[:MOST_NAMED]:
            if isinstance(name, (str, PurePath)) and (event not in _WITH_NAMES or os.sep in str(name)):
                self._note(str(name), written=event == "open" and may_write(arguments[2]))

    def _note(self, name: str, *, written: bool) -> None:
        if written:
            if len(self._written) < MOST_KNOWN and not name.startswith(self._scratch):
                self._written.add(name)
        elif name not in self._known and len(self._known) < MOST_KNOWN and not name.startswith(self._scratch):
            self._known.add(name)
            self._opened[name] = None

    def new(self) -> list[Late]:
        """The files that are new since the last call, without those of Python, of installed packages and of a point's
        own folder. Takes a microsecond if nothing is new.
        """
        if len(sys.modules) == self._count and not self._opened:
            return []
        names = [name for name in list(sys.modules) if name not in self._modules]
        self._modules.update(names)
        self._count = len(sys.modules)
        imported = {path for name in names if (path := file_of(name)) and is_of_the_user(path)}
        opened, self._opened = list(self._opened), {}
        paths = below_folders([os.path.realpath(name) for name in opened if name not in self._written], self._folders)
        read = {path for path in paths if os.path.isfile(path)} - imported
        found = [Late("imported", self._kept(imported)), Late("read", self._kept(read))]
        return [late for late in found if late.files]

    def _kept(self, files: Collection[str]) -> list[str]:
        found = sorted(path for path in files if not path.startswith(self._scratch))[: MOST_NAMED - self._named]
        self._named += len(found)
        return found


def note_on(late: Late, watched: Collection[Path]) -> str:
    """What a user should do about files that the physics digest does not cover; empty if it covers all. `watched` are
    the files that it covers.
    """
    covered = {os.path.realpath(path) for path in watched}
    files = [path for path in late.files if path not in covered]
    if not files:
        return ""
    was, it = ("was", "it") if len(files) == 1 else ("were", "them")
    return (
        f"note: {', '.join(files)} {was} {late.done} only while a point ran. The physics digest does not cover that, "
        f"so a change of it goes unnoticed. {late.done.removesuffix('ed').capitalize()} {it} at the top of the module, "
        f"or name {it} as `data` of the code in the scan file"
    )
