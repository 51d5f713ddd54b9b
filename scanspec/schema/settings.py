"""JSON Schemas of the sections `setup` and `networks`, and the rules for each type of scan."""

from __future__ import annotations

from scanspec import keys
from scanspec.cmaes import METHODS, MOST_BINS
from scanspec.schema.values import (
    ABOVE_0,
    BOOLEAN,
    COUNT,
    FILE,
    FINITE,
    NULL,
    TEXT,
    TEXTS,
    Schema,
    both,
    either,
    has,
    holds,
    ignore_case,
    list_of,
    named,
    number,
    pattern,
    section,
    when,
    words,
)
from scanspec.settings import GOALS, LARGEST_SEED, MOST_AT_ONCE, MOST_NEURONS, TYPES
from scanspec.thresholds import GIVEN_BY

POSITIVE = number(0, above=True)
SHARE = number(0, 1)
PORTION = number(0, 1, above=True)
AT_ONCE = number(1, MOST_AT_ONCE, whole=True)

CMAES, CMAES_ND, MLS = ("CMAES", "CMAES_ND"), ("CMAES_ND",), ("MLS_DNNC",)
OTHERS = tuple(name for name in TYPES if name not in CMAES)

BINS = number(2, MOST_BINS, whole=True)
NOVELTY: Schema = {
    "type": "object",
    "properties": {"n_bins": either(BINS, NULL), "direction": either(words(["min", "max"]), NULL)},
    "additionalProperties": False,
    "description": "n_bins and direction",
}

SETUP_OF: dict[str, tuple[tuple[str, ...], Schema]] = {
    "goal": (("LODE",), words(GOALS)),
    "even_in": (("LODE",), TEXTS),
    "population_size": (CMAES, number(4, MOST_AT_ONCE, whole=True)),
    "sigma": (CMAES, PORTION),
    "sigma_tolerance": (CMAES, PORTION),
    "mean": (CMAES, SHARE),
    "max_loss": (CMAES, POSITIVE),
    "generations": (CMAES, COUNT),
    "episodes": (CMAES, COUNT),
    "novelty": (CMAES_ND, either(BOOLEAN, words(METHODS, any_case=True), description="HBOS, Optimiser, true or false")),
    "novelty_settings": (CMAES_ND, NOVELTY),
    "novelty_bins": (CMAES_ND, BINS),
    "focus": (CMAES_ND, TEXTS),
    "hierarchy": (CMAES_ND, TEXTS),
    "good_points_early_stop": (CMAES_ND, COUNT),
    "no_good_points_patience": (CMAES_ND, COUNT),
    "best_loss_patience": (CMAES_ND, COUNT),
    "best_valid_constraints_patience": (CMAES_ND, COUNT),
}
"""The keys of `setup` that only some types read, with these types. Other types take any value."""

NETWORKS_OF: dict[str, tuple[tuple[str, ...], Schema]] = {
    "points_per_iteration": (OTHERS, AT_ONCE),
    "bootstrap_points": (MLS, AT_ONCE),
    "candidate_points": (MLS, AT_ONCE),
    "k_initial": (MLS, AT_ONCE),
    "batch_size": (MLS, AT_ONCE),
    "iterations": (MLS, COUNT),
    "epochs": (MLS, COUNT),
    "neurons": (MLS, number(2, MOST_NEURONS, whole=True)),
    "random_fraction": (MLS, SHARE),
    "learning_rate": (MLS, PORTION),
}
"""The same for `networks`."""


def setup() -> Schema:
    """The section `setup`, for any type."""
    name = r"(?!\s*$)(?!\.{1,2}$)[^/\x00-\x1f]{1,200}"
    return section(
        keys.SETUP,
        {
            "run_name": either(
                {"type": ["number", "boolean"]}, pattern(name, "the name of a folder"), description="text"
            ),
            "type": words(TYPES),
            "points": COUNT,
            "init_csv": FILE,
            "seed": number(0, LARGEST_SEED, whole=True),
            "max_evaluations": COUNT,
            "max_hours": POSITIVE,
            "seconds_per_point": POSITIVE,
            "seeds_csv": FILE,
            "start_csv": FILE,
            "environment": either(
                {"type": ["integer", "boolean"]}, pattern("[A-Za-z0-9_-]+", "text"), description="text"
            ),
            "environment_variables": named(TEXT) | {"propertyNames": {"pattern": "^[^=]+$"}},
            "spectrum_file": FILE,
            "skip_slha_files": BOOLEAN,
            "keep_spectra": either(
                BOOLEAN,
                pattern(rf"\s*({'|'.join(map(ignore_case, ('good', 'valid', 'none')))})\s*", "good, valid or none"),
            ),
            **{key: _of_some(*of) for key, of in SETUP_OF.items()},
        },
    )


def networks() -> Schema:
    """The section `networks`, for any type."""
    above_best = section(keys.THRESHOLD, {"above_best": ABOVE_0}, [has("above_best")])
    return section(
        keys.NETWORKS,
        {
            "threshold_value": either(
                FINITE,
                list_of(FINITE, 2, 2, uniqueItems=True),
                above_best,
                description="the NLL below which points are good",
            ),
            "confidence": number(0, 1, above=True, below=True),
            "degrees_of_freedom": COUNT,
            "verbose": either(BOOLEAN, number(0, whole=True), description="a number, true or false"),
            **{key: _of_some(*of) for key, of in NETWORKS_OF.items()},
        },
        [{"not": has(*GIVEN_BY)}, when(has("degrees_of_freedom"), has("confidence"))],
    )


def _of_some(types: tuple[str, ...], value: Schema) -> Schema:
    """A key that only some types read."""
    return {"not": NULL, "description": f"{value['description']} ({', '.join(types)})"}


def rules_by_type() -> list[Schema]:
    """What holds for a scan of a type: the values of its settings, and which sections it needs."""
    rules = []
    for types in dict.fromkeys(types for types, _ in [*SETUP_OF.values(), *NETWORKS_OF.values()]):
        properties = {
            "setup": {"properties": {key: value for key, (of, value) in SETUP_OF.items() if of == types}},
            "networks": {"properties": {key: value for key, (of, value) in NETWORKS_OF.items() if of == types}},
        }
        rules.append(when(has_type(*types), {"properties": properties}))
    together = holds("setup", both({"type": "object"}, has("even_in"), holds("goal", {"const": "collect"})))
    rules.append(when(has_type("LODE"), {"not": together}))
    rules.append(when(has_type("READ_CSV"), holds("setup", holds("init_csv", {"minLength": 1}))))
    return rules


def has_type(*types: str) -> Schema:
    """The scan is of one of these types; LODE if the file names none."""
    if "LODE" in types:
        return {"not": has_type(*(name for name in TYPES if name not in types))}
    return holds("setup", {"type": "object", **holds("type", {"enum": list(types)})})
