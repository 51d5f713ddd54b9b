"""Reads the settings of CMAES and CMAES_ND that are not plain numbers. All functions raise ScanFileError."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from scanspec.document import Section, closest
from scanspec.likelihoods import Kind, losses_and_nll
from scanspec.rows import read_columns

if TYPE_CHECKING:
    from scanspec.scanfile import ScanFile

MOST_BINS = 10**6

METHODS = ("HBOS", "Optimiser", "none")


def read_novelty(setup: Section) -> tuple[str, int, str]:
    """The method of the novelty, its number of bins, and its direction."""
    method = setup.text("novelty", METHODS[0])
    if method not in METHODS:
        raise setup.wrong("novelty", "true, false, HBOS or Optimiser")
    more = setup.section("novelty_settings")
    for key in more:
        if key not in ("n_bins", "direction"):
            raise more.error(f"unknown key {key!r} in {more.path}{closest(key, ('n_bins', 'direction'))}", key)
    direction = more.text("direction", "min")
    if direction not in ("min", "max"):
        raise more.wrong("direction", "min or max")
    bins = more.integer("n_bins", setup.integer("novelty_bins", 100, low=2), low=2)
    if bins > MOST_BINS:
        section, key = (more, "n_bins") if "n_bins" in more else (setup, "novelty_bins")
        raise section.wrong(key, f"at most {MOST_BINS:,}")
    return method, bins, direction


def read_names(section: Section, key: str, what: str, known: Collection[str]) -> tuple[str, ...]:
    names = tuple(section.texts(key))
    for name in names:
        if name not in known:
            raise section.error(
                f"{section.path}: {section.spelling(key)}: {name!r} is not {what}{closest(name, known)}", key
            )
    return names


def read_hierarchy(scan: ScanFile) -> tuple[str, ...]:
    """The observables that the search brings within their bounds first."""
    scored = (observable for observable in scan.all_observables() if observable.likelihood.kind is Kind.CFUNCTION)
    return read_names(
        scan.setup,
        "hierarchy",
        "an observable with the scaling CFUNCTION",
        [observable.name for observable in scored],
    )


def read_seeds(setup: Section, names: Sequence[str]) -> tuple[tuple[float, ...], ...]:
    """The rows of a table with a column for each of the names."""
    if "seeds_csv" not in setup:
        return ()
    columns, wrong = read_columns(setup, "seeds_csv")
    return _points(setup, "seeds_csv", columns, wrong, names)


def read_start(scan: ScanFile) -> tuple[float, ...]:
    """The values of the variables in the best row of the table `start_csv`; empty without a table.

    The best row has the lowest NLL of its observables by this file's likelihoods. If the table lacks some observables,
    its column NLL decides (in BSMArt's tables: Result).
    """
    import numpy as np  # here, because workers read scan files and start without it

    setup, key = scan.setup, "start_csv"
    if key not in setup:
        return ()
    columns, wrong = read_columns(setup, key)
    points = _points(setup, key, columns, wrong, [variable.name for variable in scan.variables])
    scored = [observable for observable in scan.all_observables() if observable.likelihood.kind is not Kind.OFF]
    known = not any(observable.measurement is not None for observable in scan.all_observables())
    own = next((columns[name] for name in ("NLL", "Result") if name in columns), None)
    if known and all(observable.name in columns for observable in scored):
        table = np.array([columns[observable.name] for observable in scored], dtype=float).T
        nll = losses_and_nll([observable.likelihood for observable in scored], table)[1]
    elif own is not None:
        nll = np.nan_to_num(np.array(own), nan=np.inf)
    else:
        raise setup.error(
            f"{setup.spelling(key)}: the table does not say which row is best: it has neither a column for each "
            "observable in the likelihood nor a column NLL (or Result)",
            key,
        )
    return points[int(np.argmin(nll))]


def _points(
    setup: Section, key: str, columns: Mapping[str, list[float]], wrong: Mapping[str, str], names: Sequence[str]
) -> tuple[tuple[float, ...], ...]:
    """The values of the variables in each row of a table, which has at least one row."""
    for name in names:
        if name in wrong:
            raise setup.error(f"{setup.spelling(key)}: {setup.text(key)}, {wrong[name]}", key)
        if not columns.get(name):
            where = f"{setup.spelling(key)}: {setup.text(key)}"
            raise setup.error(f"{where} has no numbers in a column {name!r}", key)
    return tuple(zip(*(columns[name] for name in names), strict=True))
