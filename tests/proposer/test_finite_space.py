"""A space of a few points: a search ends as soon as it knows all of them, also when it is asked again."""

import numpy as np
import pytest

from proposer.space import Space
from proposer.strategies.lode.energy import ScoredObservable
from proposer.strategies.lode.strategy import Lode, LodeSettings
from proposer.strategies.mls_dnnc import MlsDnnc, MlsDnncSettings
from proposer.strategies.networks import FitSettings
from proposer.target import Target
from proposer.types import Status, Told
from scanspec import Kind, Likelihood, Variable

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


@pytest.mark.parametrize("threshold", [1.0, -1.0])  # some are good, none is
@pytest.mark.parametrize("size", [3, 60])
@pytest.mark.parametrize("kind", ["LODE", "MLS_DNNC"])
def test_it_ends_when_all_is_known(kind: str, size: int, threshold: float) -> None:
    space = space_of(size)
    assert space.size == 2 * size
    strategy, told, seen = strategy_of(kind, space, threshold), [], set()
    for number in range(1, 30):
        batch = strategy.ask()
        if batch is None:
            break
        new = np.array([row.tobytes() not in seen for row in batch.u])
        new &= np.isin(np.arange(len(new)), np.unique(batch.u, axis=0, return_index=True)[1])
        u = batch.u[new]
        seen |= {row.tobytes() for row in u}
        x = space.to_physical(u)
        y = (x[:, 0] + 0.1 * x[:, 1])[:, None]
        status = np.full(len(u), Status.OK, dtype=np.int8)
        origins = [each for each, kept in zip(batch.origins, new, strict=True) if kept]
        told.append(
            Told(
                1000 * number + np.arange(len(u)),
                u,
                status=status,
                nll=GAUSS.loss(y[:, 0]),
                observables=y,
                origins=origins,
                batches=np.full(len(u), number),
            )
        )
        strategy.tell(told[-1])
    assert len(seen) == 2 * size and number < 12
    assert f"all {2 * size} points of the space" in strategy.stop_reason
    again = strategy_of(kind, space, threshold)
    for each in told:
        again.tell(each)
    assert again.ask() is None


def test_what_is_left_of_a_space() -> None:
    space, rng = space_of(5), np.random.default_rng(1)
    every = space.not_among(np.empty((0, 3)), 100, rng)
    assert len(every) == 10 and space.all_known(every) and not space.all_known(every[1:])
    assert np.array_equal(space.not_among(every[1:], 3, rng), every[:1])
    assert np.array_equal(space.snap(every), every)
    assert Space([Variable("x", 0.0, 1.0)]).size == np.inf
