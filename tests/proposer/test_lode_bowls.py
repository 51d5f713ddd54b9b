"""Good regions that look alike: the shape of the known ones shows where an unknown one is."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from benchmarks.search.kinds import ellipsoids
from proposer.strategies.lode.acquire import Context
from proposer.strategies.lode.basins import BASINS, BOWLS, LIKELY, Found, follow, size, steps, trust
from proposer.strategies.lode.bowls import NARROWEST, Bowls, guess, learn
from proposer.strategies.lode.energy import EnergyOfObservables
from proposer.strategies.lode.nll import OfNll
from proposer.strategies.lode.observables import OfObservables
from proposer.target import Target
from proposer.types import Floats
from tests.proposer.searches import known_of

RADIUS = 0.03
CENTRES = np.array([[x, y, z] for x in (0.2, 0.5, 0.8) for y in (0.2, 0.5, 0.8) for z in (0.3, 0.7)])
UNKNOWN = CENTRES[:4]


def energy_of(u: Floats) -> Floats:
    """The energy of balls around CENTRES, flat at more than 4.5 radii from them."""
    return np.asarray(np.minimum((cKDTree(CENTRES).query(u)[0] / RADIUS) ** 2, 20.25))


def from_a_centre(centre: Floats, radii: tuple[float, float], n: int, rng: np.random.Generator) -> Floats:
    """n points, shape (n, 3), in all directions from a centre, at a distance between these numbers of radii."""
    to = rng.standard_normal((n, 3))
    return np.asarray(centre + RADIUS * rng.uniform(*radii, (n, 1)) * to / np.linalg.norm(to, axis=1, keepdims=True))


def half_known(seed: int, slope: int) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Points u, shape (n, 3), their energies, and which are good, shape (n,) each. All balls have good points, but the
    UNKNOWN ones have only `slope` points on their slopes, which come last.
    """
    rng = np.random.default_rng(seed)
    u = rng.random((400, 3))
    u = u[np.asarray(cKDTree(UNKNOWN).query(u)[0]) > 4.5 * RADIUS]
    known = [from_a_centre(c, radii, 4, rng) for c in CENTRES[4:] for radii in ((0.2, 0.9), (1.5, 4.0))]
    unknown = [from_a_centre(c, (2.0, 4.0), slope, rng) for c in UNKNOWN]
    u = np.concatenate([u, *known, *unknown])
    return u, energy_of(u), energy_of(u) < 1.0


def context_of(
    u: Floats, energy: Floats, pending: Floats, origins: Sequence[str] = (), *, by_observables: bool = False
) -> Context:
    model = (OfObservables if by_observables else OfNll)(3, EnergyOfObservables([], Target(1.0)), lambda u: u)
    rng = np.random.default_rng(1)
    known = known_of(u, energy, origins)
    return Context(known, pending, model, snap=lambda u: u, inputs=lambda u: u, generator=lambda _: rng)


@pytest.mark.parametrize("seed", range(3))
def test_the_shape_of_known_regions_is_learned_and_explains_the_points_on_their_slopes_only(seed):
    u, energy, good = half_known(seed, 6)
    learned = learn(u, energy, good)
    assert learned is not None
    assert learned.shape.radius == pytest.approx(RADIUS, rel=0.1)
    of_unknown, flat = np.arange(len(u)) >= len(u) - 24, energy == 20.25
    assert learned.explained[~of_unknown & ~flat].mean() > 0.95
    assert learned.explained[of_unknown].mean() < 0.1


@pytest.mark.parametrize("power", [0.5, 2.0])
def test_regions_whose_energies_rise_as_another_power_are_learned_and_found(power):
    """The energy of a cone rises linearly with the distance, that of a flat bottom with its fourth power."""
    u, energy, good = half_known(4, 8)
    energy = energy**power
    learned = learn(u, energy, good)
    assert learned is not None
    assert np.exp(learned.shape.power) == pytest.approx(power, rel=0.2)
    assert learned.shape.radius == pytest.approx(RADIUS, rel=0.1)
    of_unknown, flat = np.arange(len(u)) >= len(u) - 32, energy == energy.max()
    assert learned.explained[~of_unknown & ~flat].mean() > 0.95
    assert learned.explained[of_unknown].mean() < 0.1
    of = np.array([first + energy[first : first + 8].argmin() for first in range(len(u) - 32, len(u), 8)])
    bowls, chance = guess(u, energy, of, learned, np.random.default_rng(1))
    assert (np.linalg.norm(bowls.centre - UNKNOWN, axis=1) < RADIUS).all()
    assert chance.min() > LIKELY


def test_the_radius_of_ellipsoids_is_that_of_a_ball_of_their_volume():
    rng, dim = np.random.default_rng(2), 3
    axes = ellipsoids(dim, len(CENTRES), 2e-3, 1)

    def energy_of(u: Floats) -> Floats:
        return Bowls(CENTRES, np.zeros(len(CENTRES)), axes, np.ones(len(CENTRES))).above(u).min(axis=0)

    u = np.concatenate([rng.random((300, dim)), *(c + 0.03 * rng.standard_normal((12, dim)) for c in CENTRES)])
    learned = learn(u, energy_of(u), energy_of(u) < 1.0)
    assert learned is not None
    assert learned.shape.radius == pytest.approx(abs(np.linalg.det(axes[0])) ** (-1 / dim), rel=0.25)
    assert learned.shape.spread > NARROWEST


