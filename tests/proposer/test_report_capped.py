"""What the report shows if the lowest NLL has a loss at its cap, or lies above the threshold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from proposer.report import pairs, profile_nll, profile_picture
from proposer.report.axes import table_of
from proposer.report.seen import Seen, see
from proposer.report.together import together
from proposer.show.picture import Marks
from proposer.show.plots import AS_IT_IS
from scanspec import UsageError
from scanspec.likelihoods import LARGEST_LOSS
from tests.proposer.runs import make_run


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return see(make_run(tmp_path_factory.mktemp("capped") / "run", 500))


@pytest.fixture(scope="module")
def capped(seen: Seen) -> Seen:
    losses = seen.losses.copy()
    losses[:, 0] = LARGEST_LOSS
    return replace(seen, losses=losses, nll=np.where(seen.ok, losses.sum(axis=1), np.nan))


def test_of_capped_losses_no_region_and_no_best_point_is_drawn(seen: Seen, capped: Seen) -> None:
    """The differences between such NLLs are those of the other observables, at points that all miss this one."""
    part = profile_nll.profiles(capped)
    assert not part.pictures and "the loss of radius is at its cap (710.78)" in part.words[0]
    points = pairs.pairs(capped, table_of(capped))
    assert points.pictures and all("star" not in picture.caption for picture in points.pictures)
    assert not [m for picture in points.pictures for p in picture.panels for m in p.marks if isinstance(m, Marks)]
    assert [part for part in together([seen, capped]).words if "no two runs" in part]
    assert profile_nll.profiles(seen).pictures and "star" in pairs.pairs(seen, table_of(seen)).pictures[0].caption


def test_plot_refuses_a_profile_of_capped_losses(capped: Seen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(profile_picture, "see", lambda folder: capped)
    with pytest.raises(UsageError, match="no profile NLL: the loss of radius is at its cap") as refused:
        profile_picture.draw_profile(tmp_path, ["x", "mass"], [0.68], tmp_path / "a.png", AS_IT_IS)
    assert "unit of its mean" in refused.value.next_step
    assert not list(tmp_path.iterdir())


def test_without_a_good_point_the_profile_is_that_of_the_points_tried(seen: Seen) -> None:
    none = replace(seen, record=replace(seen.record, target=replace(seen.record.target, threshold=-1.0)))
    words = " ".join(profile_nll.profiles(none).words)
    assert "No point is good" in words and "The search fills the region" not in words


def test_without_a_likelihood_no_point_is_best(seen: Seen) -> None:
    """All NLLs are 0 then, and regions around one of the points would fill the box."""
    every = replace(
        seen,
        record=replace(seen.record, target=replace(seen.record.target, everything=True)),
        nll=np.where(seen.ok, 0.0, np.nan),
    )
    part = profile_nll.profiles(every)
    assert not part.pictures and "no observable has a likelihood" in part.words[0]
    assert all("star" not in picture.caption for picture in pairs.pairs(every, table_of(every)).pictures)
