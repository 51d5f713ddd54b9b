"""How many points the other models of the energy get, besides the model of the map, and which."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.stats import norm

from proposer.strategies.lode.acquire import Context
from proposer.strategies.lode.energy import EnergyOfObservables
from proposer.strategies.lode.nll import OfNll
from proposer.strategies.lode.points import Known
from proposer.strategies.lode.solve import MOST, ahead, share, solve
from proposer.target import Target
from tests.proposer.searches import known_of


def known_with(hits: dict[str, int]) -> Known:
    """A hundred points of each origin, after as many of the start; the values of `hits` are numbers of good ones."""
    origins = [origin for origin in hits for _ in range(100)]
    nll = np.concatenate([np.where(np.arange(100) < good, 0.5, 9.0) for good in hits.values()])
    return after_a_start(nll, origins)


def after_a_start(nll: np.ndarray, origins: list[str]) -> Known:
    """Points with these NLLs and origins, after as many of the start."""
    n, rng = len(nll), np.random.default_rng(1)
    return known_of(rng.random((2 * n, 2)), np.concatenate([np.full(n, 500.0), nll]), ["start"] * n + origins)


def test_other_models_get_few_points_if_the_map_is_good_without_them():
    assert share(known_with({"exploit": 93, "solve": 20})) < 0.06
    assert share(known_with({"exploit": 5, "solve": 65})) > 0.9 * MOST
    assert share(known_with({"exploit": 40, "solve": 40})) == pytest.approx(0.5 * MOST)


def test_other_models_get_few_points_while_only_points_between_good_ones_are_good():
    assert share(known_with({"exploit": 0, "solve": 0, "fill": 60})) < 0.05


@pytest.mark.parametrize("good", [5, 40, 90])
def test_untried_models_count_as_successful_as_the_others(good: int) -> None:
    """While nothing is successful, an untried model must not take the whole batch."""
    assert 0.45 * MOST < share(known_with({"exploit": good})) < 0.55 * MOST


def test_models_are_ahead_if_they_hit_more_often_or_are_untried_while_nothing_is_good():
    assert ahead(known_with({"explore": 0, "exploit": 0, "probe": 0}))
    assert not ahead(known_with({"exploit": 40, "solve": 30}))
    assert ahead(known_with({"exploit": 5, "solve": 65}))


def test_misses_from_before_the_first_good_point_do_not_count_for_ever():
    """A part with old misses would get hardly any point, and could not show what its model has learned since then."""
    rng, origins = np.random.default_rng(2), ["solve"] * 150 + ["exploit"] * 200
    nll = np.where(rng.random(350) < 0.3, 0.5, 9.0)
    nll[:150] = 9.0
    assert share(known_of(rng.random((350, 2)), nll, origins)) > 0.4 * MOST


def test_before_the_first_good_point_the_lowest_energies_decide():
    rng, origins = np.random.default_rng(3), ["solve"] * 100 + ["exploit"] * 20 + ["explore"] * 80
    energies = np.concatenate([rng.uniform(5, 50, 100), rng.uniform(20, 200, 100)])
    assert share(after_a_start(energies, origins)) > 0.7 * MOST
    energies = np.concatenate([rng.uniform(20, 200, 100), rng.uniform(5, 50, 100)])
    assert share(after_a_start(energies, origins)) < 0.1 * MOST


class TwoFits:
    """Sums of squares with the energies 0.5 and 3 everywhere, and the errors 0.1 and 0.3."""

    members, errors = 2, np.array([0.1, 0.3])

    def energy(self, z: torch.Tensor, member: int) -> torch.Tensor:
        return torch.full((len(z),), [0.5, 3.0][member], dtype=torch.float64)


def test_the_model_with_the_smaller_error_counts_more(monkeypatch: pytest.MonkeyPatch) -> None:
    model = OfNll(2, EnergyOfObservables([], Target(1.0)), lambda u: 2.0 * u - 1.0)
    monkeypatch.setattr(model, "_squares", TwoFits())
    each = norm.cdf(np.log([2.0 / 1.5, 2.0 / 4.0]) / [0.1, 0.3])
    assert model.probability_by_others(np.full((3, 2), 0.4)) == pytest.approx([0.9 * each[0] + 0.1 * each[1]] * 3)


@pytest.mark.parametrize(("error", "weight"), [(0.2, 0.5), (0.6, 0.9), (0.1, 0.2)])
def test_the_sums_of_squares_count_by_their_error_beside_that_of_the_networks(error, weight, monkeypatch):
    model = OfNll(2, EnergyOfObservables([], Target(1.0)), lambda u: 2.0 * u - 1.0)
    assert model.weight_of_others == 0.0  # there are none
    monkeypatch.setattr(model, "_squares", TwoFits())
    monkeypatch.setattr(model.residuals, "error", error)
    assert model.weight_of_others == pytest.approx(weight)


class LessValidOnTheRight:
    def probability(self, z: torch.Tensor) -> torch.Tensor:
        return 0.5 - 0.5 * z[:, 0]


def test_points_that_may_be_invalid_are_less_probable(monkeypatch: pytest.MonkeyPatch) -> None:
    model = OfNll(2, EnergyOfObservables([], Target(1.0)), lambda u: 2.0 * u - 1.0)
    monkeypatch.setattr(model, "_squares", TwoFits())
    monkeypatch.setattr(model, "_validity", LessValidOnTheRight())
    probability = model.probability_by_others(np.array([[0.0, 0.5], [0.4, 0.5], [1.0, 0.5]]))
    assert probability[0] > 0.85
    assert probability == pytest.approx(probability[0] * np.array([1.0, 0.6, 0.0]))


class SureOnTheLeft:
    """Two models of the energy take the same square for good, but they are surer in its left half."""

    wider = 1.0

    def __call__(self, u: torch.Tensor) -> torch.Tensor:
        return torch.where((u - 0.5).abs().amax(dim=1) < 0.3, 0.5, 9.0)

    def others(self) -> list[Callable[[torch.Tensor], torch.Tensor]]:
        return [self, self]

    def probability_by_others(self, u: np.ndarray) -> np.ndarray:
        return np.where(u[:, 0] < 0.5, 0.9, 0.3)


def test_points_are_taken_where_the_models_are_surer():
    rng = np.random.default_rng(5)
    context = Context(
        known_of(rng.random((100, 2)) * [0.1, 1.0], np.full(100, 9.0)),
        np.empty((0, 2)),
        SureOnTheLeft(),  # type: ignore[arg-type]
        snap=lambda u: u,
        inputs=lambda u: 2.0 * u - 1.0,
        generator=lambda purpose: np.random.default_rng(len(purpose)),
    )
    context.n = 100
    u = solve(context, 60)
    assert len(u) == round(share(context.known) * 100)
    assert (abs(u - 0.5) < 0.3).all()
    left = (u[:, 0] < 0.5).mean()
    assert 0.75 < left < 1.0  # more than half, but the right half is far from the points on the left
