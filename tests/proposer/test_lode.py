"""LODE as a whole: it finds the good region, can be resumed, and copes with any kind of answer."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from proposer.run.dataset import Outcome
from proposer.space import Space
from proposer.strategies.choice import make_strategy, read_settings, type_name
from proposer.strategies.lode.acquire import choose
from proposer.strategies.lode.energy import EnergyOfObservables, ScoredObservable
from proposer.strategies.lode.leaves import Leaves
from proposer.strategies.lode.points import Points
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.lode.strategy import Lode
from proposer.target import Target
from proposer.types import Batch, CheckpointError, Floats, Status
from scanspec import Kind, Likelihood, PriorKind, ScanFileError, Variable, losses_and_nll, read_scan_file
from tests.proposer.answered import same, told_of
from tests.proposer.datasets import open_dataset
from tests.proposer.playing import Playing
from tests.proposer.scripted import scripted
from tests.proposer.searches import first_steps, kept, train, unit_cube

GAUSS = ScoredObservable("y", Likelihood(Kind.GAUSS, 0.5, 0.1))
WINDOW = ScoredObservable("w", Likelihood(), (0.2, 0.9))
FAST = LodeSettings(target=Target(1.0), points_per_iteration=40)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """LODE has few particles and trains for a short time."""
    train(monkeypatch, particles=200, networks=(200, 50, 150, 50), regression=0.5)


def value(u: Floats) -> Floats:
    return u[:, 0] + 0.15 * np.sin(6.0 * u[:, -1])


Answers = tuple[list[Status], Floats, Floats]
"""Status (n,), NLL (n,), observables (n, m)."""


def answered(y: Floats) -> Answers:
    return [Status.OK] * len(y), losses_and_nll([GAUSS.likelihood], y)[1], y


def honest(u: Floats) -> Answers:
    return answered(value(u)[:, None])


def only(status: Status) -> Callable[[Floats], Answers]:
    return lambda u: ([status] * len(u), np.full(len(u), np.nan), np.full((len(u), 1), np.nan))


def all_good(u: Floats) -> Answers:
    return answered(np.full((len(u), 1), 0.5))


def noisy(u: Floats) -> Answers:
    return answered((value(u) + 0.2 * np.random.default_rng(len(u)).standard_normal(len(u)))[:, None])


def mostly_failed(u: Floats) -> Answers:
    status, nll, y = honest(u)
    failed = np.random.default_rng(7).random(len(u)) < 0.6
    status = [Status.FAILED if bad else good for bad, good in zip(failed, status, strict=True)]
    return status, np.where(failed, np.nan, nll), np.where(failed[:, None], np.nan, y)


def not_a_number(u: Floats) -> Answers:
    return answered(np.where(u[:, :1] > 0.5, np.nan, value(u)[:, None]))


def infinite(u: Floats) -> Answers:
    return answered(np.where(u[:, :1] > 0.5, np.inf, value(u)[:, None]))


def enormous(u: Floats) -> Answers:
    return answered(1e300 * (u[:, :1] - 0.5))


def another_nll(u: Floats) -> Answers:
    status, nll, y = honest(u)
    return status, 1.1 * nll, y


def windowed(u: Floats) -> Answers:
    y = np.stack([value(u), u[:, 1]], axis=1)
    inside = (y[:, 1] >= 0.2) & (y[:, 1] <= 0.9)
    status = [Status.OK if is_inside else Status.INVALID for is_inside in inside]
    return status, np.where(inside, losses_and_nll([GAUSS.likelihood], y[:, :1])[1], np.nan), y


def nothing_but_nll(u: Floats) -> Answers:
    status, nll, _ = honest(u)
    return status, nll, np.empty((len(u), 0))


def play(strategy: Lode, answer: Callable[[Floats], Answers], batches: int) -> list[Batch]:
    """Drives LODE with a function of u, shape (n, d); gives the batches without points that were asked for before."""
    steps = scripted(strategy, strategy.space, lambda x: answer(strategy.space.to_unit(x)), batches)
    return [Batch(step.told.u, step.told.origins, 0) for step in steps]


def share_good(batches: list[Batch], answer: Callable[[Floats], Answers] = honest) -> float:
    u = np.concatenate([batch.u for batch in batches])
    return float((answer(u)[1] < 1.0).mean())


EVERY = [
    only(Status.FAILED),
    only(Status.TIMED_OUT),
    only(Status.INVALID),
    all_good,
    noisy,
    mostly_failed,
    not_a_number,
    infinite,
    enormous,
]


def check_points(made: list[Batch]) -> None:
    """The points lie in the cube, and no two are equal."""
    u = np.concatenate([batch.u for batch in made])
    assert ((u >= 0) & (u <= 1)).all()
    assert len(np.unique(u, axis=0)) == len(u)
    assert np.isfinite(u).all()


@pytest.mark.parametrize("answer", EVERY, ids=lambda case: getattr(case, "__name__", ""))
def test_lode_goes_on_with_any_kind_of_answer(answer):
    check_points(play(Lode(unit_cube(2), FAST, 1, [GAUSS]), answer, 5))


@pytest.mark.parametrize("dim", [1, 30])
def test_lode_works_in_1_and_in_30_dimensions(dim):
    made = play(Lode(unit_cube(dim), LodeSettings(target=Target(1.0), points_per_iteration=150), 1, [GAUSS]), honest, 4)
    assert {batch.u.shape[1] for batch in made} == {dim}


def test_a_window_is_learned_even_if_later_observables_are_missing():
    """Outside the window a point ends before the next code gives the observable that is scored."""

    def ended(u: Floats) -> Answers:
        status, nll, y = windowed(u)
        return status, nll, np.where((np.array(status) == Status.OK)[:, None] | (np.arange(2) == 1), y, np.nan)

    made = play(Lode(unit_cube(3), FAST, 1, [GAUSS, WINDOW]), ended, 7)
    assert share_good(made[5:], windowed) > 0.5


def test_known_points_without_observables_do_not_make_lode_learn_from_the_nll():
    """Points of an InitCSV come with an NLL alone; LODE learns the observables of the others."""
    strategy = Lode(unit_cube(2), FAST, 1, [GAUSS])
    u = np.random.default_rng(3).random((60, 2))
    _, nll, y = honest(u)
    init = told_of(u, nll, np.full_like(y, np.nan), origins=["init"] * 60)
    strategy.tell(init)
    made = play(strategy, honest, 6)
    assert kept(strategy)["by_observables"]
    assert share_good(made[4:]) > 0.5
    points = Points(np.arange(2), EnergyOfObservables([GAUSS], FAST.target), FAST.target)
    points.add(init)
    assert points.disagreeing == 0 and not points.known().lacking.any()


def test_a_mapped_observable_may_be_missing():
    scored = [GAUSS, ScoredObservable("mass", Likelihood())]

    def answer(u: Floats) -> Answers:
        status, nll, y = honest(u)
        return status, nll, np.column_stack([y, np.where(u[:, 1] < 0.1, np.nan, u[:, 1])])

    strategy = Lode(unit_cube(2), LodeSettings(Target(1.0), 40, even_in=("mass",)), 1, scored)
    made = play(strategy, answer, 6)
    assert kept(strategy)["by_observables"]
    assert share_good(made[4:]) > 0.5


@pytest.mark.slow
def test_a_narrow_likelihood_is_found_from_far():
    """A mass of 91.1876 +- 0.0021 in a range from 50 to 150: nearly everywhere the loss is at its cap."""
    likelihood = Likelihood(Kind.GAUSS, 91.1876, 0.0021)

    def mass(u: Floats) -> Answers:
        y = (50 + 40 * u[:, 0] + 30 * u[:, 1] ** 2 + 30 * u[:, 2] * u[:, 0])[:, None]
        return [Status.OK] * len(u), losses_and_nll([likelihood], y)[1], y

    made = play(Lode(unit_cube(3), LodeSettings(Target(2.0), 60), 1, [ScoredObservable("m", likelihood)]), mass, 9)
    nll = mass(np.concatenate([batch.u for batch in made]))[1]
    assert (nll < 2.0).sum() > 30


@pytest.mark.parametrize(("dim", "evaluations"), [(1, 500), pytest.param(2, 1500, marks=pytest.mark.slow)])
def test_a_region_is_filled_further_when_it_is_already_dense(dim, evaluations):
    """Gaps inside the region become much smaller than those outside, but new points still lie inside."""
    settings, scored = LodeSettings(target=Target(1.0), points_per_iteration=100), [GAUSS] * dim

    def ball(u: Floats) -> Answers:
        return [Status.OK] * len(u), losses_and_nll([GAUSS.likelihood] * dim, u)[1], u

    strategy = Lode(unit_cube(dim), settings, 1, scored)
    answered = first_steps(scripted(strategy, strategy.space, ball), evaluations)
    late = np.concatenate([told.u for told in answered])[evaluations // 2 :]
    assert (ball(late)[1] < 1.0).mean() > 0.85


def test_it_learns_what_is_outside_a_window():
    made = play(Lode(unit_cube(3), FAST, 1, [GAUSS, WINDOW]), windowed, 6)
    assert share_good(made[:2], windowed) < 0.3
    assert share_good(made[4:], windowed) > 0.5


@pytest.mark.parametrize("answer", [another_nll, nothing_but_nll])
def test_without_usable_observables_lode_learns_from_the_nll(caplog, answer):
    strategy = Lode(unit_cube(2), FAST, 1, [GAUSS])
    made = play(strategy, answer, 6)
    check_points(made)
    assert not kept(strategy)["by_observables"]
    assert share_good(made[4:], answer) > 1.5 * share_good(made[:2], answer)
    assert ("the NLL that came back is not that of the observables" in caplog.text) is (answer is another_nll)


def test_lode_respects_fixed_variables_and_priors():
    space = Space(
        [
            Variable("flat", -3.0, 5.0),
            Variable("fixed", 7.5, 7.5),
            Variable("log", 1e-3, 1e3, PriorKind.LOG_UNIFORM),
            Variable("bell", -np.inf, high=np.inf, prior=PriorKind.NORMAL, mean=2.0, sigma=0.5),
        ]
    )
    made = play(Lode(space, FAST, 1, [GAUSS]), honest, 5)
    u = np.concatenate([batch.u for batch in made])
    assert (u[:, 1] == 0.5).all()
    assert np.isfinite(space.to_physical(u)).all()
    nothing_free = Lode(Space([Variable("fixed", 7.5, 7.5)]), FAST, 1, [GAUSS])
    assert len(nothing_free.ask() or []) == 1
    assert nothing_free.ask() is None
    assert "no variable is free" in nothing_free.stop_reason


def outcomes(ids: list[int], u: Floats) -> list[Outcome]:
    status, nll, y = mostly_failed(u)
    every = zip(ids, status, nll.tolist(), y.tolist(), strict=True)
    return [Outcome(i, s, n, row) if s is Status.OK else Outcome(i, s) for i, s, n, row in every]


def test_a_scan_interrupted_at_every_batch_is_the_uninterrupted_one(tmp_path):
    """Each batch comes from a new object that knows only the dataset and the newest checkpoint."""
    space, made = unit_cube(2), list[Batch]()
    with open_dataset(tmp_path / "whole", 2, 1) as dataset:
        whole = Playing(dataset, Lode(space, FAST, 5, [GAUSS]), space, outcomes)
        for _ in range(6):
            whole.ask()
    for _ in range(6):
        with open_dataset(tmp_path / "cut", 2, 1) as dataset:
            run = Playing(dataset, Lode(space, FAST, 5, [GAUSS]), space, outcomes)
            run.resume()
            run.ask()
            made += run.batches
    assert len(made) == 6 and same(made, whole.batches)
    assert {"exploit", "explore"} & {origin for batch in made for origin in batch.origins}


def test_the_linear_algebra_uses_one_thread_whatever_the_number_of_cores(monkeypatch):
    """More threads sum in another order, so that a seed would not give the same points on another machine."""
    threads = set[int]()

    def noted(*arguments: Any) -> Any:
        threads.update(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")
        return choose(*arguments)

    monkeypatch.setattr("proposer.strategies.lode.strategy.choose", noted)
    with threadpool_limits(2, "blas"):
        play(Lode(unit_cube(2), FAST, 1, [GAUSS]), honest, 4)
    assert threads == {1}


@pytest.mark.parametrize("data", [b"", b"nonsense", b"PK\x03\x04 not quite", b"{}"])
def test_a_damaged_checkpoint_is_refused(data):
    with pytest.raises(CheckpointError, match="not one of LODE"):
        Lode(unit_cube(2), FAST, 1, [GAUSS]).restore(data)


def test_settings_are_read_from_the_file(tmp_path):
    def settings(text: str):
        file = tmp_path / "scan.yaml"
        file.write_text(
            "setup: {type: LODE}\nvariables: {x: {range: [0, 1]}}\ncodes: {c: {function: 'm:f', observables: {y: "
            f"{{mean: 0.5, sigma: 0.1}}}}}}}}\nnetworks: {text}\n"
        )
        scan = read_scan_file(file)
        assert type_name(scan) == "LODE"
        return read_settings(scan)

    assert settings("{}") == LodeSettings()
    assert settings("{threshold_value: 2, points_per_iteration: 7}") == LodeSettings(Target(2.0), 7)
    with pytest.raises(ScanFileError, match="points_per_iteration is 0, but must be at least 1"):
        settings("{points_per_iteration: 0}")
    assert isinstance(make_strategy("LODE", unit_cube(1), settings("{}"), 1), Lode)


def valley(u: Floats) -> Answers:
    """Two observables in four dimensions. Three thousandths of the cube are good, in two pieces."""
    x = 2.0 * u - 1.0
    y = np.stack([x[:, 0] ** 2 + x[:, 1] * x[:, 2], x[:, 2] + np.sin(3.0 * x[:, 3])], axis=1)
    return [Status.OK] * len(u), losses_and_nll(VALLEY_LIKELIHOODS, y)[1], y


VALLEY_LIKELIHOODS = [Likelihood(Kind.GAUSS, 0.5, 0.03), Likelihood(Kind.GAUSS, 1.2, 0.05)]
VALLEY = [ScoredObservable("a", VALLEY_LIKELIHOODS[0]), ScoredObservable("b", VALLEY_LIKELIHOODS[1])]


@pytest.mark.slow
def test_lode_finds_all_parts_of_a_thin_region():
    """In 480 evaluations at least 200 good points, where uniform draws have one or two, on both sides of x0 = 0, and
    spread over it: every one of the 16 parts of equal volume has some."""
    settings = LodeSettings(target=Target(1.0), points_per_iteration=60)
    found = [batch.u for batch in play(Lode(unit_cube(4), settings, 1, VALLEY), valley, 8)]
    u = np.concatenate(found)
    good = valley(u)[1] < 1.0
    drawn = np.random.default_rng(0).random((400_000, 4))
    truth = drawn[valley(drawn)[1] < 1.0]
    assert len(truth) / 400_000 < 5e-3
    assert len(u) <= 480
    assert good.sum() >= 200
    assert set(np.sign(u[good, 0] - 0.5)) == {-1.0, 1.0}
    leaves = Leaves.equal(truth, len(truth) // 17)
    assert np.bincount(leaves.of(u[good]), minlength=len(leaves)).min() >= 3
