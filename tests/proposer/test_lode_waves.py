"""Plane waves of which an observable is a sum are found, and a process learns what they leave."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import qmc

from benchmarks.search.problems import PROBLEMS
from proposer.strategies.lode.coding import Coding
from proposer.strategies.lode.energy import EnergyOfObservables, ScoredObservable
from proposer.strategies.lode.nll import OfNll
from proposer.strategies.lode.observables import OfObservables
from proposer.strategies.lode.oscillation import Oscillation
from proposer.strategies.lode.points import Points
from proposer.strategies.lode.process import Processes
from proposer.strategies.lode.ridges import Ridges
from proposer.strategies.lode.waves import Waves, find
from proposer.strategies.lode.waving import with_waves
from proposer.target import Target
from proposer.types import Floats
from scanspec import Kind, Likelihood
from tests.proposer.answered import told_of
from tests.proposer.searches import train

X = 2.0 * np.random.default_rng(4).random((300, 3)) - 1.0
FRESH = 2.0 * np.random.default_rng(5).random((500, 3)) - 1.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks train for a short time."""
    train(monkeypatch, regression=0.1)


def product(x: Floats) -> Floats:
    """A product of cosines, with two periods in each variable."""
    return np.asarray(np.cos(2.0 * np.pi * x + 0.4).prod(axis=1))


def interference(x: Floats) -> Floats:
    """The square of a sum of three amplitudes, whose phases are sums of variables."""
    phases = 2.0 * np.pi * x @ np.array([[1.3, 0.2, -0.6], [0.4, 1.1, 0.0], [0.0, -0.9, 1.4]]).T
    return np.asarray(np.abs(np.exp(1j * phases).sum(axis=1)) ** 2)


def smooth(x: Floats) -> Floats:
    return np.asarray(np.exp(x[:, 0] - 0.5 * x[:, 1]) + x[:, 1] * x[:, 2])


def bumps(x: Floats) -> Floats:
    """Many narrow peaks at irregular places."""
    centres = 2.0 * np.random.default_rng(7).random((60, 3)) - 1.0
    return np.asarray(np.exp(-0.5 * ((x[:, None] - centres) ** 2).sum(axis=2) / 0.12**2).sum(axis=1))


def smoothed(values: Floats) -> Floats:
    """The cubic polynomial through values at FRESH, as a process would learn it."""
    linear = np.column_stack([np.ones(len(FRESH)), FRESH])
    cubic = np.einsum("ni,nj,nk->nijk", linear, linear, linear).reshape(len(FRESH), -1)
    return np.asarray(cubic @ np.linalg.lstsq(cubic, values, rcond=None)[0])


@pytest.mark.parametrize("of", [product, interference, lambda x: product(x) + smooth(x)])
def test_waves_are_found_from_fewer_points_than_they_have_extrema(of):
    values = of(X[:160])
    waves = find(X[:160], (values - values.mean()) / values.std())
    assert waves is not None
    left = (of(FRESH) - values.mean()) / values.std() - waves(FRESH)
    assert (left - smoothed(left)).std() < 0.1


@pytest.mark.parametrize("of", [bumps, lambda x: np.random.default_rng(8).standard_normal(len(x))])
def test_other_observables_have_no_waves(of):
    values = of(X)
    assert find(X, (values - values.mean()) / values.std()) is None


def test_points_in_known_regions_do_not_hide_the_waves():
    """Two thirds of the points are where the product is above 0.9, as in a search that has found some modes."""
    many = 2.0 * np.random.default_rng(6).random((40_000, 3)) - 1.0
    near = (np.abs(many - np.array([-0.06, -0.06, -0.06])) < 0.3).all(axis=1) & (product(many) > 0.9)
    x = np.concatenate([X[:200], many[near][:400]])
    values = product(x)
    waves = find(x, (values - values.mean()) / values.std())
    assert waves is not None
    assert np.abs(product(FRESH) - values.mean() - values.std() * waves(FRESH)).max() < 1e-4


