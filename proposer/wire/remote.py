"""Talks to an evaluator: streams points, gathers results, sends again what is missing.

The only file of the proposer that imports grpc.
"""

from __future__ import annotations

import logging
import math
import queue
import shlex
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from lodescan.v1 import evaluation_pb2 as pb
from lodescan.v1 import evaluation_pb2_grpc as pb_grpc
from proposer.types import Outcome
from proposer.wire.messages import MOST_ATTEMPTS, BadDescription, Description, clean, to_description, to_outcome
from proposer.wire.patience import Patience
from proposer.wire.work import WOKEN, Events, Received, Work
from scanspec import DEFAULT_ADDRESS, Address, AddressError, LodescanError, UsageError, read_address

logging.getLogger("grpc").setLevel(logging.CRITICAL)  # its tracebacks of what cannot be read; we say it in words

WINDOW_SECONDS = 1.0
"""A worker is given as many points ahead as it works off in this time, at least 2 and at most 512."""

MOST_AHEAD = 100_000
"""The most points without an answer that an evaluator is given, and asked for, whatever it says of itself."""

SECONDS_OF_NAMELESS = 100
"""The most seconds of a point from an evaluator that does not name its codes."""

KEEPALIVE = 30.0
"""Seconds of silence after which a connection is tested. A point may be silent for an hour; a dead machine is noticed
in a minute. Not below what evaluators allow, 10 s."""

LARGEST_DESCRIPTION = 2**22
"""Bytes; in memory a message of many small parts takes sixty times as much."""

MOST_BREAKS = 20
"""An evaluator that breaks off this often without one result in between is given up."""

