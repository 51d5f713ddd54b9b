"""The parts of LODE, each against brute force on a case that can be worked out."""

import numpy as np
import pytest
import torch

from proposer.strategies.lode.coding import Coding
from proposer.strategies.lode.energy import FAR, EnergyOfNll, EnergyOfObservables, ScoredObservable
from proposer.strategies.lode.leaves import Leaves
from proposer.strategies.lode.nll import OfNll
from proposer.strategies.lode.observables import OfObservables
from proposer.strategies.lode.points import Points
from proposer.strategies.lode.probe import minima, probes
from proposer.strategies.lode.process import Processes
from proposer.strategies.lode.sample import subset_simulation
from proposer.strategies.lode.select import (
    Candidates,
    daring,
    even,
    hits,
    probability_of_an_answer,
    uncertain,
    undiscovered,
)
from proposer.strategies.lode.train import even_rows, training_rows
from proposer.target import Target
from proposer.types import Status, Told
from scanspec import Kind, Likelihood


def centred(u):
    return 2.0 * u - 1.0


GAUSS = Likelihood(Kind.GAUSS, 0.5, 0.1)


# Sampling

CENTRES, RADII = torch.tensor([[0.25, 0.3, 0.7], [0.8, 0.75, 0.2]], dtype=torch.float64), torch.tensor([0.15, 0.1])


def two_balls(u: torch.Tensor) -> torch.Tensor:
    """Below 1 in two balls, of 1.4 % and 0.4 % of the cube."""
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
    """The region is 0.1 wide at one wall: no thinner there than away from it."""
    found = subset_simulation(lambda u: u[:, 0] / 0.1, 2, 4000, torch.Generator().manual_seed(1)).inside
    for axis, width in ((0, 0.1), (1, 1.0)):
        tenths = np.histogram(found[:, axis].numpy() / width, bins=10, range=(0, 1))[0]
        assert tenths.min() > 300
        assert tenths.max() < 500


def test_subset_simulation_says_how_low_it_came():
    found = subset_simulation(lambda u: 3.0 + u[:, 0], 2, 300, torch.Generator().manual_seed(1))
    assert 3.0 <= found.level < 3.01
    assert found.inside[:, 0].max() < 0.01