def test_in_more_than_five_variables_no_waves_are_looked_for():
    x = np.random.default_rng(1).uniform(-1.0, 1.0, (300, 6))
    assert find(x, np.cos(9.0 * x[:, 0])) is None


def learned(y: Floats) -> tuple[Coding, Processes, NDArray[np.bool_]]:
    """The coding and processes of observables y, shape (n, k), at X, and which are predicted badly."""
    coding, process = Coding.of(y), Processes(3, y.shape[1])
    return coding, process, process.learn(X, coding.encode(y), np.random.default_rng(2))


def test_a_process_takes_waves_if_they_are_worth_it_and_stores_them():
    y, rng = np.column_stack([smooth(X), product(X), bumps(X)]), np.random.default_rng(2)
    coding, process, badly = learned(y)
    assert badly.tolist() == [False, True, True]
    linear = with_waves(coding, process, X, y, np.ones(3, dtype=np.bool_), variables=3, rng=rng)
    assert linear is not None
    assert process.waving.tolist() == [False, True, False]
    t = linear.encode(y)
    process.condition(X, t)
    other = Processes.from_arrays(process.to_arrays())
    other.condition(X, t)
    for one in (process, other, process.thinned(X[:200], t[:200])):
        predicted, deviation = one.predict(torch.from_numpy(FRESH))
        assert np.abs(linear.decode(predicted).numpy()[:, 1] - product(FRESH)).max() < 0.01
        assert float(deviation[:, 1].max()) < 0.05
    assert not process.learn(X, t, rng)[1]
    assert np.array_equal(process.only(1).waves[0].to_array(), process.waves[1].to_array())
    process.take(1, Processes(3, 1))
    assert not process.waves


@pytest.mark.parametrize("name", ["poles4d", "coann5d"])
def test_poles_and_steps_have_no_waves(name):
    """Waves raise the likelihood of the first observable of poles4d, but not by what their numbers cost. A density of
    coann5d has a larger likelihood with waves and without its logarithm, but small densities are predicted worse.
    """
    problem = PROBLEMS[name]
    u = qmc.Sobol(problem.dim, seed=3).random(512)
    y = problem.evaluate(problem.physical(u))[0]
    valid = np.isfinite(y).all(axis=1)
    x, y, rng = 2.0 * u[valid] - 1.0, y[valid], np.random.default_rng(2)
    coding, process = Coding.of(y), Processes(problem.dim, y.shape[1])
    badly = process.learn(x, coding.encode(y), rng)
    assert badly.any()
    assert with_waves(coding, process, x, y, badly, variables=problem.dim, rng=rng) is None


@pytest.mark.parametrize("unit", [1.0, 1e-45, 1e30])
def test_the_scale_of_waves_does_not_depend_on_the_unit_of_the_observable(unit):
    """The logarithm of the first observable has few waves, and so has the second one itself."""
    y = unit * np.column_stack([np.exp(4.0 * product(X)), product(X) ** 2])
    coding, process, _ = learned(y)
    assert (coding.floor > 0.0).all()
    linear = with_waves(coding, process, X, y, np.ones(2, dtype=np.bool_), variables=3, rng=np.random.default_rng(2))
    assert linear is not None
    assert process.waving.all()
    assert (linear.floor > 0.0).tolist() == [True, False]


def test_the_square_of_an_amplitude_has_waves_without_its_logarithm():
    """It spans decades, and so is learned as a logarithm at first."""
    y = product(X)[:, None] ** 2
    coding, process, badly = learned(y)
    assert coding.floor[0] > 0.0
    linear = with_waves(coding, process, X, y, badly, variables=3, rng=np.random.default_rng(2))
    assert linear is not None
    assert linear.floor[0] == 0.0
    process.condition(X, linear.encode(y))
    predicted = linear.decode(process.mean(torch.from_numpy(FRESH))).numpy()[:, 0]
    assert np.abs(predicted - product(FRESH) ** 2).max() < 0.01


