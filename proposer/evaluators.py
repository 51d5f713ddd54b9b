"""Talks to an evaluator: streams points, gathers results, sends again what is missing.

The only file of the proposer that imports grpc.
"""

from __future__ import annotations

import ipaddress
import math
import queue
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import grpc
import numpy as np

from lodescan.v1 import evaluation_pb2 as pb
from lodescan.v1 import evaluation_pb2_grpc as pb_grpc
from proposer.rows import Outcome, Pending
from proposer.strategies.base import Status
from scanspec import Kind, Likelihood

WINDOW_SECONDS = 1.0
"""A worker is given as many points ahead as it works off in this time, at least 2 and at most 512."""

MOST_ATTEMPTS = 3
"""A point that was killed from outside this often has failed."""

MOST_BREAKS = 20
"""An evaluator that breaks off this often without one result in between is given up."""

MOST_SPECTRA = 20
"""The most spectrum files of a point that are kept."""

_OPTIONS = [
    ("grpc.keepalive_time_ms", 30_000),  # a point may be silent for an hour; a dead machine is noticed in a minute
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.enable_http_proxy", 0),  # a proxy for the web is no way to an evaluator
    ("grpc.max_receive_message_length", 64 * 2**20),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
]
# faults of the call itself, which no waiting mends
_FATAL = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
)


class NoEvaluator(RuntimeError):
    """No evaluator answered in time; the run can go on later."""


class EvaluatorRefused(RuntimeError):
    """The evaluator answers, but cannot serve this scan; the message says why and what to do."""


@dataclass(frozen=True)
class Observable:
    """An observable as the evaluator describes it; `valid` is its window, None when open."""

    name: str
    unit: str
    code: str
    valid: tuple[float, float] | None
    likelihood: Likelihood


@dataclass(frozen=True)
class Description:
    """What an evaluator says of itself. `parameters`: name to (low, high), in its own order."""

    backend: str
    version: str
    physics_digest: str
    likelihood_digest: str
    parameters: dict[str, tuple[float, float]]
    observables: tuple[Observable, ...]
    concurrency: int
    max_batch: int


@dataclass(frozen=True)
class Received:
    """One message: the answered points, and the ids of those that were killed from outside once more."""

    outcomes: list[Outcome]
    killed: list[int]


