"""Answers of a broken or hostile evaluator: nothing is accepted that contradicts its description."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from lodescan.v1 import evaluation_pb2 as pb
from proposer.evaluation.backend import EvaluatorRefused, NoEvaluator
from proposer.types import Status
from proposer.wire import answers, attendance, patience, remote
from proposer.wire.messages import LARGEST_DESCRIPTION, LARGEST_SPECTRA, MOST_CONCURRENT, MOST_IN_BATCH, clean
from proposer.wire.pool import Pool
from proposer.wire.remote import MOST_AHEAD
from scanspec.fields import MOST_FIELDS
from tests.proposer.hostile import GAUSS, Refusal, client_of, good, message


def soon(seconds: float = 20.0) -> float:
    return time.monotonic() + seconds


UNSOUND: dict[str, tuple[dict[str, Any], str]] = {
    "no NLL": ({"nll": None}, "no NLL"),
    "no NLL and no losses": ({"nll": None, "losses": []}, "not every observable with its loss"),
    "an absurd NLL": ({"nll": -1e308}, "the NLL -1e+308, but its losses add up to 0.5"),
    "an absurd NLL and loss": ({"nll": -1e308, "losses": [-1e308]}, "a loss that is not from -710.783 to 710.783"),
    "not the sum": ({"nll": 0.25}, "the NLL 0.25, but its losses add up to 0.5"),
    "NaN": ({"nll": math.nan}, "the NLL nan"),
    "infinite": ({"nll": -math.inf, "losses": [-math.inf]}, "a loss that is not"),
    "a loss of NaN": ({"losses": [math.nan]}, "a loss that is not"),
    "beyond the cap": ({"nll": 800.0, "losses": [800.0]}, "a loss that is not"),
    "below what a Gaussian gives": ({"nll": -5.0, "losses": [-5.0]}, "the loss -5 of an observable that is 1: its"),
    "of a value that is not a number": ({"observables": [math.nan], "nll": 0.0, "losses": [0.0]}, "that is nan: its"),
    "of one that is infinite": ({"observables": [math.inf]}, "that is inf: its likelihood gives none below 710.783"),
    "losses missing": ({"losses": []}, "not every observable with its loss"),
    "too many": ({"observables": [1.0, 2.0], "losses": [0.5, 0.0]}, "not every observable with its loss"),
    "observables missing": ({"observables": []}, "not every observable with its loss"),
    "no status": ({"status": None}, "a status that the contract does not have, 0"),
    "a status of its own": ({"status": 77}, "a status that the contract does not have, 77"),
}


@pytest.mark.parametrize(("changes", "words"), UNSOUND.values(), ids=UNSOUND)
def test_an_ok_point_without_a_valid_nll_has_failed(changes: dict[str, Any], words: str) -> None:
    with client_of(lambda ids: [message(*[good(point, **changes) for point in ids])]) as client:
        (outcome,) = client.outcomes(1, soon())
    assert (outcome.status, outcome.nll) == (Status.FAILED, None)
    assert words in outcome.message


def test_an_nll_is_accepted_up_to_rounding() -> None:
    def answer(ids: list[int]) -> Iterator[pb.EvaluateResponse]:
        numbers = {"observables": [1.0, 2.0], "losses": [700.1, -699.9]}
        for point in ids:
            yield message(good(point, nll=0.2 + 1e-9, **numbers))

    either_sign = pb.Likelihood(kind=pb.LIKELIHOOD_KIND_EXPUSER)
    two = [pb.Observable(name="y", likelihood=GAUSS), pb.Observable(name="z", likelihood=either_sign)]
    with client_of(answer, observables=two) as client:
        outcomes = client.outcomes(3, soon())
    assert [outcome.status for outcome in outcomes] == [Status.OK] * 3


STRAYS = {
    "never sent": lambda ids: [message(*[good(point + 1000) for point in ids]), message(*map(good, ids))],
    "to be sent later": lambda ids: [message(*[good(k) for k in range(30)])],
    "twice in a message": lambda ids: [message(*map(good, [*ids, *ids]))],
    "twice in two": lambda ids: [message(*map(good, ids)), message(*map(good, ids))],
    "the largest id": lambda ids: [message(good(2**64 - 1), *map(good, ids))],
    "killed, never sent": lambda ids: [message(good(2**63, status=pb.STATUS_KILLED), *map(good, ids))],
    "cancelled, never sent": lambda ids: [message(good(77, status=pb.STATUS_CANCELLED), *map(good, ids))],
}


@pytest.mark.parametrize("answer", STRAYS.values(), ids=STRAYS)
def test_answers_that_nobody_asked_for_are_ignored(answer: Any) -> None:
    with client_of(answer) as client:
        outcomes = client.outcomes(30, soon())
        assert [outcome.id for outcome in outcomes] == list(range(30))
        assert len(set(client.servicer.asked)) == len(client.servicer.asked)  # nothing is sent twice
        (line,) = client.said
    assert "answers points that it did not get, or answers them twice (point " in line


def test_no_part_of_a_result_is_larger_than_described() -> None:
    def answer(ids: list[int]) -> Iterator[pb.EvaluateResponse]:
        for point in ids:
            yield message(
                good(
                    point,
                    status=pb.STATUS_INVALID,
                    losses=[],
                    nll=None,
                    missing=[0, 0, 1, 2**32 - 1] * 25_000,
                    message="m" * 100_000,
                    failed_code="\x1b]0;evil\x07",
                    warnings=["\x1b[31mw" * 1000] * 5000,
                    seconds=[math.nan, -1.0, 1e300, math.inf] * 10_000,
                )
            )

    with client_of(answer, codes=["one", "two", "three"]) as client:
        outcome, *_ = client.outcomes(3, soon())
        assert client.evaluator.points_in(1.0) <= MOST_AHEAD
    assert outcome.status is Status.INVALID
    assert list(outcome.missing) == [0]
    assert list(outcome.seconds) == [0.0, 0.0, 0.0]
    assert len(outcome.message) == 500 and outcome.failed_code.isprintable()
    assert len(outcome.warnings) == 20 and all(
        warning.isprintable() and len(warning) <= 500 for warning in outcome.warnings
    )


@pytest.mark.parametrize(
    ("spectra", "kept"),
    [
        ([b"s" * LARGEST_SPECTRA], 1),
        ([b"s" * LARGEST_SPECTRA, b"s"], 0),
        ([b"s" * 2 * LARGEST_SPECTRA], 0),
        ([b""] * 5000, 20),
    ],
)
def test_spectra_beyond_the_contract_are_not_kept(spectra: list[bytes], kept: int) -> None:
    with client_of(lambda ids: [message(*[good(point, spectra=spectra) for point in ids])]) as client:
        (outcome,) = client.outcomes(1, soon())
    assert (outcome.status, len(outcome.spectra), len(outcome.warnings)) == (Status.OK, kept, not kept)


def test_reported_times_are_bounded() -> None:
    huge = 2**32 - 1
    with client_of(
        lambda ids: [message(*[good(point, seconds=[0.0]) for point in ids])], concurrency=huge, max_batch=huge
    ) as client:
        description = client.evaluator.describe(5.0)
        assert (description.concurrency, description.max_batch) == (MOST_CONCURRENT, MOST_IN_BATCH)
        assert len(client.outcomes(5000, soon())) == 5000
        assert client.evaluator.points_in(3600.0) == MOST_AHEAD


def test_seconds_are_kept_if_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time for which a point is out, which bounds its seconds, is not that of a clock on the wall."""
    since_start, real_time = [0.0], time.time
    for module in (remote, answers):  # which note when a point was sent, and when it was answered
        monkeypatch.setattr(module, "elapsed", lambda: since_start[0])

    def answer(ids: list[int]) -> Iterator[pb.EvaluateResponse]:
        since_start[0] = 100.0
        monkeypatch.setattr(time, "time", lambda: real_time() - 3600.0)
        yield message(*[good(point, seconds=[80.0, 700.0]) for point in ids])

    with client_of(answer, codes=["one", "two"]) as client:
        (outcome,) = client.outcomes(1, soon())
    assert list(outcome.seconds) == pytest.approx([80.0 * 120 / 780, 700.0 * 120 / 780])  # 10 s + 1.1 times 100 s
    assert outcome.returned - outcome.sent == pytest.approx(100.0)


