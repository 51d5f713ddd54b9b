"""What the proposer and the evaluator must read alike, and nothing else.

`read_scan_file` reads the one file that both sides share; `likelihoods` holds
the formulas that turn observables into losses. This package imports neither side.
"""

from scanspec.document import ScanFileError, Section
from scanspec.likelihoods import Kind, Likelihood, losses_and_nll
from scanspec.scanfile import CodeSpec, ObservableSpec, ScanFile, Variable, read_scan_file

__all__ = [
    "CodeSpec",
    "Kind",
    "Likelihood",
    "ObservableSpec",
    "ScanFile",
    "ScanFileError",
    "Section",
    "Variable",
    "losses_and_nll",
    "read_scan_file",
]
