"""The classifier: its architectures, loss, early stopping, determinism, and stored state."""

import copy
import logging
import math

import numpy as np
import pytest
import torch
from torch import nn

from proposer.strategies import networks
from proposer.strategies.adam import Adam
from proposer.strategies.mls_dnnc_settings import FitSettings
from proposer.strategies.networks import Classifier, large_network, small_network
from proposer.strategies.state import pack, unpack
from proposer.types import CheckpointError

SMALL = FitSettings(neurons=12, batch_size=64, epochs=40, learning_rate=1e-2)


def ball(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(seed).uniform(-1, 1, (n, 3))
    return x, np.linalg.norm(x, axis=1) < 0.8


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def weights(classifier: Classifier) -> list[np.ndarray]:
    return [array.copy() for name, array in classifier.to_arrays().items() if name.startswith("weights/")]


def optimiser_steps(classifier: Classifier) -> int:
    return int(classifier.to_arrays()["step/0.weight"])


def forget_moments(classifier: Classifier) -> None:
    """Goes on with the same weights and a new optimiser."""
    kept = {name: array for name, array in classifier.to_arrays().items() if name.startswith(("weights/", "large"))}
    classifier.load(kept)


def fitted(n: int = 200, settings: FitSettings = SMALL) -> Classifier:
    classifier = Classifier(3, settings)
    classifier.fit(*ball(n), 1.0, rng())
    return classifier


def widths(network: nn.Sequential) -> list[tuple[int, int]]:
    return [(layer.in_features, layer.out_features) for layer in network if isinstance(layer, nn.Linear)]


def test_architectures_are_those_of_the_paper():
    small, large = small_network(4, 100), large_network(4, 100)
    assert widths(small) == [(4, 100), *[(100, 100)] * 4, (100, 1)]
    assert widths(large) == [(4, 200), (200, 100), (100, 50), (50, 1)]
    kinds = [type(layer).__name__ for layer in small]
    assert kinds == ["Linear", "ReLU"] * 5 + ["Linear"]
    assert [type(layer).__name__ for layer in large] == ["Linear", "SiLU", "Dropout"] * 3 + ["Linear"]
    assert {layer.p for layer in large if isinstance(layer, nn.Dropout)} == {0.2}


def test_the_network_learns_and_scores_in_chunks(monkeypatch):
    classifier = fitted(1000)
    x, good = ball(1000, seed=1)
    logits = classifier.predict(x)
    assert logits.shape == (1000,)
    assert ((logits > 0) == good).mean() > 0.93
    monkeypatch.setattr(networks, "CHUNK", 300)
    np.testing.assert_allclose(classifier.predict(x), logits, rtol=1e-4, atol=1e-4)
    assert classifier.predict(x[:0]).shape == (0,)


def test_the_same_generator_gives_the_same_network_whatever_the_global_state():
    settings = FitSettings(neurons=12, batch_size=64, epochs=5)
    x, good = ball(6000)  # enough points for the large network, which has dropout
    found = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        np.random.seed(noise)  # noqa: NPY002
        before = torch.random.get_rng_state()
        classifier = Classifier(3, settings)
        classifier.fit(x, good, 1.0, rng())
        assert torch.equal(before, torch.random.get_rng_state())
        found.append(weights(classifier))
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))
    other = Classifier(3, settings)
    other.fit(x, good, 1.0, rng(1))
    assert not np.array_equal(weights(other)[0], found[0][0])


def test_a_scored_network_has_no_dropout():
    classifier = Classifier(3, FitSettings(neurons=12, epochs=2))
    x, good = ball(5000)
    classifier.fit(x, good, 1.0, rng())
    assert classifier.large
    assert np.array_equal(classifier.predict(x), classifier.predict(x))


def test_scoring_between_fits_changes_nothing():
    found = []
    for scored in (False, True):
        classifier = Classifier(3, FitSettings(neurons=12, epochs=2))
        for seed in (0, 1):
            classifier.fit(*ball(5000, seed), 1.0, rng(seed))
            if scored:
                classifier.predict(ball(10)[0])
        found.append(weights(classifier))
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))


def test_the_large_network_takes_over_at_5000_points_and_stays():
    classifier = Classifier(3, FitSettings(neurons=12, epochs=1))
    large = []
    for n in (4999, 5000, 100):
        classifier.fit(*ball(n), 1.0, rng())
        large.append(classifier.large)
    assert large == [False, True, True]
    assert weights(classifier)[0].shape == (24, 3)


def test_a_later_fit_goes_on_from_weights_and_moments():
    classifier = fitted()
    before, steps = weights(classifier), optimiser_steps(classifier)
    classifier.settings = FitSettings(neurons=12, batch_size=64, epochs=1, learning_rate=1e-2)
    classifier.fit(*ball(200), 1.0, rng(1))
    moved = max(np.abs(a - b).max() for a, b in zip(before, weights(classifier), strict=True))
    assert 0 < moved < 0.1  # after four steps of 0.01; the weights of a new network would differ more
    assert optimiser_steps(classifier) == steps + 4


