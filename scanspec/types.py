"""What the type of a scan means for reading its file: types that lodescan does not have, and the one whose variables
are the columns of a table."""

from __future__ import annotations

from scanspec.document import Section

_MAPS = "maps the good region evenly and with few evaluations"
_MAP = ("LODE", _MAPS)
_NETWORKS = ("MLS_DNNC", "finds the good region by neural networks; their settings go into the section networks")
_BEST = ("CMAES", f"looks for the lowest NLL; `type: LODE` {_MAPS}")
_ROWS = ("READ_CSV", "evaluates the rows of a table, which `init_csv` names; folders of spectra are not read")
_NO_POSTERIOR = "lodescan draws no samples of a posterior"

# type: (what lodescan does otherwise, the closest type and what that does)
_CLOSEST: dict[str, tuple[str, tuple[str, str]]] = {
    "AL": ("", _MAP),
    "DLScanner": ("", _NETWORKS),
    "MLS": ("", _NETWORKS),
    **{f"MLScanner.MLS_{kind}": ("", _NETWORKS) for kind in ("DNNR", "GBR", "RFC", "RFR", "SVR_Poly", "SVR_RBF")},
    "MCMC": (_NO_POSTERIOR, _MAP),
    "AffineMC": (_NO_POSTERIOR, _MAP),
    "MultiNest": (_NO_POSTERIOR, _MAP),
    "Vegas": ("", _MAP),
    "Contour2D": ("the border of a region shows in its good points", _MAP),
    "ContourGP": ("the border of a region shows in its good points", _MAP),
    "DEAP": ("", _BEST),
    "Diver": ("", _BEST),
    "read_dir": ("", _ROWS),
    "read_dir_mpi": ("", _ROWS),
}


def check_type(setup: Section) -> None:
    """Raises ScanFileError for a type of BSMArt that lodescan does not have; `setup` is read without its keys."""
    key = "Type" if "Type" in setup else "type"
    name = setup.text(key, "")
    known = next((each for each in _CLOSEST if each.lower() == name.lower()), None)
    if known is None:
        return
    otherwise, (closest, does) = _CLOSEST[known]
    raise setup.error(
        f"type {name!r} is a scan of BSMArt that lodescan does not have; the closest is `type: {closest}`, which {does}"
        + (f"; {otherwise}" if otherwise else ""),
        key,
    )


def is_bsmarts(setup: Section) -> bool:
    """Whether the file names its type as BSMArt does, whose defaults hold then."""
    return setup.spelling("type") == "Type"


BSMARTS_POINTS = 10_000
"""Evaluations of BSMArt's `Type: CMAES` where the file gives no `Points`."""


BSMARTS_GENERATIONS = 100
"""Generations of BSMArt's `Type: CMAES_ND` where the file gives no `CMAESMaxGenerations`."""


def counts_evaluations(setup: Section) -> bool:
    """Whether `points` are evaluations too: in BSMArt's own spelling, `Type: Random` and `Type: CMAES`, they are."""
    name = setup.text("type", "")
    if "max_evaluations" in setup:
        return False
    return (name == "Random" and "points" in setup) or (name == "CMAES" and is_bsmarts(setup))


def only_tabulates(setup: Section) -> bool:
    """Whether the type asks for points whatever comes back, so that it makes sense without a likelihood."""
    return setup.text("type", "").upper() in ("RANDOM", "SOBOL", "GRID", "READ_CSV")


def reads_rows(setup: Section) -> bool:
    """Whether the scan is the rows of a CSV file and nothing else (BSMArt's read_csv)."""
    return setup.text("type", "") in ("READ_CSV", "read_csv")