def gauss(mean: float, sigma: float = 0.0) -> dict[str, Any]:
    """A description of one observable with these constants."""
    likelihood = pb.Likelihood(kind=pb.LIKELIHOOD_KIND_GAUSS, mean=mean, sigma=sigma)
    return {"observables": [pb.Observable(name="y", likelihood=likelihood)]}


DESCRIPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "observables without end": ({"observables": [pb.Observable()] * 10_001}, "10,001 observables"),
    "codes without end": ({"codes": [""] * 10_001}, "10,001 codes"),
    "parameters without end": ({"parameters": [pb.Parameter()] * 10_001}, "10,001 parameters"),
    "an observable twice": ({"observables": [pb.Observable(name="y")] * 2}, "the observable 'y' twice"),
    "a mean that is not a number": (gauss(mean=math.nan, sigma=1.0), "the likelihood of 'y' is GAUSS nan [+]- 1"),
    "an infinite mean": (gauss(mean=-math.inf, sigma=1.0), "is GAUSS -inf [+]- 1"),
    "no sigma": (gauss(mean=1.0), "is GAUSS 1 [+]- 0"),
    "a sigma that is not a number": (gauss(mean=1.0, sigma=math.nan), "is GAUSS 1 [+]- nan"),
    "a negative sigma": (gauss(mean=1.0, sigma=-2.0), "is GAUSS 1 [+]- -2"),
    "a parameter twice": ({"parameters": [pb.Parameter(name="a\x1b"), pb.Parameter(name="a ")]}, "'a ' twice"),
}


