"""LODE still searches without one of its parts, so that the figures in docs/search-reasons.md can be repeated."""

from __future__ import annotations

import pytest

from benchmarks.search import models
from benchmarks.search.ablations import NLL_ALONE, PARTS
from benchmarks.search.problems import PROBLEMS
from proposer.drive import drive
from proposer.strategies.lode.energy import ScoredObservable
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.lode.strategy import Lode
from proposer.target import Target


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.usefixtures("quick")
def test_a_search_goes_on_without_a_part(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "FIRST_STEPS", 100)
    monkeypatch.setattr(models, "LATER_STEPS", 20)
    problem = PROBLEMS["toy3d"]
    observables = [ScoredObservable(f"y{j}", likelihood) for j, likelihood in enumerate(problem.likelihoods)]
    strategy = Lode(problem.space(), LodeSettings(Target(problem.threshold)), 1, observables, PARTS[part])
    origins: set[str] = set()
    strategy.lag = 0
    for told, _ in drive(strategy, problem.backend(nll_only=part in NLL_ALONE), problem.space(), batches=4):
        assert len(told) > 0
        assert ((told.u >= 0) & (told.u <= 1)).all()
        origins |= set(told.origins)
    assert "exploit" in origins
    assert part != "probes" or "probe" not in origins
    assert part != "exploration" or "explore" not in origins
