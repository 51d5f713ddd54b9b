"""The scan file, as every process of the evaluator reads it."""

from __future__ import annotations

import os
from pathlib import Path

from evaluator.fit_method import read_fit_method
from scanspec import ScanFile, read_scan_file


def read_scan(path: Path) -> ScanFile:
    """The scan file, with its environment variables set in this process; raises ScanFileError."""
    scan = read_scan_file(path, also=read_fit_method)
    section = scan.setup.section("environment_variables")
    for name in section:
        os.environ[name] = section.text(name)
    return scan