@pytest.mark.parametrize(("described", "words"), DESCRIPTIONS.values(), ids=DESCRIPTIONS)
def test_an_impossible_description_is_refused(described: dict[str, Any], words: str) -> None:
    with client_of(lambda ids: [], **described) as client, pytest.raises(EvaluatorRefused, match=words):
        client.evaluator.describe(5.0)


def test_the_details_of_a_refusal_are_short_and_have_no_control_sequences() -> None:
    def refuse(ids: list[int]) -> Iterator[pb.EvaluateResponse]:
        raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, "\x1b[2J\x1b]0;evil\x07" + "x" * 5000)

    with client_of(refuse) as client, pytest.raises(EvaluatorRefused) as caught:
        client.outcomes(1, soon())
    assert str(caught.value).isprintable() and len(str(caught.value)) < 600


def test_texts_have_no_control_sequences() -> None:
    assert clean("a\x1b[31m\u202eb\n") == "a [31m b "


@pytest.mark.parametrize("lost", [1, 2])
def test_a_silent_evaluator_is_given_up_some_time_after_the_limit(lost: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss of a single answer has the same effect. At the limit, waiting points are asked back."""
    monkeypatch.setattr(patience, "GRACE", 0.6)
    monkeypatch.setattr(patience, "SILENT", 0.3)
    start = time.monotonic()
    with client_of(lambda ids: [message(*[good(point, seconds=[0.0]) for point in ids if point >= lost])]) as client:
        outcomes = client.outcomes(10, start + 0.5)
        seconds = time.monotonic() - start
        assert [outcome.id for outcome in outcomes] == (list(range(1, 10)) if lost == 1 else [])
        assert client.servicer.returned == 1
    assert 1.1 <= seconds < 5
    waiting = "waiting for point 0" if lost == 1 else "waiting for points 0, 1"
    assert waiting in client.said[0] and "no answer from the evaluator at 127.0.0.1:" in client.said[0]
    assert "has not answered point" in client.said[-1] and "max_hours" in client.said[-1]
    assert len(client.said) <= 4


def test_without_a_limit_a_silent_evaluator_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "SILENT", 0.2)

    def answer(ids: list[int]) -> Iterator[pb.EvaluateResponse]:
        time.sleep(1.0)
        yield message(*map(good, ids))

    with client_of(answer) as client:
        assert len(client.outcomes(2, math.inf)) == 2
        assert 1 <= len(client.said) <= 3


def test_an_evaluator_that_answers_with_other_digests_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answers are of another physics, although its description always fits."""
    monkeypatch.setattr(attendance, "MOST_BREAKS", 2)
    with (
        client_of(lambda ids: [pb.EvaluateResponse(physics_digest="z", results=map(good, ids))]) as client,
        pytest.raises(EvaluatorRefused, match="answers with other digests than it describes"),
    ):
        client.outcomes(3, soon())


def test_endless_answers_to_points_nobody_asked_for_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "GRACE", 0.3)

    def answer(ids: list[int]) -> Iterator[pb.EvaluateResponse]:
        while True:
            yield message(good(10**9))
            time.sleep(0.001)

    start = time.monotonic()
    with client_of(answer) as client:
        assert client.outcomes(3, start + 0.3) == []
    assert time.monotonic() - start < 5
    assert len(client.said) == 2


@pytest.mark.parametrize("said", [b"\x0a\x02\xff\xfe", b"\x32\x00" * (LARGEST_DESCRIPTION // 2 + 1)])
def test_a_message_that_cannot_be_read_is_named_with_the_reason(said: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    """The bytes are not a message, or one that would need sixty times as much memory. There is no traceback."""
    answer: Any = grpc.unary_unary_rpc_method_handler(lambda request, context: said)
    handler = grpc.method_handlers_generic_handler("lodescan.v1.EvaluationService", {"Describe": answer})
    server = grpc.server(ThreadPoolExecutor(1), handlers=[handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    evaluator = Pool([f"127.0.0.1:{port}"], say=print)
    try:
        with pytest.raises(NoEvaluator, match="in a way that can be understood"):
            evaluator.describe(0.0)
    finally:
        evaluator.close()
        server.stop(None).wait()
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_response_of_very_many_results_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest message, full of empty results, would take 10 GiB of memory."""
    monkeypatch.setattr(attendance, "MOST_BREAKS", 1)
    many = pb.EvaluateResponse(results=[pb.Result()] * (MOST_FIELDS + 1))
    with client_of(lambda ids: [many]) as client:
        with pytest.raises(NoEvaluator, match="broke off 2 times before it gave a result"):
            client.outcomes(2, soon())
        assert "(internal: a message of 500,002 bytes has more than 250,000 fields; send several)" in client.said[0]
