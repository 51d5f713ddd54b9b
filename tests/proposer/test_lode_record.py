"""Networks predict what a process cannot; predictions are made before the answers are known."""

import numpy as np
import pytest
import torch

from proposer.strategies.lode.energy import EnergyOfObservables, ScoredObservable
from proposer.strategies.lode.observables import OfObservables
from proposer.strategies.lode.points import Points
from proposer.strategies.lode.record import Record
from proposer.strategies.lode.regress import Regression
from proposer.target import Target
from proposer.types import Floats, Status, Told
from scanspec import Kind, Likelihood, losses_and_nll
from tests.proposer.searches import train

RNG = np.random.default_rng(2)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks train for a short time."""
    train(monkeypatch, regression=(600, 300))


def difference(predicted: Floats, values: Floats) -> Floats:
    return predicted - values


def test_each_prediction_is_compared_with_its_answer_once():
    record, u = Record(2, 1), RNG.random((20, 2))
    truth = u[:, :1]
    record.expect(u, np.stack([truth + 0.1, truth + 0.5], axis=1))
    record.compare(u[:3], truth[:3], difference)
    assert np.isnan(record.errors).all()  # too few yet
    record.compare(u, truth, difference)
    np.testing.assert_allclose(record.errors, [[0.01], [0.25]])
    record.compare(u, truth + 9.0, difference)
    np.testing.assert_allclose(record.errors, [[0.01], [0.25]])
    more = RNG.random((20, 2))
    record.expect(more, np.stack([more[:, :1] + 0.3, np.full((20, 1), np.nan)], axis=1))
    again = Record.from_arrays(record.to_arrays())
    for one in (record, again):
        one.compare(more, more[:, :1], difference)
        np.testing.assert_allclose(one.errors, [[0.05], [0.25]])


def test_a_regression_learns_and_is_stored_in_arrays():
    x = RNG.uniform(-1, 1, (400, 2))
    t = np.stack([np.sign(x[:, 0]), x[:, 1]], axis=1)
    made = Regression(2, 2)
    made.learn(x, t, torch.Generator().manual_seed(1))
    again = Regression.from_arrays(made.to_arrays())
    for one in (made, again):
        mean, variance = one.predict(torch.from_numpy(x))
        assert (mean.numpy() - t).std(axis=0).max() < 0.3
        assert variance.shape == mean.shape == (400, 2)


def stairs(u: Floats) -> Floats:
    """A step at a curved edge, steep waves, and a smooth function."""
    return np.stack([10.0 * (u[:, 0] > 0.5 + 0.2 * np.sin(6.0 * u[:, 1])) + np.sin(9.0 * u[:, 0]), u[:, 1]], axis=1)


@pytest.mark.slow
def test_networks_predict_a_step_but_not_a_smooth_function():
    likelihoods = [Likelihood(Kind.GAUSS, 10.0, 0.5), Likelihood(Kind.GAUSS, 0.5, 0.1)]
    observables = [ScoredObservable(f"y{j}", likelihood) for j, likelihood in enumerate(likelihoods)]
    energy = EnergyOfObservables(observables, Target(2.0))
    points = Points(np.arange(2), energy, Target(2.0))
    model = OfObservables(2, energy, lambda u: 2.0 * u - 1.0)
    for number in range(5):
        u = RNG.random((60, 2))
        model.expect(u)
        y = stairs(u)
        nll = losses_and_nll(likelihoods, y)[1]
        numbers = np.full(60, number, dtype=np.int64)
        points.add(
            Told(
                numbers,
                u,
                status=np.full(60, Status.OK, np.int8),
                nll=nll,
                observables=y,
                origins=["start"] * 60,
                batches=numbers,
            )
        )
        model.fit(points.known(), RNG)
    assert model.by_nets.tolist()[1] is False
    assert model.by_nets.tolist()[0] is True
    again = OfObservables(2, energy, lambda u: 2.0 * u - 1.0)
    again.load(model.to_arrays())
    assert again.by_nets.tolist() == model.by_nets.tolist()
