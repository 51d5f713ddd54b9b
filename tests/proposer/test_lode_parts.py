"""The training points and the models of LODE, each compared with brute force on a small case."""

import numpy as np
import pytest
import torch

from proposer.strategies.lode.coding import Coding
from proposer.strategies.lode.energy import FAR, EnergyOfNll, EnergyOfObservables, ScoredObservable
from proposer.strategies.lode.leaves import Leaves
from proposer.strategies.lode.nll import OfNll
from proposer.strategies.lode.observables import OfObservables
from proposer.strategies.lode.points import Points
from proposer.strategies.lode.process import Processes
from proposer.strategies.lode.train import even_rows, training_rows
from proposer.target import Target
from proposer.types import Status
from scanspec import Kind, Likelihood
from tests.proposer.answered import told_of


def centred(u):
    return 2.0 * u - 1.0


GAUSS = Likelihood(Kind.GAUSS, 0.5, 0.1)


# Leaves and training points


def test_leaves_hold_equal_counts_and_equal_volumes():
    rng = np.random.default_rng(3)
    u = rng.random((4096, 2)) * [0.3, 1.0]
    leaves = Leaves.equal(u, 64)
    assert len(leaves) == 64
    assert np.bincount(leaves.of(u)).tolist() == [64] * 64
    fresh = np.bincount(leaves.of(rng.random((64_000, 2)) * [0.3, 1.0]), minlength=64) / 64_000
    assert fresh.std() / fresh.mean() < 0.2  # with 64 points in a leaf, 1/8 plus the fluctuation of the count


def test_training_points_are_thinned_out_where_points_are_dense():
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
    """Compared with dense matrices in numpy; equations 2.25 and 2.26 of Rasmussen and Williams."""
    rng = np.random.default_rng(5)
    x, z = rng.uniform(-1, 1, (80, 2)), rng.uniform(-1, 1, (100, 2))
    t = np.stack([np.sin(3 * x[:, 0]), x[:, 1] ** 2], axis=1) + 0.01 * rng.standard_normal((80, 2))
    process = Processes(2, 2)
    process.learn(x, t, rng)
    process.condition(x, t)
    mean, deviation = process.predict(torch.from_numpy(z))
    learned = process.to_arrays()  # logarithms

    def kernel(a, b, scales):
        r = np.sqrt(5) * np.sqrt((((a[:, None] - b) / scales) ** 2).sum(axis=2))
        return (1 + r + r**2 / 3) * np.exp(-r)

    for output in range(2):
        scales, amplitude, noise = (np.exp(learned[name][output]) for name in ("scales", "amplitude", "noise"))
        noise = max(noise, 1e-5) + 1e-6
        covariance = amplitude * kernel(x, x, scales) + noise * np.eye(80)
        across = amplitude * kernel(z, x, scales)
        expected = across @ np.linalg.solve(covariance, t[:, output] - t[:, output].mean()) + t[:, output].mean()
        variance = amplitude - np.einsum("ij,ji->i", across, np.linalg.solve(covariance, across.T))
        np.testing.assert_allclose(mean[:, output], expected, atol=1e-8)
        np.testing.assert_allclose(deviation[:, output], np.sqrt(variance), atol=1e-6)
    assert np.abs(mean[:, 0].numpy() - np.sin(3 * z[:, 0])).max() < 0.1
    assert learned["scales"][1, 0] > learned["scales"][1, 1] + 0.5  # the second output depends on x[:, 1] alone


def test_regression_copes_with_equal_points():
    x = np.zeros((40, 3))
    t = np.random.default_rng(6).standard_normal((40, 1))
    process = Processes(3, 1)
    process.learn(x, t, np.random.default_rng(0))
    process.condition(x, t)
    assert torch.isfinite(process.mean(torch.zeros(2, 3, dtype=torch.float64))).all()