@pytest.mark.parametrize("n", [200, 5000])
def test_weights_without_a_gradient_shrink_by_adamws_decay(n):
    classifier = Classifier(3, FitSettings(neurons=12, batch_size=n // 20, epochs=1, learning_rate=0.1))
    x, good = ball(n)
    classifier.fit(x, good, 1.0, rng())
    x[:, 2] = 0.0
    other = Classifier(3, classifier.settings)
    other.load(classifier.to_arrays())
    for model in (classifier, other):
        forget_moments(model)  # they would go on moving the weights
        before = weights(model)[0][:, 2]
        model.fit(x, good, 1.0, rng(1))
        np.testing.assert_allclose(1 - weights(model)[0][:, 2] / before, 20 * 0.1 * 1e-4, rtol=0.03)


def scripted(monkeypatch, losses: list[float]) -> tuple[Classifier, list[list[np.ndarray]]]:
    """A classifier whose epochs, each with one minibatch, have the given losses; also gives the weights after each
    epoch.
    """
    classifier = Classifier(3, FitSettings(neurons=4, batch_size=1000, epochs=len(losses), learning_rate=1e-2))
    history: list[list[np.ndarray]] = []

    class Scripted(nn.BCEWithLogitsLoss):
        def forward(self, logits, target):
            if len(history) < len(losses):
                history.append([])
            loss = super().forward(logits, target)
            return loss - loss.detach() + losses[len(history) - 1]

    step = Adam.step

    def recorded(self, *args):
        step(self, *args)
        history[-1].extend(weights(classifier))

    monkeypatch.setattr(nn, "BCEWithLogitsLoss", Scripted)
    monkeypatch.setattr(Adam, "step", recorded)
    classifier.fit(*ball(50), 1.0, rng())
    return classifier, history


def test_the_best_weights_are_restored_though_later_steps_changed_them(monkeypatch):
    """The published code only keeps a reference to the weights, which later steps change."""
    classifier, history = scripted(monkeypatch, [1.0, 0.5, 0.8, 0.9])
    assert all(np.array_equal(a, b) for a, b in zip(weights(classifier), history[1], strict=True))
    assert not np.array_equal(history[1][0], history[3][0])


def test_training_stops_after_ten_epochs_without_an_improvement_of_1e_5(monkeypatch):
    _, history = scripted(monkeypatch, [1.0, 0.5, *[0.5 - 0.9e-5] * 30])
    assert len(history) == 12
    _, history = scripted(monkeypatch, [1.0 - 1.1e-5 * epoch for epoch in range(40)])
    assert len(history) == 40


def test_a_diverged_training_leaves_finite_weights_and_says_so(monkeypatch, caplog):
    with caplog.at_level(logging.WARNING):
        classifier, history = scripted(monkeypatch, [1.0, math.nan, 1.0])
    assert "diverged in epoch 2" in caplog.text
    assert all(np.array_equal(a, b) for a, b in zip(weights(classifier), history[0], strict=True))
    assert all(name.startswith(("weights/", "large")) for name in classifier.to_arrays())  # moments may be NaN too


def test_the_weight_of_good_points_enters_the_loss():
    """At an output of 0 the loss of a good point is ln 2 times its weight."""
    x, good = np.zeros((4, 3)), np.array([True, False, False, False])
    losses = []
    for weight in (1.0, 3.0):
        classifier = Classifier(3, FitSettings(neurons=4, epochs=1, learning_rate=1e-9))
        losses.append(classifier.fit(x, good, weight, rng()))
    logit = classifier.predict(x[:1])[0]
    softplus = math.log1p(math.exp(-logit)), math.log1p(math.exp(logit))
    assert losses[0] == pytest.approx((softplus[0] + 3 * softplus[1]) / 4, rel=1e-5)
    assert losses[1] == pytest.approx((3 * softplus[0] + 3 * softplus[1]) / 4, rel=1e-5)


@pytest.mark.parametrize("n", [200, 5000])
def test_training_goes_on_in_the_same_way_from_a_stored_state(n):
    settings = FitSettings(neurons=12, batch_size=512, epochs=3)
    classifier = fitted(n, settings)
    data = pack({}, classifier.to_arrays())
    twin = Classifier(3, settings)
    twin.load(unpack(data, "it")[1])
    assert twin.large == (n == 5000)
    assert pack({}, twin.to_arrays()) == data
    for model in (classifier, twin):
        model.fit(*ball(300, seed=2), 2.0, rng(5))
    assert all(np.array_equal(a, b) for a, b in zip(weights(classifier), weights(twin), strict=True))


def test_the_state_before_the_first_fit_can_be_stored():
    twin = fitted()
    twin.load(Classifier(3, SMALL).to_arrays())
    assert not twin.fitted


@pytest.mark.parametrize("name", ["large", "weights/0.weight", "exp_avg/0.bias"])
def test_a_state_that_lacks_an_array_is_refused(name):
    arrays = fitted().to_arrays()
    del arrays[name]
    with pytest.raises(CheckpointError, match="the network's state cannot be read"):
        Classifier(3, SMALL).load(arrays)


def test_a_state_of_other_settings_is_refused():
    with pytest.raises(CheckpointError, match="of other settings"):
        Classifier(3, FitSettings(neurons=13)).load(fitted().to_arrays())


def test_predicting_before_the_first_fit_is_an_error():
    with pytest.raises(RuntimeError, match="only after its first fit"):
        Classifier(3, SMALL).predict(np.zeros((1, 3)))


def test_points_with_only_one_label_can_be_fitted():
    x, _ = ball(50)
    for value in (True, False):
        classifier = copy.deepcopy(Classifier(3, SMALL))
        loss = classifier.fit(x, np.full(50, value), 1.0, rng())
        assert math.isfinite(loss)