class Evaluator:
    """The evaluator at one address, HOST:PORT, in plain text.

    `say` is given a line when there is something to wait for. Points with an NLL below
    `spectra_below` come with their spectrum files. Raises EvaluatorRefused for an address
    beyond this machine without `insecure`.
    """

    def __init__(
        self, address: str, *, insecure: bool, say: Callable[[str], None], spectra_below: float = -math.inf
    ) -> None:
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit():
            raise EvaluatorRefused(f"{address!r} is no address; write HOST:PORT, for example 127.0.0.1:50051")
        if not insecure and not _is_loopback(host):
            raise EvaluatorRefused(
                f"{address} is another machine, and the connection is plain text without a password; "
                "say --insecure on a private network"
            )
        self.address = address
        self._say = say
        self._spectra_below = spectra_below
        self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        self._stub = pb_grpc.EvaluationServiceStub(self._channel)
        self._stream: _Stream | None = None  # open, with nothing out
        self._seconds = math.nan  # of a point, a running mean

    def close(self) -> None:
        """Ends the connection; points that still run are cancelled."""
        if self._stream is not None:
            self._stream.close()
        self._channel.close()

    def describe(self, wait: float) -> Description:
        """Asks what the evaluator computes; waits up to `wait` seconds for one. Raises NoEvaluator."""
        deadline = time.monotonic() + wait
        told = False
        while True:
            try:
                return _to_description(self._stub.Describe(pb.DescribeRequest(), timeout=5.0))
            except grpc.RpcError as error:
                if error.code() in _FATAL:
                    raise EvaluatorRefused(
                        f"{self.address} does not speak lodescan's contract: {error.details()}"
                    ) from None
            left = deadline - time.monotonic()
            if left <= 0:
                raise NoEvaluator(
                    f"no evaluator answers at {self.address}; start one, then give the same command again"
                )
            if not told:
                self._say(f"waiting for an evaluator at {self.address} (up to {wait:.0f} s)")
                told = True
            time.sleep(min(0.5, left))

    def evaluate(
        self, description: Description, names: list[str], points: Pending, wait: float, until: float
    ) -> Iterator[Received]:
        """Evaluates points whose columns are `names`; yields each message as it comes.

        Every point is answered in the end, however often the connection breaks, unless the
        time `until` (of time.monotonic) comes first: then only what is out is waited for.
        Raises NoEvaluator after `wait` seconds without one, or when it only breaks off, and
        EvaluatorRefused when another evaluator, with other digests, has taken the place.
        """
        rows = dict(zip(points.ids.tolist(), points.params, strict=True))
        attempts = dict(zip(points.ids.tolist(), points.attempts.tolist(), strict=True))
        breaks = 0
        while rows and (time.monotonic() < until):
            if breaks:
                self._check_same(description, self.describe(wait))
            if breaks > MOST_BREAKS:
                raise NoEvaluator(
                    f"the evaluator at {self.address} answers, but broke off {breaks} times before it gave a result; "
                    "see what it says (does a point end the whole evaluator?), then give the same command again"
                )
            try:
                for received in self._work_off(description, names, rows, attempts, until):
                    breaks = 0 if received.outcomes or received.killed else breaks
                    yield received
                breaks += 1  # if points are left, the evaluator has ended the stream
            except grpc.RpcError as error:
                if error.code() in _FATAL or error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                    raise EvaluatorRefused(f"{self.address} refused the points: {error.details()}") from None
                if not breaks:
                    lost = f"lost the evaluator at {self.address} ({error.code().name.lower()})"
                    self._say(f"{lost}; its points will be sent again")
                breaks += 1
                time.sleep(0.2)

    def _work_off(
        self,
        description: Description,
        names: list[str],
        rows: dict[int, np.ndarray],
        attempts: dict[int, int],
        until: float,
    ) -> Iterator[Received]:
        """Sends as many points ahead as the window allows, until each of `rows` is answered or the stream ends."""
        waiting, out = deque(rows), 0
        stream, self._stream = self._stream or _Stream(self._stub, names, self._spectra_below), None
        try:
            while True:
                if time.monotonic() >= until:
                    waiting.clear()
                while (room := min(self._window(description) - out, description.max_batch, len(waiting))) > 0:
                    ids = [waiting.popleft() for _ in range(room)]
                    stream.send(ids, np.concatenate([rows[each] for each in ids]))
                    out += room
                if not out:
                    self._stream = stream
                    return
                response = stream.receive()
                if response is None:
                    return
                if response.physics_digest:
                    self._check_digests(description, response.physics_digest, response.likelihood_digest)
                received, again = self._sort(response, len(description.observables), rows, attempts)
                out -= len(response.results)
                waiting.extend(again)
                yield received
        finally:
            if self._stream is None:
                stream.close()

    def _sort(
        self, response: pb.EvaluateResponse, width: int, rows: dict[int, np.ndarray], attempts: dict[int, int]
    ) -> tuple[Received, list[int]]:
        outcomes: list[Outcome] = []
        killed: list[int] = []
        again: list[int] = []
        busy = 0.0
        for result in response.results:
            point = result.point_id
            if point not in rows:
                continue
            if result.status == pb.STATUS_CANCELLED:
                continue  # the evaluator is going away: the next stream sends it again
            if result.status == pb.STATUS_KILLED:
                attempts[point] += 1
                killed.append(point)
                if attempts[point] < MOST_ATTEMPTS:
                    again.append(point)
                    continue
            outcomes.append(_to_outcome(result, width))
            del rows[point]
            busy += sum(result.seconds)
        if outcomes:
            seconds, old = busy / len(outcomes), 0.9 ** len(outcomes)
            self._seconds = seconds if math.isnan(self._seconds) else old * self._seconds + (1.0 - old) * seconds
        return Received(outcomes, killed), again

    def _window(self, description: Description) -> int:
        ahead = 2.0 if math.isnan(self._seconds) else WINDOW_SECONDS / max(self._seconds, 1e-6)
        return description.concurrency * int(min(max(ahead, 2), 512))

    def _check_same(self, before: Description, now: Description) -> None:
        self._check_digests(before, now.physics_digest, now.likelihood_digest)

    def _check_digests(self, before: Description, physics: str, likelihood: str) -> None:
        changed = [
            what
            for what, old, new in (
                ("physics", before.physics_digest, physics),
                ("likelihood", before.likelihood_digest, likelihood),
            )
            if old != new
        ]
        if changed:
            raise EvaluatorRefused(
                f"the evaluator at {self.address} now has another {' and '.join(changed)} than this run started with; "
                "start the old one again, or begin a new run (what was evaluated is kept)"
            )