@pytest.mark.parametrize("by_observables", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_predicted_probabilities_are_the_observed_frequencies(by_observables):
    """Of the points with the predicted probability p, a share of about p is good."""
    rng = np.random.default_rng(7)

    def value(u):
        return np.sin(3 * u[:, :1]) * u[:, 1:2] + 0.2 * u[:, 2:3]

    scored = EnergyOfObservables([ScoredObservable("y", GAUSS)], Target(1.0))
    u = rng.random((150, 3))
    points = Points(np.arange(3), scored, Target(1.0))
    points.add(told_of(u, GAUSS.loss(value(u))[:, 0], value(u)))
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


def test_regions_of_invalid_points_are_learned():
    rng = np.random.default_rng(8)
    scored = EnergyOfObservables([ScoredObservable("y", GAUSS)], Target(1.0))
    u = rng.random((200, 2))
    y = np.where(u[:, :1] < 0.4, np.nan, 0.5)
    points = Points(np.arange(2), scored, Target(1.0))
    points.add(told_of(u, 0.0, y, status=np.where(np.isnan(y[:, 0]), Status.INVALID, Status.OK)))
    surrogate = OfObservables(2, scored, centred)
    surrogate.fit(points.known(), rng)
    probability = surrogate.probability(np.array([[0.2, 0.5], [0.9, 0.5]]), rng)
    assert probability[0] < 0.1
    assert probability[1] > 0.9


def test_coded_observables_are_decoded():
    rng = np.random.default_rng(9)
    y = np.stack([125 + rng.standard_normal(300), 1e-9 * np.exp(5 * rng.standard_normal(300))], axis=1)
    coding = Coding.of(y)
    np.testing.assert_allclose(coding.decode(torch.from_numpy(coding.encode(y))).numpy(), y, rtol=1e-6, atol=1e-12)


# Energies and points


def test_the_energy_is_the_nll_relative_to_the_threshold():
    nll = np.array([0.0, 2.0, 4.0, 40.0])
    assert EnergyOfNll(Target(4.0))(nll).tolist() == [0.0, 0.5, 1.0, 10.0]
    assert ((EnergyOfNll(Target(-3.0))(np.array([-4.0, -2.0])) < 1.0) == [True, False]).all()
    scored = EnergyOfObservables([ScoredObservable("off", Likelihood()), ScoredObservable("y", GAUSS)], Target(4.0))
    assert scored.columns == [1]
    y = torch.tensor([[0.5], [0.8], [np.nan]], dtype=torch.float64)
    energy = scored(y, torch.ones(1))
    assert energy.numpy() == pytest.approx(np.asarray(GAUSS.loss(y)[:, 0]) / 4.0)


@pytest.mark.parametrize("kind", [Kind.GAUSS, Kind.UPPER, Kind.LOWER])
def test_the_energy_still_rises_where_the_loss_is_flat(kind):
    """It does so only far above any threshold, and in the direction in which the likelihood decreases."""
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


def test_answers_are_classified():
    scored = EnergyOfObservables(
        [ScoredObservable("y", GAUSS), ScoredObservable("w", Likelihood(), (0.0, 1.0))], Target(1.0)
    )
    points = Points(np.array([0, 2]), scored, Target(1.0))
    y = np.array([[0.5, 0.5], [0.5, 2.0], [0.5, 0.5], [np.nan, np.nan], [0.9, 0.5]])
    u = np.random.default_rng(0).random((5, 3))
    ok, invalid, failed = Status.OK, Status.INVALID, Status.FAILED
    points.add(told_of(u, GAUSS.loss(y)[:, 0], y, status=[ok, invalid, invalid, failed, ok]))
    known = points.known()
    assert known.u.tolist() == u[:, [0, 2]].tolist()
    assert known.good.tolist() == [True, False, False, False, False]
    assert known.answered.tolist() == [True, True, True, False, True]
    assert known.unexplained.tolist() == [False, False, True, False, False]
    assert points.disagreeing == 0
    points.add(told_of(u[:1], np.array([7.0]), y[:1]))
    assert points.disagreeing == 1


@pytest.mark.parametrize(("kind", "threshold"), [(Kind.UPPER, 100.0), (Kind.LOWER, 100.0), (Kind.GAUSS, 600.0)])
def test_points_may_be_good_many_sigmas_away_from_the_mean(kind, threshold):
    """With slowly rising losses and high thresholds, good values lie far beyond the place where other losses become
    flat.
    """
    likelihood = Likelihood(kind, 2.0, 0.1)
    scored = EnergyOfObservables([ScoredObservable("y", likelihood)], Target(threshold))
    y = torch.linspace(-40.0, 40.0, 4001, dtype=torch.float64)[:, None]
    good = likelihood.loss(y)[:, 0].numpy() < threshold
    far = np.abs(y[:, 0].numpy() - 2.0) > 3.0
    assert (good & far).any() and (~good).any()
    assert ((scored(y, torch.ones(1)).numpy() < 1.0) == good).all()


# Weights of training points


def test_far_training_points_are_drawn_with_the_root_of_their_energy():
    rng = np.random.default_rng(5)
    energy = np.repeat([8.0, 80.0], 20_000)
    rows = training_rows(rng.random((40_000, 2)), energy, 2000, rng)
    near, far = (energy[rows] == 8.0).sum(), (energy[rows] == 80.0).sum()
    assert near / far == pytest.approx(3.0, rel=0.15)  # (81 / 9)^(1/2)
    close = np.where(np.arange(40_000) < 10_000, 1.0, energy)
    assert (
        close[training_rows(rng.random((40_000, 2)), close, 2000, rng)] < 4.0
    ).sum() == 1000  # half of the training points


def test_predicted_probabilities_are_right_for_noisy_observables():
    """In four classes of predicted probability, the share of good points is that probability."""
    rng = np.random.default_rng(7)
    scored = EnergyOfObservables([ScoredObservable("y", GAUSS)], Target(1.0))

    def observe(u):
        return (0.3 + 0.4 * u[:, 0] + 0.1 * rng.standard_normal(len(u)))[:, None]

    u = rng.random((600, 2))
    points, y = Points(np.arange(2), scored, Target(1.0)), observe(u)
    points.add(told_of(u, np.asarray(GAUSS.loss(y)[:, 0]), y))
    surrogate = OfObservables(2, scored, centred)
    surrogate.fit(points.known(), rng)
    new = rng.random((6000, 2))
    probability, good = surrogate.probability(new, rng), np.asarray(GAUSS.loss(observe(new))[:, 0]) < 1.0
    middle = np.abs(new[:, 0] - 0.5) < 0.1
    for of in (middle, new[:, 0] < 0.1, new[:, 0] > 0.9, np.abs(new[:, 0] - 0.2) < 0.1):
        assert probability[of].mean() == pytest.approx(good[of].mean(), abs=0.07)
    assert probability[middle].mean() > 1.3 * probability[new[:, 0] < 0.1].mean()
