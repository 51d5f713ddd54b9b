"""`lodescan export`: all points of a run as one table, also while it goes on."""

from __future__ import annotations

from pathlib import Path

from proposer.run import tables


def export(folder: Path, kind: str) -> int:
    """Writes all points of a run as one table and says where."""
    print(f"written: {tables.export(folder, kind)}")
    return 0
