"""The last words of a scan without a good point: why points ended, and what to do."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from proposer.ending import NONE_GOOD, conclude
from proposer.run.dataset import Outcome
from proposer.show.tally import read_tally
from proposer.target import Target
from proposer.types import Batch, Status
from scanspec.likelihoods import LARGEST_LOSS
from tests.proposer.datasets import open_dataset

NAN = math.nan


def ok(o0: float, o1: float) -> Outcome:
    losses = [LARGEST_LOSS, LARGEST_LOSS]
    return Outcome(0, Status.OK, sum(losses), [o0, o1], losses, failed_code="", message="")


def invalid(mass: float) -> Outcome:
    return Outcome(0, Status.INVALID, failed_code="c0", message=f"o0 = {mass} is outside its window")


def failed(message: str) -> Outcome:
    return Outcome(0, Status.FAILED, failed_code="c1", message=message)


CASES = {
    "all invalid": (
        [invalid(1.5), invalid(2.5), invalid(3.5)],
        ["no point has an NLL: look at the `valid` windows", "invalid, 3 points: code c0: o0 = 3.5 is outside"],
        ["failed,", "NaN"],
    ),
    "invalid or failed": (
        [invalid(1.5), failed("a tachyon"), failed("a tachyon")],
        [
            "invalid, 1 point: code c0",
            "failed, 2 points: code c1: a tachyon",
            "run it alone: lodescan-evaluator point",
        ],
        [],
    ),
    "never a number": (
        [ok(NAN, 1e9), ok(NAN, 2e9)],
        ["o0 is not a number (NaN) at any point: correct", "the loss of o1 is at its cap"],
        ["failed,", "loss of o0"],
    ),
    "mostly failed": (
        [ok(1e9, 1e9), failed("no spectrum")],
        ["the loss of o0, o1 is at its cap", "failed, 1 point: code c1: no spectrum"],
        ["NaN"],
    ),
    "seldom failed": ([ok(1e9, NAN), ok(1e9, 1.0), failed("no spectrum")], ["the loss of o0, o1"], ["failed,", "NaN"]),
}


@pytest.mark.parametrize(("outcomes", "said", "not_said"), CASES.values(), ids=CASES)
def test_why_no_point_is_good(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], outcomes: list[Outcome], said: list[str], not_said: list[str]
) -> None:
    with open_dataset(tmp_path, observables=2) as dataset:
        dataset.set_meta({"variables": ["v0", "v1"]})
        u = np.random.default_rng(1).random((len(outcomes), 2))
        added = dataset.add_batch(Batch(u, ["start"] * len(u), 0), u, b"")
        dataset.record([one._replace(id=point) for one, point in zip(outcomes, added.ids.tolist(), strict=True)])
        tally = read_tally(dataset, 10, Target(5.0), names=["o0", "o1"])
        assert conclude(dataset, "enough", tally, 1.0) == NONE_GOOD
    words = capsys.readouterr().err.partition("all points:")[2]
    assert [word for word in said if word not in words] == []
    assert [word for word in not_said if word in words] == []
