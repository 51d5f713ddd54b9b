"""The settings of CMAES_ND, CMA-ES with novelty, which both sides check. Each function raises ScanFileError."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from scanspec.document import Section, closest
from scanspec.rows import read_columns

METHODS = ("HBOS", "Optimiser", "none")


def read_novelty(setup: Section) -> tuple[str, int, str]:
    """Method, bins and direction: BSMArt has True, False, HBOS or Optimiser, and the others in a mapping."""
    word = setup.text("novelty", "true").strip().lower()
    known = {each.lower(): each for each in METHODS} | {"true": "HBOS", "1": "HBOS", "false": "none", "0": "none"}
    if word not in known:
        raise setup.wrong("novelty", "true, false, HBOS or Optimiser")
    more = setup.section("novelty_settings")
    for key in more:
        if key not in ("n_bins", "direction"):
            raise more.error(f"unknown key {key!r} in {more.path}{closest(key, ('n_bins', 'direction'))}", key)
    direction = more.text("direction", "min")
    if direction not in ("min", "max"):
        raise more.wrong("direction", "min or max")
    return known[word], more.integer("n_bins", setup.integer("novelty_bins", 100, low=2), low=2), direction


def read_focus(setup: Section, names: Collection[str]) -> tuple[str, ...]:
    """BSMArt has two lists, Variables and Observables; one list of names does as well."""
    if not isinstance(setup.raw("focus"), dict):
        return read_names(setup, "focus", "variable or observable", names)
    lists = setup.section("focus")
    for key in lists:
        if key.lower() not in ("variables", "observables"):
            raise lists.error(f"{lists.path} has two lists, Variables and Observables, but no {key!r}", key)
    return tuple(name for key in lists for name in read_names(lists, key, "variable or observable", names))


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
