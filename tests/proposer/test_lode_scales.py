"""An observable that spans decades, but is smooth where it vanishes, is learned without a logarithm."""

from functools import partial

import numpy as np
import pytest
import torch

from benchmarks.search.problems import PROBLEMS
from proposer.strategies.lode.coding import Coding
from proposer.strategies.lode.energy import EnergyOfObservables, ScoredObservable
from proposer.strategies.lode.observables import OfObservables
from proposer.strategies.lode.points import Points
from proposer.strategies.lode.process import Processes
from proposer.strategies.lode.scales import ENOUGH, Scales
from proposer.target import Target
from proposer.types import Floats
from scanspec import Kind, Likelihood, losses_and_nll
from tests.proposer.answered import told_of
from tests.proposer.searches import train

LIKELIHOODS = [Likelihood(Kind.UPPER, 3e-5, 6e-6), Likelihood(Kind.GAUSS, 0.12, 0.012)]
ENERGY = EnergyOfObservables([ScoredObservable(f"y{j}", one) for j, one in enumerate(LIKELIHOODS)], Target(3.0))


def amplitude(u: Floats) -> Floats:
    a, b, c, _ = (2.0 * u - 1.0).T
    return np.asarray(a + 0.6 * b * c - 0.3)


def rates(u: Floats) -> Floats:
    """The square of an amplitude that changes its sign, and a density that follows a power law, shape (n, 2)."""
    a, _, _, d = (2.0 * u - 1.0).T
    return np.stack([1e-3 * amplitude(u) ** 2, 10.0 ** (2.0 * a - 1.5 * d)], axis=1)


def x_of(u: Floats) -> Floats:
    return 2.0 * u - 1.0


def test_the_square_of_an_amplitude_becomes_a_root_and_a_power_law_keeps_its_logarithm():
    rng = np.random.default_rng(8)
    u = rng.random((2 * ENOUGH, 4))
    y, x = rates(u), x_of(u)
    before = Coding.of(y)
    assert (before.floor > 0).all()
    values = Processes(4, 2)
    values.learn(x, before.encode(y), rng)
    values.condition(x, before.encode(y))
    scales = Scales(4)
    better = partial(scales.better, values=values, x=x, y=y, t=before.encode(y), energy=ENERGY, rng=rng)
    poor = np.array([True, True])
    assert better(before, poor=poor, count=ENOUGH - 1) is before
    after = better(before, poor=poor, count=ENOUGH)
    assert (after.floor > 0).tolist() == [False, True]
    assert after.root.tolist() == [1.0, 0.0]
    assert after.encode(y)[:, 1] == pytest.approx(before.encode(y)[:, 1])
    assert after.decode(torch.from_numpy(after.encode(y))).numpy() == pytest.approx(y)
    assert better(before, poor=poor, count=124) is before  # it is too early
    assert better(before, poor=poor, count=150) is not before
    assert better(before, poor=~poor, count=4 * ENOUGH) is before  # nothing is poor
    t = scales.targets(after, values, x, y, rng)
    assert np.square(t).mean(axis=0) == pytest.approx(1.0)
    sign = np.sign(t[:, 0] * amplitude(u))  # the process predicts the amplitude, or the amplitude with the other sign
    assert abs(sign.sum()) == len(u)


def test_a_process_that_agrees_with_nothing_does_not_win():
    problem, rng = PROBLEMS["poles4d"], np.random.default_rng(7)  # neither scale is good at the resonances
    u = rng.random((20_000, 4))
    near = np.argsort(problem.evaluate(u)[1])[:400]
    u = np.concatenate([u[:60], u[rng.choice(near, 60, replace=False)]])
    energy, y, x = EnergyOfObservables(problem.scored(), Target(3.0)), problem.evaluate(u)[0], x_of(u)
    before = Coding.of(y)
    values = Processes(4, 3)
    values.learn(x, before.encode(y), rng)
    values.condition(x, before.encode(y))
    poor, t = np.array([True, False, False]), before.encode(y)
    assert Scales(4).better(before, values, x, y, t, poor=poor, count=120, energy=energy, rng=rng) is before


def test_a_limit_on_the_square_of_an_amplitude_is_predicted(monkeypatch):
    train(monkeypatch, networks=(20, 20, 20, 20))
    rng = np.random.default_rng(9)
    points = Points(np.arange(4), ENERGY, Target(3.0))
    model = OfObservables(4, ENERGY, x_of)
    for _ in range(5):
        u = rng.random((2000, 4))
        low = np.argsort(losses_and_nll(LIKELIHOODS, rates(u))[1])[:30]
        u = np.concatenate([u[low], rng.random((30, 4))])  # half are close to the good region, as in a search
        model.expect(u)
        points.add(told_of(u, losses_and_nll(LIKELIHOODS, rates(u))[1], observables=rates(u)))
        model.fit(points.known(), rng)
    u = rng.random((20_000, 4))
    good = losses_and_nll(LIKELIHOODS, rates(u))[1] < 3.0
    found = model.probability(u[good], rng)
    assert len(found) > 100
    assert found.mean() > 0.97
    again = OfObservables(4, ENERGY, x_of)
    again.load(model.to_arrays())
    again.fit(points.known(), rng)
    assert again.probability(u[good], rng).mean() > 0.97  # the scale is stored
