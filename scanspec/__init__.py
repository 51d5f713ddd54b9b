"""All code that the proposer and the evaluator share: they must read scan files in the same way.

`read_scan_file` reads the one file that both sides share; `likelihoods` holds
the formulas that turn observables into losses. This package imports neither side.
"""

from scanspec.addresses import DEFAULT_ADDRESS, Address, AddressError, read_address
from scanspec.document import ScanFileError, Section
from scanspec.errors import LodescanError, UsageError
from scanspec.likelihoods import Kind, Likelihood, losses_and_nll
from scanspec.observables import FlavioAddress, ObservableSpec, SlhaAddress
from scanspec.reading import read_scan_file, read_scan_text
from scanspec.scanfile import CodeSpec, ScanFile
from scanspec.text import visible
from scanspec.variables import PriorKind, Variable

VERSION = "0.1.0"

__all__ = [
    "Address",
    "AddressError",
    "CodeSpec",
    "DEFAULT_ADDRESS",
    "FlavioAddress",
    "Kind",
    "Likelihood",
    "LodescanError",
    "ObservableSpec",
    "PriorKind",
    "ScanFile",
    "ScanFileError",
    "Section",
    "SlhaAddress",
    "UsageError",
    "VERSION",
    "Variable",
    "losses_and_nll",
    "read_address",
    "read_scan_file",
    "read_scan_text",
    "visible",
]