def test_a_shape_needs_three_known_regions():
    u, energy, good = half_known(0, 6)
    near = np.asarray(cKDTree(CENTRES[4:6]).query(u)[0]) < RADIUS
    assert learn(u, energy, good & near) is None
    assert learn(u, energy, np.zeros(len(u), dtype=np.bool_)) is None
    assert learn(u[good], energy[good], good[good]) is None


@pytest.mark.parametrize("seed", range(3))
def test_six_points_on_its_slope_show_where_an_unknown_region_is_and_one_does_not(seed):
    rng = np.random.default_rng(seed)
    for slope in (6, 1):
        u, energy, good = half_known(seed, slope)
        learned = learn(u, energy, good)
        assert learned is not None
        first = len(u) - slope * len(UNKNOWN)
        of = first + np.array([energy[first + slope * k :][:slope].argmin() + slope * k for k in range(len(UNKNOWN))])
        bowls, chance = guess(u, energy, of, learned, rng)
        found = energy_of(bowls.centre) < 1.0
        if slope == 6:
            assert found.sum() >= 3
            assert (chance[found] > LIKELY).all()
        else:
            assert chance.max() < 0.5


def test_each_unknown_region_gets_one_point_at_its_minimum_and_known_ones_get_none():
    u, energy, _ = half_known(1, 8)
    new = np.concatenate(steps(context_of(u, energy, u[:0]), 60, np.random.default_rng(1)))
    ball, good = np.asarray(cKDTree(CENTRES).query(new)[1]), energy_of(new) < 1.0
    assert np.unique(ball[good]).tolist() == list(range(len(UNKNOWN)))
    assert good.sum() == len(UNKNOWN)


def test_a_region_gets_no_second_point_while_one_has_no_result():
    u, energy, _ = half_known(1, 8)
    new = np.concatenate(steps(context_of(u, energy, UNKNOWN[:2]), 60, np.random.default_rng(1)))
    found = np.asarray(cKDTree(CENTRES).query(new)[1])[energy_of(new) < 1.0]
    assert sorted(found) == [2, 3]


def test_minima_of_bowls_that_are_not_good_lower_the_trust_in_the_shape():
    u, number = np.random.default_rng(3).random((400, 3)), np.arange(400)
    bowl, nothing = number < 100, np.full(400, 9.0)
    origins = np.where(bowl, "bowl", "basin").tolist()
    assert trust(known_of(u, nothing, ["start"] * 400)) > 0.99
    assert trust(known_of(u[:120], nothing[:120], origins[:120])) < 0.5
    assert 0.2 < trust(known_of(u, np.where(number % 20 == 0, 0.5, 9.0), origins)) < 0.8
    assert trust(known_of(u, np.where(bowl & (number % 5 == 0), 0.5, 9.0), origins)) > 0.99
    assert trust(known_of(u, np.where(~bowl & (number % 9 == 0), 0.5, 9.0), origins)) < 0.01


def test_basins_get_steps_downhill_after_the_minima_of_many_bowls_were_not_good():
    """The points on the slopes of known regions count again, because the bowls may explain them by chance."""
    u, energy, _ = half_known(1, 8)
    rng = np.random.default_rng(1)
    minima, downhill = steps(context_of(u, energy, u[:0]), 60, rng)
    assert len(minima) == len(UNKNOWN)
    few = len(downhill)
    bad = np.concatenate([u, rng.random((100, 3))])
    bad_energy = np.maximum(energy_of(bad), np.where(np.arange(len(bad)) < len(u), 0.0, 20.25))
    origins = ["basin"] * len(u) + ["bowl"] * 100
    minima, downhill = steps(context_of(bad, bad_energy, u[:0], origins), 60, rng)
    assert not len(minima)
    assert len(downhill) > 2 * few


def test_the_minima_of_bowls_have_an_origin_of_their_own_by_which_they_are_judged():
    u, energy, _ = half_known(1, 8)
    context = context_of(u, energy, u[:0], ["basin"] * len(u))
    found = {part.origin: part.choose(context, 200) for part in (BOWLS, BASINS)}
    assert len(found["bowl"]) == (energy_of(found["bowl"]) < 1.0).sum() == len(UNKNOWN)
    assert len(found["basin"])
    assert not (found["basin"][:, None] == found["bowl"]).all(axis=2).any()


def test_a_model_of_observables_gets_steps_downhill_only_after_these_parts_have_begun_new_regions():
    u, energy, _ = half_known(1, 8)

    def found(u: Floats, energy: Floats, origins: Sequence[str]) -> Found:
        context = context_of(u, energy, u[:0], origins, by_observables=True)
        context.n = 200
        assert size(context.known, context.surrogate, 200) == 200
        return follow(context, 200)

    before = ["start"] * len(u)
    minima, others = found(u, energy, before)
    assert (energy_of(minima) < 1.0).sum() == len(minima) == len(UNKNOWN)
    assert not len(others)
    u = np.concatenate([u, np.random.default_rng(2).random((100, 3)), minima])
    origins = [*before, *["bowl"] * 100, *["basin"] * 4]
    energy = np.concatenate([energy, np.full(100, 20.25)])
    assert len(found(u, np.concatenate([energy, energy_of(minima)]), origins).others)
    assert not len(found(u, np.concatenate([energy, np.full(4, 20.25)]), origins).others)