class _Stream:
    """One call of Evaluate. It stays open from batch to batch: to open one costs as much as fifty points."""

    def __init__(self, stub: pb_grpc.EvaluationServiceStub, names: list[str], spectra_below: float) -> None:
        self._names = names
        self._spectra_below = spectra_below if spectra_below > -math.inf else None
        self._requests: queue.SimpleQueue[pb.EvaluateRequest | None] = queue.SimpleQueue()
        self._call = stub.Evaluate(iter(self._requests.get, None))

    def send(self, ids: list[int], values: np.ndarray) -> None:
        """Sends points; the first message names the parameters."""
        self._requests.put(
            pb.EvaluateRequest(
                parameters=self._names, point_ids=ids, values=values, spectra_below_nll=self._spectra_below
            )
        )
        self._names, self._spectra_below = [], None

    def receive(self) -> pb.EvaluateResponse | None:
        """Waits for a message; None when the evaluator has ended the stream. Raises grpc.RpcError."""
        return next(self._call, None)

    def close(self) -> None:
        """Half-closes and cancels."""
        self._requests.put(None)
        self._call.cancel()


def _to_description(answer: pb.DescribeResponse) -> Description:
    observables = [
        Observable(
            clean(each.name), clean(each.unit), clean(each.code),
            (each.valid.low, each.valid.high) if each.HasField("valid") else None, _to_likelihood(each.likelihood),
        )
        for each in answer.observables
    ]  # fmt: skip
    return Description(
        clean(answer.backend), clean(answer.version, 2000),
        clean(answer.physics_digest), clean(answer.likelihood_digest),
        {each.name: (each.low, each.high) for each in answer.parameters}, tuple(observables),
        max(1, answer.concurrency), max(1, answer.max_batch),
    )  # fmt: skip


def _to_likelihood(likelihood: pb.Likelihood) -> Likelihood:
    name = _KINDS.get(likelihood.kind, "OFF")
    kind = Kind(name) if name in Kind.__members__ else Kind.OFF
    if kind is Kind.OFF:
        return Likelihood()
    return Likelihood(
        kind, likelihood.mean, likelihood.sigma, likelihood.lower, likelihood.upper, likelihood.log_scaling
    )


_KINDS = {number: name.removeprefix("LIKELIHOOD_KIND_") for name, number in pb.LikelihoodKind.items()}

_STATUS = {
    pb.STATUS_OK: Status.OK,
    pb.STATUS_INVALID: Status.INVALID,
    pb.STATUS_FAILED: Status.FAILED,
    pb.STATUS_TIMED_OUT: Status.TIMED_OUT,
    pb.STATUS_KILLED: Status.FAILED,  # for the last time
}


def _to_outcome(result: pb.Result, width: int) -> Outcome:
    """A result whose numbers can be trusted to be there: `width` observables, or none."""
    found = len(result.observables)
    warnings = [clean(each) for each in result.warnings[:20]]
    if result.status == pb.STATUS_OK and found == len(result.losses) == width and math.isfinite(result.nll):
        return Outcome(
            result.point_id, Status.OK, result.nll, result.observables, result.losses, result.seconds,
            "", "", warnings, (), result.spectra[:MOST_SPECTRA],
        )  # fmt: skip
    status, message = _STATUS.get(result.status, Status.FAILED), clean(result.message)
    if status is Status.OK:
        status, message = Status.FAILED, "the evaluator gave no finite NLL, or not every observable with its loss"
    if result.status == pb.STATUS_KILLED:
        message = f"killed from outside {MOST_ATTEMPTS} times: {message}"
    return Outcome(
        result.point_id, status, None, result.observables if found == width else (), (), result.seconds,
        clean(result.failed_code), message, warnings, list(result.missing),
    )  # fmt: skip


def clean(text: str, size: int = 500) -> str:
    """Text from the other side: bounded, and without control characters."""
    if text.isprintable() and len(text) <= size:
        return text
    return "".join(char if char.isprintable() else " " for char in text[:size])


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
