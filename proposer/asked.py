"""Reads and checks the proposer's part of a scan file, for the commands scan and check."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from proposer.evaluation.backend import Description, EvaluatorRefused
from proposer.formats import show_count
from proposer.loop import Limits
from proposer.run.init_csv import InitPoints, read_init_csv
from proposer.space import Space
from proposer.strategies.base import Settings
from proposer.strategies.choice import read_settings, type_name
from proposer.wire.agreement import disagreements
from scanspec import Kind, ObservableSpec, PriorKind, ScanFile, read_scan_file
from scanspec.checking import check_blocks
from scanspec.logs import read_verbose
from scanspec.plotting import read_plotting
from scanspec.settings import reads_rows
from scanspec.terms import TWO_SIDED, TermKind
from scanspec.thresholds import is_given

EVERY_TYPE = ("threshold_value", "confidence", "degrees_of_freedom", "points_per_iteration", "verbose")
"""Settings of the section networks that MLS_DNNC and other types read."""

OF_CMAES = ("population_size", "sigma", "sigma_tolerance", "mean", "generations", "episodes", "start_csv", "max_loss")
OF_CMAES_ND = (
    "novelty",
    "novelty_settings",
    "novelty_bins",
    "focus",
    "hierarchy",
    "seeds_csv",
    "good_points_early_stop",
    "no_good_points_patience",
    "best_loss_patience",
    "best_valid_constraints_patience",
)
"""Settings in the section setup that only these types read."""


class Asked(NamedTuple):
    """All that the proposer reads from a scan file."""

    spec: ScanFile
    settings: Settings
    limits: Limits
    space: Space
    init: InitPoints | None


def read_asked(file: Path) -> Asked:
    """Reads a scan file and checks all that a scan needs. Raises ScanFileError."""
    return ask_of(read_scan_file(file, also=check_blocks))


def ask_of(spec: ScanFile) -> Asked:
    """Checks all that a scan needs in a file that is already read. Raises ScanFileError."""
    space = Space(spec.variables)
    read_verbose(spec)  # so that `check` refuses a wrong value, too
    spec.setup.integer("seed", 0, low=0)
    settings, limits, init = read_settings(spec), Limits.read(spec), read_init_csv(spec, space)
    if init is not None and reads_rows(spec.setup):
        nll = np.full_like(init.nll, np.nan)
        init = init._replace(nll=nll, rescored=np.zeros(len(nll), dtype=np.bool_), notes=[])
        limits = replace(limits, points=len(init.batch))
    return Asked(spec, settings, limits, space, init)


def check_agreement(spec: ScanFile, description: Description, address: str) -> None:
    """Raises EvaluatorRefused if the evaluator does not compute what the scan file asks for."""
    found = disagreements(spec, description)
    if found:
        raise EvaluatorRefused(
            f"the evaluator at {address} ({description.backend}) does not compute what {spec.path} asks for: "
            f"{'; '.join(found[:5])}{' ...' if len(found) > 5 else ''}",
            next_step="start it with the same scan file",
        )


def describe_limits(limits: Limits) -> str:
    """The limits of a scan in words."""
    parts = [show_count(limits.points, "good point")]
    if limits.evaluations < math.inf:
        parts.append(show_count(int(limits.evaluations), "evaluation"))
    if limits.hours < math.inf:
        parts.append(f"{limits.hours:g} {'hour' if limits.hours == 1 else 'hours'}")
    return " or ".join(parts)


def notes_on(spec: ScanFile, threshold: float) -> list[str]:
    """Notes for the user: defaults in use, and keys of the file without effect."""
    plotting, name = read_plotting(spec), type_name(spec)
    notes = [*spec.notes, *(plotting.notes if plotting is not None else ())]
    if not is_given(spec.networks) and spec.is_scored:
        whose = "" if name == "CMAES_ND" else _in_bsmart(spec, "documents say 100, its code 1")
        notes.append(f"the file gives no threshold_value: {threshold:g} holds{whose}")
    scored = [
        own for own in spec.all_observables() if own.measurement is not None or own.likelihood.kind is not Kind.OFF
    ]
    least = sum(map(_least, scored))
    if scored and math.isfinite(threshold) and threshold <= least:
        notes.append(
            f"no point can be good: the NLL of these likelihoods is never below {least:g}; raise the threshold_value"
        )
    notes += _counted_twice(spec)
    stops_otherwise = name in ("GRID", "READ_CSV") or "good_points_early_stop" in spec.setup
    if "points" not in spec.setup and not stops_otherwise:
        notes.append(f"the file gives no points: 1,000 holds{_in_bsmart(spec, 'documents say 1,000, its code 10,000')}")
    own_settings = {"CMAES": OF_CMAES, "CMAES_ND": (*OF_CMAES, *OF_CMAES_ND)}.get(name, ())
    if others := [key for key in (*OF_CMAES, *OF_CMAES_ND) if key in spec.setup and key not in own_settings]:
        notes.append(f"without meaning for {name}: {', '.join(spec.setup.spelling(key) for key in others)}")
    honoured = [variable.name for variable in spec.variables if variable.prior is not PriorKind.UNIFORM]
    if honoured and spec.in_bsmarts_words:
        notes.append(f"priors are honoured (BSMArt's classifier draws uniformly): {', '.join(honoured)}")
    if name == "MLS_DNNC" and spec.in_bsmarts_words and "iterations" in spec.networks:
        notes.append("Iterations ends the scan here, as BSMArt's documents say; its code does not read it")
    if name != "LODE" and (own := [key for key in ("goal", "even_in") if key in spec.setup]):
        notes.append(f"{' and '.join(own)}: a setting of LODE, without meaning for {name}")
    if name != "MLS_DNNC" and (others := [key for key in spec.networks if key not in EVERY_TYPE]):
        notes.append(f"settings of MLS_DNNC, without meaning for {name}: {', '.join(others)}")
    if spec.ignored:
        notes.append(f"without meaning here: {', '.join(spec.ignored)}")
    return notes


def _least(own: ObservableSpec) -> float:
    """A lower bound of the loss of an observable."""
    if own.measurement is not None:
        return -math.inf
    return own.likelihood.least if own.term is None else own.term.lowest


def _counted_twice(spec: ScanFile) -> list[str]:
    """A note for each observable with more than one measured value, because correlated ones are one measurement."""
    found: dict[str, list[str]] = {}
    for own in spec.all_observables():
        if own.likelihood.kind is Kind.GAUSS or own.measurement is not None:
            found.setdefault(own.name, []).append("its own mean and sigma")
        if own.term is not None and own.term.kind in (*TWO_SIDED, TermKind.TABLE):
            for name in own.term.observables:
                found.setdefault(name, []).append(f"the likelihood {own.name!r}")
    return [
        f"{name!r} counts in {' and in '.join(places)}: right only if these are different measurements"
        for name, places in found.items()
        if len(places) > 1
    ]


def _in_bsmart(spec: ScanFile, what: str) -> str:
    """What BSMArt does instead, for users of a BSMArt file; else empty."""
    return f" (BSMArt's {what})" if spec.in_bsmarts_words else ""
