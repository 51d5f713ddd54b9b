"""`lodescan-evaluator new NAME`: writes a folder with a small backend that works, for users to change."""

from __future__ import annotations

import importlib.util
import keyword
import shutil
from importlib.resources import files
from pathlib import Path

from scanspec import UsageError

FILES = ("NAME.py", "NAME.yaml", "Dockerfile", "test_NAME.py")


def new(name: str, parent: Path) -> int:
    """Writes the folder NAME with a Python function, its scan file, Dockerfile and test.

    Raises UsageError if NAME cannot be the name of a Python module, exists, or cannot be written.
    """
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        raise UsageError(
            f"{name!r} must be a name of letters, digits, and _ that Python can import", next_step="take another name"
        )
    folder = parent / name
    if folder.exists():
        raise UsageError(f"{folder}: exists already; nothing was written", next_step="take another name")
    if importlib.util.find_spec(name) is not None:
        raise UsageError(f"{name!r} is the name of an installed Python module", next_step="take another name")
    source = files("evaluator.commands") / "starter"
    try:
        folder.mkdir(parents=True)
        for file in FILES:
            text = (source / file).read_text(encoding="utf-8")
            (folder / file.replace("NAME", name)).write_text(text.replace("NAME", name), encoding="utf-8")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)  # so that the same command can be given again
        raise UsageError(
            f"{folder}: cannot be written ({error.strerror})", next_step="make room there, or go to another folder"
        ) from error
    print(f"{folder}: {', '.join(file.replace('NAME', name) for file in FILES)}")
    print(f"try it: lodescan-evaluator check {folder}/{name}.yaml")
    return 0
