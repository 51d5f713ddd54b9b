"""If the target follows the best point, LODE keeps looking for a deeper minimum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from torch import Tensor

from proposer.strategies.lode import lower
from proposer.strategies.lode.acquire import Context
from proposer.strategies.lode.energy import EnergyOfObservables
from proposer.strategies.lode.nll import OfNll
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.lode.strategy import Lode
from proposer.target import Target
from proposer.types import Floats
from tests.proposer.answered import told_of
from tests.proposer.searches import known_of, train, unit_cube

DIM = 6
WIDE, DEEP, SLOPE = np.full(DIM, 0.35), np.full(DIM, 0.7), 0.11


def wide(u: Floats) -> Floats:
    """The energy of a wide minimum, shape (n,), 1/2 at its bottom."""
    return np.asarray(0.5 + 3.0 * ((u - WIDE) ** 2).sum(axis=1))


def both(u: Floats) -> Floats:
    """The same with a deeper, narrow minimum, which shows in 0.2 % of the cube."""
    return np.asarray(np.minimum(wide(u), 0.2 + 0.5 * ((u - DEEP) ** 2).sum(axis=1) / 0.12**2))


class OfWide(OfNll):
    """A model that knows the wide minimum only, with this lowest energy."""

    lowest = 0.5

    def __call__(self, u: Tensor) -> Tensor:
        return torch.from_numpy(wide(u.numpy()) - 0.5 + self.lowest)

    def members(self, u: Floats) -> Floats:
        return wide(u)[None]

    def others(self) -> list[Callable[[Tensor], Tensor]]:
        return []


def context_of(
    u: Floats, energy: Floats, pending: Floats | None = None, seed: int = 0, origins: Sequence[str] = ()
) -> Context:
    known = replace(known_of(u, energy, origins), plain=energy, energy=energy, rising=energy)
    context = Context(
        known,
        u[:0] if pending is None else pending,
        OfWide(DIM, EnergyOfObservables([], Target(1.0)), lambda u: u),
        snap=lambda u: u,
        inputs=lambda u: u,
        generator=lambda purpose: np.random.default_rng([seed, len(purpose)]),
    )
    context.n, context.inside, context.outside = 200, u[:0], u[:0]
    return context


def points() -> tuple[Floats, Floats]:
    """The best point first. The last one is on the slope of the deeper minimum, and the only one there."""
    u = np.random.default_rng(4).random((400, DIM))
    u = u[both(u) == wide(u)]
    u = np.concatenate([[WIDE], u, [DEEP + np.array([SLOPE, -SLOPE, 0.0, SLOPE, 0.0, -SLOPE])]])
    return u, both(u)


def test_a_point_that_is_lower_than_the_models_say_is_followed_although_its_neighbours_are_lower():
    u, energy = points()
    assert wide(u[-1:]) > energy[-1] > 1.0
    near = np.argsort(np.linalg.norm(u - u[-1], axis=1))[1 : 2 * DIM + 1]
    assert energy[near].min() < energy[-1], "it is no basin by its neighbours"
    for batch in range(4):
        new = lower.lower(context_of(u, both(u), seed=batch), 200)
        assert len(new) == round(lower.RESTING * 200)
        u = np.concatenate([u, new])
    deep = np.linalg.norm(u - DEEP, axis=1) < np.linalg.norm(u - WIDE, axis=1)
    assert both(u)[deep].min() < 1.0


def inside(u: Floats) -> Floats:
    """The energy of a wide minimum with a deeper one in it, which shows in 0.02 % of the cube."""
    return np.asarray(np.minimum(wide(u), 0.2 + 0.5 * ((u - WIDE - 0.1) ** 2).sum(axis=1) / 0.06**2))


def test_a_good_point_that_is_lower_than_the_models_say_is_followed_too():
    """A narrow minimum may lie in a wide one, and the models smooth it away."""
    u = np.random.default_rng(4).random((400, DIM))
    slope = WIDE + 0.1 + 0.067 * np.array([0.4, -0.3, 0.2, 0.4, -0.2, 0.3])
    u = np.concatenate([WIDE + 0.05 * (u[:60] - 0.5), u[inside(u) == wide(u)], [slope]])
    assert inside(u[:-1]).min() < inside(u[-1:]) < wide(u[-1:]) - 0.1
    context = context_of(u, inside(u))
    new = lower.lower(context, 200)
    assert context.known.good[-1] and lower.stopped(context.known)[-1]
    assert (np.linalg.norm(new - slope, axis=1) < 0.4).sum() >= lower.BESIDE


def test_a_point_that_is_lower_than_the_models_say_is_followed_while_the_lowest_nll_falls():
    """The models still smooth a narrow minimum away after its first point lowered the NLL."""
    u, _ = points()
    u = np.concatenate([u[1:-1], u[:1], u[-1:]])
    context = context_of(u, both(u))
    new = lower.lower(context, 200)
    assert not lower.stopped(context.known)[-1]
    assert (np.linalg.norm(new - u[-1], axis=1) < 0.4).sum() >= lower.BESIDE


def joined(u: Floats, to: Floats) -> Floats:
    """The distances, shape (n,), of points u from the nearest of the points `to`, as if opposite walls were joined."""
    return np.asarray(cKDTree(to % 1.0, boxsize=np.ones(DIM)).query(u % 1.0)[0])


def test_points_also_go_to_the_largest_holes():
    u, energy = points()
    u, energy = u[:-1], energy[:-1]  # nothing is surprising
    new = lower.lower(context_of(u, energy), 200)
    far, random = joined(new, u), joined(np.random.default_rng(1).random((2000, DIM)), u)
    assert (far > np.quantile(random, 0.95)).sum() >= 0.4 * len(new)


def test_points_in_holes_find_more_small_minima_than_random_points_do():
    """Most known points are in the wide minimum. The points that are farthest from all others are in corners, and find
    less.
    """
    rng, radius = np.random.default_rng(2), 0.3
    u = np.concatenate([[WIDE], rng.random((90, DIM)), rng.normal(0.35, 0.08, (300, DIM)).clip(0.0, 1.0)])
    context = context_of(u, wide(u))
    context.n = 1000
    new = lower.lower(context, 1000)
    assert len(new) == round(lower.RESTING * 1000)
    minima = rng.random((4000, DIM))
    minima = minima[np.asarray(cKDTree(u).query(minima)[0]) > radius]
    found = [np.asarray(cKDTree(x).query(minima)[0]) < radius for x in (new, rng.random(new.shape))]
    assert found[0].sum() > 1.05 * found[1].sum()


def test_a_predicted_minimum_that_is_hardly_lower_than_the_best_point_gets_no_points():
    """It is the known minimum again."""
    u, energy = points()
    context = context_of(u[:-1], energy[:-1])
    for lowest, expected in ((0.5 - 0.8 * lower.FALL, 0), (0.5 - 1.2 * lower.FALL, 1)):
        assert isinstance(context.surrogate, OfWide)
        context.surrogate.lowest = lowest
        new = lower.lower(context, 200)
        assert (np.linalg.norm(new - WIDE, axis=1) < 0.1).any() == expected


def test_no_points_go_where_one_is_waiting_for_its_result():
    u, energy = points()
    new = lower.lower(context_of(u, energy), 200)
    waits = lower.lower(context_of(u, energy, u[-1:] + 0.01), 200)
    close = [int((np.linalg.norm(found - u[-1], axis=1) < 0.25).sum()) for found in (new, waits)]
    assert close[0] >= 2 and close[1] == 0


@given(st.lists(st.floats(0.5, 0.9) | st.floats(1.0, 9.0) | st.just(np.nan), max_size=400), st.randoms())
def test_the_lowest_nll_has_stopped_if_the_last_answers_hardly_lowered_it(energy, random):
    u = np.random.default_rng(len(energy)).random((len(energy), 2))
    known = replace(known_of(u, np.array(energy)), plain=np.array(energy))
    rests = lower.stopped(known)
    assert rests.shape == (len(energy) + 1,)
    for count in random.sample(range(len(energy) + 1), min(20, len(energy) + 1)):
        values = [value for value in energy[:count] if not np.isnan(value)]
        last = max(lower.PATIENCE, len(values) // 4)
        expected = len(values) > last and min(values[:-last]) - min(values) <= lower.FALL
        assert rests[count] == expected


def searched(found: int, tried: int = 120) -> Context:
    """After the lowest NLL has stopped falling, `tried` points looked for a lower one. `found` of them, in different
    corners among bad points, are good.
    """
    rng = np.random.default_rng(6)
    corners = 0.05 + 0.9 * np.array([[number >> k & 1 for k in range(DIM)] for number in range(found)]).reshape(-1, DIM)
    near = (corners[:, None] + 0.02 * rng.standard_normal((found, 2 * DIM, DIM))).reshape(-1, DIM)
    known = np.concatenate([WIDE + 0.01 * rng.standard_normal((100, DIM)), near])
    u = np.concatenate([known, rng.random((tried - found, DIM)), corners])
    energy = np.concatenate([np.full(100, 0.5), np.full(len(near) + tried - found, 5.0), np.full(found, 0.6)])
    origins = ["exploit"] * 100 + ["start"] * len(near) + ["lower"] * tried
    return context_of(u, energy, origins=origins)


def number_of(context: Context) -> int:
    """The number of points that look for a lower NLL, in a batch of 1,000."""
    context.n = 1000
    return len(lower.lower(context, 1000))


def test_the_share_follows_how_many_of_these_points_began_a_new_part_of_the_region():
    untried = number_of(searched(0, tried=0))
    assert untried == 1000 * lower.RESTING
    none, one, three = (number_of(searched(found)) for found in (0, 1, 3))
    assert none == pytest.approx(untried / 2, abs=1), "20 points for each of six variables found nothing"
    assert one == pytest.approx(untried, abs=1) and three == pytest.approx(2 * untried, abs=1)
    assert number_of(searched(30)) == 1000 * lower.FALLING
    assert number_of(searched(0, tried=3000)) >= 40, "it does not fall to 0, because a deeper minimum may come late"


def test_points_that_followed_a_falling_nll_do_not_count_against_the_search_for_a_deeper_minimum():
    context = searched(0)
    first = np.arange(len(context.known.u)) >= 100  # the search began with these points
    order = np.argsort(~first, kind="stable")
    known = context.known
    context.known = replace(
        known, **{name: getattr(known, name)[order] for name in ("u", "energy", "plain", "rising", "good", "origins")}
    )
    falls = np.concatenate([np.linspace(9.0, 5.0, 120), context.known.plain[120:]])
    context.known = replace(context.known, plain=falls)
    assert number_of(context) == 1000 * lower.RESTING


def test_while_the_lowest_nll_falls_the_share_follows_how_many_of_these_points_lowered_it():
    """After 1,000 points, the lowest NLL counts as falling for 250 more."""
    u = np.random.default_rng(8).random((1000, DIM))
    energy = np.full(1000, 5.0)
    energy[900] = 0.5
    origins = np.full(1000, "exploit", dtype="<U8")
    shares = []
    for last in (0, 30, 60):
        origins[1000 - last :] = "lower"
        known = context_of(u, energy, origins=origins.tolist()).known
        assert not lower.stopped(known)[-1]
        shares.append(lower.share(known, lower.stopped(known)))
    assert shares == pytest.approx([lower.FALLING, lower.FALLING / 1.5, lower.FALLING / 2.0])
    energy[999] = 0.5 - 2 * lower.FALL
    known = context_of(u, energy + 2 * lower.FALL, origins=origins.tolist()).known
    assert lower.share(known, lower.stopped(known)) == pytest.approx(lower.FALLING, rel=0.02), "it has just fallen"


def test_a_small_batch_has_this_share_on_average():
    context, random = searched(0), np.random.default_rng(7)
    context.n, context.generator = 8, lambda purpose: random
    numbers = [len(lower.lower(context, 8)) for _ in range(200)]
    assert np.mean(numbers) == pytest.approx(8 * lower.RESTING / 2, abs=0.15) and {0, 1} <= set(numbers)


@pytest.mark.parametrize(("collect", "usual", "least"), [(False, 100, 30), (True, 25, 8)])
def test_batches_are_as_small_as_at_the_start_after_a_deeper_minimum_is_found(monkeypatch, collect, usual, least):
    """Each step downhill needs the results of the steps before. Batches of 200 took 380 evaluations for three steps."""
    train(monkeypatch, particles=100, networks=(20, 10, 10, 10))
    u = np.random.default_rng(3).random((600, 3))
    wide = 10.0 + 5.0 * ((u - 0.3) ** 2).sum(axis=1)
    sizes = []
    for lowest in (10.0, 4.0):
        strategy, asked = Lode(unit_cube(3), LodeSettings(Target.following(2.0), 200, collect), 2, []), 0
        while asked < strategy.start_points:
            batch = strategy.ask()
            assert batch is not None
            strategy.tell(told_of(batch.u, np.full(len(batch.u), 30.0), origins=batch.origins))
            asked += len(batch.u)
        strategy.tell(told_of(u, np.append(wide[:-1], lowest), origins=["exploit"] * 600))
        batch = strategy.ask()
        assert batch is not None
        sizes.append(len(batch.u))
    assert sizes[0] > usual and sizes[1] == least
