"""How many points other models of the energy get, beside the one that the map is drawn by."""

import numpy as np
import pytest

from proposer.strategies.lode.points import Known
from proposer.strategies.lode.solve import MOST, share
from tests.proposer.searches import known_of


def known_with(hits: dict[str, int]) -> Known:
    """A hundred points of each origin, of which so many are good."""
    origins = [origin for origin in hits for _ in range(100)]
    nll = np.concatenate([np.where(np.arange(100) < good, 0.5, 9.0) for good in hits.values()])
    return known_of(np.random.default_rng(1).random((len(origins), 2)), nll, origins)


def test_other_models_get_few_points_where_the_map_is_good_without_them():
    assert share(known_with({"exploit": 93, "solve": 20})) < 0.06
    assert share(known_with({"exploit": 5, "solve": 65})) > 0.9 * MOST
    assert share(known_with({"exploit": 40, "solve": 40})) == pytest.approx(0.5 * MOST)


@pytest.mark.parametrize("good", [5, 40, 90])
def test_untried_they_are_as_good_as_the_rest(good: int) -> None:
    """When nothing hits yet, a part that nobody has tried is no reason to give up the rest of the batch."""
    assert 0.45 * MOST < share(known_with({"exploit": good})) < 0.55 * MOST
