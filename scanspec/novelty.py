"""The settings of CMAES_ND, CMA-ES with novelty, which both sides check. Each function raises ScanFileError."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from scanspec.document import Section, closest
from scanspec.rows import read_columns

METHODS = ("HBOS", "Optimiser", "none")


def read_novelty(setup: Section) -> tuple[str, int, str]:
    """Method, bins and direction."""
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
    return method, more.integer("n_bins", setup.integer("novelty_bins", 100, low=2), low=2), direction


def read_names(section: Section, key: str, what: str, known: Collection[str]) -> tuple[str, ...]:
    names = tuple(section.texts(key))
    for name in names:
        if name not in known:
            raise section.error(
                f"{section.path}: {section.spelling(key)}: {name!r} is no {what}{closest(name, known)}", key
            )
    return names


def read_seeds(setup: Section, names: Sequence[str]) -> tuple[tuple[float, ...], ...]:
    """The rows of a table with a column for each of the names."""
    if "seeds_csv" not in setup:
        return ()
    columns, wrong = read_columns(setup, "seeds_csv")
    for name in names:
        if name in wrong:
            raise setup.error(f"seeds_csv: {setup.text('seeds_csv')}, {wrong[name]}", "seeds_csv")
        if not columns.get(name):
            raise setup.error(f"seeds_csv: the table has no numbers in a column {name!r}", "seeds_csv")
    return tuple(zip(*(columns[name] for name in names), strict=True))
