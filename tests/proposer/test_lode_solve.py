"""How many points the other models of the energy get, besides the model of the map."""

import numpy as np
import pytest

from proposer.strategies.lode.points import Known
from proposer.strategies.lode.solve import MOST, ahead, share
from tests.proposer.searches import known_of


def known_with(hits: dict[str, int]) -> Known:
    """A hundred points of each origin; the values of `hits` are the numbers of good ones."""
    origins = [origin for origin in hits for _ in range(100)]
    nll = np.concatenate([np.where(np.arange(100) < good, 0.5, 9.0) for good in hits.values()])
    return known_of(np.random.default_rng(1).random((len(origins), 2)), nll, origins)


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
