"""Reads the scan file. Every process of the evaluator uses this function."""

from __future__ import annotations

import os
from pathlib import Path

from evaluator.fit_method import read_fit_method
from scanspec import ScanFile, read_scan_file

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "JULIA_NUM_THREADS")
"""Environment variables with the number of cores for programs and libraries."""


def read_scan(path: Path) -> ScanFile:
    """The scan file. Its environment variables are set in this process. Raises ScanFileError.

    Libraries with threads get the largest number of `cores` of any code, unless the file sets their variables itself.
    """
    scan = read_scan_file(path, also=read_fit_method)
    if given := [code.section.integer("cores") for code in scan.codes if "cores" in code.section]:
        os.environ.update(dict.fromkeys(THREADS, str(max(given))))
    section = scan.setup.section("environment_variables")
    for name in section:
        os.environ[name] = section.text(name)
    return scan
