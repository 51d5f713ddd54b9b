"""A link to one evaluator: its channel, its stream, its window, and the points that are out there.

A thread of each link connects, asks for the description and reads, one message at a time: the next only after the
last was taken up. It changes nothing of the link; it posts what happens, and the pool's thread does the rest.
"""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, Final

import grpc
import numpy as np

from lodescan.v1 import evaluation_pb2 as pb
from lodescan.v1 import evaluation_pb2_grpc as pb_grpc
from proposer.evaluation.backend import Description
from proposer.evaluation.work import Work
from proposer.wire.events import Event, Gone, NoAnswer, Serving
from proposer.wire.health import watch_health
from proposer.wire.messages import BadDescription, clean, to_concurrency, to_description
from proposer.wire.security import NotSecure, Security
from scanspec import Address

logging.getLogger("grpc").setLevel(logging.CRITICAL)  # it prints tracebacks; we say in words what is wrong

WINDOW_SECONDS = 1.0
"""A worker is given, beside the point that it works on, as many as it works off in this time."""

MOST_EACH = 512
"""The most points that a worker is given."""

MOST_AHEAD = 100_000
"""The most points without an answer that an evaluator is given, whatever it says of itself."""

KEEPALIVE = 30.0
"""Seconds of silence after which a connection is tested: a dead machine is noticed. Evaluators allow 10 or more."""

REMEMBERED = 4.0
"""Seconds over which the points that come are counted."""

LARGEST_DESCRIPTION = 2**22
"""Bytes; in memory a message of many small parts takes sixty times as much."""

ANSWERS = 5.0
"""Seconds within which an evaluator describes itself."""

AT_LAST = 2.0
"""Seconds in which a server that broke off a stream says that it is still there."""

PAUSE = 0.1
"""Seconds between two such questions."""

QUICK = 0.01
"""Seconds of a point below which answers to many may be lost with an evaluator."""

FASTER = 4.0
"""Points that may have begun are counted as if all took so many times less than usual."""

_OPTIONS = [
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.enable_http_proxy", 0),  # evaluators are not reached through a web proxy
    ("grpc.max_receive_message_length", 64 * 2**20),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
]

FATAL = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
)
"""Faults of the call itself, which no waiting mends."""

SILENT = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)  # nobody answers

NOBODY_LISTENS = ("Connection refused", "No such file or directory")
"""What gRPC says where a host, or the folder of a Unix socket, is there and no server is."""

_CLOSE: Final = math.inf  # an order to a link's thread: end; another number: connect anew after so many seconds
_NEXT: Final = -1.0  # open the stream, or read the next message

Events = queue.SimpleQueue[tuple["Link | None", Any]]
"""What happened: an Event of a link, or something of the pool's own."""


