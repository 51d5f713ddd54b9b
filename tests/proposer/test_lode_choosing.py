"""The sampler and the choices of LODE, each compared with brute force on a small case."""

import numpy as np
import pytest
import torch

from proposer.strategies.lode.acquire import resolution
from proposer.strategies.lode.energy import EnergyOfObservables
from proposer.strategies.lode.points import Points
from proposer.strategies.lode.probe import minima, probes
from proposer.strategies.lode.sample import subset_simulation
from proposer.strategies.lode.select import (
    Candidates,
    Reach,
    daring,
    even,
    hits,
    probability_of_an_answer,
    uncertain,
    undiscovered,
    well_spread,
)
from proposer.target import Target
from proposer.types import Status
from tests.proposer.answered import told_of

CENTRES, RADII = torch.tensor([[0.25, 0.3, 0.7], [0.8, 0.75, 0.2]], dtype=torch.float64), torch.tensor([0.15, 0.1])


def two_balls(u: torch.Tensor) -> torch.Tensor:
    """An energy below 1 in two balls, which are 1.4 % and 0.4 % of the cube."""
    return (((u[:, None, :] - CENTRES) ** 2).sum(dim=2) / RADII**2).min(dim=1).values


def test_subset_simulation_is_uniform_in_two_balls():
    volume, shares, radii = [], [], []
    for seed in range(4):
        found = subset_simulation(two_balls, 3, 1500, torch.Generator().manual_seed(seed))
        assert found.level == 1.0
        assert (two_balls(found.inside) < 1.0).all()
        distance = (found.inside[:, None, :] - CENTRES).norm(dim=2)
        in_large = distance[:, 0] < RADII[0]
        shares.append(in_large.double().mean())
        radii += [(distance[in_large, 0] / RADII[0]) ** 3, (distance[~in_large, 1] / RADII[1]) ** 3]
        volume.append(found.volume)
        assert sum(v for _, v in found.levels) + found.volume == pytest.approx(1.0)
    true = 4 / 3 * np.pi * RADII.double().numpy() ** 3
    assert np.mean(volume) == pytest.approx(true.sum(), rel=0.12)
    assert np.mean(shares) == pytest.approx(true[0] / true.sum(), abs=0.05)
    thirds = np.histogram(torch.cat(radii).numpy(), bins=[0, 1 / 3, 2 / 3, 1])[0]
    assert np.abs(thirds / thirds.sum() - 1 / 3).max() < 0.02  # r^3 is uniform in a ball


def test_subset_simulation_fills_edges_and_corners():
    """The region is a layer of width 0.1 at one wall. The density at the wall is that of the rest."""
    found = subset_simulation(lambda u: u[:, 0] / 0.1, 2, 4000, torch.Generator().manual_seed(1)).inside
    for axis, width in ((0, 0.1), (1, 1.0)):
        tenths = np.histogram(found[:, axis].numpy() / width, bins=10, range=(0, 1))[0]
        assert tenths.min() > 300
        assert tenths.max() < 500


def test_subset_simulation_says_which_level_it_reached():
    found = subset_simulation(lambda u: 3.0 + u[:, 0], 2, 300, torch.Generator().manual_seed(1))
    assert 3.0 <= found.level < 3.01
    assert found.inside[:, 0].max() < 0.01


