"""The bound on the volume that a search may have missed holds as often as the report says, and is given only when it is
valid.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from proposer.report.completeness import completeness, most, sample
from proposer.report.overview import found
from proposer.report.seen import Seen, see
from proposer.run.dataset import Dataset
from proposer.space import Space
from proposer.strategies.origins import ORIGINS
from proposer.target import Target
from proposer.types import Batch, Outcome, Status
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
        assert (
            bound > binomtest(good, points, alternative="less").proportion_ci(0.95).high
        )  # the bound for a fixed number of points is lower


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return see(make_run(tmp_path_factory.mktemp("completeness") / "run", 300, first="random"))


def said(seen: Seen) -> str:
    return " ".join(completeness(seen).words)


def test_the_bound_counts_only_independent_draws(seen: Seen) -> None:
    first = seen.iterations == 0
    good, failed = int(seen.good[first].sum()), int((seen.status[first] == Status.FAILED).sum())
    assert 0 < good < seen.good.sum() and failed and sample(seen).sum() == first.sum() == 150
    assert f"Of 150 points that were drawn from the prior independently of all results, {good} are good" in said(seen)
    assert f"{failed} of these points failed or timed out. They count as not good." in said(seen)
    percent = float(said(seen).split("at most ")[1].split(" %")[0])
    assert 100 * most(good, 150) <= percent < 103 * most(good, 150)


def test_a_handful_of_draws_gives_no_bound(seen: Seen) -> None:
    few = np.where(np.cumsum(seen.independent) <= 1, seen.origins, "exploit")
    assert said(replace(seen, origins=few)).startswith("No useful bound can be given: only 1 point was drawn from")


@pytest.mark.parametrize("word", sorted(set(ORIGINS) - {"random", "bootstrap"}))
def test_points_that_depend_on_others_give_no_bound(seen: Seen, word: str) -> None:
    """The start of LODE and the points of SOBOL are sequences; MLS_DNNC draws its other points from the remaining
    candidates.
    """
    origins = np.full(len(seen.ids), word, dtype=object)
    assert said(replace(seen, origins=origins)).startswith("No bound can be given: no point")


@pytest.mark.parametrize(("kind", "points"), [("RANDOM", 150), ("LODE", 150), ("MLS_DNNC", 0)])
def test_in_older_runs_remaining_candidates_of_mls_dnnc_do_not_count_as_draws_from_the_prior(
    tmp_path: Path, kind: str, points: int
) -> None:
    older = see(make_run(tmp_path / "run", 150, kind=kind, first="random"))
    assert sample(older).sum() == points
    (counted,) = [str(row[1]) for row in found([older]).rows if row[0] == "hit rate over the prior"]
    assert " of 150 points spread over it or drawn from it" in counted if points else counted == "there are none"


def test_the_first_incomplete_batch_and_later_ones_do_not_count(tmp_path: Path) -> None:
    """Slow points are out, also in older batches, and they may be good more often or less often than others."""
    folder = make_run(tmp_path / "run", 450)
    with Dataset(folder) as dataset:
        u = np.full((2, 4), 0.5) + np.array([[0.01], [0.02]])
        space = Space(see(folder).scan.variables)
        dataset.add_batch(Batch(u, ["random"] * 2, 4), space.to_physical(u), b"")
        added = dataset.add_batch(Batch(u + 0.1, ["random"] * 2, 5), space.to_physical(u + 0.1), b"")
        dataset.record([Outcome(int(added.ids[0]), Status.OK, nll=9.0, observables=(), losses=(), seconds=[])])
    read = see(folder)
    every = replace(read, origins=np.full(len(read.ids), "random", dtype=object))
    assert read.first_open == 4 and len(read.ids) == 451 and read.batches.max() == 5
    assert sample(every).sum() == 450 and sample(replace(every, first_open=None)).sum() == 451


def test_a_changed_target_gives_no_bound(seen: Seen) -> None:
    words = "good was: NLL less than 3 above the lowest; is now: NLL below 3"
    changed = replace(
        seen, record=replace(seen.record, manifest={"target_changes": [{"from_point": 9, "change": words}]})
    )
    assert said(changed) == f"No bound can be given: the threshold was changed during the scan ({words})."


def test_a_threshold_that_follows_the_best_point_gives_no_bound(seen: Seen) -> None:
    following = replace(seen)
    following.__dict__["target"] = Target.following(3.0).at(0.0)
    assert said(following).startswith("No bound can be given: the threshold follows the best")


def test_a_finite_space_gives_no_bound(tmp_path: Path, seen: Seen) -> None:
    finite = tuple(replace(variable, high=variable.low, inner=None) for variable in seen.scan.variables)
    assert said(replace(seen, scan=replace(seen.scan, variables=finite))).startswith(
        "No bound can be given: the space has finitely"
    )