_OPTIONS = [
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


class NoEvaluator(LodescanError, RuntimeError):
    """No evaluator answered in time; the run can go on later."""

    exit_code = 3


class EvaluatorRefused(LodescanError, RuntimeError):
    """The evaluator answers, but cannot serve this scan; the message says why."""

    next_step = "start an evaluator of this version with the same scan file: `lodescan-evaluator serve FILE`"


class Evaluator:
    """The evaluator at one address, HOST:PORT or unix:PATH, in plain text.

    `say` is given a line when there is something to wait for. Points with an NLL below
    `spectra_below` come with their spectrum files. `file` is the scan file, for the command that
    starts an evaluator. Raises EvaluatorRefused for an address beyond this machine without `insecure`.
    """

    def __init__(
        self,
        address: str,
        *,
        insecure: bool,
        say: Callable[[str], None],
        spectra_below: float = -math.inf,
        file: Path = Path("scan.yaml"),
        keepalive: float = KEEPALIVE,
    ) -> None:
        try:
            where = read_address(address)
        except AddressError as error:
            raise UsageError(f"--evaluator {error}", next_step=error.next_step) from None
        if not insecure and not where.is_local:
            raise EvaluatorRefused(
                f"{address} is another machine, and the connection is plain text without a password",
                next_step="say --insecure on a private network",
            )
        self.address = address
        self._start_one = _command(where, file)
        self._say = say
        self._spectra_below = spectra_below
        options = [*_OPTIONS, ("grpc.keepalive_time_ms", int(1000 * keepalive))]
        self._channel = grpc.insecure_channel(where.target, options=options)
        self._stub = pb_grpc.EvaluationServiceStub(self._channel)
        name = pb.DESCRIPTOR.services_by_name["EvaluationService"].full_name
        self._describe = self._channel.unary_unary(
            f"/{name}/Describe",
            request_serializer=pb.DescribeRequest.SerializeToString,
            response_deserializer=_parse_description,
        )
        self._stream: _Stream | None = None  # open, with nothing out
        self._seconds = math.nan  # of a point, a running mean
        self._first = time.monotonic()
        self._longest = 0.0  # seconds of a point, as it says, but no more than have gone by
        self._strays_told = False

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
                return to_description(self._describe(pb.DescribeRequest(), timeout=5.0))
            except BadDescription as error:
                raise EvaluatorRefused(f"the evaluator at {self.address} cannot be used: {error}") from None
            except grpc.RpcError as error:
                if error.code() in _FATAL:
                    raise EvaluatorRefused(
                        f"{self.address} does not speak lodescan's contract: {_details(error)}"
                    ) from None
                silent = error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
                why = "" if silent else f" in a way that can be understood ({_details(error)})"
            left = deadline - time.monotonic()
            if left <= 0:
                raise NoEvaluator(
                    f"no evaluator answers at {self.address}{why}",
                    next_step=f"start one with `{self._start_one}`, then give the same command again",
                )
            if not told:
                self._say(f"waiting for an evaluator at {self.address} (up to {wait:.0f} s)")
                told = True
            time.sleep(min(0.5, left))

    def evaluate(
        self, description: Description, names: list[str], work: Work, wait: float, until: float
    ) -> Generator[Received]:
        """Evaluates the points of `work`, whose columns are `names`; yields each message as it comes.

        Points may be added to `work` between two messages; `work.wake` gives an empty one at
        once. Every point is answered in the end, however often the connection breaks, unless
        the time `until` (of time.monotonic) comes first: then only what runs is waited for, and
        that only for a grace (see Patience). Raises NoEvaluator after `wait` seconds without one,
        or when it only breaks off, and EvaluatorRefused when another evaluator, with other digests,
        has taken the place.
        """
        breaks = 0
        while work.rows and (time.monotonic() < until):
            if breaks:
                try:
                    self._check_same(description, self.describe(min(wait, max(until - time.monotonic(), 0.0))))
                except NoEvaluator:
                    if time.monotonic() >= until:
                        return
                    raise
            if breaks > MOST_BREAKS:
                raise NoEvaluator(
                    f"the evaluator at {self.address} answers, but broke off {breaks} times before it gave a result",
                    next_step="see what it says (does a point end the whole evaluator?), then give the same command "
                    "again",
                )
            try:
                for received in self._work_off(description, names, work, until):
                    breaks = 0 if received.outcomes or received.killed else breaks
                    yield received
                breaks += 1  # if points are left, the evaluator has ended the stream
            except grpc.RpcError as error:
                if error.code() in _FATAL or error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                    raise EvaluatorRefused(f"{self.address} refused the points: {_details(error)}") from None
                if not breaks:
                    lost = f"lost the evaluator at {self.address} ({error.code().name.lower()})"
                    self._say(f"{lost}; its points will be sent again")
                breaks += 1
                time.sleep(0.2)

    def _work_off(self, description: Description, names: list[str], work: Work, until: float) -> Generator[Received]:
        """Sends as many points ahead as the window allows, until each is answered or the stream ends."""
        out: set[int] = set()  # the points of this stream without an answer
        patience = Patience(self.address, until, self._say)
        last = False
        work.start_again()
        stream, self._stream = self._stream or _Stream(self._stub, names, self._spectra_below), None
        try:
            while True:
                if time.monotonic() >= until:
                    work.waiting.clear()
                    if out and not last:
                        last = True
                        stream.send_last()
                while (room := min(self._window(description) - len(out), description.max_batch, len(work.waiting))) > 0:
                    ids = [work.waiting.popleft() for _ in range(room)]
                    stream.send(ids, np.concatenate([work.rows[each] for each in ids]))
                    out.update(ids)
                if not out:
                    self._stream = stream
                    return
                if patience.is_over(out, self._longest):
                    return
                response = stream.receive(work.events, patience.left())
                if response is WOKEN:
                    yield Received([], [])
                    continue
                if response is None:
                    return
                if response.physics_digest:
                    self._check_digests(description, response.physics_digest, response.likelihood_digest)
                before = len(out)
                received = self._sort(response, description, work, out)
                if len(out) < before:
                    patience.heard()
                yield received
        finally:
            if self._stream is None:
                stream.close()

    def _sort(self, response: pb.EvaluateResponse, description: Description, work: Work, out: set[int]) -> Received:
        """The answers to points that are `out`, which they are no longer; other ones are nobody's."""
        outcomes: list[Outcome] = []
        killed: list[int] = []
        width, codes = len(description.observables), len(description.codes) or SECONDS_OF_NAMELESS
        busy, gone_by = 0.0, time.monotonic() - self._first
        for result in response.results:
            point = result.point_id
            if point not in out:
                self._tell_stray(point)
                continue
            out.discard(point)
            if result.status == pb.STATUS_CANCELLED:
                continue  # the evaluator is going away: the next stream sends it again
            if result.status == pb.STATUS_KILLED:
                killed.append(point)
                if work.killed(point) < MOST_ATTEMPTS:
                    work.waiting.append(point)
                    continue
            outcome = to_outcome(result, width, codes)
            outcomes.append(outcome)
            del work.rows[point]
            seconds = sum(outcome.seconds)
            self._longest = max(self._longest, min(seconds, gone_by))
            busy += seconds
        if outcomes:
            seconds, old = busy / len(outcomes), 0.9 ** len(outcomes)
            self._seconds = seconds if math.isnan(self._seconds) else old * self._seconds + (1.0 - old) * seconds
        return Received(outcomes, killed)

    def _tell_stray(self, point: int) -> None:
        if not self._strays_told:
            self._strays_told = True
            self._say(
                f"the evaluator at {self.address} answers points that it was not asked, or answers them twice "
                f"(point {point}): such answers are left out; `lodescan-conformance` tells what is wrong with it"
            )

    def points_in(self, seconds: float, description: Description) -> int:
        """How many points its workers work off in that time, and one more for each; twice as many as workers at first,
        when nobody knows how long a point takes."""
        ahead = 1.0 if math.isnan(self._seconds) else seconds / max(self._seconds, 1e-6)
        return math.ceil(min(description.concurrency * (1.0 + ahead), MOST_AHEAD))

    def _window(self, description: Description) -> int:
        ahead = 2.0 if math.isnan(self._seconds) else WINDOW_SECONDS / max(self._seconds, 1e-6)
        return min(description.concurrency * int(min(max(ahead, 2), 512)), MOST_AHEAD)

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
                f"the evaluator at {self.address} now has another {' and '.join(changed)} than this run started with",
                next_step="start the old one again, or begin a new run (what was evaluated is kept)",
            )


