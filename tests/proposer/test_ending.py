"""The last words of a scan without a good point: why points ended, and what to do."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from proposer.ending import ALL_FAILED, NONE_GOOD, conclude, draw_pictures, exit_code, never_numbers
from proposer.run.dataset import Dataset, Outcome, Results
from proposer.run.stored import CHUNK
from proposer.show.tally import MOST_FAILED, Tally, read_tally
from proposer.target import Target
from proposer.types import Batch, Status
from scanspec import read_scan_file
from scanspec.likelihoods import LARGEST_LOSS
from tests.proposer.datasets import columns, open_dataset
from tests.proposer.stored_runs import META, SCAN

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
    "a joint likelihood of o0": (
        [Outcome(0, Status.OK, LARGEST_LOSS, [NAN, NAN], [0.0, LARGEST_LOSS], failed_code="", message="")] * 2,
        ["o0, o1 are not numbers (NaN) at any point: correct the code"],
        ["at its cap"],
    ),
    "mostly failed": (
        [ok(1e9, 1e9), failed("no spectrum")],
        ["the loss of o0, o1 is at its cap", "failed, 1 point: code c1: no spectrum"],
        ["NaN"],
    ),
    "seldom failed": ([ok(1e9, NAN), ok(1e9, 1.0), failed("no spectrum")], ["the loss of o0, o1"], ["failed,", "NaN"]),
}


class Counting(Dataset):
    """A dataset that is read point by point, and counts them."""

    parts = 0

    def results(self, *, first_batch: int = 1, target: Target | None = None, chunk: int = CHUNK) -> Iterator[Results]:
        for part in super().results(first_batch=first_batch, target=target, chunk=1):
            self.parts += 1
            yield part


def test_an_observable_with_one_value_at_all_points_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The template may have no expression, or the code may write a constant for what it could not compute."""
    for number, last in ((20, 5.0), (19, 5.0), (20, 6.0)):
        folder = tmp_path / f"{number} {last}"
        outcomes = [ok(5.0, float(x)) for x in range(number - 1)] + [ok(last, 0.5)]
        with open_dataset(folder) as dataset:
            u = np.random.default_rng(1).random((number, 2))
            ids = dataset.add_batch(Batch(u, ["x"] * number, 1), u, b"").ids
            dataset.record([outcome._replace(id=int(point)) for outcome, point in zip(outcomes, ids, strict=True)])
            tally = read_tally(dataset, 10, Target(1.0), math.inf, ["o0", "o1"])
            conclude(dataset, "why", tally, 1.0)
        said = capsys.readouterr().err
        assert ("o0 is 5 at all 20 points: does its code read the variables?" in said) == (number == 20 and last == 5.0)
        assert said.count("at all 20 points") <= 1


def test_no_more_is_read_once_every_observable_was_a_number(tmp_path: Path) -> None:
    with Counting(tmp_path) as dataset:
        dataset.start(columns(observables=2), {"begun": True})
        for batch in range(5):
            u = np.random.default_rng(batch).random((1, 2))
            (point,) = dataset.add_batch(Batch(u, ["start"], batch), u, b"").ids.tolist()
            dataset.record([ok(1.0, 1.0 if batch else NAN)._replace(id=point)])
        tally = read_tally(dataset, 10, Target(5.0), names=["o0", "o1"])
        dataset.parts = 0
        assert never_numbers(dataset, tally, ["o0", "o1"]) == []
        assert dataset.parts == 2


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


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Target(1.0), "raise threshold_value, widen"),
        (Target(1.0, 0.5), "move the band of threshold_value, widen"),
        (Target(1e4), "nothing was searched for; is threshold_value as low"),
        (Target(1.0, everything=True), "was searched for; an observable gets a likelihood by its mean and sigma"),
        (Target.following(3.0), "nothing was searched for; no NLL is 3 above the lowest one"),
        (Target.following(3.0), "the loss of o0, o1 is at its cap (710.78) even at the point with the lowest NLL"),
        (Target(1e4), "the loss of o0, o1 is at its cap (710.78) even at the point with the lowest NLL"),
    ],
)
def test_the_advice_fits_the_target(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], target: Target, words: str
) -> None:
    with open_dataset(tmp_path, observables=2) as dataset:
        u = np.random.default_rng(1).random((20, 2))
        ids = dataset.add_batch(Batch(u, ["x"] * 20, 1), u, b"").ids
        dataset.record([ok(float(x), float(x))._replace(id=int(point)) for x, point in enumerate(ids)])
        conclude(dataset, "why", read_tally(dataset, 10, target, math.inf, ["o0", "o1"]), 1.0)
    assert words in capsys.readouterr().err


def test_a_scan_without_an_answer_says_that_nothing_is_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Dataset(tmp_path) as dataset:
        dataset.start(columns(), META)
        u = np.random.default_rng(1).random((3, 2))
        dataset.add_batch(Batch(u, ["start"] * 3, 0), u, b"")
        assert conclude(dataset, "0.1 hours are over", read_tally(dataset, 10, Target(5.0)), 1.0) == NONE_GOOD
    (tmp_path / "scan.yaml").write_text(SCAN)
    draw_pictures(tmp_path, read_scan_file(tmp_path / "scan.yaml"), report=True)
    (words,) = capsys.readouterr().err.partition("all points:")[2].splitlines()[1:]
    assert words.startswith("no point was answered, so nothing is known yet: see what the evaluator does")


def test_given_good_points_do_not_hide_that_every_evaluated_point_failed() -> None:
    for wanted, code in ((10, ALL_FAILED), (3, 0)):  # three good points were all that was wanted
        tally = Tally(wanted, Target(1.0), good=3, good_known=3)
        tally.add([failed("no such file")] * 5)
        assert exit_code(tally) == code


def test_a_scan_without_evaluations_left_is_not_said_to_go_on() -> None:
    for most, goes_on in ((MOST_FAILED, False), (MOST_FAILED + 1, True)):
        tally = Tally(10, Target(1.0), most)
        tally.add([failed("no such file")] * MOST_FAILED)
        assert tally.hopeless is goes_on
