"""A file in the folder of a pool marks its scan as finished, for evaluators that start only afterwards."""

from __future__ import annotations

import contextlib
from pathlib import Path

NAME = "finished"
"""The name of this file. The file holds the digests of the physics and of the likelihood, in one line."""

Digests = tuple[str, str]


def mark_finished(folder: Path, digests: Digests) -> None:
    """Marks the scan of this pool as finished. A folder that is gone or cannot be written is ignored."""
    with contextlib.suppress(OSError):
        (folder / NAME).write_text(f"{' '.join(digests)}\n", encoding="utf-8")


def unmark_finished(folder: Path) -> None:
    """Removes the mark, because a scan begins or goes on and needs evaluators again."""
    with contextlib.suppress(OSError):
        (folder / NAME).unlink(missing_ok=True)


def is_marked(folder: Path, digests: Digests) -> bool:
    """Whether the folder marks a scan with these digests as finished."""
    try:
        return (folder / NAME).read_text(encoding="utf-8").split() == list(digests)
    except (OSError, UnicodeDecodeError):
        return False