class Link:
    """The evaluator at one address. `out`: when each point was sent, in seconds since 1970."""

    def __init__(self, address: Address, events: Events, security: Security, *, name: str = "") -> None:
        """`name`: that the evaluator's certificate is for, where the address is none of its own."""
        self.address = str(address)
        self.description: Description | None = None  # of the evaluator that is there now
        self.ready = False  # its stream is open
        self.draining = False  # it takes no more points
        self.why = ""  # why it does not describe itself
        self.strayed = False  # it has answered a point that it was not asked for
        self.breaks = 0  # broken streams in a row, without a result
        self.most: dict[int, int] = {}  # how many points may be out while this one is, where there is a limit
        self.out: dict[int, float] = {}
        self.running: dict[int, float] = {}  # the points that its workers have, and when each began (time.monotonic)
        self.queued: dict[int, None] = {}
        self.heard = time.monotonic()
        self.longest = 0.0  # seconds of a point, as it says, but no more than have gone by
        self.seconds = math.nan  # of a point, a running mean
        self.last = 0.0  # seconds of a point of the last message, the mean of all: one alone may have been held up
        self._message = (0, 0.0)  # of the message that is being read: its points, and their seconds
        self._first = time.monotonic()
        self._busy = [0.0, 0.0]  # points answered, and the seconds that this took, while all workers had points
        self.place, self._events, self._security = address, events, security
        self.options: list[tuple[str, Any]] = [*_OPTIONS, ("grpc.keepalive_time_ms", int(1000 * KEEPALIVE))]
        if name:
            self.options.append(("grpc.ssl_target_name_override", name))
        self._orders: queue.SimpleQueue[float] = queue.SimpleQueue()
        self._requests: queue.SimpleQueue[pb.EvaluateRequest | None] = queue.SimpleQueue()
        self._first_words: pb.EvaluateRequest | None = None
        self.call: Any = None  # its stream
        self._reading = True
        threading.Thread(target=self._run, name=f"link {self.address}", daemon=True).start()

    # Called in the pool's thread

    def open(self, first: pb.EvaluateRequest) -> None:
        """Opens the stream of points to the evaluator that has just described itself; `first` is what its first message
        says of all points.
        """
        self._requests, self._first_words, self.call = queue.SimpleQueue(), first, None
        self.ready, self.draining = True, False
        self._orders.put(_NEXT)

    def send(self, points: Sequence[int], work: Work) -> None:
        """Sends points."""
        now, most = time.time(), self.description.max_batch if self.description is not None else len(points)
        if not self.out:
            self.heard = time.monotonic()
        for first in range(0, len(points), most):
            ids = list(points[first : first + most])
            request = pb.EvaluateRequest(point_ids=ids, values=np.concatenate([work.rows[point] for point in ids]))
            if work.batch_of is not None:
                request.batches.extend(map(work.batch_of, ids))
            if self._first_words is not None:
                request.MergeFrom(self._first_words)
                self._first_words = None
            self._requests.put(request)
        self.out.update(dict.fromkeys(points, now))
        self.queued.update(dict.fromkeys(points))
        self._fill()

    def ask_back(self, points: Collection[int]) -> None:
        """Asks that these points be returned, cancelled; those that run are killed."""
        points = list(points)
        most = self.description.max_batch if self.description is not None else max(len(points), 1)
        for first in range(0, len(points), most):
            self._requests.put(pb.EvaluateRequest(cancel_point_ids=points[first : first + most]))

    def ask_back_waiting(self) -> None:
        """Asks that all points be returned that have not begun."""
        self._requests.put(pb.EvaluateRequest(return_waiting=True))

    def read_next(self) -> None:
        """The last message is taken up."""
        self._orders.put(_NEXT)

    def answer(self, point: int, seconds: float) -> float:
        """A point that is out is answered, after so many seconds in its codes; returns when it was sent."""
        sent = self.out.pop(point)
        self.running.pop(point, None)
        self.queued.pop(point, None)
        self.most.pop(point, None)
        if seconds >= 0.0:
            self._message = self._message[0] + 1, self._message[1] + seconds
            self.longest = max(self.longest, min(seconds, time.monotonic() - self._first))
            self.seconds = seconds if math.isnan(self.seconds) else 0.9 * self.seconds + 0.1 * seconds
        return sent

    def took_up(self, answered: int, concurrency: int) -> None:
        """A message is taken up; it says how many points run at once by now, 0 where that is unchanged."""
        if self.description is not None and concurrency and concurrency != self.concurrency:
            self.description = replace(self.description, concurrency=to_concurrency(concurrency))
        now, (points, seconds) = time.monotonic(), self._message
        if points:
            self.last, self._message = seconds / points, (0, 0.0)
        if len(self.out) + answered > self.concurrency:
            self._busy = [self._busy[0] + answered, self._busy[1] + now - self.heard]
            if self._busy[1] > REMEMBERED:
                self._busy = [busy / 2.0 for busy in self._busy]
        self.heard = now
        self._fill()

    def points_in(self, seconds: float) -> float:
        """How many points its workers work off in that time, and one more each; at first twice as many as workers.

        No more than it was seen to: the way there and back may take longer than the codes.
        """
        ahead = 1.0 if math.isnan(self.seconds) else seconds / max(self.seconds, 1e-6)
        points, took = self._busy
        seen = seconds * points / took if took > 0.0 else math.inf
        return self.concurrency + min(self.concurrency * ahead, max(seen, float(self.concurrency)))

    def _fill(self) -> None:
        """An evaluator works off its points in the order of sending, as many at once as it says."""
        if self.queued and (room := self.concurrency - len(self.running)) > 0:
            now = time.monotonic()
            for point in list(islice(self.queued, room)):
                del self.queued[point]
                self.running[point] = now

    def begun_by(self, at: float) -> list[int]:
        """The points that its workers may have begun by the time `at`, of time.monotonic: all that are out where points
        are quick, else as many as workers, and those that may have followed since it was last heard.
        """
        if not self.seconds >= QUICK:
            return list(self.out)
        if at < self.heard:  # the points that are out were sent to its successor
            return []
        rounds = 1 + math.ceil(FASTER * (at - self.heard) / self.seconds)
        return list(islice(self.out, self.concurrency * rounds))

    def take_back(self) -> list[int]:
        """The points that were out there, which are out no longer."""
        points = list(self.out)
        self.out, self.running, self.queued, self.most = {}, {}, {}, {}
        self.ready = False
        return points

    def leave(self, seconds: float) -> None:
        """Ends the stream, whose points are cancelled, and asks the evaluator again after so many seconds."""
        self.ready = False
        if self.call is not None:
            self.call.cancel()
        self._requests.put(None)
        self._orders.put(seconds)

    def ask_again(self, seconds: float) -> None:
        """Asks the evaluator again after so many seconds; no stream is open."""
        self.ready = False
        self._orders.put(seconds)

    def close(self) -> None:
        """Ends everything."""
        self._orders.put(_CLOSE)
        self._requests.put(None)
        if self.call is not None:
            self.call.cancel()

    @property
    def concurrency(self) -> int:
        """How many points it works on at once."""
        return self.description.concurrency if self.description is not None else 1

    @property
    def room(self) -> int:
        """How many more points it may have."""
        return self.room_below(self.window)

    def room_below(self, most: int) -> int:
        """The same, where no more than so many may be out."""
        return min(most, *self.most.values(), MOST_AHEAD) - len(self.out) if self.ready and not self.draining else 0

    @property
    def window(self) -> int:
        """The most points that may be out: one for each worker, and those that it works off in WINDOW_SECONDS."""
        ahead = 0.0 if math.isnan(self.seconds) else WINDOW_SECONDS / max(self.seconds, 1e-6)
        return min(int(self.concurrency * min(1.0 + ahead, MOST_EACH)), MOST_AHEAD)

    @property
    def window_now(self) -> int:
        """The same, if all take as long as those of the last message did."""
        seconds = max(self.last, 0.0 if math.isnan(self.seconds) else self.seconds, WINDOW_SECONDS / MOST_EACH)
        return math.ceil(self.concurrency * (1.0 + WINDOW_SECONDS / seconds))

    # Called in the link's own thread

    def _run(self) -> None:
        while True:
            try:
                channel = self._security.channel(self.place, self.options)
            except NotSecure as error:  # for example, files that are being replaced at this moment
                self._post(NoAnswer("", str(error), may_mend=True))
                order = self._orders.get()
            else:
                try:
                    order = self._serve(channel)
                finally:
                    channel.close()
            if order == _CLOSE or self._sleep(order):
                return

    def _sleep(self, seconds: float) -> bool:
        """Whether it is closed meanwhile."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                if self._orders.get(timeout=left) == _CLOSE:
                    return True
            except queue.Empty:
                return False
        return False

    def _serve(self, channel: grpc.Channel) -> float:
        """Describes, and where it may, streams; returns the order that ended it."""
        stub = pb_grpc.EvaluationServiceStub(channel)
        name = pb.DESCRIPTOR.services_by_name["EvaluationService"].full_name
        describe = channel.unary_unary(
            f"/{name}/Describe",
            request_serializer=pb.DescribeRequest.SerializeToString,
            response_deserializer=_parse_description,
        )
        files = self._security.stamp()
        while True:
            self._post(described := self._ask(describe))
            while (order := self._orders.get()) != _NEXT:
                if order == _CLOSE or self._sleep(order):
                    return _CLOSE
                if self._security.stamp() != files:  # a channel cannot read them again
                    return 0.0
                self._post(described := self._ask(describe))
            self.call = call = stub.Evaluate(iter(self._requests.get, None))
            health = watch_health(channel, partial(self._tell_serving, call))
            error: grpc.RpcError | None = None
            order = _NEXT
            try:
                while order == _NEXT and (message := next(call, None)) is not None:
                    self._post(message)
                    order = self._orders.get()
            except grpc.RpcError as raised:
                error = raised
            at = time.monotonic()
            self._requests.put(None)
            health.cancel()
            if order != _NEXT:
                call.cancel()
                return order
            answer = None if error is None else self._ask_at_last(describe)
            self._post(Gone(error, not isinstance(answer, NoAnswer), _has_died(described, answer), at))
            if (order := self._orders.get()) != _NEXT:
                return order

    def _ask(self, describe: Any, timeout: float = ANSWERS) -> Description | NoAnswer:
        try:
            return to_description(describe(pb.DescribeRequest(), timeout=timeout))
        except BadDescription as error:
            return NoAnswer("", f"the evaluator at {self.address} cannot be used: {error}")
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                return NoAnswer(
                    "", f"the evaluator at {self.address} refuses the token: {details(error)}", may_mend=True
                )
            if error.code() in FATAL:
                return NoAnswer("", f"{self.address} does not speak lodescan's contract: {details(error)}")
            if error.code() in SILENT and (fault := self._security.fault(self.place)):
                return NoAnswer("", f"the evaluator at {self.address} cannot be asked: {fault}", may_mend=True)
            refused = any(word in (error.details() or "") for word in NOBODY_LISTENS)
            return NoAnswer("" if error.code() in SILENT else details(error), refused=refused)

    def _ask_at_last(self, describe: Any) -> Description | NoAnswer:
        """What is there now that a stream has broken. The first answer may still come from the broken connection."""
        end = time.monotonic() + AT_LAST
        while True:
            answer = self._ask(describe, max(end - time.monotonic(), PAUSE))
            if not isinstance(answer, NoAnswer) or answer.refused or answer.fault or time.monotonic() >= end:
                return answer
            time.sleep(PAUSE)

    def _tell_serving(self, call: Any, takes_points: bool) -> None:
        self._post(Serving(call, takes_points))

    def _post(self, event: Event) -> None:
        self._events.put((self, event))


def _has_died(before: Description | NoAnswer, now: Description | NoAnswer | None) -> bool:
    """Whether an evaluator is gone, by what was heard at its address before and is heard now."""
    if isinstance(now, NoAnswer):
        return now.refused
    names = [answer.instance for answer in (before, now) if isinstance(answer, Description)]
    return len(names) == 2 and all(names) and names[0] != names[1]


def _parse_description(data: bytes) -> pb.DescribeResponse:
    """Whatever it raises is INTERNAL to the caller."""
    if len(data) > LARGEST_DESCRIPTION:
        raise BadDescription("it is too large")
    return pb.DescribeResponse.FromString(data)


def details(error: grpc.RpcError) -> str:
    """What a server says of an error, clean; or its name."""
    return clean(error.details() or error.code().name)
