"""The bound on what a search may have missed holds as often as the report says, and is given only where it holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from proposer.report.completeness import completeness, most, sample
from proposer.report.seen import Seen, see
from proposer.target import Target
from proposer.types import Status
from tests.proposer.runs import make_run


@pytest.mark.parametrize("share", [0.003, 0.02, 0.3])
@pytest.mark.parametrize("stop", ["at the end", "at three good ones", "where the bound is lowest"])
def test_the_bound_covers_however_the_number_of_points_was_chosen(share: float, stop: str) -> None:
    rng, n, repeats = np.random.default_rng(3), 300, 400
    every = range(10, n + 1, 10)
    bounds = {(k, m): most(k, m) for m in every for k in range(m + 1)} if stop.startswith("where") else {}
    covered = 0
    for _ in range(repeats):
        sums = np.cumsum(rng.random(n) < share)
        if stop == "at the end":
            bound = most(int(sums[-1]), n)
        elif stop == "at three good ones":
            at = int(np.searchsorted(sums, 3)) if sums[-1] >= 3 else n - 1
            bound = most(int(sums[at]), at + 1)
        else:
            bound = min(bounds[int(sums[m - 1]), m] for m in every)
        covered += bound >= share
    assert binomtest(covered, repeats, 0.95, alternative="less").pvalue > 1e-3, covered / repeats


@given(st.integers(1, 100_000), st.floats(0, 1))
def test_the_bound_is_where_robbins_says(points: int, part: float) -> None:
    good = int(part * points)
    bound = most(good, points)
    assert good / points < bound or good == points == points * bound
    if good < points:
        assert (points + 1) * binom.pmf(good, points, bound) == pytest.approx(0.05, rel=1e-4)
        assert bound > binomtest(good, points, alternative="less").proportion_ci(0.95).high  # a fixed number needs less


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    found = see(make_run(tmp_path_factory.mktemp("completeness") / "run", 300))
    return replace(found, origins=np.where(found.iterations == 0, "random", "exploit").astype(object))


def said(seen: Seen) -> str:
    return " ".join(completeness(seen).words)


def test_it_counts_independent_draws_alone(seen: Seen) -> None:
    first = seen.iterations == 0
    good, failed = int(seen.good[first].sum()), int((seen.status[first] == Status.FAILED).sum())
    assert 0 < good < seen.good.sum() and failed and sample(seen).sum() == first.sum() == 150
    assert f"Of 150 points that were drawn from the prior independently of what was known, {good} are good" in said(
        seen
    )
    assert f"{failed} of these points failed or timed out. They count as not good." in said(seen)
    percent = float(said(seen).split("at most ")[1].split(" %")[0])
    assert 100 * most(good, 150) <= percent < 103 * most(good, 150)


@pytest.mark.parametrize("kind", ["MLS_DNNC", "SOBOL", "CMAES", ""])
def test_points_that_depend_on_others_give_no_bound(seen: Seen, kind: str) -> None:
    meta = {**seen.meta, "meaning": {"setup: type": kind}}
    assert said(replace(seen, meta=meta)).startswith("No bound can be given: no point")


def test_a_batch_that_is_not_answered_does_not_count(seen: Seen) -> None:
    origins = np.full(len(seen.ids), "random", dtype=object)
    assert sample(replace(seen, origins=origins, asked=3)).sum() == 150 < sample(replace(seen, origins=origins)).sum()


def test_a_threshold_that_follows_the_best_point_gives_no_bound(seen: Seen) -> None:
    following = replace(seen)
    following.__dict__["target"] = Target.following(3.0).at(0.0)
    assert said(following).startswith("No bound can be given: what is good follows the best")


def test_a_finite_space_gives_no_bound(tmp_path: Path, seen: Seen) -> None:
    finite = tuple(replace(variable, high=variable.low, inner=None) for variable in seen.scan.variables)
    assert said(replace(seen, scan=replace(seen.scan, variables=finite))).startswith(
        "No bound can be given: of finitely"
    )