def test_particles_of_an_earlier_call_are_used_only_if_they_are_inside():
    before = torch.rand(500, 3, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    found = subset_simulation(two_balls, 3, 400, torch.Generator().manual_seed(2), before=before)
    assert len(found.inside) == 400 + int((two_balls(before) < 1).sum())
    assert (two_balls(found.inside) < 1.0).all()


def test_subset_simulation_reaches_all_of_a_thin_valley():
    """The valley winds along the first of ten variables, and is 1e-7 of the cube."""

    def valley(u: torch.Tensor) -> torch.Tensor:
        middle = 0.5 + 0.35 * torch.sin(5.0 * u[:, :1] + torch.arange(1, 10))
        return ((u[:, 1:] - middle) ** 2).sum(dim=1) / 0.15**2

    for seed in range(6):
        found = subset_simulation(valley, 10, 800, torch.Generator().manual_seed(seed)).inside
        assert np.histogram(found[:, 0].numpy(), bins=20, range=(0, 1))[0].min() > 0


def test_particles_that_are_far_apart_are_kept():
    """Fifty of a thousand points are outside a small box. All of them are kept, and no point twice."""
    rng = np.random.default_rng(4)
    u = np.concatenate([0.1 * rng.random((900, 3)), 0.5 + 0.5 * rng.random((50, 3))])
    u = np.concatenate([u, u[-50:]])
    kept = well_spread(u, 200)
    assert len(np.unique(u[kept], axis=0)) == len(kept) == 200
    assert (u[kept, 0] >= 0.5).sum() == 50
    assert len(well_spread(u, 2000)) == 950


def test_even_fills_the_gaps_between_points():
    """The left half holds 300 points and the right half none, so the next 200 points go to the right."""
    rng = np.random.default_rng(0)
    occupied = rng.random((300, 2)) * [0.5, 1.0]
    candidates = rng.random((4000, 2))
    chosen = candidates[even(Candidates(candidates, np.ones(4000)), occupied, 200)]
    assert len(np.unique(chosen, axis=0)) == 200
    assert (chosen[:, 0] > 0.5).mean() > 0.8
    after = np.concatenate([occupied, chosen])
    cells = np.histogramdd(after, bins=(8, 8), range=[(0, 1)] * 2)[0]
    random = np.concatenate([occupied, rng.random((200, 2))])
    drawn = np.histogramdd(random, bins=(8, 8), range=[(0, 1)] * 2)[0]
    assert cells.min() >= 3
    assert cells.std() < 0.6 * drawn.std()


def test_even_prefers_probable_points_and_takes_no_place_twice():
    u = np.repeat(np.linspace(0.0, 1.0, 11)[:, None], 3, axis=0)
    chosen = even(Candidates(u, np.ones(33)), u[:3], 50)
    assert sorted(u[chosen, 0]) == pytest.approx(np.linspace(0.1, 1.0, 10))
    doubtful = np.where(u[:, 0] > 0.5, 1e-6, 1.0)
    assert (u[even(Candidates(u, doubtful), u[:3], 5), 0] <= 0.5).all()
    assert len(even(Candidates(u, np.zeros(33)), np.empty((0, 1)), 4)) == 4


@pytest.mark.parametrize(("dim", "power"), [(1, 1.0), (2, 2.0), (3, 3.0), (7, 3.0), (10, 4.0)])
def test_a_place_twice_as_far_wins_with_a_much_lower_probability_in_many_dimensions(dim, power):
    assert daring(dim) == pytest.approx(power)
    u = np.zeros((3, dim))
    u[1, 0], u[2, 0] = 1.0, 0.5  # the second point is twice as far from the first one as the third
    for probability, first in ((1.1, 1), (0.9, 2)):
        candidates = Candidates(u[1:], np.array([probability * 2.0**-power, 1.0]))
        assert even(candidates, u[:1], 1, daring(dim))[0] + 1 == first


def test_beyond_the_reach_a_larger_distance_counts_with_another_power():
    u = np.array([[0.1], [0.2], [0.4]])  # the reach is 0.2
    for power, beyond, probability, first in (
        (3.0, 0.0, [7.9**-1, 1.0, 1.0], 1),  # the farthest is worth no more than the one at the reach
        (3.0, 0.0, [1.0, 1 / 8.1, 1 / 8.1], 0),
        (3.0, 1.0, [0.0, 1.9, 1.0], 2),  # twice as far, twice as much
        (3.0, 1.0, [0.0, 2.1, 1.0], 1),
        (3.0, 3.0, [0.0, 7.9, 1.0], 2),  # as without a reach
        (3.0, 3.0, [0.0, 8.1, 1.0], 1),
    ):
        candidates = Candidates(u, np.array(probability))
        assert even(candidates, np.zeros((1, 1)), 1, power, Reach(0.2, beyond))[0] == first


def test_the_resolution_is_that_of_128_spread_points_and_finer_in_a_denser_map():
    """The candidates are a lattice of 16 x 16 points; 128 of them are spread as a chequerboard."""
    lattice = np.stack(np.meshgrid(*[np.arange(16) / 16] * 2), axis=-1).reshape(-1, 2)
    candidates = Candidates(lattice, np.where(np.arange(256) % 7 > 0, 1.0, 0.9))
    assert resolution(candidates, lattice[:1]) == pytest.approx(0.6 * 2**0.5 / 16, rel=0.3)
    assert resolution(candidates, lattice + 0.001) == pytest.approx(1.25 * 0.001 * 2**0.5)
    few = np.where(lattice[:, 0] < 0.2, 1.0, 1e-3)  # only probable candidates count
    assert resolution(Candidates(lattice, few), lattice[lattice[:, 0] < 0.2] + 0.001) < 0.002
    assert resolution(Candidates(lattice[:1], np.ones(1)), lattice) == np.inf
    assert resolution(candidates, lattice[:0]) == np.inf
    assert 0.0 < resolution(candidates, lattice[:200]) < 0.1  # most candidates are occupied


def test_uncertain_points_follow_the_expected_good_volume():
    """One of two groups of candidates has a tenth of the volume and five times the probability. It gets a third of the
    points.
    """
    rng = np.random.default_rng(1)
    u, volume = undiscovered([(rng.random((3000, 2)), 0.9), (rng.random((3000, 2)), 0.1)], 4000)
    assert len(u) == 4000
    assert volume.sum() == pytest.approx(1.0)
    probability = np.where(np.arange(4000) < 2000, 0.1, 0.5)
    chosen = uncertain(Candidates(u, probability), volume, np.empty((0, 2)), 300, rng)
    assert len(np.unique(chosen)) == 300
    assert (chosen >= 2000).mean() == pytest.approx(5 / 14, abs=0.07)


def test_probes_are_the_minima_that_are_not_yet_evaluated():
    """Three basins have minima of 0.5, 2 and 2. The first is good already, and the second has a point near it."""
    bottoms = torch.tensor([[0.2, 0.2], [0.8, 0.2], [0.5, 0.8]], dtype=torch.float64)
    depths = torch.tensor([0.5, 2.0, 2.0], dtype=torch.float64)

    def energy(u):
        return (depths + 200.0 * ((u[:, None, :] - bottoms) ** 2).sum(dim=2)).min(dim=1).values

    rng = np.random.default_rng(3)
    starts = rng.random((500, 2))
    found, e = minima(energy, starts, rng)
    distance = np.linalg.norm(found[:, None, :] - bottoms.numpy(), axis=2)
    assert (distance.min(axis=0) < 0.01).all()  # every minimum is found
    assert (distance.min(axis=1) < 0.02).all()  # nothing else is found, though some minima perhaps twice
    assert (np.diff(e) >= 0).all()
    known = np.concatenate([rng.random((8, 2)), [[0.8, 0.21]]])
    probed = probes(energy, starts, u_known=known, e_known=energy(torch.from_numpy(known)).numpy(), most=5, rng=rng)
    assert probed == pytest.approx(np.array([[0.5, 0.8]]), abs=0.02)
    assert len(probes(energy, starts, u_known=known, e_known=np.zeros(9), most=5, rng=rng)) == 0


def test_shares_follow_the_success_of_earlier_points():
    points = Points(np.arange(2), EnergyOfObservables([], Target(1.0)), Target(1.0))
    points.add(told_of(np.random.default_rng(0).random((98, 2)), np.where(np.arange(98) < 9, 0.5, 2.0)))
    assert hits(points.known(), "start") == pytest.approx(0.1)
    assert hits(points.known(), "other") == 0.5


def test_an_answer_is_improbable_where_codes_failed():
    rng = np.random.default_rng(2)
    points = Points(np.arange(2), EnergyOfObservables([], Target(1.0)), Target(1.0))
    u = rng.random((400, 2))
    points.add(told_of(u, np.full(400, 2.0), status=np.where(u[:, 0] < 0.5, Status.OK, Status.FAILED)))
    probability = probability_of_an_answer(points.known(), np.array([[0.1, 0.5], [0.9, 0.5]]))
    assert probability == pytest.approx([1.0, 1.0 / 9.0])


def test_exploring_goes_by_the_cube_of_the_distance_from_busy_points():
    busy, u = np.zeros((1, 2)), np.array([[0.2, 0.0], [0.4, 0.0]])
    candidates, rng = Candidates(u, np.array([0.5, 0.5])), np.random.default_rng(6)
    far = sum(uncertain(candidates, np.ones(2), busy, 1, rng)[0] == 1 for _ in range(2000))
    assert far / 2000 == pytest.approx(8 / 9, abs=0.025)
    far = sum(uncertain(candidates, np.array([8.0, 1.0]), busy, 1, rng)[0] == 1 for _ in range(2000))
    assert far / 2000 == pytest.approx(0.5, abs=0.04)  # it has eight times the volume