def test_particles_of_an_earlier_call_go_on_only_inside():
    before = torch.rand(500, 3, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    found = subset_simulation(two_balls, 3, 400, torch.Generator().manual_seed(2), before=before)
    assert len(found.inside) == 400 + int((two_balls(before) < 1).sum())
    assert (two_balls(found.inside) < 1.0).all()


# Choosing


def test_even_levels_out_what_is_crowded():
    """The left half holds 300 points, the right one none: the next 200 go where the gaps are."""
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


def test_even_prefers_what_is_likely_good_and_takes_no_place_twice():
    u = np.repeat(np.linspace(0.0, 1.0, 11)[:, None], 3, axis=0)
    chosen = even(Candidates(u, np.ones(33)), u[:3], 50)
    assert sorted(u[chosen, 0]) == pytest.approx(np.linspace(0.1, 1.0, 10))
    doubtful = np.where(u[:, 0] > 0.5, 1e-6, 1.0)
    assert (u[even(Candidates(u, doubtful), u[:3], 5), 0] <= 0.5).all()
    assert len(even(Candidates(u, np.zeros(33)), np.empty((0, 1)), 4)) == 4


@pytest.mark.parametrize(("dim", "power"), [(1, 1.0), (2, 2.0), (3, 3.0), (7, 3.0), (10, 4.0)])
def test_a_place_twice_as_far_may_be_less_likely_in_many_dimensions(dim, power):
    assert daring(dim) == pytest.approx(power)
    u = np.zeros((3, dim))
    u[1, 0], u[2, 0] = 1.0, 0.5  # from the first, the second is twice as far as the third
    for probability, first in ((1.1, 1), (0.9, 2)):
        candidates = Candidates(u[1:], np.array([probability * 2.0**-power, 1.0]))
        assert even(candidates, u[:1], 1, daring(dim))[0] + 1 == first


def test_uncertain_points_follow_the_good_volume_that_is_expected():
    """Two groups of candidates: a tenth of the volume with five times the probability has a third of the points."""
    rng = np.random.default_rng(1)
    u, volume = undiscovered([(rng.random((3000, 2)), 0.9), (rng.random((3000, 2)), 0.1)], 4000)
    assert len(u) == 4000
    assert volume.sum() == pytest.approx(1.0)
    probability = np.where(np.arange(4000) < 2000, 0.1, 0.5)
    chosen = uncertain(Candidates(u, probability), volume, np.empty((0, 2)), 300, rng)
    assert len(np.unique(chosen)) == 300
    assert (chosen >= 2000).mean() == pytest.approx(5 / 14, abs=0.07)


def test_probes_are_the_minima_that_nobody_has_looked_at():
    """Three basins of depth 0.5, 2 and 2: the first is good already, the second has a point near its bottom."""
    bottoms = torch.tensor([[0.2, 0.2], [0.8, 0.2], [0.5, 0.8]], dtype=torch.float64)
    depths = torch.tensor([0.5, 2.0, 2.0], dtype=torch.float64)

    def energy(u):
        return (depths + 200.0 * ((u[:, None, :] - bottoms) ** 2).sum(dim=2)).min(dim=1).values

    rng = np.random.default_rng(3)
    starts = rng.random((500, 2))
    found, e = minima(energy, starts, rng)
    distance = np.linalg.norm(found[:, None, :] - bottoms.numpy(), axis=2)
    assert (distance.min(axis=0) < 0.01).all()  # every bottom is found
    assert (distance.min(axis=1) < 0.02).all()  # and nothing else, though some perhaps twice
    assert (np.diff(e) >= 0).all()
    known = np.concatenate([rng.random((8, 2)), [[0.8, 0.21]]])
    probed = probes(energy, starts, known, energy(torch.from_numpy(known)).numpy(), 5, rng)
    assert probed == pytest.approx(np.array([[0.5, 0.8]]), abs=0.02)
    assert len(probes(energy, starts, known, np.zeros(9), 5, rng)) == 0


def test_shares_follow_what_came_of_earlier_points():
    points = Points(np.arange(2), EnergyOfObservables([], Target(1.0)), Target(1.0))
    points.add(told(np.random.default_rng(0).random((98, 2)), Status.OK, np.where(np.arange(98) < 9, 0.5, 2.0)))
    assert hits(points.known(), "x") == pytest.approx(0.1)
    assert hits(points.known(), "other") == 0.5


def test_a_place_where_codes_fail_is_unlikely_to_answer():
    rng = np.random.default_rng(2)
    points = Points(np.arange(2), EnergyOfObservables([], Target(1.0)), Target(1.0))
    u = rng.random((400, 2))
    points.add(told(u, np.where(u[:, 0] < 0.5, Status.OK, Status.FAILED), np.full(400, 2.0)))
    probability = probability_of_an_answer(points.known(), np.array([[0.1, 0.5], [0.9, 0.5]]))
    assert probability == pytest.approx([1.0, 1.0 / 9.0])


# Leaves and training points


def test_leaves_hold_equal_counts_and_equal_volumes():
    rng = np.random.default_rng(3)
    u = rng.random((4096, 2)) * [0.3, 1.0]
    leaves = Leaves.equal(u, 64)
    assert len(leaves) == 64
    assert np.bincount(leaves.of(u)).tolist() == [64] * 64
    fresh = np.bincount(leaves.of(rng.random((64_000, 2)) * [0.3, 1.0]), minlength=64) / 64_000
    assert fresh.std() / fresh.mean() < 0.2  # 64 points a leaf: 1/8, and what the count adds


def test_training_points_are_spread_where_points_are_crowded():
    rng = np.random.default_rng(4)
    u = np.concatenate([0.02 * rng.random((3000, 2)), rng.random((300, 2))])
    assert (even_rows(u, 200, rng) >= 3000).sum() > 150
    energy = np.where(np.arange(3300) < 3000, 0.5, 50.0)
    energy[-1] = np.nan
    rows = training_rows(u, energy, 400, rng)
    assert len(np.unique(rows)) == 400
    assert (rows < 3000).sum() >= 200
    assert (rows >= 3000).sum() > 100
    assert training_rows(u[:50], energy[:50], 50, rng).tolist() == list(range(50))


# Regression


def test_regression_is_the_textbook_formula():
    """Against dense matrices in numpy: equations 2.25 and 2.26 of Rasmussen and Williams."""
    rng = np.random.default_rng(5)
    x, z = rng.uniform(-1, 1, (80, 2)), rng.uniform(-1, 1, (100, 2))
    t = np.stack([np.sin(3 * x[:, 0]), x[:, 1] ** 2], axis=1) + 0.01 * rng.standard_normal((80, 2))
    process = Processes(2, 2)
    process.learn(x, t, rng)
    process.condition(x, t)
    mean, deviation = process.mean(torch.from_numpy(z)), process.deviation(torch.from_numpy(z))

    def kernel(a, b, scales):
        r = np.sqrt(5) * np.sqrt((((a[:, None] - b) / scales) ** 2).sum(axis=2))
        return (1 + r + r**2 / 3) * np.exp(-r)

    for output in range(2):
        scales, amplitude = process._scales[output].exp().numpy(), process._amplitude[output].exp().item()
        noise = max(process._noise[output].exp().item(), 1e-5) + 1e-6
        covariance = amplitude * kernel(x, x, scales) + noise * np.eye(80)
        across = amplitude * kernel(z, x, scales)
        expected = across @ np.linalg.solve(covariance, t[:, output] - t[:, output].mean()) + t[:, output].mean()
        variance = amplitude - np.einsum("ij,ji->i", across, np.linalg.solve(covariance, across.T))
        np.testing.assert_allclose(mean[:, output], expected, atol=1e-8)
        np.testing.assert_allclose(deviation[:, output], np.sqrt(variance), atol=1e-6)
    assert np.abs(mean[:, 0].numpy() - np.sin(3 * z[:, 0])).max() < 0.1
    assert process._scales[1, 0] > process._scales[1, 1] + 0.5  # the second output depends on its own variable alone


def test_regression_survives_points_that_are_the_same():
    x = np.zeros((40, 3))
    t = np.random.default_rng(6).standard_normal((40, 1))
    process = Processes(3, 1)
    process.learn(x, t, np.random.default_rng(0))
    process.condition(x, t)
    assert torch.isfinite(process.mean(torch.zeros(2, 3, dtype=torch.float64))).all()


def told(u, status, nll, observables=None) -> Told:
    n = len(u)
    observables = np.empty((n, 0)) if observables is None else observables
    status = np.full(n, status, dtype=np.int8)
    nll = np.where(status == Status.OK, nll, np.nan)
    return Told(np.arange(1, n + 1), u, status, nll, observables, ["x"] * n, np.ones(n, np.int64))


@pytest.mark.parametrize("by_observables", [True, False])
def test_probabilities_of_being_good_are_true(by_observables):
    """Of the points to which it gives the probability p, a share of about p is good."""
    rng = np.random.default_rng(7)

    def value(u):
        return np.sin(3 * u[:, :1]) * u[:, 1:2] + 0.2 * u[:, 2:3]

    scored = EnergyOfObservables([ScoredObservable("y", GAUSS)], Target(1.0))
    u = rng.random((150, 3))
    points = Points(np.arange(3), scored, Target(1.0))
    points.add(told(u, Status.OK, GAUSS.loss(value(u))[:, 0], value(u)))
    surrogate = (OfObservables if by_observables else OfNll)(3, scored, centred)
    surrogate.fit(points.known(), rng)
    fresh = rng.random((4000, 3))
    good = GAUSS.loss(value(fresh))[:, 0] < 1.0
    probability = surrogate.probability(fresh, rng)
    assert probability.sum() == pytest.approx(good.sum(), rel=0.15)
    assert good[probability > 0.9].mean() > 0.9
    assert good[probability < 0.1].mean() < 0.1
    between = (probability > 0.2) & (probability < 0.8)
    assert good[between].mean() == pytest.approx(probability[between].mean(), abs=0.2)
    agree = (surrogate(torch.from_numpy(fresh)).numpy() < 1.0) == good
    assert agree.mean() > (0.99 if by_observables else 0.9)


def test_invalid_places_are_learned():
    rng = np.random.default_rng(8)
    scored = EnergyOfObservables([ScoredObservable("y", GAUSS)], Target(1.0))
    u = rng.random((200, 2))
    y = np.where(u[:, :1] < 0.4, np.nan, 0.5)
    points = Points(np.arange(2), scored, Target(1.0))
    points.add(told(u, np.where(np.isnan(y[:, 0]), Status.INVALID, Status.OK), 0.0, y))
    surrogate = OfObservables(2, scored, centred)
    surrogate.fit(points.known(), rng)
    probability = surrogate.probability(np.array([[0.2, 0.5], [0.9, 0.5]]), rng)
    assert probability[0] < 0.1
    assert probability[1] > 0.9


def test_codes_of_observables_go_back():
    rng = np.random.default_rng(9)
    y = np.stack([125 + rng.standard_normal(300), 1e-9 * np.exp(5 * rng.standard_normal(300))], axis=1)
    coding = Coding.of(y)
    np.testing.assert_allclose(coding.decode(torch.from_numpy(coding.encode(y))).numpy(), y, rtol=1e-6, atol=1e-12)


# Energies and points


def test_energy_is_the_share_of_the_threshold():
    nll = np.array([0.0, 2.0, 4.0, 40.0])
    assert EnergyOfNll(Target(4.0))(nll).tolist() == [0.0, 0.5, 1.0, 10.0]
    assert ((EnergyOfNll(Target(-3.0))(np.array([-4.0, -2.0])) < 1.0) == [True, False]).all()
    scored = EnergyOfObservables([ScoredObservable("off", Likelihood()), ScoredObservable("y", GAUSS)], Target(4.0))
    assert scored.columns == [1]
    y = torch.tensor([[0.5], [0.8], [np.nan]], dtype=torch.float64)
    energy = scored(y, torch.ones(1))
    assert energy.numpy() == pytest.approx(np.asarray(GAUSS.loss(y)[:, 0]) / 4.0)


@pytest.mark.parametrize("kind", [Kind.GAUSS, Kind.UPPER, Kind.LOWER])
def test_the_energy_goes_on_rising_where_the_loss_is_flat(kind):
    """Only far above any threshold, and where the likelihood itself says that it gets worse."""
    likelihood = Likelihood(kind, 2.0, 0.001)
    scored = EnergyOfObservables([ScoredObservable("y", likelihood)], Target(4.0))
    z = np.array([0.0, 1.0, 5.0, 29.0, 31.0, 100.0, 1e4, 1e9])
    for side in (-1.0, 1.0):
        y = torch.from_numpy(2.0 + side * 0.001 * z)[:, None]
        nll, loss = scored.nll(y).numpy(), likelihood.loss(y)[:, 0].numpy()
        assert nll[:4] == pytest.approx(loss[:4], rel=1e-9)
        worse = kind is Kind.GAUSS or (side > 0) == (kind is Kind.UPPER)
        assert (np.diff(nll[4:]) > 10).all() if worse else nll == pytest.approx(loss)


def test_energy_outside_a_window_is_never_good():
    scored = EnergyOfObservables([ScoredObservable("y", Likelihood(), (0.0, 1.0))], Target(1.0))
    energy = scored(torch.tensor([[0.0], [0.5], [1.0], [1.01], [-3.0]], dtype=torch.float64), torch.tensor([2.0]))
    assert energy.numpy() == pytest.approx([0.0, 0.0, 0.0, 1.005, 2.5])
    assert (energy <= FAR).all()


def test_what_came_back_is_sorted_by_what_it_says():
    scored = EnergyOfObservables(
        [ScoredObservable("y", GAUSS), ScoredObservable("w", Likelihood(), (0.0, 1.0))], Target(1.0)
    )
    points = Points(np.array([0, 2]), scored, Target(1.0))
    y = np.array([[0.5, 0.5], [0.5, 2.0], [0.5, 0.5], [np.nan, np.nan], [0.9, 0.5]])
    u = np.random.default_rng(0).random((5, 3))
    ok, invalid, failed = Status.OK, Status.INVALID, Status.FAILED
    points.add(told(u, [ok, invalid, invalid, failed, ok], GAUSS.loss(y)[:, 0], y))
    known = points.known()
    assert known.u.tolist() == u[:, [0, 2]].tolist()
    assert known.good.tolist() == [True, False, False, False, False]
    assert known.answered.tolist() == [True, True, True, False, True]
    assert known.unexplained.tolist() == [False, False, True, False, False]
    assert points.disagreeing == 0
    points.add(told(u[:1], ok, np.array([7.0]), y[:1]))
    assert points.disagreeing == 1


@pytest.mark.parametrize(("kind", "threshold"), [(Kind.UPPER, 100.0), (Kind.LOWER, 100.0), (Kind.GAUSS, 600.0)])
def test_what_is_good_many_sigmas_away_is_good(kind, threshold):
    """Losses that rise slowly, and thresholds that are high, reach far beyond where losses become flat."""
    likelihood = Likelihood(kind, 2.0, 0.1)
    scored = EnergyOfObservables([ScoredObservable("y", likelihood)], Target(threshold))
    y = torch.linspace(-40.0, 40.0, 4001, dtype=torch.float64)[:, None]
    good = likelihood.loss(y)[:, 0].numpy() < threshold
    far = np.abs(y[:, 0].numpy() - 2.0) > 3.0
    assert (good & far).any() and (~good).any()
    assert ((scored(y, torch.ones(1)).numpy() < 1.0) == good).all()


# What the weights do


def test_far_points_are_learned_from_by_the_root_of_their_energy():
    rng = np.random.default_rng(5)
    energy = np.repeat([8.0, 80.0], 20_000)
    rows = training_rows(rng.random((40_000, 2)), energy, 2000, rng)
    near, far = (energy[rows] == 8.0).sum(), (energy[rows] == 80.0).sum()
    assert near / far == pytest.approx(3.0, rel=0.15)  # (81 / 9)^(1/2)
    close = np.where(np.arange(40_000) < 10_000, 1.0, energy)
    assert (close[training_rows(rng.random((40_000, 2)), close, 2000, rng)] < 4.0).sum() == 1000  # half of the places


def test_exploring_goes_by_the_cube_of_the_distance_from_busy_points():
    busy, u = np.zeros((1, 2)), np.array([[0.2, 0.0], [0.4, 0.0]])
    candidates, rng = Candidates(u, np.array([0.5, 0.5])), np.random.default_rng(6)
    far = sum(uncertain(candidates, np.ones(2), busy, 1, rng)[0] == 1 for _ in range(2000))
    assert far / 2000 == pytest.approx(8 / 9, abs=0.025)
    far = sum(uncertain(candidates, np.array([8.0, 1.0]), busy, 1, rng)[0] == 1 for _ in range(2000))
    assert far / 2000 == pytest.approx(0.5, abs=0.04)  # eight times the volume


def test_probabilities_are_what_comes_of_them_where_observables_are_noisy():
    """Of points with a given probability that share is good, in four classes."""
    rng = np.random.default_rng(7)
    scored = EnergyOfObservables([ScoredObservable("y", GAUSS)], Target(1.0))

    def observe(u):
        return (0.3 + 0.4 * u[:, 0] + 0.1 * rng.standard_normal(len(u)))[:, None]

    u = rng.random((600, 2))
    points, y = Points(np.arange(2), scored, Target(1.0)), observe(u)
    points.add(told(u, [Status.OK] * 600, np.asarray(GAUSS.loss(y)[:, 0]), y))
    surrogate = OfObservables(2, scored, centred)
    surrogate.fit(points.known(), rng)
    new = rng.random((6000, 2))
    probability, good = surrogate.probability(new, rng), np.asarray(GAUSS.loss(observe(new))[:, 0]) < 1.0
    middle = np.abs(new[:, 0] - 0.5) < 0.1
    for of in (middle, new[:, 0] < 0.1, new[:, 0] > 0.9, np.abs(new[:, 0] - 0.2) < 0.1):
        assert probability[of].mean() == pytest.approx(good[of].mean(), abs=0.07)
    assert probability[middle].mean() > 1.3 * probability[new[:, 0] < 0.1].mean()
