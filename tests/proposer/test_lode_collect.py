"""`goal: collect`: candidates near good points, and many good points early."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from proposer.drive import Step, drive
from proposer.evaluation.local import Answers, LocalFunction
from proposer.space import Space
from proposer.strategies.lode import descend as lode_descend
from proposer.strategies.lode import squares
from proposer.strategies.lode.acquire import Context
from proposer.strategies.lode.collect import (
    DOUBT,
    LEAST_SURE,
    MOST_TRUST,
    PARTICLES,
    SUREST,
    agreement,
    around_good_points,
    beside_good_points,
    beyond_good_points,
    candidates,
    certain,
    enough,
    gather,
    moved,
    probability_by_neighbours,
    trusted,
)
from proposer.strategies.lode.descend import APART, centres, descend
from proposer.strategies.lode.energy import EnergyOfObservables
from proposer.strategies.lode.points import Known, Points
from proposer.strategies.lode.sample import subset_simulation
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.lode.strategy import Lode
from proposer.target import Target
from scanspec import ScanFileError, Variable, read_scan_file
from tests.proposer.answered import same, told_of


def disc(u: np.ndarray) -> np.ndarray:
    """An NLL that is good (below 1) in a disc of radius 0.2 around (0.5, 0.5)."""
    return ((u - 0.5) ** 2).sum(axis=1) / 0.2**2


def known_of(u: np.ndarray) -> Known:
    points = Points(np.arange(2), EnergyOfObservables([], Target(1.0)), Target(1.0))
    points.add(told_of(u, disc(u)))
    return points.known()


KNOWN = known_of(np.random.default_rng(1).random((300, 2)))


def test_candidates_lie_near_good_points_and_are_new():
    u = candidates(KNOWN, np.random.default_rng(2))
    assert len(u) > 2000
    assert (u >= 0).all() and (u <= 1).all()
    assert (disc(u) < 1.0).mean() > 0.85  # an eighth of the cube is good
    known = {row.tobytes() for row in KNOWN.u}
    assert not any(row.tobytes() in known for row in u)


def test_a_ball_around_a_good_point_ends_at_the_nearest_bad_one_and_is_filled_evenly():
    known = known_of(np.array([[0.5, 0.5], [0.5, 0.9], [0.0, 0.0]]))
    u = around_good_points(known, 20_000, np.random.default_rng(3))
    r = np.linalg.norm(u - 0.5, axis=1)
    assert r.max() == pytest.approx(0.4, abs=0.005)
    assert (r < 0.2).mean() == pytest.approx(0.25, abs=0.015)


def test_the_probability_follows_from_the_neighbours():
    known = known_of(np.array([[0.5, 0.5], [0.9, 0.5]]))
    u = np.array([[0.5, 0.5], [0.6, 0.5], [0.69, 0.5], [0.71, 0.5], [0.9, 0.5]])
    assert probability_by_neighbours(known, u) == pytest.approx([1.0, 0.75, 0.525, 0.0, 0.0])
    model = np.array([0.0, 0.5, 0.9, 0.0, 0.5])
    assert certain(known, u, model) == pytest.approx((np.array([0.5, 0.625, 0.9, 0.0, 0.5]) / SUREST) ** 24)
    assert certain(known, u[:1], np.array([0.97])) == pytest.approx([1.0])  # sure enough


def test_points_beyond_a_good_point_lie_opposite_to_its_neighbour():
    known = known_of(np.array([[0.5, 0.5], [0.6, 0.5], [0.0, 0.0]]))
    u = beyond_good_points(known, 2000, np.random.default_rng(3))
    assert (u[:, 1] == 0.5).all()
    assert (np.minimum(abs(u[:, 0] - 0.5), abs(u[:, 0] - 0.6)) <= 0.15).all()
    assert ((u[:, 0] <= 0.5) | (u[:, 0] >= 0.6)).all()
    assert u[:, 0].min() < 0.36 and u[:, 0].max() > 0.74
    assert beyond_good_points(known_of(np.array([[0.5, 0.5]])), 5, np.random.default_rng(3)).shape == (0, 2)


class HalfSure:
    """Knows the disc, but is sure only near (0.4, 0.5)."""

    wider = 1.0
    weight_of_others = 0.0

    def __call__(self, u: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(disc(u.numpy()))

    def others(self) -> list[Callable[[torch.Tensor], torch.Tensor]]:
        return []

    def probability(self, u: np.ndarray, rng: np.random.Generator, wider: float = 1.0) -> np.ndarray:
        near = np.linalg.norm(u - [0.4, 0.5], axis=1) < 0.06
        return np.where(disc(u) < 1.0, np.where(near, 0.99, 0.7), 0.01)


def context_after(good: int) -> Context:
    """The context of a batch if so many of the last 100 collected points were good. Good points are known only near
    (0.4, 0.5).
    """
    rng = np.random.default_rng(6)
    u = rng.random((2000, 2))
    near, bad = u[np.linalg.norm(u - [0.4, 0.5], axis=1) < 0.05], u[disc(u) >= 1.0]
    near = np.resize(near, (good, 2)) + rng.uniform(-0.005, 0.005, (good, 2))
    u = np.concatenate([bad[:100], near, bad[100 : 200 - good]])
    points = Points(np.arange(2), EnergyOfObservables([], Target(1.0)), Target(1.0))
    points.add(told_of(u, disc(u), origins=["start"] * 100 + ["exploit"] * 100))
    return Context(
        points.known(),
        u[:0],
        HalfSure(),  # type: ignore[arg-type]
        snap=lambda u: u,
        inputs=lambda u: 2.0 * u - 1.0,
        generator=lambda purpose: np.random.default_rng(len(purpose)),
    )


def collected_after(good: int) -> np.ndarray:
    """The 20 points that are collected then."""
    context = context_after(good)
    particles = subset_simulation(HalfSure(), 2, n=200, random=torch.Generator().manual_seed(2))
    context.look(particles, (beside_good_points,), 20)
    return gather(context, 20)


def test_collected_points_go_farther_while_nearly_all_of_them_are_good():
    surest, daring = collected_after(85), collected_after(100)
    assert (disc(surest) < 1.0).all() and (disc(daring) < 1.0).all()
    assert np.linalg.norm(surest - [0.4, 0.5], axis=1).max() < 0.07
    assert (np.linalg.norm(daring - [0.4, 0.5], axis=1) > 0.15).sum() >= 5


def test_particles_fill_the_region_where_the_models_are_sure_enough():
    surest, daring = moved(context_after(85)), moved(context_after(100))
    assert len(surest) == len(daring) == PARTICLES
    assert np.linalg.norm(surest - [0.4, 0.5], axis=1).max() < 0.06
    assert (disc(daring) < 1.0).all()
    far = np.linalg.norm(daring - [0.4, 0.5], axis=1) > 0.15
    assert far.mean() == pytest.approx(0.525, abs=0.06)  # as of uniform points, though all began near (0.4, 0.5)


@pytest.mark.parametrize(("good", "least"), [(100, LEAST_SURE), (95, 0.5 * (LEAST_SURE + SUREST)), (80, SUREST)])
def test_how_sure_candidates_must_be_follows_the_newest_collected_points(good, least):
    u = np.concatenate([np.full((300, 2), 0.1), np.full((good, 2), 0.5), np.full((100 - good, 2), 0.1)])
    points = Points(np.arange(2), EnergyOfObservables([], Target(1.0)), Target(1.0))
    points.add(told_of(u, disc(u), origins=["exploit"] * len(u)))
    assert enough(points.known()) == pytest.approx(least, abs=0.01)


def test_one_good_batch_makes_a_long_search_no_more_daring():
    """With many results a batch has about a hundred points. Their hit rate alone would swing from batch to batch."""
    bad, good = np.full((1600, 2), 0.1), np.full((200, 2), 0.5)
    u = np.concatenate([bad, good, bad[:100], good[:100]])
    points = Points(np.arange(2), EnergyOfObservables([], Target(1.0)), Target(1.0))
    points.add(told_of(u, disc(u), origins=["start"] * 1600 + ["exploit"] * 400))
    assert enough(points.known()) == SUREST


@pytest.mark.parametrize("u", [[[0.5, 0.5], [0.51, 0.5]], [[0.0, 0.0], [1.0, 1.0]]], ids=["all good", "none good"])
def test_candidates_need_good_points_but_no_bad_ones(u):
    known = known_of(np.array(u))
    assert not len(candidates(known, np.random.default_rng(1)))
    assert not probability_by_neighbours(known, np.array([[0.5, 0.5]])).any()


def two_bowls(u: np.ndarray) -> np.ndarray:
    return np.minimum(((u - 0.2) ** 2).sum(axis=1), ((u - 0.8) ** 2).sum(axis=1) + 0.01) / 0.01


def test_centres_are_the_lowest_points_at_some_distance_from_each_other():
    u = np.random.default_rng(3).random((400, 2))
    points = Points(np.arange(2), EnergyOfObservables([], Target(1.0)), Target(1.0))
    points.add(told_of(u, two_bowls(u)))
    of = centres(points.known(), 3)
    assert of[0] == np.argmin(two_bowls(u))
    assert (np.linalg.norm(u[of] - 0.8, axis=1) < 0.1).any()  # the other bowl has a centre too
    apart = np.linalg.norm(u[of][:, None] - u[of], axis=2)[np.triu_indices(3, 1)]
    assert apart.min() > APART * np.sqrt(2)


def test_steps_downhill_are_short_and_lower_and_keep_their_distance():
    rng, u = np.random.default_rng(3), np.random.default_rng(4).random((300, 2))
    points = Points(np.arange(2), EnergyOfObservables([], Target(1.0)), Target(1.0))
    points.add(told_of(u, two_bowls(u)))
    known = points.known()
    found = descend(lambda z: np.stack([two_bowls(z), two_bowls(z)]), known, 10, rng)
    assert found.shape == (10, 2) and len(np.unique(found, axis=0)) == 10
    assert ((found >= 0) & (found <= 1)).all()
    of = u[centres(known, 3)]
    assert np.linalg.norm(found[:, None] - of, axis=2).min(axis=1).max() < 0.2
    assert np.median(two_bowls(found)) < np.median(two_bowls(of))
    assert descend(lambda z: two_bowls(z)[None], known, 0, rng).shape == (0, 2)
    nothing = Points(np.arange(2), EnergyOfObservables([], Target(1.0)), Target(1.0))
    assert descend(lambda z: two_bowls(z)[None], nothing.known(), 5, rng).shape == (0, 2)


def test_candidates_count_less_if_other_models_take_them_for_bad():
    u = np.array([[0.1], [0.4], [0.9]])
    models = [lambda u: 2.0 * u[:, 0], lambda u: 4.0 * u[:, 0]]  # energies
    np.testing.assert_allclose(agreement(models, u), [1.0, 0.5, 0.0])
    known, u, half = known_of(np.array([[0.5, 0.5]])), np.repeat(u, 2, axis=1), np.full(3, 0.5)
    sure = np.array([0.75, 0.5, 0.5]) / SUREST  # the mean with the fraction of the models, if this is larger
    np.testing.assert_allclose(
        certain(known, u, half, models), sure**24 * np.array([DOUBT + 1.0, DOUBT + 0.5, DOUBT]) ** 2
    )
    np.testing.assert_allclose(certain(known, u, half), (0.5 / SUREST) ** 24)


def test_other_models_with_a_smaller_error_count_more():
    known, u, half = known_of(np.array([[0.5, 0.5]])), np.full((1, 2), 0.2), np.full(1, 0.2)
    agreed = [lambda u: 0.5 * torch.ones(len(u))]
    of_trust = [certain(known, u, half, agreed, trust=trust)[0] / (DOUBT + 1.0) ** 2 for trust in (0.5, 0.9)]
    assert of_trust == pytest.approx([(0.6 / SUREST) ** 24, (0.92 / SUREST) ** 24])
    assert [trusted(weight) for weight in (0.0, 0.7, 0.99)] == [0.5, 0.7, MOST_TRUST]


def small_ball(u: np.ndarray) -> np.ndarray:
    """An NLL that is good in a ball of radius 0.09 in four dimensions, or 3 of 10,000 uniform points. It also has other
    minima.
    """
    return ((u - 0.3) ** 2).sum(axis=1) / 0.09**2 + 3.0 * np.sin(9.0 * u).prod(axis=1) ** 2


def until(steps: Iterator[Step], strategy: Lode, evaluations: int) -> Iterator[Step]:
    """Steps until so many evaluations, or until the third step with ten good points."""
    enough = 0
    for step in steps:
        yield step
        evaluations -= len(step.told)
        enough += strategy.good >= 10
        if evaluations <= 0 or enough == 3:
            return


@pytest.mark.slow
def test_goal_collect_steps_downhill_until_something_is_good(quick, monkeypatch):
    """It does so with only an NLL. A map of few variables never does so, nor does `collect` once ten good points are
    known.
    """
    calls: list[int] = []

    def counted(predict, known, n, rng):
        calls.append(int(known.good.sum()))
        return descend(predict, known, n, rng)

    monkeypatch.setattr(lode_descend, "descend", counted)
    monkeypatch.setattr(squares, "WORK", 1e8)
    for collect in (True, False):
        space = Space([Variable(f"x{n}", 0.0, 1.0) for n in range(4)])
        strategy = Lode(space, LodeSettings(Target(1.0), 30, collect), 2, [])
        evaluations = 210 if collect else 150  # within 150 evaluations the search with `collect` steps downhill
        steps = until(drive(strategy, nll_of(small_ball, space), space), strategy, evaluations)
        sizes = [len(told) for told, _ in steps]
        assert sizes[4] == (8 if collect else 30)
        if collect:
            assert len(calls) >= 2 and max(calls) < 10 <= strategy.good
            calls.clear()
    assert not calls


def thin(u: np.ndarray) -> np.ndarray:
    """An NLL that is good (below 1) on four thin rings, and that tells little about their place."""
    r = np.linalg.norm((u * 2.0) % 1.0 - 0.5, axis=1)
    return ((r - 0.3) / 0.02) ** 2


def good_of(settings: LodeSettings, evaluations: int, seed: int = 5) -> np.ndarray:
    space, seen = Space([Variable("x", 0.0, 1.0), Variable("y", 0.0, 1.0)]), np.empty((0, 2))
    for told, _ in drive(Lode(space, settings, seed, []), nll_of(thin, space), space):
        seen = np.concatenate([seen, told.u])
        if len(seen) >= evaluations:
            break
    return np.asarray(seen[thin(seen) < 1.0])


def nll_of(function: Callable[[np.ndarray], np.ndarray], space: Space) -> LocalFunction:
    ranges = {variable.name: (variable.low, variable.high) for variable in space.variables}
    return LocalFunction(lambda x: Answers(np.empty((len(x), 0)), function(x)), ranges)


@pytest.mark.slow
def test_collect_finds_more_good_points_than_a_map(quick):
    collected = good_of(LodeSettings(Target(1.0), 40, collect=True), 200)
    mapped = good_of(LodeSettings(Target(1.0), 40), 200)
    assert len(collected) > 1.5 * len(mapped)
    assert len(np.unique(collected, axis=0)) == len(collected)


@pytest.mark.slow
def test_a_continued_search_collects_the_same_points(quick):
    space = Space([Variable("x", 0.0, 1.0), Variable("y", 0.0, 1.0)])
    settings = LodeSettings(Target(1.0), 40, collect=True)
    one, told = Lode(space, settings, 3, []), []
    for _ in range(6):
        batch = one.ask()
        told.append(told_of(batch.u, disc(batch.u), origins=batch.origins))
        one.tell(told[-1])
    assert set(told[-1].origins) <= {"exploit", "leap", "random"} and len(told[-1]) == 8
    other = Lode(space, settings, 3, [])
    for answered in told:
        other.tell(answered)
    other.restore(one.checkpoint())
    assert same([one.ask()], [other.ask()])


def test_collect_asks_for_few_points_at_a_time(quick):
    """Each step from the known good points uses the results of the earlier steps."""
    space = Space([Variable("x", 0.0, 1.0), Variable("y", 0.0, 1.0)])
    strategy = Lode(space, LodeSettings(Target(1.0), 200, collect=True), 3, [])
    u = np.random.default_rng(4).random((480, 2))
    origins: list[str] = []
    while (started := len(origins)) < strategy.start_points:
        batch = strategy.ask()
        origins += batch.origins
        u[started : len(origins)] = batch.u
    strategy.tell(told_of(u, disc(u), origins=["start"] * len(u)))
    assert len(strategy.ask().u) == 480 // 24


def test_the_goal_is_read_from_the_scan_file(tmp_path):
    path = tmp_path / "scan.yaml"
    codes = 'codes: {a: {function: "a:b", observables: {o: {mean: 1, sigma: 1}}}}'
    text = f"setup: {{GOAL}}\nvariables: {{x: [0, 1]}}\n{codes}\n"
    goals = {"run_name: a": False, "goal: map": False, "goal: collect": True, "Goal: collect": True}
    for goal, collect in goals.items():
        path.write_text(text.replace("GOAL", goal))
        assert LodeSettings.read(read_scan_file(path)).collect is collect
    path.write_text(text.replace("GOAL", "goal: best"))
    with pytest.raises(ScanFileError, match="line 1: setup: goal is 'best', but must be map"):
        LodeSettings.read(read_scan_file(path))