class _Stream:
    """One call of Evaluate. It stays open from batch to batch: to open one costs as much as fifty points.

    A thread reads from it, one message at a time: the next only after the last was taken up.
    """

    def __init__(self, stub: pb_grpc.EvaluationServiceStub, names: list[str], spectra_below: float) -> None:
        self._names = names
        self._spectra_below = spectra_below if spectra_below > -math.inf else None
        self._requests: queue.SimpleQueue[pb.EvaluateRequest | None] = queue.SimpleQueue()
        self._call = stub.Evaluate(iter(self._requests.get, None))
        self._wanted: queue.SimpleQueue[Events | None] = queue.SimpleQueue()
        self._reading = False
        threading.Thread(target=self._read, name="results", daemon=True).start()

    def send(self, ids: list[int], values: np.ndarray) -> None:
        """Sends points; the first message names the parameters."""
        self._requests.put(
            pb.EvaluateRequest(
                parameters=self._names, point_ids=ids, values=values, spectra_below_nll=self._spectra_below
            )
        )
        self._names, self._spectra_below = [], None

    def send_last(self) -> None:
        """Asks for the points that have not begun to be returned, cancelled."""
        self._requests.put(pb.EvaluateRequest(return_waiting=True))

    def receive(self, events: Events, seconds: float) -> Any:
        """The next message, or WOKEN, also when so many seconds have gone by; None when the evaluator has ended the
        stream. Raises grpc.RpcError.
        """
        if not self._reading:
            self._reading = True
            self._wanted.put(events)
        while True:
            try:
                stream, event = events.get(timeout=seconds)
            except queue.Empty:
                return WOKEN
            if event is WOKEN:
                return WOKEN
            if stream is self:
                break
        self._reading = False
        if isinstance(event, grpc.RpcError):
            raise event
        return event

    def _read(self) -> None:
        while (events := self._wanted.get()) is not None:
            try:
                events.put((self, next(self._call, None)))
            except grpc.RpcError as error:
                events.put((self, error))

    def close(self) -> None:
        """Half-closes and cancels."""
        self._requests.put(None)
        self._wanted.put(None)
        self._call.cancel()


def _parse_description(data: bytes) -> pb.DescribeResponse:
    """Whatever it raises is INTERNAL to the caller."""
    if len(data) > LARGEST_DESCRIPTION:
        raise BadDescription("it is too large")
    return pb.DescribeResponse.FromString(data)


def _details(error: grpc.RpcError) -> str:
    return clean(error.details() or error.code().name)


def _command(address: Address, file: Path) -> str:
    """The command that starts an evaluator which listens there."""
    command = f"lodescan-evaluator serve {shlex.quote(str(file))}"
    if not address.is_local:
        return f"{command} --listen 0.0.0.0:{address.port} --insecure"
    return command if str(address) == DEFAULT_ADDRESS else f"{command} --listen {shlex.quote(str(address))}"
