"""A file in the folder of a pool says that its scan is finished: nobody tells it an evaluator that begins later."""

from __future__ import annotations

import contextlib
from pathlib import Path

NAME = "finished"
"""Of the file. It holds the digests of the physics and of the likelihood, in one line."""

Digests = tuple[str, str]


def mark_finished(folder: Path, digests: Digests) -> None:
    """The scan of this pool is finished. A folder that is gone, or cannot be written, needs no word."""
    with contextlib.suppress(OSError):
        (folder / NAME).write_text(f"{' '.join(digests)}\n", encoding="utf-8")


def unmark_finished(folder: Path) -> None:
    """A scan begins, or goes on: evaluators are wanted again."""
    with contextlib.suppress(OSError):
        (folder / NAME).unlink(missing_ok=True)


def is_marked(folder: Path, digests: Digests) -> bool:
    """Whether the last scan of this pool that was finished computed the same."""
    try:
        return (folder / NAME).read_text(encoding="utf-8").split() == list(digests)
    except (OSError, UnicodeDecodeError):
        return False
