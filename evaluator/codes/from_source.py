"""Makes Python import the user's modules from their source files, and not from older byte code.

Python uses the byte code in `__pycache__` if the size and the second of the last change agree with those of the source
file. This may also be so after another file was put in its place (by `cp -p`, rsync, or git). But the physics digest is
that of the source file.
"""

from __future__ import annotations

import contextlib
import glob
import os
import sysconfig
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType

PACKAGES = ("site-packages", "dist-packages")
"""The names of folders with installed packages."""

_usual_code = SourceFileLoader.get_code


def _get_code(loader: SourceFileLoader, name: str) -> CodeType | None:
    path = loader.get_filename(name)
    if is_of_the_user(os.path.realpath(path)):
        return loader.source_to_code(loader.get_data(path), path)
    return _usual_code(loader, name)


def import_from_source() -> None:
    """Makes this process compile each module of the user that it imports, however it finds the module."""
    _others()  # now, because it imports modules of Python itself, for which it would be asked again
    SourceFileLoader.get_code = _get_code  # type: ignore[method-assign, assignment]


def remove_old_byte_code(path: Path, changed: int) -> None:
    """Removes the byte code of a source file that another Python will import, unless it is newer than the last change
    (in ns) of the file.
    """
    for compiled in glob.glob(f"{glob.escape(str(path.parent))}/__pycache__/{glob.escape(path.stem)}.*.pyc"):
        with contextlib.suppress(OSError):  # somebody has just removed it, or the folder belongs to another user
            if os.stat(compiled).st_mtime_ns < changed:
                os.unlink(compiled)


def is_of_the_user(path: str) -> bool:
    """Whether a file of code belongs to the user, and not to Python, lodescan or an installed package."""
    return not path.startswith(_others()) and not set(PACKAGES) & set(path.split(os.sep))


@cache
def _others() -> tuple[str, ...]:
    """The folders of Python and of lodescan, each with a slash."""
    own = Path(__file__).parents[2]
    paths = sysconfig.get_paths()
    ours = (str(own / name) for name in ("evaluator", "scanspec", "lodescan", "proto/lodescan"))
    return tuple(os.path.realpath(folder) + os.sep for folder in (paths["stdlib"], paths["platstdlib"], *ours))
