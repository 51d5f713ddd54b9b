"""Values that stand for what a code did not compute: LODE finds as many good points as with NaN in their place."""

import numpy as np
import pytest
import torch

from proposer.drive import drive
from proposer.evaluation.local import Answers, LocalFunction
from proposer.space import Space
from proposer.strategies.lode.apart import far_away, made_bad, repeated
from proposer.strategies.lode.energy import ScoredObservable
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.lode.strategy import Lode
from proposer.target import Target
from scanspec import Kind, Likelihood, Variable, losses_and_nll
from tests.proposer.searches import first_steps, train


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Networks train for a short time."""
    train(monkeypatch, regression=0.2)


RNG = np.random.default_rng(3)
Y, W, LIMIT = Likelihood(Kind.GAUSS, 125.1, 0.1), Likelihood(Kind.GAUSS, 4, 0.5), Likelihood(Kind.UPPER, 6, 0.5)


def good_of(observables, likelihoods, most=230, seed=1):
    """The number of good points that one search in the square finds."""
    scored = [ScoredObservable(f"y{j}", likelihood) for j, likelihood in enumerate(likelihoods)]
    space = Space([Variable("x", 0.0, 1.0), Variable("z", 0.0, 1.0)])

    def answers(x):
        y = observables(x)
        return Answers(y, losses_and_nll(likelihoods, y)[1])

    backend = LocalFunction(answers, {"x": (0.0, 1.0), "z": (0.0, 1.0)})
    answered = first_steps(drive(Lode(space, LodeSettings(Target(2.0)), seed, scored), backend, space), most)
    nll = np.concatenate([told.nll for told in answered])
    return int((nll[:most] < 2.0).sum())


def box(*instead):
    """Two observables that are computed in a quarter of the square."""

    def observables(u):
        x, z = u.T
        computed = (x <= 0.3) & (z >= 0.2)
        y = [125 + 10 * (x - 0.15) + 5 * (z - 0.5) ** 2, 50 * x * z]
        return np.stack([np.where(computed, a, b(x, z)) for a, b in zip(y, instead, strict=True)], axis=1)

    return observables


def constant(value):
    return lambda x, _: np.full_like(x, value)


def several(x, z):
    return np.where(z < 0.5, -1.0, np.where(x > 0.6, 999.0, -999.0))


def scattered(x, z):
    return -999 + x + z


SLOW = [pytest.param(problem, marks=pytest.mark.slow) for problem in (constant(0.0), constant(1e30), several)]


@pytest.mark.parametrize("instead", [constant(-999.0), *SLOW, pytest.param(scattered, marks=pytest.mark.slow)])
def test_values_that_stand_for_no_physics_cost_no_more_than_nan(instead):
    assert good_of(box(instead, instead), [Y, W]) > 130  # with NaN 151


@pytest.mark.slow
@pytest.mark.parametrize("values", [(124.0, 3.0), (130.0, 0.0)])
def test_a_constant_that_is_also_a_possible_value_costs_no_more_than_nan(values):
    assert good_of(box(*(constant(value) for value in values)), [Y, W]) > 110


@pytest.mark.slow
def test_values_that_stand_for_no_physics_may_fulfil_an_upper_limit():
    assert good_of(box(constant(-999.0), constant(-999.0)), [Y, LIMIT]) > 110


def test_repeated_values_are_found():
    values = RNG.normal(125.0, 2.0, 90)
    values[::3] = 0.0
    assert repeated(values).tolist() == [k % 3 == 0 for k in range(90)]
    values[1::6] = -1.0  # two such constants
    assert repeated(values).sum() == 45
    assert not repeated(RNG.normal(125.0, 2.0, 90)).any()


@pytest.mark.parametrize(
    "values",
    [
        np.round(RNG.normal(125.0, 4.0, 600)),
        RNG.integers(0, 4, 300).astype(float),
        np.round(RNG.random(5000), 2),
        np.repeat([0.0, 1.0], 50),
    ],
)
def test_rounded_values_and_whole_numbers_are_not_taken_for_constants(values):
    assert not repeated(values).any()


def test_values_far_from_all_others_are_found():
    near = RNG.normal(125.0, 2.0, 60)
    values = np.concatenate([near, RNG.normal(-5000.0, 10.0, 30)])
    assert far_away(values, np.abs(values - 125.1)).tolist() == [False] * 60 + [True] * 30
    for smooth in (near, 10.0 ** RNG.uniform(-5, 6, 90), RNG.random(40)):
        assert not far_away(smooth, np.abs(smooth - 0.3)).any()


def test_a_closed_channel_that_a_limit_allows_is_kept():
    width = np.concatenate([np.zeros(60), RNG.random(30)])[:, None]
    found = repeated(width[:, 0])[:, None]
    assert found.sum() == 60
    for kind, bad in ((Kind.UPPER, 0), (Kind.GAUSS, 60)):
        likelihood = Likelihood(kind, 0.3, 0.03)
        losses = losses_and_nll([likelihood], torch.from_numpy(width))[0].numpy()
        assert made_bad(found, losses, np.zeros_like(found), 2.0).sum() == bad
