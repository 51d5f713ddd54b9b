"""The report shows whether points were good as often as the search had predicted."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from proposer.formats import show_percent
from proposer.report.calibration import calibration, wilson
from proposer.report.seen import Seen, see
from proposer.run.dataset import Dataset
from proposer.show.marks import PAPER
from proposer.show.picture import Bars, Curve
from proposer.show.still import figure
from proposer.target import Target
from tests.proposer.runs import make_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("calibration") / "run")


@pytest.fixture
def seen(folder: Path) -> Seen:
    return see(folder)


@pytest.mark.parametrize("z", [1.0, 1.96])
def test_wilsons_interval_is_that_of_scipy(z):
    from scipy.stats import norm

    good, points = np.array([0.0, 1.0, 7.0, 19.0, 20.0, 300.0]), np.array([1.0, 1.0, 20.0, 20.0, 20.0, 1000.0])
    for k, n, low, high in zip(good, points, *wilson(good, points, z), strict=True):
        found = binomtest(int(k), int(n)).proportion_ci(1 - 2 * norm.sf(z), method="wilson")
        assert (low, high) == pytest.approx((found.low, found.high), abs=1e-12)


def test_bins_counts_and_score_are_those_of_the_dataset(folder, seen):
    part = calibration(seen)
    with Dataset(folder, read_only=True) as dataset:
        parts = list(dataset.results())
    predicted, nll = (np.concatenate([getattr(chunk, name) for chunk in parts]) for name in ("probability", "nll"))
    good, told = nll < 3.0, ~np.isnan(predicted)
    assert 0 < told.sum() < len(told)  # there is no prediction for the start
    brier = ((predicted[told] - good[told]) ** 2).mean()
    assert f"Brier score {brier:.3f} over {told.sum():,} points with a prediction" in part.words[0]
    rate = good[told].mean()
    assert f"their hit rate, {show_percent(rate)}, scores {rate * (1 - rate):.3f}" in part.words[0]
    (rows,) = part.tables
    assert sum(int(str(row[2]).replace(",", "")) for row in rows.rows) == told.sum()
    for name, mean, points, came, *_ in rows.rows:
        low = float(str(name)[:3])
        at = told & (predicted >= low) & ((predicted < low + 0.1) if low < 0.85 else (predicted <= 1.0))
        assert (points, came, mean) == (f"{at.sum():,}", f"{(good & at).sum():,}", f"{predicted[at].mean():.3f}")


def test_the_picture_shows_the_bins_with_their_errors(seen):
    ((picture,), (table,)) = calibration(seen).pictures, calibration(seen).tables
    against, counts = picture.panels
    diagonal, errors = against.marks
    assert isinstance(diagonal, Curve) and diagonal.x.tolist() == diagonal.y.tolist() == [0.0, 1.0]
    assert isinstance(errors, Curve) and np.isnan(errors.y[2::3]).all()
    for row, ends in zip(table.rows, errors.y.reshape(-1, 4, 3)[..., :2].tolist(), strict=True):
        (low, high), *ticks = ends  # the error bar, then ticks at its lower end, in the middle and at its upper end
        share = int(str(row[3])) / int(str(row[2]))
        assert ticks == [[low] * 2, [pytest.approx(share)] * 2, [high] * 2] and low <= share <= high
    good, others = counts.marks
    assert isinstance(good, Bars) and isinstance(others, Bars) and counts.y.categories == [row[0] for row in table.rows]
    assert good.values.sum() + others.values.sum() == np.isfinite(seen.probability).sum()
    assert len(re.findall(r"predicted \d\.\d to \d\.\d \(mean [\d.]+\): [\d.]+ % of [\d,]+ good", picture.says)) == len(
        table.rows
    )
    drawn = figure(picture, PAPER).figure
    assert [len(ax.lines) for ax in drawn.axes] == [2, 0] and len(drawn.axes[1].patches) == 2 * len(table.rows)


def test_a_run_whose_search_predicts_nothing_says_so(tmp_path):
    part = calibration(see(make_run(tmp_path / "run", 30)))
    assert part.pictures == () and "the search predicted none" in part.words[0]


def test_the_report_says_that_the_threshold_has_moved(folder, seen):
    assert not any("threshold" in words or "changed" in words for words in calibration(seen).words)
    for target in (Target.following(3.0), Target.within(0.95, 2)):
        following = replace(seen)
        following.__dict__["target"] = target.at(0.0)
        words = calibration(following).words[1]
        assert "it went down whenever a better point was found" in words and following.target.describe() in words
    manifest = {"target_changes": [{"from_point": 9, "change": "good was: NLL below 3; is now: NLL below 2"}]}
    changed = calibration(replace(seen, record=replace(seen.record, manifest=manifest)))
    assert "was changed during the scan (good was: NLL below 3" in changed.words[1]