def test_planes_are_those_of_what_waves_leave():
    """Beside its waves, the observable has a step."""
    step = np.tanh(30.0 * (0.6 * X[:, 0] - 0.8 * X[:, 2] - 0.1))
    waves = Waves(2.0 * np.pi * np.eye(3), np.ones(3), np.zeros(3))
    process, t, rng = Processes(3, 1), (waves(X) + step)[:, None], np.random.default_rng(3)
    process.waves[0] = waves
    process.learn(X, t, rng)
    ridges = Ridges(3)
    values, changed = ridges.look(X, t, process, [0], rng)
    assert changed
    assert any(abs(plane[0] * plane[2]) > 0.3 for plane in ridges.planes)
    assert list(values.waves) == [0]


def model_of(count: int) -> tuple[OfObservables, Points]:
    scored = EnergyOfObservables([ScoredObservable("y", Likelihood(Kind.GAUSS, 1.0, 0.08))], Target(0.5))
    points, model = Points(np.arange(3), scored, Target(0.5)), OfObservables(3, scored, lambda u: 2.0 * u - 1.0)
    y = product(X)
    for rows in np.split(np.arange(count), [count // 2]):
        points.add(told_of((X[rows] + 1.0) / 2.0, 0.5 * ((y[rows] - 1.0) / 0.08) ** 2, observables=y[rows, None]))
        model.fit(points.known(), np.random.default_rng(1))
        model.expect((X[rows[-1] + 1 :][:20] + 1.0) / 2.0)
    return model, points


def test_a_model_of_an_observable_that_oscillates_predicts_all_modes():
    model, points = model_of(200)
    fresh = (FRESH + 1.0) / 2.0
    predicted = model.observables(fresh)
    assert predicted is not None
    assert np.abs(predicted[:, 0] - product(FRESH)).max() < 0.01
    other = OfObservables(3, model.energy, model.inputs)
    other.load(model.to_arrays())
    for one in (model, other):  # a search that is continued learns the same
        one.fit(points.known(), np.random.default_rng(2))
    assert np.array_equal(np.asarray(model.observables(fresh)), np.asarray(other.observables(fresh)))


def test_an_nll_whose_root_oscillates_is_predicted_by_its_waves():
    """The networks do not learn an NLL with 63 minima from 300 points."""
    scored = EnergyOfObservables([], Target(0.5))
    points, model = Points(np.arange(3), scored, Target(0.5)), OfNll(3, scored, lambda u: 2.0 * u - 1.0)
    points.add(told_of((X + 1.0) / 2.0, 0.5 * ((product(X) - 1.0) / 0.08) ** 2))
    model.fit(points.known(), np.random.default_rng(1))
    centre = np.array([[0.4 / (4.0 * np.pi)] * 3])
    minima = np.array([0.0, 0.5, 0.5]) - centre + np.array([[0.5, 0.0, 0.0], [0.5, 0.5, 0.5]])
    energies = model.others()
    assert float(energies[0](torch.from_numpy(minima)).max()) < 0.3
    assert model.probability_by_others(minima).min() > 0.8
    assert model.weight_of_others > 0.8


def test_a_stored_oscillation_goes_on_with_the_same_waves():
    model, rng = Oscillation(), np.random.default_rng(1)
    energy = ((product(X) - 1.0) / 0.08) ** 2
    model.learn(X[:250], energy[:250], rng, again=True)
    other = Oscillation.from_arrays(model.to_arrays())
    for one in (model, other):
        one.learn(X, energy, rng, again=False)
    assert model.error < 0.05
    assert other.error == model.error
    assert torch.equal(model.energy(torch.from_numpy(FRESH)), other.energy(torch.from_numpy(FRESH)))


def test_another_nll_has_no_waves():
    oscillation = Oscillation()
    oscillation.learn(X, 30.0 * bumps(X), np.random.default_rng(1), again=True)
    assert oscillation.error == np.inf
