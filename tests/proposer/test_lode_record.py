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
from tests.proposer.answered import told_of
from tests.proposer.searches import train

RNG = np.random.default_rng(2)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks train for a short time."""
    train(monkeypatch, regression=0.3)


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


def test_errors_and_predictions_of_a_process_on_another_scale_are_forgotten():
    record, u = Record(2, 2), RNG.random((20, 2))
    for _ in range(2):
        record.expect(u, np.stack([u + 0.1, u + 0.5], axis=1))
        record.compare(u, u, difference)
    more = RNG.random((20, 2))
    record.expect(more, np.stack([more + 0.1, more + 0.5], axis=1))
    record.forget(0, np.array([True, False]))
    record.compare(more, more, difference)
    np.testing.assert_allclose(record.errors, [[np.nan, 0.01], [0.25, 0.25]])
    newest = RNG.random((20, 2))
    record.expect(newest, np.stack([newest + 0.2, newest + 0.5], axis=1))
    record.compare(newest, newest, difference)
    np.testing.assert_allclose(record.errors[:, 0], [0.04, 0.25])


def test_a_regression_learns_and_is_stored_in_arrays():
    x = RNG.uniform(-1, 1, (400, 2))
    t = np.stack([np.sign(x[:, 0]), x[:, 1]], axis=1)
    made = Regression(2, 2)
    made.learn(x, t, np.ones(400), torch.Generator().manual_seed(1))
    fresh = RNG.uniform(-1, 1, (100, 2))
    made.judge(fresh, np.stack([np.sign(fresh[:, 0]), fresh[:, 1]], axis=1))
    again = Regression.from_arrays(made.to_arrays())
    z, normal = torch.from_numpy(x), torch.from_numpy(RNG.standard_normal((8, 1, 2)))
    for one in (made, again):
        assert (one.mean(z).numpy() - t).std(axis=0).max() < 0.3
        assert one.members(z).shape == (4, 400, 2)
        assert one.draws(z, normal, 1.0).shape == (8, 400, 2)
    assert torch.equal(made.draws(z, normal, 1.5), again.draws(z, normal, 1.5))


def test_draws_have_the_errors_that_predictions_near_the_target_had():
    """One of four errors is large, as at a step; errors far from the target do not count."""
    made, x = Regression(1, 1), RNG.uniform(-1, 1, (200, 1))
    made.learn(x, 0.1 * x, np.ones(200), torch.Generator().manual_seed(1))
    z, normal = torch.from_numpy(x), torch.from_numpy(RNG.standard_normal((400, 1, 1)))
    predicted = made.mean(z).numpy()
    off = np.where(np.arange(200) % 4 == 0, 5.0, 0.0)[:, None]
    made.judge(x, predicted + off)
    draws = made.draws(z, normal, 1.0).numpy() - predicted
    assert 0.15 < (draws > 4.0).mean() < 0.35
    assert (np.abs(draws) < 0.5).mean() > 0.65

    class Far(Regression):
        def mean(self, z: torch.Tensor) -> torch.Tensor:
            return super().mean(z) + 10.0

    far = Far.from_arrays(made.to_arrays())
    before = far.errors.clone()
    far.judge(x, predicted)
    assert torch.equal(far.errors, before)


def test_agreement_with_a_target_falls_with_the_loss():
    """To 1 / e at the threshold; far from the target all values are equally bad, and so are those outside a window."""
    observables = [
        ScoredObservable("mass", Likelihood(Kind.GAUSS, 10.0, 0.5)),
        ScoredObservable("limit", Likelihood(Kind.UPPER, 1.0, 0.01)),
        ScoredObservable("gap", Likelihood(), (0.0, np.inf)),
    ]
    energy = EnergyOfObservables(observables, Target(2.0))
    values = np.array([[10.0, 0.5, 1.0], [11.0, 2.0, 0.0], [500.0, 9.0, -0.1], [-500.0, 99.0, -9.0]])
    found = energy.agreement(values)
    np.testing.assert_allclose(found[:, 0], [1.0, np.exp(-1.0), 0.0, 0.0], atol=1e-3)
    np.testing.assert_allclose(found[:, 1], [1.0, 0.0, 0.0, 0.0], atol=1e-9)
    np.testing.assert_array_equal(found[:, 2], [1.0, 1.0, 0.0, 0.0])


def stairs(u: Floats) -> Floats:
    """A step at a curved edge, steep waves, and a smooth function."""
    return np.stack([10.0 * (u[:, 0] > 0.5 + 0.2 * np.sin(6.0 * u[:, 1])) + np.sin(9.0 * u[:, 0]), u[:, 1]], axis=1)


def jumps(u: Floats) -> Floats:
    """Twelve small steps at different places, shape (n, 12)."""
    return (u[:, :1] > np.linspace(0.2, 0.8, 12)) + 0.1 * u[:, 1:]


@pytest.mark.parametrize(("outputs", "learn"), [(1, False), (12, True)])
def test_the_errors_of_many_outputs_add_up(outputs: int, learn: bool):
    """One output alone, whose loss is at most a tenth of the threshold, is predicted well enough without networks."""
    likelihoods = [Likelihood(Kind.GAUSS, 0.0, 1.5)] * outputs
    observables = [ScoredObservable(f"y{j}", likelihood) for j, likelihood in enumerate(likelihoods)]
    energy = EnergyOfObservables(observables, Target(3.0))
    points = Points(np.arange(2), energy, Target(3.0))
    model = OfObservables(2, energy, lambda u: 2.0 * u - 1.0)
    rng = np.random.default_rng(3)
    for _ in range(3):
        u = rng.random((50, 2))
        model.expect(u)
        y = jumps(u)[:, 4 : 4 + outputs] if outputs == 1 else jumps(u)
        points.add(told_of(u, losses_and_nll(likelihoods, y)[1], y))
        model.fit(points.known(), rng)
    assert any(name.startswith("nets/") for name in model.to_arrays()) == learn


@pytest.mark.parametrize(
    ("process", "nets", "stay"),
    [(0.02, 0.015, True), (0.02, 0.05, False), (0.008, 0.006, True), (0.008, 0.02, False), (0.002, 0.001, False)],
)
def test_networks_are_used_until_the_process_predicts_well_or_clearly_better(process: float, nets: float, stay: bool):
    """A slightly larger error of the networks does not matter: they chose the points at which both are judged. The fit
    compares the process once more, without an error, so its error becomes half of what is given here.
    """
    likelihood = Likelihood(Kind.GAUSS, 0.5, 0.2)
    energy = EnergyOfObservables([ScoredObservable("y", likelihood)], Target(2.0))
    points = Points(np.arange(2), energy, Target(2.0))
    model = OfObservables(2, energy, lambda u: 2.0 * u - 1.0)
    rng = np.random.default_rng(3)
    for _ in range(2):
        u = rng.random((30, 2))
        points.add(told_of(u, losses_and_nll([likelihood], u[:, :1])[1], u[:, :1]))
        model.fit(points.known(), rng)
        model.expect(u)
    model.load(model.to_arrays() | {"by_nets": np.ones(1), "record/errors": np.array([[process], [nets]])})
    model.fit(points.known(), rng)
    assert model.by_nets.tolist() == [stay]


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
