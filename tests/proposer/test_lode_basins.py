"""Many separate regions: basins are followed to their minima, as long as that finds good points."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from benchmarks.search.kinds import balls, radius
from benchmarks.search.problems import Problem
from proposer.drive import drive
from proposer.strategies.lode.acquire import Context
from proposer.strategies.lode.basins import (
    AROUND,
    began,
    bottoms,
    distinct,
    downhill,
    follow,
    holes,
    nearest,
    reach,
    separate,
    share,
    size,
    steps,
)
from proposer.strategies.lode.collect import other_regions
from proposer.strategies.lode.energy import EnergyOfObservables
from proposer.strategies.lode.local import descend, ways
from proposer.strategies.lode.nll import OfNll
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.lode.spread import lowest
from proposer.strategies.lode.strategy import Lode
from proposer.target import Target
from proposer.types import Floats, Status
from tests.proposer.answered import told_of
from tests.proposer.searches import first_steps, known_of, train, unit_cube

TARGET = Target(1.0)


@pytest.mark.parametrize("seed", range(4))
def test_six_points_find_the_minimum_of_a_stretched_bowl(seed):
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.standard_normal((3, 3)))[0] * [20.0, 30.0, 40.0]

    def energy(at: Floats) -> Floats:
        return np.asarray((((at - [0.45, 0.6, 0.4]) @ axes) ** 2).sum(axis=1))

    u = rng.random((60, 3))
    assert energy(u).min() > 2.0
    for _ in range(3):
        of = int(energy(u).argmin())
        width = np.asarray(cKDTree(u).query(u[of], k=7)[0])[1:].mean()
        new = descend(u, energy(u), np.array([of]), np.array([width]), each=2, rng=rng)
        assert new.shape == (1, 2, 3)
        u = np.concatenate([u, new[0]])
    assert energy(u).min() < 0.2


@pytest.mark.parametrize("seed", range(4))
def test_a_descent_stays_in_its_own_basin_beside_a_better_known_one(seed):
    """A bowl with good points is close to one of which only the slope is known."""
    rng = np.random.default_rng(seed)
    known_bowl, other_bowl = np.array([[0.4, 0.5, 0.5], [0.6, 0.5, 0.5]])

    def energy(at: Floats) -> Floats:
        distance = [np.linalg.norm(at - centre, axis=1) for centre in (known_bowl, other_bowl)]
        return np.asarray((np.minimum(*distance) / 0.02) ** 2)

    u = np.concatenate([rng.random((60, 3)), known_bowl + 0.01 * rng.standard_normal((12, 3)), [[0.58, 0.53, 0.47]]])
    for _ in range(5):
        of = int(np.where(np.linalg.norm(u - other_bowl, axis=1) < 0.1, energy(u), np.inf).argmin())
        width = np.asarray(cKDTree(u).query(u[of], k=7)[0])[1:].mean()
        new = descend(u, energy(u), np.array([of]), np.array([width]), each=2, rng=rng)[0]
        lower = u[energy(u) < energy(u[of : of + 1])]
        assert (np.asarray(cKDTree(lower).query(new)[0]) >= np.linalg.norm(new - u[of], axis=1)).all()
        u = np.concatenate([u, new])
    assert energy(u[np.linalg.norm(u - other_bowl, axis=1) < 0.1]).min() < 1.0


def two_bowls_and_points(seed: int) -> tuple[Floats, Floats, Floats]:
    """Points u, shape (n, 3), their energies, and the good points among them, shape (k, 3). A bowl is known, with good
    points. Of the last three points, one is alone on the far side of this bowl. One is on the slope of another bowl
    near it, and one on that of a bowl far away.
    """
    rng = np.random.default_rng(seed)
    bowls = np.array([[0.4, 0.5, 0.5], [0.6, 0.5, 0.5], [0.9, 0.1, 0.1]])
    u = np.concatenate([rng.random((400, 3)), bowls[0] + 0.02 * rng.standard_normal((12, 3))])
    u = u[(np.linalg.norm(u[:, None] - bowls[1:], axis=2) > 0.06).all(axis=1)]
    u = np.concatenate([u, [[0.28, 0.5, 0.5], [0.61, 0.52, 0.47], [0.88, 0.12, 0.1]]])
    energy = (np.linalg.norm(u[:, None] - bowls, axis=2).min(axis=1) / 0.02) ** 2
    return u, energy, u[energy < 1.0]


@pytest.mark.parametrize("seed", range(4))
def test_a_ridge_tells_a_basin_from_the_slope_of_a_known_region(seed):
    u, energy, good = two_bowls_and_points(seed)
    of = len(u) - np.array([3, 2, 1])
    distance = np.asarray(cKDTree(u).query(u[of], k=7)[0])
    nearest = good[np.asarray(cKDTree(good).query(u[of])[1])]
    ridge, missed = ways(u, energy, of, distance[:, 1:].mean(axis=1), to=nearest)
    assert ridge.tolist() == [False, True, True]
    assert missed[0] < 0.05
    assert missed[1:].min() > 0.1


def test_basins_beyond_a_ridge_come_first_and_then_those_that_do_not_lead_to_a_known_region():
    u, energy, good = two_bowls_and_points(0)
    of = np.append(len(u) - np.array([3, 1, 2]), np.arange(5))
    ridge, missed = ways(u, energy, of, np.full(8, 0.1), to=nearest(good, u[of]))
    order = separate(ridge, missed, np.full(8, True), near=0.0)
    first, others = np.split(order, [ridge.sum()])
    assert ridge[first].all()
    assert not ridge[others].any()
    assert (np.diff(first) > 0).all()  # in the order in which they came
    assert (np.diff(missed[others]) <= 0).all()
    assert 0 in others
    assert len(others) > 2


def test_slopes_that_lead_to_a_known_region_get_no_points():
    ridge, missed = np.array([True, False, False, True, False]), np.array([0.0, 0.3, 0.01, 0.0, 0.4])
    sure = np.array([False, True, True, True, True])
    assert separate(ridge, missed, sure, near=0.1).tolist() == [3, 4, 1, 0]
    assert separate(ridge, missed, sure, near=0.35).tolist() == [3, 4, 0]
    assert not len(separate(~ridge & False, missed, sure, near=1.0))


def test_a_point_on_the_slope_of_an_unknown_region_is_seen_although_its_nearest_neighbour_is_lower():
    """That neighbour is on the slope of a known region."""
    rng, bowls = np.random.default_rng(7), np.array([[0.3, 0.5, 0.5], [0.6, 0.5, 0.5]])
    u = rng.random((300, 3))
    u = u[np.linalg.norm(u[:, None] - bowls, axis=2).min(axis=1) > 0.16]
    near = [[0.01, 0.0, 0.0], [0.015, 0.01, 0.0], [0.12, 0.0, 0.0]]
    u = np.concatenate([u, bowls[0] + near, [[0.475, 0.5, 0.5]]])
    nll = np.minimum((np.linalg.norm(u[:, None] - bowls, axis=2).min(axis=1) / 0.02) ** 2, 60.0)
    known, last = known_of(u, nll), len(u) - 1
    assert all(last not in lowest(known, around)[0] for around in AROUND)
    of, _, sure = bottoms(known)
    assert last in of[~sure]
    good = nearest(u[known.good], u[[last]])
    missed = ways(u, nll, np.array([last]), np.array([0.1]), to=good)[1]
    assert np.linalg.norm(good - bowls[0]) < 0.05
    assert missed[0] > 0.1


def test_points_go_to_a_basin_of_its_own_rather_than_to_a_lower_slope_of_a_known_region():
    rng, bowls = np.random.default_rng(7), np.array([[0.3, 0.5, 0.5], [0.8, 0.5, 0.5]])
    u = rng.random((300, 3))
    u = u[np.linalg.norm(u[:, None] - bowls, axis=2).min(axis=1) > 0.12]
    near = [[0.01, 0.0, 0.0], [0.015, 0.01, 0.0], [-0.1, 0.0, 0.0], [-0.08, 0.04, 0.0], [-0.08, 0.0, 0.04]]
    u = np.concatenate([u, bowls[0] + near, [[0.23, 0.5, 0.5], [0.88, 0.5, 0.5]]])
    nll = (np.linalg.norm(u[:, None] - bowls, axis=2).min(axis=1) / 0.02) ** 2
    known = known_of(u, nll)
    of = bottoms(known)[0]
    assert of[~known.good[of]][:2].tolist() == [len(u) - 2, len(u) - 1]  # the slope of the known region is lower
    model = OfNll(3, EnergyOfObservables([], TARGET), lambda u: u)
    context = Context(known, u[:0], model, snap=lambda u: u, inputs=lambda u: u, generator=lambda _: rng)
    new = np.concatenate(steps(context, 2, rng))
    assert np.linalg.norm(new - u[-1], axis=1).max() < 0.2
    assert not any(map(len, steps(context, 0, rng)))


def test_a_single_valid_point_between_invalid_ones_is_a_basin_as_large_as_the_gap_between_them():
    """Its next valid neighbour is in another island, and lower."""
    rng = np.random.default_rng(11)
    u = np.concatenate([rng.random((400, 3)), [[0.3, 0.5, 0.5], [0.7, 0.5, 0.5]]])
    status, nll = np.full(len(u), Status.INVALID), np.append(np.full(400, 9.0), [6.0, 5.0])
    status[-2:] = Status.OK
    known = known_of(u, nll, status=status)
    of, widths, sure = bottoms(known)
    assert set(of[sure]) == {400, 401}
    assert widths.max() < 0.2
    model = OfNll(3, EnergyOfObservables([], TARGET), lambda u: u)
    context = Context(known, u[:0], model, snap=lambda u: u, inputs=lambda u: u, generator=lambda _: rng)
    new = np.concatenate(steps(context, 4, rng))
    far = np.asarray(cKDTree(u[-2:]).query(new)[0])
    assert len(new) == 4
    assert far.max() < 0.2


def test_a_descent_keeps_away_from_invalid_points():
    rng = np.random.default_rng(3)
    u = np.concatenate([rng.random((80, 2)), [[0.5, 0.5]]])
    energy = np.append(np.where(u[:80, 0] > 0.55, np.nan, 9.0), 5.0)
    width = np.array([0.15])
    new = np.concatenate([descend(u, energy, np.array([80]), width, each=2, rng=rng)[0] for _ in range(10)])
    assert np.isfinite(new).all()
    assert (new[:, 0] < 0.5).mean() > 0.5


def test_a_basin_is_seen_although_one_of_its_neighbours_is_in_a_lower_one():
    u = np.concatenate([[[0.5, 0.5], [0.55, 0.5]], np.random.default_rng(5).random((40, 2))])
    u[2:][np.linalg.norm(u[2:] - 0.5, axis=1) < 0.2] += 0.25
    u = np.concatenate([u, [[0.5, 0.58], [0.42, 0.5], [0.5, 0.4]]])
    nll = np.where(np.arange(len(u)) == 0, 3.0, 9.0)
    nll[-1] = 0.5
    known = known_of(u, nll)
    assert 0 in lowest(known, AROUND[0])[0]
    assert 0 not in lowest(known)[0]


def test_points_lower_than_few_neighbours_come_after_the_surer_basins():
    rows = np.array([[0.1, 0.1], [0.12, 0.1], [0.1, 0.13], [0.14, 0.14], [0.1, 0.16]])
    u = np.concatenate([rows, 0.8 * rows + 0.7])
    nll = np.array([5.0, 9.0, 9.0, 9.0, 9.0, 3.0, 9.0, 2.0, 9.0, 9.0])  # of the second, a neighbour is lower
    of, widths, _ = bottoms(known_of(u, nll))
    assert of[0] == 7
    assert of[1] == 0
    assert 5 in of[2:]
    assert (widths > 0.0).all()


def test_two_lowest_points_of_one_basin_count_once():
    u = np.array([[0.5, 0.5], [0.52, 0.5], [0.7, 0.5], [0.5, 0.53]])
    assert distinct(u, np.array([0.1, 0.1, 0.1, 0.01]), 9).tolist() == [0, 2, 3]
    assert distinct(u, np.array([0.1, 0.1, 0.1, 0.01]), 2).tolist() == [0, 2]
    assert not len(distinct(u[:0], np.empty(0), 9))


def test_points_in_holes_are_far_from_all_others():
    rng = np.random.default_rng(4)
    busy = rng.random((100, 2)) * [0.5, 1.0]
    new = holes(busy, 10, rng)
    both = np.concatenate([busy, new])
    distance, beside = (np.asarray(cKDTree(a).query(b, k=2)[0])[:, 1] for a, b in ((both, new), (busy, busy)))
    assert distance.min() > 3.0 * np.median(beside)
    assert holes(busy, 0, rng).shape == (0, 2)


def test_a_good_point_without_good_neighbours_begins_a_new_region():
    u = np.concatenate([np.random.default_rng(2).random((60, 2)), [[0.2, 0.2], [0.201, 0.2], [0.8, 0.8]]])
    nll = np.append(np.full(60, 9.0), [0.5, 0.5, 0.5])
    known = known_of(u, nll, ["basin"] * 63)
    assert began(known, np.arange(63)) == 2
    assert began(known, np.arange(61, 63)) == 1


def ring(n: int) -> Floats:
    """n points of a circle, shape (n, 2), each as far from the earlier ones as possible, if n is a power of two."""
    angle = 2.0 * np.pi * np.array([int(f"{i:030b}"[::-1], 2) / 2**30 for i in range(n)])
    return np.asarray(0.5 + 0.3 * np.stack([np.cos(angle), np.sin(angle)], axis=1))


def test_a_good_point_that_the_model_would_have_reached_begins_no_new_region():
    """Points of a thin ring lie between bad points, but the model fills the ring in steps as large."""
    bad = np.random.default_rng(6).random((3000, 2))
    bad = bad[np.abs(np.linalg.norm(bad - 0.5, axis=1) - 0.3) > 0.005]
    good = np.concatenate([ring(64), [[0.5, 0.5]]])
    u, nll = np.concatenate([bad, good]), np.append(np.full(len(bad), 9.0), np.full(65, 0.5))
    rows = len(bad) + np.arange(40, 65)
    origins = ["start"] * len(bad) + ["basin"] * 65
    assert began(known_of(u, nll, origins), rows) > 8
    origins[len(bad) : len(bad) + 40] = ["exploit"] * 40
    assert began(known_of(u, nll, origins), rows) == 1  # that in the middle


def test_the_reach_of_the_model_is_that_of_its_last_good_points():
    u = np.concatenate([ring(64), [[0.5, 0.5], [0.9, 0.9]]])
    nothing_found = known_of(u, np.full(66, 9.0), ["exploit"] * 66)
    assert reach(nothing_found) == 0.0
    only_the_first = known_of(u, np.append(0.5, np.full(65, 9.0)), ["exploit"] * 66)
    assert reach(only_the_first) == 0.0
    every = known_of(u, np.full(66, 0.5), ["exploit"] * 64 + ["basin"] * 2)
    assert reach(every) == pytest.approx(0.6 * np.sin(np.pi / 64), rel=0.05)


def test_the_share_of_basins_follows_what_they_find():
    u = np.random.default_rng(3).random((400, 3))
    nothing, number = np.full(400, 9.0), np.arange(400)
    every, first = np.where(number % 10 == 0, 0.5, 9.0), number < 200
    origins = ["basin"] * 200 + ["explore"] * 200
    assert share(known_of(u, nothing, origins)) < 0.01
    assert share(known_of(u, np.where(first, every, nothing), origins)) > 0.3
    assert share(known_of(u, np.where(first, nothing, every), origins)) < 0.01
    some = known_of(u, np.where(first & (number % 50 == 0), 0.5, 9.0), origins)
    assert 0.0 < share(some, by_observables=True) < 0.8 * share(some)


def test_batches_are_smaller_while_basins_begin_new_regions():
    u, number = np.random.default_rng(3).random((400, 3)), np.arange(400)
    model = OfNll(3, EnergyOfObservables([], TARGET), lambda u: u)
    nothing = known_of(u, np.full(400, 9.0), ["basin"] * 400)
    finds = known_of(u, np.where(number % 10 == 0, 0.5, 9.0), ["basin"] * 400)
    assert size(nothing, model, 200) > 198
    assert 50 < size(finds, model, 200) < 100
    in_seven_dimensions = known_of(np.tile(u, 3)[:, :7], finds.energy, ["basin"] * 400)
    assert size(in_seven_dimensions, model, 200) == 200


@pytest.mark.parametrize("collect", [False, True])
def test_batches_are_smaller_only_where_basins_get_points(collect, monkeypatch):
    train(monkeypatch, particles=100, networks=(20, 10, 10, 10))
    u, number = np.random.default_rng(3).random((600, 3)), np.arange(600)
    finds = told_of(u, np.where(number % 10 == 0, 0.5, 9.0 + u[:, 0]), origins=["basin"] * 600)
    strategy, asked = Lode(unit_cube(3), LodeSettings(Target(1.0), 200, collect), 2, []), 0
    while asked < strategy.start_points:
        batch = strategy.ask()
        assert batch is not None
        strategy.tell(told_of(batch.u, np.full(len(batch.u), 9.0), origins=batch.origins))
        asked += len(batch.u)
    strategy.tell(finds)
    batch = strategy.ask()
    assert batch is not None
    usual = (asked + 600) // (24 if collect else 4)
    assert (len(batch.u) == usual) == collect
    assert len(batch.u) <= usual


def test_basins_leave_points_for_the_parts_that_fill_known_regions():
    """Even if other parts took most of the batch. Without new points of *exploit*, its hit rate never changed again."""
    rng = np.random.default_rng(3)
    u, number = rng.random((400, 3)), np.arange(400)
    found = (number % 10 == 0) & (number > 200)
    known = known_of(u, np.where(found, 0.5, 9.0 + u[:, 0]), ["explore"] * 200 + ["basin"] * 200)
    model = OfNll(3, EnergyOfObservables([], TARGET), lambda u: u)
    context = Context(known, u[:0], model, snap=lambda u: u, inputs=lambda u: u, generator=lambda _: rng)
    context.n = 200
    assert 0.5 * 80 < len(np.concatenate(follow(context, 80))) <= 0.7 * 80


@pytest.mark.slow
def test_collecting_looks_for_other_regions_once_there_are_enough_good_points():
    """With a smaller fraction of a batch than a map."""
    rng = np.random.default_rng(3)
    u, number = rng.random((1200, 3)), np.arange(1200)
    finds, origins = number % 10 == 0, ["explore"] * 600 + ["basin"] * 600
    model = OfNll(3, EnergyOfObservables([], TARGET), lambda u: u)

    def found_after(rows: int) -> tuple[int, int]:
        known = known_of(u[-rows:], np.where(finds, 0.5, 9.0 + u[:, 0])[-rows:], origins[-rows:])
        context = Context(known, u[:0], model, snap=lambda u: u, inputs=lambda u: u, generator=lambda _: rng)
        context.n, context.downhill = 100, u[:0]
        return len(other_regions(context, 100)) + len(downhill(context, 100)), sum(map(len, follow(context, 100)))

    few, enough = found_after(900), found_after(1200)
    assert few[0] == 0 < few[1]
    assert 0 < enough[0] < 0.35 * enough[1]


@pytest.mark.slow
def test_many_small_regions_are_found(monkeypatch):
    """There are sixty balls. In the same number of evaluations a search without basins found 2 of them, and one that
    followed basins by quadratic forms 19.
    """
    train(monkeypatch, particles=100, networks=(100, 25, 60, 25), regression=1.0)  # with half, it is a matter of luck
    centres, r = balls(3, 60, 1.5e-3, 3), radius(3, 60, 1.5e-3)

    def nll(x: Floats) -> Floats:
        return np.asarray(np.minimum((cKDTree(centres).query(x)[0] / r) ** 2, 60.0))

    problem = Problem("balls60", 3, 1.0, nll_only=nll)
    strategy = Lode(problem.space(), LodeSettings(Target(1.0)), 2, [])
    answered = first_steps(drive(strategy, problem.backend(), problem.space()), 1400)
    good = np.concatenate([told.u[told.nll < 1.0] for told in answered[: -strategy.lag]])
    assert len(np.unique(cKDTree(centres).query(good)[1])) > 19
