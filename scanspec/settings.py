"""Checks the sections setup and networks for the type of the scan. Both sides do so: the evaluator's `check` must not
accept a file that the proposer refuses.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from scanspec.cmaes import read_hierarchy, read_names, read_novelty
from scanspec.document import Section, closest, nearest, plain_name
from scanspec.thresholds import read_threshold
from scanspec.variables import Variable

if TYPE_CHECKING:
    from scanspec.scanfile import ScanFile

DEFAULT = "LODE"
"""The type of a scan whose file names none."""

TYPES = ("LODE", "MLS_DNNC", "RANDOM", "SOBOL", "GRID", "CMAES", "CMAES_ND", "READ_CSV")
"""The types of a scan."""

GOALS = ("map", "collect")

LARGEST_SEED = 2**53
"""Larger numbers of a JSON file are rounded."""

MOST_AT_ONCE = 10**7
"""The most points that are in memory at the same time."""

MOST_NEURONS = 10**4
"""The most neurons of one layer; the number of its weights is the square of this."""

MOST_GRID_POINTS = 10**9
MOST_GRID_STEPS = 10**6


def type_name(setup: Section) -> str:
    """The type of the scan. Raises ScanFileError for a type that lodescan does not have."""
    name = setup.text("type", DEFAULT)
    if name in TYPES:
        return name
    raise setup.error(
        f"type {name!r} is not a scan that lodescan knows{nearest(name, TYPES)}; the types are {', '.join(TYPES)}, and "
        f"without a type it is {DEFAULT}",
        "type",
    )


def only_tabulates(setup: Section) -> bool:
    """Whether the type proposes points without looking at results, so that a scan needs no likelihood."""
    return setup.text("type", DEFAULT) in ("RANDOM", "SOBOL", "GRID", "READ_CSV")


def reads_rows(setup: Section) -> bool:
    """Whether the scan evaluates the rows of a CSV file and nothing else."""
    return setup.text("type", DEFAULT) == "READ_CSV"


def check_settings(scan: ScanFile, columns: Collection[str]) -> None:
    """Adds the errors of setup and networks to their `faults`; `columns` are the names of variables and observables."""
    setup, networks = scan.setup, scan.networks
    with setup.faults.collect():
        _check_type(type_name(setup), scan, columns)
    for key, low in (("points", 1), ("max_evaluations", 1), ("seed", 0)):
        with setup.faults.collect():
            setup.integer(key, 1, low=low)
    with setup.faults.collect():
        if setup.integer("seed", 0) > LARGEST_SEED:
            raise setup.wrong("seed", f"at most {LARGEST_SEED:,}")
    for key in ("max_hours", "seconds_per_point"):
        with setup.faults.collect():
            setup.number_in(key, math.inf, 0.0, math.inf, open_low=True)
    with setup.faults.collect():
        word = setup.text("keep_spectra", "good").strip().lower()
        if word not in ("good", "valid", "none"):
            raise setup.wrong("keep_spectra", "good, valid (all points that are OK) or none")
    with networks.faults.collect():
        read_threshold(networks, 100.0)
    with networks.faults.collect():
        if not isinstance(networks.raw("verbose"), bool):
            networks.integer("verbose", 0)
    for key in ("spectrum_file", "init_csv", "seeds_csv", "start_csv"):  # only the proposer has the tables
        with setup.faults.collect():
            setup.path_text(key)


def _check_type(name: str, scan: ScanFile, columns: Collection[str]) -> None:
    """Checks the keys that the type `name` reads."""
    setup, networks, faults = scan.setup, scan.networks, scan.setup.faults
    if name == "LODE":
        with faults.collect():
            _check_goal(setup, columns)
    if name in ("LODE", "MLS_DNNC", "RANDOM", "SOBOL", "GRID", "READ_CSV"):
        with faults.collect():
            _at_once(networks, "points_per_iteration")
    if name == "MLS_DNNC":
        _check_classifier(networks)
    if name in ("CMAES", "CMAES_ND"):
        _check_cmaes(setup)
    if name == "CMAES_ND":
        _check_novelty(scan, columns)
    if name == "GRID":
        _check_grid(setup, scan.variables)


def _check_classifier(networks: Section) -> None:
    faults = networks.faults
    for key in ("bootstrap_points", "candidate_points", "k_initial", "batch_size"):
        with faults.collect():
            _at_once(networks, key)
    for key in ("iterations", "epochs"):
        with faults.collect():
            networks.integer(key, 1, low=1)
    with faults.collect():
        _at_once(networks, "neurons", low=2, most=MOST_NEURONS)
    with faults.collect():
        networks.number_in("random_fraction", 0.0, 0.0, 1.0)
    with faults.collect():
        networks.number_in("learning_rate", 1.0, 0.0, 1.0, open_low=True)


def _check_cmaes(setup: Section) -> None:
    faults = setup.faults
    with faults.collect():
        _at_once(setup, "population_size", low=4)
    for key in ("sigma", "sigma_tolerance"):
        with faults.collect():
            setup.number_in(key, 1.0, 0.0, 1.0, open_low=True)
    with faults.collect():
        setup.number_in("mean", 0.0, 0.0, 1.0)
    with faults.collect():
        setup.number_in("max_loss", 1.0, 0.0, math.inf, open_low=True)
    for key in ("generations", "episodes"):
        with faults.collect():
            setup.integer(key, 1, low=1)


def _check_novelty(scan: ScanFile, columns: Collection[str]) -> None:
    setup = scan.setup
    with setup.faults.collect():
        read_novelty(setup)
    with setup.faults.collect():
        read_names(setup, "focus", "a variable or observable", columns)
    with setup.faults.collect():
        read_hierarchy(scan)
    for key in (
        "good_points_early_stop",
        "no_good_points_patience",
        "best_loss_patience",
        "best_valid_constraints_patience",
    ):
        with setup.faults.collect():
            setup.integer(key, 1, low=1)


def _at_once(section: Section, key: str, low: int = 1, most: int = MOST_AT_ONCE) -> None:
    """Checks the number of things that must fit into memory together."""
    if section.integer(key, low, low=low) > most:
        raise section.wrong(key, f"at most {most:,}")


def _check_goal(setup: Section, columns: Collection[str]) -> None:
    if (goal := setup.text("goal", "map")) not in GOALS:
        raise setup.wrong("goal", "map (all of the good region, evenly) or collect (many good points, soon)")
    even_in = [plain_name(text) for text in setup.texts("even_in")]
    for name in even_in:
        if name not in columns:
            raise setup.error(f"even_in: {name!r} is not a variable or observable{closest(name, columns)}", "even_in")
    if even_in and goal == "collect":
        raise setup.error("even_in is for goal: map, but the goal is collect; remove one of the two", "even_in")


def _check_grid(setup: Section, variables: Sequence[Variable]) -> None:
    without = [variable.name for variable in variables if not variable.grid_steps]
    if without:
        raise setup.error(
            f"type GRID needs the steps of every variable, but {', '.join(without)} has none; write "
            f"{without[0]}: {{range: [low, high], steps: 10}}",
            "type",
        )
    if fine := [variable for variable in variables if variable.grid_steps > MOST_GRID_STEPS]:
        detail = f"{fine[0].name} has {fine[0].grid_steps:,} steps, at most {MOST_GRID_STEPS:,}"
        raise setup.error(f"type GRID: {detail}; give fewer", "type")
    total = math.prod(variable.grid_steps for variable in variables)
    if total > MOST_GRID_POINTS:
        raise setup.error(f"the grid has {total:,} points, at most {MOST_GRID_POINTS:,}; give fewer steps", "type")
