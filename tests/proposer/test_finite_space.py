"""In a space of a few points, a search ends as soon as it knows all of them, and stays ended."""

import numpy as np
import pytest

from proposer.space import Space
from proposer.strategies.cmaes import Cmaes, CmaesSettings
from proposer.strategies.cmaes_nd import CmaesNd, CmaesNdSettings
from proposer.strategies.lode.energy import ScoredObservable
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.lode.strategy import Lode
from proposer.strategies.mls_dnnc import MlsDnnc
from proposer.strategies.mls_dnnc_settings import FitSettings, MlsDnncSettings
from proposer.target import Target
from proposer.types import Observable, Status
from scanspec import Kind, Likelihood, Variable
from tests.proposer.scripted import scripted

GAUSS = Likelihood(Kind.GAUSS, 2.0, 1.0)


def space_of(n: int) -> Space:
    return Space(
        [
            Variable("n", 1.0, float(n), integer=True),
            Variable("m", -1.0, 1.0, values=(-1.0, 1.0)),
            Variable("fixed", 3.0, 3.0),
        ]
    )


def strategy_of(kind: str, space: Space, threshold: float):
    if kind == "LODE":
        return Lode(space, LodeSettings(Target(threshold)), 1, [ScoredObservable("y", GAUSS)])
    return MlsDnnc(space, MlsDnncSettings(target=Target(threshold), iterations=1000, fit=FitSettings(8, 50, 5)), 1)


@pytest.mark.parametrize("threshold", [1.0, -1.0])  # with 1 some points are good, with -1 none is
@pytest.mark.parametrize("size", [3, 60])
@pytest.mark.parametrize("kind", ["LODE", "MLS_DNNC"])
def test_a_search_ends_when_all_points_are_known(kind: str, size: int, threshold: float) -> None:
    space = space_of(size)
    assert space.size == 2 * size
    strategy = strategy_of(kind, space, threshold)

    def answers(x):
        y = (x[:, 0] + 0.1 * x[:, 1])[:, None]
        return [Status.OK] * len(x), GAUSS.loss(y[:, 0]), y

    told = [step.told for step in scripted(strategy, space, answers, batches=30)]
    assert sum(len(batch.ids) for batch in told) == 2 * size and len(told) < 12
    assert len(np.unique(np.concatenate([batch.u for batch in told]), axis=0)) == 2 * size
    assert f"all {2 * size} points of the space" in strategy.stop_reason
    again = strategy_of(kind, space, threshold)
    for batch in told:
        again.tell(batch)
    assert again.ask() is None


@pytest.mark.parametrize(
    ("kind", "settings"),
    [(Cmaes, CmaesSettings(target=Target(1.0))), (CmaesNd, CmaesNdSettings(target=Target(1.0)))],
    ids=["CMAES", "CMAES_ND"],
)
def test_an_evolution_ends_when_all_points_are_known(kind, settings) -> None:
    """Otherwise it would go on with generations of known points."""
    space, y = space_of(2), Observable("y", "", "code", None, GAUSS)

    def answers(x):
        value = (x[:, 0] + 0.1 * x[:, 1])[:, None]
        return [Status.OK] * len(x), GAUSS.loss(value[:, 0]), value

    strategy = kind(space, settings, 1, [y])
    told = [step.told for step in scripted(strategy, space, answers, batches=50)]
    assert len(np.unique(np.concatenate([batch.u for batch in told]), axis=0)) == 4
    assert len(told) < 50 and strategy.stop_reason == "all 4 points of the space were evaluated"
    again = kind(space, settings, 1, [y])
    for batch in told:
        again.tell(batch)
    assert again.ask() is None


def test_the_rest_of_a_finite_space_is_found() -> None:
    space, rng = space_of(5), np.random.default_rng(1)
    every = space.not_among(np.empty((0, 3)), 100, rng)
    assert len(every) == 10 and space.all_known(every) and not space.all_known(every[1:])
    assert np.array_equal(space.not_among(every[1:], 3, rng), every[:1])
    assert np.array_equal(space.snap(every), every)
    assert Space([Variable("x", 0.0, 1.0)]).size == np.inf
