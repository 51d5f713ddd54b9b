"""Sums of squared polynomials: thin curved regions are learned to many digits."""

import numpy as np
import pytest
import torch

from benchmarks.search.problems import PROBLEMS
from proposer.drive import drive
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.lode.squares import GAMMA, Squares
from proposer.strategies.lode.strategy import Lode
from proposer.target import Target


def energy(x: np.ndarray) -> np.ndarray:
    """The energy of a sheet of thickness 0.01 and codimension 2 in four dimensions. One of 6,000 points is good."""
    first = x[:, 0] ** 2 + x[:, 1] - 0.5 * x[:, 2] * x[:, 3] - 0.3
    second = x[:, 3] + 0.4 * x[:, 2] ** 3 - 0.5 * x[:, 0] * x[:, 1]
    return (first**2 + second**2) / 0.01**2


def test_a_thin_sheet_is_learned_from_bad_points_alone():
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (200, 4))
    x = x[energy(x) > 2.0]
    squares = Squares(4)
    for _ in range(3):
        squares.learn(x, energy(x), rng)
    fresh = rng.uniform(-1, 1, (400_000, 4))
    good, found = energy(fresh) < 1.0, squares.energy(torch.from_numpy(fresh), 0).numpy() < 1.0
    assert good.sum() > 20
    assert (good & found).sum() > 0.8 * good.sum()
    assert (good & found).sum() > 0.8 * found.sum()


def test_a_limit_and_a_product_of_powers_are_learned():
    """The second residual counts only where it is positive, and no sum of products of two variables gives it."""

    def bounded(x: np.ndarray) -> np.ndarray:
        first = x[:, 0] + 0.5 * x[:, 1] * x[:, 2] - 0.2
        second = x[:, 1] + np.tanh(2.0 * x[:, 0]) * x[:, 2] + 0.3
        return (first**2 + second.clip(min=0.0) ** 2) / 0.05**2

    rng = np.random.default_rng(4)
    x, squares = rng.uniform(-1, 1, (300, 3)), Squares(3)
    for _ in range(2):
        squares.learn(x, bounded(x), rng)
    fresh = rng.uniform(-1, 1, (20_000, 3))
    good, found = bounded(fresh) < 1.0, squares.energy(torch.from_numpy(fresh), 0).numpy() < 1.0
    assert good.sum() > 200
    assert (good & found).sum() > 0.8 * good.sum()
    assert (good & found).sum() > 0.8 * found.sum()


def test_the_error_that_is_expected_is_that_of_fresh_points():
    rng = np.random.default_rng(6)
    x, fresh = rng.uniform(-1, 1, (300, 2)), rng.uniform(-1, 1, (4000, 2))

    def rough(x: np.ndarray) -> np.ndarray:
        return np.asarray(40.0 * (x[:, 0] + np.sin(4.0 * x[:, 0] * x[:, 1])) ** 2)

    squares = Squares(2)
    squares.learn(x, rough(x), rng)
    assert len(squares.errors) == squares.members > 0
    for member, expected in enumerate(squares.errors):
        off = np.log1p(squares.energy(torch.from_numpy(fresh), member).numpy()) - np.log1p(rough(fresh))
        weight = (1.0 + rough(fresh)) ** GAMMA
        assert expected == pytest.approx(np.sqrt(np.average(off**2, weights=weight)), rel=0.3)
    assert (Squares.from_arrays(squares.to_arrays()).errors == squares.errors).all()


def test_there_is_no_prediction_if_no_polynomial_fits():
    rng = np.random.default_rng(2)
    x = rng.uniform(-1, 1, (200, 3))
    squares = Squares(3)
    squares.learn(x, 30.0 * (2.0 + np.cos(9.0 * x).prod(axis=1)) ** 5, rng)
    assert squares.members == 0


@pytest.mark.parametrize(("dim", "points"), [(6, 100), (8, 150), pytest.param(10, 250, marks=pytest.mark.slow)])
def test_noise_is_not_taken_for_polynomials(dim: int, points: int):
    rng = np.random.default_rng(dim)
    x, noise, squares = (
        rng.uniform(-1, 1, (points, dim)),
        100.0 * np.exp(3.0 * rng.standard_normal(points)),
        Squares(dim),
    )
    for _ in range(2):
        squares.learn(x, noise, rng)
    assert squares.members == 0


def test_learning_goes_on_from_a_stored_state():
    rng = np.random.default_rng(3)
    x, z = rng.uniform(-1, 1, (60, 4)), torch.from_numpy(rng.uniform(-1, 1, (20, 4)))
    squares = Squares(4)
    squares.learn(x, energy(x), rng)
    again = Squares.from_arrays(squares.to_arrays())
    assert again.members == squares.members > 0
    for one in (squares, again):
        one.learn(x, energy(x), np.random.default_rng(4))
    torch.testing.assert_close(again.energy(z, 0), squares.energy(z, 0), rtol=0, atol=0)
    with pytest.raises(ValueError, match="do not fit"):
        Squares.from_arrays(squares.to_arrays() | {"kept0": np.zeros((1, 3))})


def test_the_descents_of_an_older_state_without_priors_begin_anew():
    older = Squares.from_arrays({"sizes": np.array([4.0, 1.0]), "kept0": np.zeros((2, 23)), "kept1": np.zeros((1, 23))})
    assert older.members == 0
    x, new = np.random.default_rng(3).uniform(-1, 1, (60, 4)), Squares(4)
    for one in (older, new):
        one.learn(x, energy(x), np.random.default_rng(4))
    assert older.to_arrays().keys() == new.to_arrays().keys()
    assert all((older.to_arrays()[name] == value).all() for name, value in new.to_arrays().items())


@pytest.mark.slow
def test_thin_curved_sheets_in_eight_dimensions_are_found_and_filled():
    """Three of 10,000 points of the cube are good."""
    problem = PROBLEMS["saddle8d"]
    strategy = Lode(problem.space(), LodeSettings(Target(problem.threshold)), 0, problem.scored())
    evaluations = 0
    for told, _ in drive(strategy, problem.backend(), problem.space()):
        evaluations += len(told)
        if strategy.good >= 100 or evaluations > 800:
            break
    assert strategy.good >= 100
