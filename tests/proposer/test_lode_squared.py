"""LODE learns the square of an observable if the observable is the root of something smooth, as a light mass is."""

import numpy as np
import pytest
import torch
from scipy.stats import qmc

from benchmarks.search.problems import PROBLEMS
from proposer.strategies.lode.coding import Coding
from proposer.strategies.lode.energy import EnergyOfObservables, ScoredObservable
from proposer.strategies.lode.misses import miss
from proposer.strategies.lode.observables import OfObservables
from proposer.strategies.lode.points import Points
from proposer.strategies.lode.process import Processes
from proposer.strategies.lode.squared import with_squares
from proposer.target import Target
from proposer.types import Floats
from scanspec import Kind, Likelihood
from tests.proposer.answered import told_of

LIKELIHOOD = Likelihood(Kind.GAUSS, 20.0, 5.0)
ENERGY = EnergyOfObservables([ScoredObservable("y0", LIKELIHOOD)], Target(2.0))


def squared_mass(u: Floats) -> Floats:
    """Tachyonic in half of the cube."""
    return np.asarray(3e5 * (u[:, 0] - 0.5 + 0.4 * u[:, 1] * u[:, 2] - 0.3 * u[:, 3] ** 2))


def mass(u: Floats) -> Floats:
    """The mass, with the sign of its square."""
    square = squared_mass(u)
    return np.asarray(np.sign(square) * np.sqrt(np.abs(square)))


def cube(points: int) -> Floats:
    return np.asarray(qmc.Sobol(4, rng=1).random(128)[:points])


def chosen(u: Floats, y: Floats, energy: EnergyOfObservables) -> tuple[Coding | None, Processes]:
    """The new scale of observables y, shape (n, k), if there is one, and the processes."""
    coding, values, x = Coding.of(y), Processes(u.shape[1], y.shape[1]), 2.0 * u - 1.0
    values.learn(x, coding.encode(y), np.random.default_rng(0))
    every = np.ones(y.shape[1], dtype=np.bool_)
    return with_squares(coding, values, x, y, which=every, energy=energy), values


def error(coding: Coding, values: Processes, u: Floats) -> float:
    """The mean error of masses close to the target, which the processes predict from points u, shape (n, 4)."""
    values.condition(2.0 * u - 1.0, coding.encode(mass(u)[:, None]))
    fresh = np.random.default_rng(3).random((20_000, 4))
    fresh = fresh[np.abs(mass(fresh) - 20.0) < 15.0]
    predicted = coding.decode(values.mean(torch.from_numpy(2.0 * fresh - 1.0))).numpy()[:, 0]
    return float(np.abs(predicted - mass(fresh)).mean())


@pytest.mark.parametrize("tachyons", [True, False])
def test_a_mass_that_vanishes_somewhere_is_learned_as_its_square(tachyons: bool) -> None:
    u = cube(100)
    u = u if tachyons else u[squared_mass(u) > 0]
    found, values = chosen(u, mass(u)[:, None], ENERGY)
    assert found is not None
    assert found.square.tolist() == [1.0]
    linear, of_mass = Coding.of(mass(u)[:, None]), Processes(4, 1)
    of_mass.learn(2.0 * u - 1.0, linear.encode(mass(u)[:, None]), np.random.default_rng(0))
    assert error(found, values, u) < 0.7 * error(linear, of_mass, u)


@pytest.mark.parametrize("name", ["multi8d", "multi10d", "dipole4d", "moment5d", "thresholds5d", "phase4d", "toy3d"])
def test_other_observables_keep_their_scale(name: str) -> None:
    problem = PROBLEMS[name]
    u = np.asarray(qmc.Sobol(problem.dim, rng=2).random(128)[:90])
    energy = EnergyOfObservables(problem.scored(), Target(problem.threshold))
    assert chosen(u, problem.evaluate(u)[0], energy)[0] is None


def test_zeros_of_a_closed_channel_are_no_masses() -> None:
    u = cube(100)
    assert chosen(u, np.maximum(mass(u), 0.0)[:, None], ENERGY)[0] is None


def test_squares_give_the_values_back() -> None:
    y = mass(cube(100))[:, None]
    coding = Coding.of(y).as_square(0, y)
    t = coding.encode(y)
    assert (t.mean(), t.std()) == pytest.approx((0.0, 1.0), abs=1e-6)
    assert coding.decode(torch.from_numpy(t)).numpy() == pytest.approx(y)
    step = 1e-6 * np.abs(y)
    slope = (coding.encode(y + step) - coding.encode(y - step)) / (2.0 * step)
    assert coding.log_slope(y) == pytest.approx(np.log(slope), abs=1e-4)
    assert not coding.left_by(y)
    assert not coding.without_logarithm(0, y).square.any()
    assert not coding.resolving(np.array([20.0]), np.array([5.0])).square.any()


def test_errors_of_an_observable_without_a_likelihood_are_relative_to_its_scale() -> None:
    """The unit of the mass does not matter, whether its root, its square or itself is learned."""
    even = [ScoredObservable("y0", LIKELIHOOD), ScoredObservable("y1", Likelihood(Kind.OFF), mapped=True)]
    energy, y = EnergyOfObservables(even, Target(2.0)), np.abs(mass(cube(100)))
    for scale in (Coding.as_square, Coding.as_root, Coding.without_logarithm):
        errors = []
        for unit in (1.0, 1000.0):
            values = np.stack([y, unit * y], axis=1)
            predicted = values * [1.0, 1.05]
            errors.append(miss(energy, scale(Coding.of(values), 1, values), predicted, values)[:, 1])
        assert errors[0] == pytest.approx(errors[1])
        assert 0.001 < np.abs(errors[0]).max() < 1.0


def test_a_strip_beside_tachyons_is_found_and_the_scale_is_stored() -> None:
    """Where the mass would be imaginary, the code returns 0, which is bad."""

    def observable(u: Floats) -> Floats:
        return np.maximum(mass(u), 0.0)[:, None]

    def nll(u: Floats) -> Floats:
        return np.asarray(LIKELIHOOD.loss(observable(u)[:, 0]))

    points, model = Points(np.arange(4), ENERGY, Target(2.0)), OfObservables(4, ENERGY, lambda u: 2.0 * u - 1.0)
    u = cube(100)
    points.add(told_of(u, nll(u), observables=observable(u)))
    model.fit(points.known(), np.random.default_rng(1))
    fresh = np.random.default_rng(3).random((40_000, 4))
    good = fresh[nll(fresh) < 2.0]
    assert model.probability(good, np.random.default_rng(2)).mean() > 0.05  # 0.0007 with the mass itself
    again = OfObservables(4, ENERGY, model.inputs)
    again.load(model.to_arrays())
    for one in (model, again):  # a search that is continued learns the same
        one.fit(points.known(), np.random.default_rng(2))
    assert np.array_equal(np.asarray(model.observables(fresh)), np.asarray(again.observables(fresh)))
