"""A link to one evaluator: its channel, its stream, its window, and the points that the evaluator has.

Each link has a thread that connects, asks for the description, and reads one message at a time, the next only after the
last was handled. This thread changes nothing in the link: it posts events, and the pool's thread does the rest.
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

from lodescan.v1 import evaluation_pb2 as pb
from proposer.evaluation.backend import Description
from proposer.evaluation.work import Work
from proposer.wire.asking import SIGN_OF_LIFE, Asking, has_died
from proposer.wire.calls import evaluate_call
from proposer.wire.elapsed import elapsed
from proposer.wire.events import Event, Gone, NoAnswer, Serving, Sign
from proposer.wire.health import watch_health
from proposer.wire.messages import to_concurrency
from proposer.wire.security import NotSecure, Security
from scanspec import Address

logging.getLogger("grpc").setLevel(logging.CRITICAL)  # gRPC prints tracebacks; our own messages explain errors

WINDOW_SECONDS = 1.0
"""Besides the point that it works on, a worker gets as many points as it finishes in this time."""

MOST_EACH = 512
"""The most points per worker."""

MOST_AHEAD = 100_000
"""The most points without an answer at one evaluator, whatever it claims."""

KEEPALIVE = 30.0
"""Seconds of silence after which a connection is tested, to notice a dead machine. Evaluators allow 10 or more."""

REMEMBERED = 4.0
"""The time in seconds over which arriving points are counted."""

QUICK = 0.01
"""If points take less than this time in seconds, an evaluator that dies may lose the answers to many."""

FASTER = 4.0
"""A safety factor: points that may have begun are counted as if points took this many times less than usual."""

_OPTIONS = [
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.enable_http_proxy", 0),  # evaluators are not reached through a web proxy
    ("grpc.max_receive_message_length", 64 * 2**20),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
]

_CLOSE: Final = math.inf  # orders to a link's thread: end; a finite number: connect anew after this many seconds
_NEXT: Final = -1.0  # open the stream, or read the next message

Events = queue.SimpleQueue[tuple["Link | None", Any]]
"""The queue of events: an Event of a link, or an event of the pool itself (without a link)."""


class Link:
    """The link to the evaluator at one address: `peer`, or `address` as text. `out`: the points that the evaluator has,
    each with the time at which it was sent, by the clock `elapsed`.
    """

    def __init__(self, address: Address, events: Events, security: Security, *, name: str = "") -> None:
        """`name`: the name in the evaluator's certificate, if the address itself is not in it."""
        self.address = str(address)
        self.description: Description | None = None  # of the evaluator that is at the address now
        self.ready = False  # its stream is open
        self.draining = False  # it takes no more points
        self.why = ""  # why it does not describe itself
        self.unread = ""  # why its last message was not read
        self.strayed = False  # it has answered a point that it was not asked for
        self.breaks = 0  # broken streams in a row, without a result
        self.most: dict[int, int] = {}  # for some points: the most points that may be out together with them
        self.out: dict[int, float] = {}
        self.running: dict[int, float] = {}  # the points that its workers have, and when each began (time.monotonic)
        self.queued: dict[int, None] = {}
        self.heard = time.monotonic()
        self.longest = 0.0  # the longest point in seconds, by its own claim, but at most the time since the start
        self.seconds = math.nan  # of a point, a running mean
        self.last = 0.0  # seconds of a point of the last message, the mean of all: one alone may have been held up
        self._ran: list[float] = []  # seconds of the points of the message that is being read
        self._first = time.monotonic()
        self._busy = [0.0, 0.0]  # points answered, and the seconds that this took, while all workers had points
        self.peer, self._name, self._events, self._security = address, name, events, security
        self.options: list[tuple[str, Any]] = [*_OPTIONS, ("grpc.keepalive_time_ms", int(1000 * KEEPALIVE))]
        self.options += [("grpc.ssl_target_name_override", name)] if name else []
        self._orders: queue.SimpleQueue[float] = queue.SimpleQueue()
        self._requests: queue.SimpleQueue[pb.EvaluateRequest | None] = queue.SimpleQueue()
        self._first_words: pb.EvaluateRequest | None = None
        self.call: Any = None  # its stream
        self._asking: Asking | None = None
        self._sign_asked_at, self._no_signs = -math.inf, 0
        threading.Thread(target=self._run, name=f"link {self.address}", daemon=True).start()

    # Called in the pool's thread

    def open(self, first: pb.EvaluateRequest) -> None:
        """Opens the stream of points to the evaluator that has just described itself. `first` has the fields of the
        first message only.
        """
        self._requests, self._first_words, self.call = queue.SimpleQueue(), first, None
        self.ready, self.draining, self._no_signs = True, False, 0
        self._orders.put(_NEXT)

    def send(self, points: Sequence[int], work: Work) -> None:
        """Sends points."""
        now, most = elapsed(), self.description.max_batch if self.description is not None else len(points)
        if not self.out:
            self.heard = time.monotonic()
        for first in range(0, len(points), most):
            ids = list(points[first : first + most])
            values = [value for point in ids for value in work.rows[point]]
            request = pb.EvaluateRequest(point_ids=ids, values=values)
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
        """Asks the evaluator to cancel these points and return them; points that run are killed."""
        points = list(points)
        most = self.description.max_batch if self.description is not None else max(len(points), 1)
        for first in range(0, len(points), most):
            self._requests.put(pb.EvaluateRequest(cancel_point_ids=points[first : first + most]))

    def ask_back_waiting(self) -> None:
        """Asks the evaluator to return all points that have not begun."""
        self._requests.put(pb.EvaluateRequest(return_waiting=True))

    def ask_for_sign(self) -> None:
        """Asks the evaluator for a sign of life, which comes as an event, unless it was asked a moment ago."""
        if self._asking is not None and time.monotonic() >= self._sign_asked_at + SIGN_OF_LIFE:
            self._sign_asked_at = time.monotonic()
            self._asking.ask_for_sign(partial(self._tell_sign, self.call))

    def took_sign(self, sign: Sign) -> bool:
        """Notes whether the evaluator gave a sign of life; returns whether it has given none twice in a row."""
        if sign.call is self.call:
            self._no_signs = 0 if sign.answered else self._no_signs + 1
        return self._no_signs >= 2

    def read_next(self) -> None:
        """Lets the thread read the next message, because the last one was handled."""
        self._orders.put(_NEXT)

    def answer(self, point: int, seconds: float) -> None:
        """Notes that a point is answered, after `seconds` in its codes (negative: not run)."""
        del self.out[point]
        self.running.pop(point, None)
        self.queued.pop(point, None)
        self.most.pop(point, None)
        if seconds >= 0.0:
            self._ran.append(seconds)

    def took_up(self, answered: int, concurrency: int) -> None:
        """Notes that a message with `answered` points was handled. `concurrency`: the evaluator's present number of
        points at once, 0 if unchanged.
        """
        if self.description is not None and concurrency and concurrency != self.concurrency:
            self.description = replace(self.description, concurrency=to_concurrency(concurrency))
        now, ran = time.monotonic(), self._ran
        if ran:
            self.last, self._ran = sum(ran) / len(ran), []
            self.longest = max(self.longest, min(max(ran), now - self._first))
            for seconds in ran:
                self.seconds = seconds if math.isnan(self.seconds) else 0.9 * self.seconds + 0.1 * seconds
        if len(self.out) + answered > self.concurrency:
            self._busy = [self._busy[0] + answered, self._busy[1] + now - self.heard]
            if self._busy[1] > REMEMBERED:
                self._busy = [busy / 2.0 for busy in self._busy]
        self.heard = now
        self._fill()

    def points_in(self, seconds: float) -> float:
        """The number of points that its workers finish in `seconds`, plus one per worker; at first two per worker.

        It is not more than the observed rate allows, because the transport may take longer than the codes.
        """
        ahead = 1.0 if math.isnan(self.seconds) else seconds / max(self.seconds, 1e-6)
        points, took = self._busy
        seen = seconds * points / took if took > 0.0 else math.inf
        return self.concurrency + min(self.concurrency * ahead, max(seen, float(self.concurrency)))

    def _fill(self) -> None:
        """Moves points from `queued` to `running`: an evaluator works on its points in the order of sending."""
        if self.queued and (room := self.concurrency - len(self.running)) > 0:
            now = time.monotonic()
            for point in list(islice(self.queued, room)):
                del self.queued[point]
                self.running[point] = now

    def begun_by(self, at: float) -> list[int]:
        """The points that its workers may have begun by `at`, a time of time.monotonic. If points are quick, these are
        all that are out. Otherwise these are one per worker, and those that may have followed since the last message.
        """
        if not self.seconds >= QUICK:
            return list(self.out)
        if at < self.heard:  # these points were sent to its successor
            return []
        rounds = 1 + math.ceil(FASTER * (at - self.heard) / self.seconds)
        return list(islice(self.out, self.concurrency * rounds))

    def take_back(self) -> list[int]:
        """Removes all points from the link and returns them."""
        points = list(self.out)
        self.out, self.running, self.queued, self.most = {}, {}, {}, {}
        self.ready = False
        return points

    def leave(self, seconds: float) -> None:
        """Ends the stream, which cancels its points, and asks the evaluator again after `seconds`."""
        self.ready = False
        if self.call is not None:
            self.call.cancel()
        self._requests.put(None)
        self._orders.put(seconds)

    def ask_again(self, seconds: float) -> None:
        """Asks the evaluator again after `seconds`; no stream is open."""
        self.ready = False
        self._orders.put(seconds)

    def close(self) -> None:
        """Ends everything."""
        self.ready = False
        self._orders.put(_CLOSE)
        self._requests.put(None)
        if self.call is not None:
            self.call.cancel()

    @property
    def concurrency(self) -> int:
        """The number of points that the evaluator works on at once."""
        return self.description.concurrency if self.description is not None else 1

    @property
    def room(self) -> int:
        """The number of further points that may be sent now."""
        return self.room_below(self.window)

    def room_below(self, most: int) -> int:
        """The number of further points that may be sent now if at most `most` may be out."""
        return min(most, *self.most.values(), MOST_AHEAD) - len(self.out) if self.ready and not self.draining else 0

    @property
    def window(self) -> int:
        """The most points that may be out: one per worker, and those that the workers finish in WINDOW_SECONDS."""
        ahead = 0.0 if math.isnan(self.seconds) else WINDOW_SECONDS / max(self.seconds, 1e-6)
        return min(int(self.concurrency * min(1.0 + ahead, MOST_EACH)), MOST_AHEAD)

    @property
    def window_now(self) -> int:
        """The window if all points take as long as those of the last message."""
        seconds = max(self.last, 0.0 if math.isnan(self.seconds) else self.seconds, WINDOW_SECONDS / MOST_EACH)
        return math.ceil(self.concurrency * (1.0 + WINDOW_SECONDS / seconds))

    # Called in the link's own thread

    def _run(self) -> None:
        while True:
            try:
                channel = self._security.channel(self.peer, self.options)
            except NotSecure as error:  # for example, the files are being replaced at this moment
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
        """Waits; returns whether the link was closed meanwhile."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                if self._orders.get(timeout=left) == _CLOSE:
                    return True
            except queue.Empty:
                return False
        return False

    def _serve(self, channel: grpc.Channel) -> float:
        """Asks for the description, and streams when ordered to. Returns the order that ended it."""
        evaluate = evaluate_call(channel, self._note_unread)
        asking = self._asking = Asking(channel, self.peer, name=self._name, security=self._security)
        files = self._security.stamp()
        while True:
            self._post(described := asking.ask())
            while (order := self._orders.get()) != _NEXT:
                if order == _CLOSE or self._sleep(order):
                    return _CLOSE
                if self._security.stamp() != files:  # a channel cannot read them again
                    return 0.0
                self._post(described := asking.ask())
            self.unread = ""
            self.call = call = evaluate(iter(self._requests.get, None))
            if not self.ready:  # it was left, or closed, before it had a call that could be cancelled
                call.cancel()
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
            answer = None if error is None else asking.ask_at_last()
            self._post(Gone(error, not isinstance(answer, NoAnswer), has_died(described, answer), at))
            if (order := self._orders.get()) != _NEXT:
                return order

    def _note_unread(self, why: str) -> None:
        self.unread = why

    def _tell_sign(self, call: Any, answered: bool) -> None:
        self._post(Sign(call, answered))

    def _tell_serving(self, call: Any, takes_points: bool) -> None:
        self._post(Serving(call, takes_points))

    def _post(self, event: Event) -> None:
        self._events.put((self, event))
