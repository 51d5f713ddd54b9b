"""The gRPC server: batches of points in, results as they finish."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health
from grpc_reflection.v1alpha import reflection

from evaluator.chain import OK, Status
from evaluator.description import MAX_BATCH
from evaluator.executors.job import Job
from evaluator.executors.protocol import Executor
from evaluator.service.bounded import BoundedRequests
from evaluator.service.observers import Observer
from evaluator.service.security import Security, TokenGuard
from evaluator.service.stream import BadRequest, Stream, TooMuch
from lodescan.v1 import evaluation_pb2 as pb
from lodescan.v1 import evaluation_pb2_grpc as pb_grpc
from scanspec import Address, Likelihood, losses_and_nll
from scanspec.events import event

log = logging.getLogger(__name__)

MOST_UNANSWERED = 100_000
"""The most points that all streams together may have unanswered. Nobody is refused for it: a stream is not read on
while its own points and those of all would be more, so that one that comes later finds room. A stream that has no
points out is always read on; so it may be more by one batch of each stream.
"""

MOST_STREAMS = 64
"""The most calls of Evaluate at a time."""

MOST_CALLS = 4 * MOST_STREAMS
"""The most calls of any kind at a time over one connection; further ones wait in the client."""

SHORTEST_PING = 10.0
"""The shortest silence in seconds after which a client may test the connection again; a point may take an hour."""

HANDSHAKE = 10.0
"""Seconds within which a new connection must finish its handshake, because each connection holds an open file."""

MAX_RESULTS = 1024
"""The most results in one message."""

LAST_WORDS = 2.0
"""Seconds after the grace within which cancelled points must have been returned."""

_STATUS: dict[Status, Any] = {status: pb.Status.Value(f"STATUS_{status.name}") for status in Status}


class Stopping(BadRequest):
    """The evaluator is stopping."""

    code = grpc.StatusCode.UNAVAILABLE


class Evaluation(pb_grpc.EvaluationServiceServicer):
    """Answers Describe, Evaluate and Finish with one executor."""

    def __init__(
        self,
        executor: Executor,
        description: pb.DescribeResponse,
        likelihoods: list[Likelihood],
        on_finish: Callable[[], object] | None = None,
    ) -> None:
        """`on_finish` is called when a client has said that the scan is finished, and no stream is open; None: this
        evaluator outlives its scans. `observers` may be added before it serves.
        """
        self._executor = executor
        self._description = description
        self._likelihoods = likelihoods
        self._on_finish = on_finish
        self._finished = False
        self._stop_by: float | None = None
        self.observers: list[Observer] = []
        self.longest = 0.0
        """Seconds of the longest point so far."""
        self._last_asked = time.monotonic()
        self._streams: set[Stream] = set()
        self._room = asyncio.Event()  # points were answered: a stream that waits for room looks again

    @property
    def largest_request(self) -> int:
        """The most bytes of a request: MAX_BATCH ids, batches and rows of values, as many ids to cancel,
        and the names.
        """
        names = sum(len(parameter.name.encode()) + 10 for parameter in self._description.parameters)
        return 2**16 + names + MAX_BATCH * (30 + 8 * len(self._description.parameters))

    @property
    def waiting(self) -> int:
        """The number of points that no worker has begun; callable from any thread."""
        return sum(not job.begun_at for stream in [*self._streams] for job in [*stream.running.values()])

    @property
    def running(self) -> int:
        """The number of points that run; callable from any thread."""
        return sum(job.running for stream in [*self._streams] for job in [*stream.running.values()])

    async def room_for(self, stream: Stream, count: int) -> None:
        """Waits until a stream may have `count` more points; one that has none need not wait, or others that take each
        free place at once would keep it waiting for ever.
        """
        while stream.running:
            out = sum(len(other.running) for other in self._streams)
            if out + len(stream.running) + count <= MOST_UNANSWERED:
                return
            self._room.clear()
            await self._room.wait()

    async def Describe(self, request: pb.DescribeRequest, context: Any) -> pb.DescribeResponse:
        self._last_asked = time.monotonic()
        description = pb.DescribeResponse()
        description.CopyFrom(self._description)
        description.concurrency = max(self._executor.concurrency, 1)
        return description

    @property
    def seconds_alone(self) -> float:
        """Seconds since the last request of any client; 0.0 while a stream is open."""
        return 0.0 if self._streams else time.monotonic() - self._last_asked

    async def Finish(self, request: pb.FinishRequest, context: Any) -> pb.FinishResponse:
        ours = (self._description.physics_digest, self._description.likelihood_digest)
        if self._on_finish is None or (request.physics_digest, request.likelihood_digest) != ours:
            return pb.FinishResponse()
        self._finished = True
        self._end_if_finished()
        return pb.FinishResponse(ends=True)

    def _end_if_finished(self) -> None:
        if self._finished and not self._streams and self._on_finish is not None:
            self._on_finish()

    async def Evaluate(
        self, requests: AsyncIterator[pb.EvaluateRequest], context: Any
    ) -> AsyncIterator[pb.EvaluateResponse]:
        if self._stopping():
            _refuse(context, Stopping, "this evaluator is stopping; ask another one, or the next")
            return
        if len(self._streams) >= MOST_STREAMS:
            _refuse(context, TooMuch, f"{MOST_STREAMS} streams are open, as many as this evaluator serves")
            return
        stream = Stream(self._executor, self._description, self.room_for, lambda: 1.0 / max(1, len(self._streams)))
        self._streams.add(stream)
        peer = context.peer()  # read now, because at the end the call may be gone, and gRPC would read freed memory
        log.info("a stream of points begins, from %s", peer)
        event("stream", peer=peer, open=True)
        reader = stream.start(requests)
        response = pb.EvaluateResponse(
            physics_digest=self._description.physics_digest,
            likelihood_digest=self._description.likelihood_digest,
        )
        try:
            while True:
                await stream.wait(self._stop_by)
                over = reader.done() or self._stopping()  # first: what is read from here on is looked at next time
                if stream.fault is not None:
                    _refuse(context, *stream.fault)
                    return
                if reader.done() and not reader.cancelled():
                    reader.result()  # for example, the stream broke off
                left = len(stream.finished)  # what finishes while these are sent waits for others, as these have
                while left > 0:
                    finished = stream.take(min(left, MAX_RESULTS))
                    left -= len(finished)
                    self._room.set()
                    self.longest = max(self.longest, *(job.ended_at - job.begun_at for job in finished))
                    fill(response, self._likelihoods, finished)
                    self._show(finished, stream)
                    response.concurrency = self._executor.concurrency
                    yield response
                    response = pb.EvaluateResponse()
                if over and not stream.running and not stream.finished:
                    return
                if self._stop_by is not None:
                    stream.cancel(everything=time.monotonic() >= self._stop_by)
        finally:
            stream.take_no_more()
            stream.cancel(everything=True)
            self._streams.discard(stream)
            self._last_asked = time.monotonic()
            log.info("a stream of points from %s is over", peer)
            event("stream", run=stream.run, peer=peer, open=False)
            self._room.set()
            self._end_if_finished()

    def _show(self, finished: list[Job], stream: Stream) -> None:
        """Tells the observers, whose faults must cost no results."""
        for observe in self.observers:
            try:
                observe(finished, stream)
            except Exception:
                log.exception("%s failed at what it was told of points", getattr(observe, "__qualname__", observe))

    def _stopping(self) -> bool:
        return self._stop_by is not None

    def take_no_more(self, grace: float) -> None:
        """Lets no more points begin. Those that run have `grace` seconds to finish; the others are returned."""
        self._stop_by = time.monotonic() + grace
        for stream in self._streams:
            stream.take_no_more()
            stream.cancel(everything=False)
            stream.wake.set()

    async def ended(self) -> None:
        """Returns when every stream has ended, or a little after the grace."""
        assert self._stop_by is not None
        while self._streams and time.monotonic() < self._stop_by + LAST_WORDS:
            await asyncio.sleep(0.02)


def fill(response: pb.EvaluateResponse, likelihoods: list[Likelihood], finished: list[Job]) -> None:
    """Adds results to a response; the losses of all OK points are computed together."""
    good = [job.outcome.observables for job in finished if job.outcome.status is OK]
    losses, nlls = losses_and_nll(likelihoods, np.array(good)) if good else (np.empty((0, 0)), np.empty(0))
    scored = iter(zip(losses.tolist(), nlls.tolist(), strict=True))
    add = response.results.add
    for job in finished:
        outcome = job.outcome
        result = add()  # in place, because a message made with keywords would be copied
        result.point_id, result.status = job.point_id, _STATUS[outcome.status]
        if job.begun_at:
            result.begun_at, result.ended_at = job.begun_at, job.ended_at
        result.observables.extend(outcome.observables)
        result.seconds.extend(outcome.seconds)
        if outcome.status is OK:
            row, result.nll = next(scored)
            result.losses.extend(row)
        else:
            result.missing.extend(outcome.missing)
            result.failed_code, result.message = outcome.failed_code, outcome.message
        if outcome.warnings:
            result.warnings.extend(outcome.warnings)
        if outcome.spectra:
            result.spectra.extend(outcome.spectra)


def _refuse(context: Any, kind: type[BadRequest], why: str) -> None:
    """Sets the status with which a call ends.

    An exception or an abort would keep the request in memory for long, because the server holds its frames in a cycle.
    """
    context.set_code(kind.code)
    context.set_details(why)


class Server:
    """A server with the health service, bound but not started. It has reflection if it listens only on this machine.

    Raises OSError if it cannot listen at the address.
    """

    def __init__(self, evaluation: Evaluation, address: Address, security: Security | None = None) -> None:
        self._evaluation = evaluation
        options = [
            ("grpc.http2.min_ping_interval_without_data_ms", int(1000 * SHORTEST_PING)),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.max_concurrent_streams", MOST_CALLS),
            ("grpc.server_handshake_timeout_ms", int(1000 * HANDSHAKE)),
            ("grpc.so_reuseport", 0),  # a second evaluator on the same address must fail, not share it
            ("grpc.max_receive_message_length", evaluation.largest_request),
        ]
        guards: list[grpc.aio.ServerInterceptor] = [BoundedRequests()]
        if security is not None and security.token_file is not None:
            guards.insert(0, TokenGuard(security.token_file))
        self._server = grpc.aio.server(options=options, interceptors=guards)
        pb_grpc.add_EvaluationServiceServicer_to_server(evaluation, self._server)
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if address.is_local:
            name = pb.DESCRIPTOR.services_by_name["EvaluationService"].full_name
            health_name = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
            reflection.enable_server_reflection((name, health_name, reflection.SERVICE_NAME), self._server)
        target = address.target if address.path else str(address)
        before = os.umask(0o077)  # so that only this user can use a Unix socket
        try:
            if security is None:
                self.port = self._server.add_insecure_port(target)
            else:
                self.port = self._server.add_secure_port(target, security.credentials())
        except RuntimeError as error:
            raise OSError(str(error)) from error
        finally:
            os.umask(before)
        if self.port == 0:
            raise OSError(f"the address {address} cannot be listened on")

    async def start(self) -> None:
        """Starts to answer."""
        await self._server.start()
        await self.set_serving(True)

    async def set_serving(self, serving: bool) -> None:
        """Tells clients of the health service whether points can be run at the moment."""
        status = health_pb2.HealthCheckResponse
        await self._health.set("", status.SERVING if serving else status.NOT_SERVING)

    async def stop(self, grace: float) -> None:
        """Takes no more points, returns what finishes within `grace` seconds, cancels the rest, ends."""
        self._evaluation.take_no_more(grace)  # first: whoever hears of the end can rely on it
        await self._health.enter_graceful_shutdown()
        await self._evaluation.ended()
        await self._server.stop(1.0)  # ends what is left: health watchers, streams of a client that does not read
