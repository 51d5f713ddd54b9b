"""The probability that a strategy predicts for each point: it is stored with the point, and does not change which
points are chosen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from proposer.keys import row_keys
from proposer.run.dataset import Dataset
from proposer.strategies.lode.strategy import Lode
from proposer.types import Batch, Floats
from tests.proposer.answered import told_of
from tests.proposer.datasets import open_dataset
from tests.proposer.searches import unit_cube
from tests.proposer.test_lode import FAST, GAUSS, Answers, honest, nothing_but_nll
from tests.proposer.test_mls_dnnc import scan, trainings

pytestmark = pytest.mark.usefixtures("quick")


def batches(answer: Callable[[Floats], Answers]) -> list[Batch]:
    """Five batches, each told before the next one is asked for; `drive` does not give their probabilities."""
    strategy, made = Lode(unit_cube(2), FAST, 1, [GAUSS]), []
    for _ in range(5):
        batch = strategy.ask()
        status, nll, y = answer(batch.u)
        strategy.tell(told_of(batch.u, nll, y, status=status, origins=batch.origins))
        made.append(batch)
    return made


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(honest, id="honest"),
        pytest.param(nothing_but_nll, id="nothing_but_nll", marks=pytest.mark.slow),
    ],
)
def test_lode_predicts_the_probability_of_each_point_and_asks_for_the_same_points(answer, monkeypatch):
    made = batches(answer)
    assert all((batch.probability is None) == (batch.origins[0] == "start") for batch in made)
    predicted = np.concatenate([batch.probability for batch in made if batch.probability is not None])
    good = np.concatenate([answer(batch.u)[1] < 1.0 for batch in made if batch.probability is not None])
    assert ((predicted >= 0.0) & (predicted <= 1.0)).all()
    brier = np.mean((predicted - good) ** 2)
    assert brier < 0.01 + 0.6 * np.mean(
        (good.mean() - good) ** 2
    )  # better than a prediction that only knows the hit rate
    monkeypatch.setattr(Lode, "probability", lambda self, u: np.full(len(u), np.nan))
    for batch, blind in zip(made, batches(answer), strict=True):
        np.testing.assert_array_equal(batch.u, blind.u)


def test_mls_dnnc_predicts_what_its_network_gives(monkeypatch):
    trainings(monkeypatch)  # the logit of the replaced network is the first input
    run = scan()
    made = run.run()
    assert {batch.origins[-1] for batch in made} == {"bootstrap", "left", "smote"}
    for batch in made:
        if batch.iteration == 0:
            assert batch.probability is None
        else:
            logits = run.strategy.space.network_inputs(batch.u)[:, 0]
            np.testing.assert_allclose(batch.probability, 1.0 / (1.0 + np.exp(-logits)), rtol=1e-12)


def test_each_stored_point_keeps_its_own_probability(tmp_path):
    u = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6], [0.7, 0.8]])
    batch = Batch(u, ["exploit"] * 4, 1, np.array([0.5, 0.25, np.nan, 0.75]))
    with open_dataset(tmp_path) as dataset:
        dataset.add_batch(Batch(u[1:2], ["start"], 0), u[1:2], b"")
        kept = dataset.add_batch(batch, u, b"").kept
    assert kept.tolist() == [True, False, True, True]
    with Dataset(tmp_path) as dataset:
        stored = [dataset.point(number) for number in range(1, 5)]
        assert len(set(row_keys(np.concatenate([part.params for part in stored])))) == 4
    assert [part.probability.tolist()[0] for part in stored] == pytest.approx(
        [math.nan, 0.5, math.nan, 0.75], nan_ok=True
    )


def test_a_batch_has_a_probability_for_each_of_its_points():
    batch = Batch(np.zeros((2, 3)), ["a", "b"], 1, np.array([0.5, 0.25]))
    assert batch.where(np.array([False, True])).probability.tolist() == [0.25]
    with pytest.raises(ValueError, match="2 points cannot have probabilities of"):
        replace(batch, probability=np.array([0.5]))
