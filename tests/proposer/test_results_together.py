"""Results that come in one message are judged as each would be alone."""

from __future__ import annotations

import math
from typing import Any

import pytest

from lodescan.v1 import evaluation_pb2 as pb
from proposer.types import Outcome, Status
from proposer.wire.messages import TOGETHER, numbers_of, to_outcome

LEAST = [(0.5, 3.0), (-math.inf, -math.inf)]  # of a value that is finite, and of one that is not
SOUND: dict[str, Any] = {"observables": [1.0, 2.0], "losses": [0.75, -2.0], "nll": -1.25}
ODD: dict[str, dict[str, Any]] = {
    "no NLL": {"nll": None},
    "an NLL that is NaN": {"nll": math.nan},
    "another sum": {"nll": -1.24},
    "a loss below the least": {"losses": [0.25, -2.0], "nll": -1.75},
    "a loss below the least of NaN": {"observables": [math.nan, 2.0]},
    "an infinite loss": {"losses": [math.inf, 0.0], "nll": math.inf},
    "losses that cancel": {"losses": [math.inf, -math.inf], "nll": 0.0},
    "a loss that is NaN": {"losses": [math.nan, 0.0], "nll": math.nan},
    "too many observables": {"observables": [1.0, 2.0, 3.0]},
    "too few": {"observables": [1.0]},
    "too many losses": {"losses": [0.75, -2.0, 0.0]},
    "no losses": {"losses": []},
    "losses beyond the cap": {"losses": [1e300, 0.0], "nll": 1e300},
}
FINE: dict[str, dict[str, Any]] = {
    "as it should be": {},
    "NaN with its loss": {"observables": [math.nan, 2.0], "losses": [3.0, -2.0], "nll": 1.0},
    "an infinite observable": {"observables": [1.0, math.inf]},
}


def result(number: int, **odd: Any) -> pb.Result:
    return pb.Result(point_id=number, status=pb.STATUS_OK, **(SOUND | odd))


def outcomes(results: list[pb.Result]) -> list[Outcome]:
    came = "127.0.0.1:1", 1.0, 2.0
    return [
        to_outcome(one, numbers, LEAST, codes=1, came=came)
        for one, numbers in zip(results, numbers_of(results, LEAST), strict=True)
    ]


@pytest.mark.parametrize(
    ("odd", "status"),
    [*((odd, Status.FAILED) for odd in ODD.values()), *((odd, Status.OK) for odd in FINE.values())],
    ids=[*ODD, *FINE],
)
def test_a_result_among_many_is_judged_as_alone(odd: dict[str, Any], status: Status) -> None:
    (alone,) = outcomes([result(1, **odd)])
    assert alone.status is status
    many = outcomes([result(1, **odd), *(result(number) for number in range(2, TOGETHER + 5)), result(99, **odd)])
    assert str(many[0]) == str(alone)  # NaN is not equal to itself
    assert str(many[-1]._replace(id=1)) == str(alone)
    assert [outcome.nll for outcome in many[1:-1]] == [-1.25] * (TOGETHER + 3)


def test_what_is_sound_together_is_not_judged_again() -> None:
    several = numbers_of([result(number) for number in range(TOGETHER)], LEAST)
    assert [is_sound for _, _, is_sound in several] == [True] * TOGETHER


@pytest.mark.parametrize(
    ("out", "seconds", "kept"),
    [
        (1.0, [1e9, 0.0], [11.1, 0.0]),
        (1.0, [3e8, 1e8], [8.325, 2.775]),
        (-3600.0, [1e9, 0.0], [10.0, 0.0]),  # the clock was set back
        (1.0, [math.nan, 1e300], [0.0, 0.0]),
        (1.0, [11.0, 0.0], [11.0, 0.0]),
        (7200.0, [7000.0, 900.0], [7000.0, 900.0]),
    ],
)
def test_the_codes_of_a_point_take_hardly_longer_than_it_is_out(
    out: float, seconds: list[float], kept: list[float]
) -> None:
    (numbers,) = numbers_of([one := result(1, seconds=seconds)], LEAST)
    outcome = to_outcome(one, numbers, LEAST, codes=2, came=("127.0.0.1:1", 1e6, 1e6 + out))
    assert list(outcome.seconds) == pytest.approx(kept)
