"""LODE as a generator of gest-api: it keeps that interface, passes those tests of the package that hold for any
generator of continuous variables, and takes points from elsewhere.
"""

from __future__ import annotations

import copy
import importlib
import math

import pytest

from proposer.interface.asking import Lode
from scanspec import Kind, Likelihood, UsageError

gest = pytest.importorskip("gest_api.vocs")
from gest_api.generator import Generator  # noqa: E402  # part of the extra `exports`

from proposer.interface.generator import LodeGenerator  # noqa: E402

PACKAGES_OWN = importlib.import_module("gest_api.tests.test_generator")
OF_ANY_GENERATOR = {
    "test_gen_fails_without_variable",
    "test_gen_fails_with_discrete_variable",
    "test_gen_has_constant_alpha",
}
OF_THE_PACKAGES_EXAMPLE = {
    "test_gen_fails_without_objective": "LODE may have observables instead, so its message has other words",
    "test_suggest_max_points": "a constant `max_points`, which only the example knows",
    "test_suggest_default_single_point": "one point by default; LODE suggests a batch, which the interface allows",
    "test_best_point_selection": "the attribute `best_point`",
    "test_gen_with_constraints": "the attribute `data`, with the example's own random numbers",
}
"""What tests of the package check of its example `RandomGenerator`, and not of the interface."""

VARIABLES = {"x": [0.0, 10.0], "y": gest.ContinuousVariable(domain=[-5.0, 5.0])}


def vocs(**others):
    return gest.VOCS(**{"variables": VARIABLES, "objectives": {"f": "MINIMIZE"}, **others})


def test_lode_is_a_generator_and_keeps_its_vocs() -> None:
    generator = LodeGenerator(vocs(constants={"alpha": 1.0}), threshold=1.0)
    assert isinstance(generator, Generator) and "alpha" in generator.vocs.constants and generator.returns_id


@pytest.mark.parametrize("name", sorted(OF_ANY_GENERATOR))
def test_lode_passes_a_test_of_the_package(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def make(vocs: object) -> LodeGenerator:
        made.append(vocs)
        return LodeGenerator(vocs, threshold=1.0)

    monkeypatch.setattr(PACKAGES_OWN, "RandomGenerator", make)
    getattr(PACKAGES_OWN, name)()
    assert len(made) == 1


def test_each_test_of_the_package_is_run_or_explained() -> None:
    tests = {name for name in vars(PACKAGES_OWN) if name.startswith("test_")}
    assert tests == OF_ANY_GENERATOR | OF_THE_PACKAGES_EXAMPLE.keys()


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"variables": {}}, "at least one variable"),
        ({"objectives": {}}, "one objective to minimise"),
        ({"objectives": {"f": "MAXIMIZE"}}, "one objective to minimise"),
        ({"objectives": {"f": "MINIMIZE", "g": "MINIMIZE"}}, "one objective to minimise"),
        ({"variables": {"x": {"a", "b", "c"}}}, "continuous variables with a finite domain"),
        ({"variables": {"x": "CONTEXTUAL"}}, "continuous variables with a finite domain"),
    ],
)
def test_vocs_that_lode_cannot_handle_are_refused(others, words) -> None:
    with pytest.raises(ValueError, match=words):
        LodeGenerator(vocs(**others), threshold=1.0)


def test_it_suggests_the_requested_number_of_points_within_the_domains() -> None:
    generator = LodeGenerator(vocs(constants={"alpha": 1.5}), threshold=1.0, seed=2)
    found = generator.suggest(1) + generator.suggest(3) + generator.suggest(150) + generator.suggest()
    assert len(found) > 154 and len({point["_id"] for point in found}) == len(found)
    for point in found:
        assert set(point) == {"x", "y", "alpha", "_id"} and point["alpha"] == 1.5
        assert 0 <= point["x"] <= 10 and -5 <= point["y"] <= 5 and type(point["x"]) is float


def test_a_constraint_makes_a_point_unphysical() -> None:
    generator = LodeGenerator(vocs(constraints={"c": ["LESS_THAN", 5.0]}), threshold=1.0, seed=2)
    points = generator.suggest(50)
    generator.ingest([{**point, "f": 0.0, "c": point["x"]} for point in reversed(points)])
    assert generator.search.good_count == sum(point["x"] < 5 for point in points) > 0


def test_ids_that_are_not_out_are_refused() -> None:
    generator = LodeGenerator(vocs(), threshold=1.0)
    (point,) = generator.suggest(1)
    with pytest.raises(ValueError, match="_id 99"):
        generator.ingest([{**point, "f": 1.0, "_id": 99}])
    with pytest.raises(UsageError, match="no 'f'"):
        generator.ingest([point])
    for others in ([{**point, "f": 1.0}], [{"x": 1.0, "f": 1.0}]):  # none of these points is accepted
        with pytest.raises(ValueError if "_id" in others[0] else UsageError, match=r"_id 1\b|no 'y'"):
            generator.ingest([{**point, "f": 1.0}, *others])
    generator.ingest([{**point, "f": 1.0}])
    with pytest.raises(ValueError, match=f"_id {point['_id']}"):
        generator.ingest([{**point, "f": 1.0}])


def test_a_result_without_what_a_constraint_needs_is_refused() -> None:
    generator = LodeGenerator(vocs(constraints={"c": ["LESS_THAN", 5.0]}), threshold=1.0)
    with pytest.raises(UsageError, match="no 'c'"):
        generator.ingest([{"x": 1.0, "y": 1.0, "f": 0.5}])


def test_points_from_elsewhere_are_used() -> None:
    generator = LodeGenerator(vocs(), threshold=1.0)
    generator.ingest([{"x": 1.0, "y": 1.0, "f": 0.5}, {"x": 1.0, "y": 2.0, "f": 1.5}, {"x": 3.0, "y": 1.0, "f": None}])
    assert generator.search.good_count == 1
    with pytest.raises(UsageError, match=r"\[11.0, 1.0\] is outside"):
        generator.ingest([{"x": 11.0, "y": 1.0, "f": 0.5}])


def test_observables_may_have_likelihoods() -> None:
    likelihoods = {"radius": Likelihood(Kind.GAUSS, 4.0, 0.5)}
    given = vocs(objectives={}, observables=["radius"])
    generator = LodeGenerator(given, threshold=2.0, observables=likelihoods)
    points = generator.suggest(80)
    for point in points:
        point["radius"] = math.hypot(point["x"], point["y"])
    generator.ingest(points)
    assert generator.search.good_count == sum(abs(point["radius"] - 4) < 1 for point in points) > 0
    with pytest.raises(ValueError, match="does not name the observables radius"):
        LodeGenerator(vocs(), threshold=2.0, observables=likelihoods)


def test_the_last_points_of_a_space_are_suggested() -> None:
    search = Lode({"x": (1.0, 1.0)}, threshold=1.0)
    assert search.ask().shape == (1, 1) and search.ask().shape == (0, 1)


@pytest.mark.usefixtures("quick")
def test_xopt_copies_it_and_both_go_on(caplog: pytest.LogCaptureFixture) -> None:
    generator = LodeGenerator(vocs(), threshold=1.0, seed=2)
    generator.ingest([{**point, "f": point["x"]} for point in generator.suggest(60)])
    copied = copy.deepcopy(generator)
    assert generator.suggest(3) == copied.suggest(3)
    assert not caplog.records  # there is no warning about missing observables
