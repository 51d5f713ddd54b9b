"""LODE without one of its parts still searches: the figures in docs/search.md stay repeatable."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.search import models
from benchmarks.search.ablations import NLL_ALONE, PARTS
from benchmarks.search.problems import PROBLEMS
from proposer.strategies.lode.energy import ScoredObservable
from proposer.strategies.lode.strategy import Lode, LodeSettings
from proposer.target import Target
from proposer.types import Status, Told


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_a_search_goes_on_without_a_part(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "FIRST_STEPS", 100)
    monkeypatch.setattr(models, "LATER_STEPS", 20)
    problem = PROBLEMS["toy3d"]
    observables = [ScoredObservable(f"y{j}", each) for j, each in enumerate(problem.likelihoods)]
    strategy = Lode(problem.space(), LodeSettings(Target(problem.threshold)), 1, observables, PARTS[part])
    origins: set[str] = set()
    for number in range(1, 5):
        batch = strategy.ask()
        assert batch is not None
        assert len(batch) > 0
        assert ((batch.u >= 0) & (batch.u <= 1)).all()
        y, nll = problem.evaluate(batch.u)
        y = y[:, :0] if part in NLL_ALONE else y
        status = np.full(len(batch), Status.OK, dtype=np.int8)
        ids = number * 1000 + np.arange(len(batch))
        strategy.tell(Told(ids, batch.u, status, nll, y, batch.origins, np.full(len(batch), number)))
        origins |= set(batch.origins)
    assert "exploit" in origins
    assert part != "probes" or "probe" not in origins
    assert part != "exploration" or "explore" not in origins
