"""Types of scan that BSMArt has and lodescan does not: refused, with the closest one that there is."""

from __future__ import annotations

from scanspec.document import Section

_NETWORKS = "finds the good region by neural networks (its settings, all with defaults, go into the section networks)"
_MAP = ("MLS_DNNC", _NETWORKS)
_BEST = ("CMAES", f"looks for the lowest NLL; `type: MLS_DNNC` {_NETWORKS}")
_NO_POSTERIOR = "lodescan draws no samples of a posterior"
_ROWS = (
    "the rows of the file are evaluated, and nothing else, with `max_evaluations` set to their number, and a range for "
    "each variable; Input_CSV_File is read as `init_csv`"
)

# type: (what lodescan does otherwise, the closest type and what that does)
_CLOSEST: dict[str, tuple[str, tuple[str, str]]] = {
    "AL": ("", _MAP),
    "DLScanner": ("", _MAP),
    "MLS": ("", _MAP),
    **{f"MLScanner.MLS_{kind}": ("", _MAP) for kind in ("DNNR", "GBR", "RFC", "RFR", "SVR_Poly", "SVR_RBF")},
    "MCMC": (_NO_POSTERIOR, _MAP),
    "AffineMC": (_NO_POSTERIOR, _MAP),
    "MultiNest": (_NO_POSTERIOR, _MAP),
    "Vegas": ("", _MAP),
    "Contour2D": ("the border of a region shows in its good points", _MAP),
    "ContourGP": ("the border of a region shows in its good points", _MAP),
    "CMAES_ND": ("", _BEST),
    "DEAP": ("", _BEST),
    "Diver": ("", _BEST),
    "read_csv": (_ROWS, _MAP),
    "read_dir": ("folders of spectra are not read; `init_csv` takes the points as a table", _MAP),
    "read_dir_mpi": ("folders of spectra are not read; `init_csv` takes the points as a table", _MAP),
}


def check_type(setup: Section) -> None:
    """Raises ScanFileError for a type of BSMArt that lodescan does not have."""
    name = setup.text("type", "")
    if name not in _CLOSEST:
        return
    otherwise, (closest, does) = _CLOSEST[name]
    raise setup.error(
        f"type {name!r} is a scan of BSMArt that lodescan does not have; the closest is `type: {closest}`, which {does}"
        + (f"; {otherwise}" if otherwise else ""),
        "type",
    )
