"""The keys of a scan file, section by section, in lodescan's own spelling, which the documents use.

BSMArt's spellings are in scanspec/bsmart/spellings.py; every other key is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Keys:
    """The keys of one section, and which of them hold numbers (or lists of numbers) or booleans. `elsewhere` has hints
    for keys of other sections.
    """

    known: tuple[str, ...]
    numbers: frozenset[str] = frozenset()
    booleans: frozenset[str] = frozenset()
    elsewhere: Mapping[object, str] = field(default_factory=dict)

    def with_name(self, name: str) -> Keys:
        """These keys and one more."""
        return replace(self, known=(*self.known, name))


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _numbers(text: str) -> Keys:
    """The keys of a section that holds nothing but numbers."""
    return Keys(_list(text), numbers=_words(text))


RESERVED_COLUMNS = (
    "id",
    "iteration",
    "origin",
    "status",
    "NLL",
    "seconds",
    "failed_code",
    "message",
    "warnings",
    "missing",
)
"""Columns of the tables of results. No variable and no observable may have these names in any case, because databases
and spreadsheets do not distinguish `nll` from `NLL`.
"""

MAY_BE_EMPTY = frozenset(
    {
        "setup",
        "variables",
        "derived_variables",
        "blocks",
        "fitting",
        "networks",
        "codes",
        "observables",
        "likelihoods",
        "environment_variables",
        "conditions",
        "options",
        "unit",
        "label",
        "description",
        "plotting",
        "plots",
    }
)
"""Keys that may have no value in YAML: empty sections, and texts for people."""

SECTIONS = Keys(
    _list("setup variables derived_variables blocks fitting networks codes observables likelihoods plotting"),
)
SETUP = Keys(
    _list(
        """run_name type goal even_in points init_csv seed max_evaluations max_hours seconds_per_point population_size
        sigma sigma_tolerance mean generations episodes novelty novelty_settings novelty_bins focus
        hierarchy seeds_csv start_csv max_loss good_points_early_stop no_good_points_patience best_loss_patience
        best_valid_constraints_patience environment environment_variables spectrum_file
        skip_slha_files keep_spectra"""
    ),
    numbers=_words(
        """max_loss points seed max_evaluations max_hours seconds_per_point population_size sigma sigma_tolerance mean
        generations episodes novelty_bins good_points_early_stop no_good_points_patience best_loss_patience
        best_valid_constraints_patience"""
    ),
    booleans=_words("skip_slha_files"),
)
VARIABLE = Keys(
    _list("range prior type values periodic steps unit label description"),
    numbers=_words("range values steps"),
    booleans=_words("periodic"),
)
PRIOR = Keys(
    _list("type mean sigma low high"),
    numbers=_words("mean sigma low high"),
)
OF_PROFILES = {
    "options": ("HiggsBounds", "HiggsSignals"),
    "neutral_higgs": ("HiggsBounds", "HiggsSignals"),
    "charged_higgs": ("HiggsBounds", "HiggsSignals"),
    "lsp": ("micrOMEGAs",),
    "cross_sections": ("micrOMEGAs",),
}
"""Settings of BSMArt's tools that lodescan reads, and the profiles that read them."""

OF_EVERY_CODE = _list("run observables conditions timeout first_timeout description data cores memory")
"""Keys that every kind of code may have."""

OF_PROGRAMS = (
    *_list("profile input_file input_name output_file append success invalid_when flags"),
    *OF_PROFILES,
)
"""Keys that a program (`command`) may have in addition."""

OF_TOYS = _list(
    """rosenbrock_a rosenbrock_b rastrigin_a ackley_a ackley_b ackley_c himmelblau_a himmelblau_b
    easom_center"""
)
"""Keys that the tool toy_targets may have in addition."""

CODE = Keys(
    (*OF_EVERY_CODE, "function", "command", "flavio", "umbridge", *OF_PROGRAMS, *OF_TOYS),
    numbers=_words("neutral_higgs charged_higgs lsp timeout first_timeout cores") | set(OF_TOYS),
    booleans=_words("run append cross_sections"),
)
OF_INPUTS = ("input_file",)
"""Keys that the tools pass_tool and flavio may have in addition."""

FITTING = Keys(
    _list("variables observables method options"),
)
FITTING_OBSERVABLE = _numbers("target sigma")
FITTING_OPTIONS = _numbers("eps max_evaluations")
SUCCESS = Keys(
    _list("exit_codes blocks"),
    numbers=_words("exit_codes"),
)
FLAVIO = Keys(
    _list("eft basis scale coefficients wcxf"),
)
UMBRIDGE = Keys(
    _list("address model inputs outputs config"),
)
INVALID_WHEN = Keys(
    _list("exit_codes stderr spinfo"),
    numbers=_words("exit_codes"),
    booleans=_words("spinfo"),
)
AS_TERM = "in the section likelihoods, as `likelihoods: {NAME: {observables: [...], ...}}`"
"""Where and how a likelihood is written that an observable alone cannot have."""
OBSERVABLE = Keys(
    _list(
        """slha scale column under line function flavio measurement scaling mean sigma range lower_bound upper_bound
        log_scaling valid unit label description"""
    ),
    numbers=_words("scale column line mean sigma range lower_bound upper_bound valid"),
    booleans=_words("log_scaling"),
    elsewhere=dict.fromkeys(_list("covariance correlation limit table confidence"), f"; it stands {AS_TERM}"),
)
TERM = Keys(
    _list("observables mean covariance sigma correlation scaling limit confidence table"),
    numbers=_words("mean covariance sigma correlation confidence"),
)
SIGMA = _numbers("plus minus")
PLOTTING = Keys(
    _list("strategy plots"),
)
PLOT = Keys(
    _list("values labels ranges scaling contours"),
    numbers=_words("ranges contours"),
)
NETWORKS = replace(
    _numbers(
        """bootstrap_points candidate_points points_per_iteration random_fraction k_initial threshold_value
        confidence degrees_of_freedom batch_size neurons epochs learning_rate iterations verbose"""
    ),
    elsewhere={"above_best": "; write `threshold_value: {above_best: ...}`"},
)
THRESHOLD = _numbers("above_best")
