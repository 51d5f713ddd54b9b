"""Finds the scan file that a run was started with."""

from __future__ import annotations

import os.path
from pathlib import Path

from proposer.run.files import read_object


def original(folder: Path) -> Path:
    """The scan file that the run in this folder was started with. Functions, templates and tables are beside it.

    A relative path starts in the folder in which the scan was started: the nearest one above the run that has such a
    file, else the present one. If the manifest names no file, it is the copy in the folder. Raises DatasetError if the
    manifest cannot be read.
    """
    stored = Path(str(read_object(folder / "manifest.json").get("scan_file") or folder / "scan.yaml"))
    if stored.is_absolute():
        return stored
    for above in folder.resolve().parents:
        if os.path.isfile(above / stored):  # unlike Path.is_file, this is False where nobody may look
            return stored if above == Path.cwd() else above / stored
    return stored
