"""The points of one call of Evaluate, on their way through the executor."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import math
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import numpy as np
from google.protobuf.message import DecodeError

from evaluator.description import MAX_BATCH
from evaluator.executors.job import Job
from evaluator.executors.protocol import Executor
from evaluator.service.bounded import NO_MESSAGE
from lodescan.v1 import evaluation_pb2 as pb
from scanspec.fields import TooManyFields
from scanspec.raised import printable

LARGEST_MESSAGE = 2 * 2**20
"""A message with results of this many bytes takes no further points. So it stays below 4 MiB, which is the most that
gRPC accepts unless a client asks for more.
"""

MOST_HELD = 256 * 2**20
"""The most bytes of results that wait for their clients, of all streams together. If a client does not read, no more of
its points begin.
"""

COALESCE = 0.0025
"""The most seconds for which a result waits for others: a message of one costs as much as one of sixty."""

LINGER = 0.1
"""The same for quick points while the workers have enough others. With many evaluators on one machine, few points
finish in less time.
"""

SOON = 0.01
"""Seconds within which all points of a stream will have finished: then their results go together."""

QUICK = 0.01
"""Points that take less than this time in seconds are quick. The message of a slower point costs little compared with
the point, and a result that is sent cannot be lost.
"""

LONGEST_RUN = 200
"""Characters of a run's name that are kept."""

NAMED = 20
"""The most names that a message lists."""


class BadRequest(ValueError):
    """A fault of the whole call, and not of one of its points."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class TooMuch(BadRequest):
    """A batch, or the number of unanswered points, is larger than this evaluator accepts."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class Stream:
    """The points of one call: those that run, and those that have finished and wait to be sent."""

    def __init__(
        self,
        executor: Executor,
        description: pb.DescribeResponse,
        room_for: Callable[[Stream, int], Awaitable[None]],
        share: Callable[[], float] = lambda: 1.0,
    ) -> None:
        """`share`: the part of MOST_HELD that this stream may have."""
        self._executor, self._room_for, self._share = executor, room_for, share
        self._held, self._held_lock = 0, threading.Lock()  # bytes that have finished
        self._is_held_back = self._is_over = False
        self._names = [parameter.name for parameter in description.parameters]
        self._order: list[int] | None = None
        self._spectra_below = -math.inf
        self._loop = asyncio.get_running_loop()
        self._reader: asyncio.Task[None] | None = None
        self._signalled, self._enough = False, 1  # how many must have finished before the loop is woken
        self.wake = asyncio.Event()
        self.fault: tuple[type[BadRequest], str] | None = None
        """What was wrong with a request."""
        self.run, self.trace = "", 0
        """The run and the trace of the first message: see EvaluateRequest."""
        self.running: dict[int, Job] = {}
        self.finished: collections.deque[Job] = collections.deque()

    def start(self, requests: AsyncIterator[pb.EvaluateRequest]) -> asyncio.Task[None]:
        """Begins to read requests, until one is at fault or `take_no_more` is called; then the stream is woken."""
        self._reader = asyncio.create_task(self._read(requests))
        self._reader.add_done_callback(lambda _: self.wake.set())
        return self._reader

    def take_no_more(self) -> None:
        """Reads no further request: from now on, no point of this stream is submitted."""
        if self._reader is not None:
            self._reader.cancel()

    async def _read(self, requests: AsyncIterator[pb.EvaluateRequest]) -> None:
        # closed, because gRPC keeps an open one, and its last message, alive in a reference cycle
        messages: Any = aiter(requests)
        try:
            async with contextlib.aclosing(messages):
                async for request in messages:
                    if request.return_waiting:
                        self.cancel(everything=False)
                    self._check_counts(request)
                    for point_id in request.cancel_point_ids:
                        if (job := self.running.get(point_id)) is not None:
                            self._executor.cancel(job)
                    if request.point_ids:
                        await self._room_for(self, len(request.point_ids))
                        self._submit(self._points(request))
        except BadRequest as error:
            self.fault = type(error), str(error)
        except TooManyFields as error:
            self.fault = TooMuch, str(error)
        except DecodeError:
            self.fault = BadRequest, NO_MESSAGE

    def _check_counts(self, request: pb.EvaluateRequest) -> None:
        """Checks the counts. This comes first because it is cheap for any number of points."""
        if self._order is None:
            self._order = self._columns(request)
            if request.HasField("spectra_below_nll"):
                self._spectra_below = request.spectra_below_nll
            self.run, self.trace = printable(request.run[:LONGEST_RUN]), request.trace
        elif request.parameters and self._columns(request) != self._order:
            raise BadRequest("a later message has the parameters in another order than the first one of the stream")
        count, width = len(request.point_ids), len(self._order)
        if count > MAX_BATCH:
            raise TooMuch(f"a batch of {count} points is larger than {MAX_BATCH}")
        if len(request.cancel_point_ids) > MAX_BATCH:
            raise TooMuch(f"{len(request.cancel_point_ids)} points to cancel in a message are more than {MAX_BATCH}")
        if len(request.values) != count * width:
            raise BadRequest(
                f"{count} points of {width} parameters need {count * width} values, not {len(request.values)}"
            )
        if len(request.batches) not in (0, count):
            raise BadRequest(f"{count} points are of {count} batches, not of {len(request.batches)}")

    def _points(self, request: pb.EvaluateRequest) -> list[tuple[int, list[float], int]]:
        assert self._order is not None
        count = len(request.point_ids)
        values = np.fromiter(request.values, float, len(request.values)).reshape(count, -1)
        if not np.isfinite(values).all():
            row = int(np.argmin(np.isfinite(values).all(axis=1)))
            raise BadRequest(f"point {request.point_ids[row]} has a value that is not finite")
        ids = list(request.point_ids)
        if len(set(ids)) != count or not self.running.keys().isdisjoint(ids):
            raise BadRequest("a point_id is used twice on this stream")
        return list(zip(ids, values[:, self._order].tolist(), request.batches or [0] * count, strict=True))

    def _submit(self, points: list[tuple[int, list[float], int]]) -> None:
        jobs = {
            point: Job(point, row, self._spectra_below, self._done, self, batch=batch) for point, row, batch in points
        }
        self.running.update(jobs)
        self._executor.submit(*jobs.values())

    def _columns(self, request: pb.EvaluateRequest) -> list[int]:
        count = len(request.parameters)
        names = list(request.parameters[: max(NAMED, len(self._names))])
        if count != len(self._names) or sorted(names) != sorted(self._names):
            ours = _listed(self._names)
            raise BadRequest(f"the parameters are {_listed(names, count)}, but this evaluator has {ours}")
        return [names.index(name) for name in self._names]

    def _done(self, job: Job) -> None:
        # from a worker's thread; one wake-up serves all that finish before the loop runs
        job.size = _size(job)
        with self._held_lock:
            self._held += job.size
            if not (self._is_held_back or self._is_over) and self._held > MOST_HELD * self._share():
                self._is_held_back = True
                self._executor.queue.hold(self)
        self.finished.append(job)
        if not self._signalled and len(self.finished) >= self._enough:
            self._signalled = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        """Wakes the stream if enough have finished; since the signal, they may have been taken, or more be wanted."""
        self._signalled = False  # first: from here on, those that finish signal again
        if len(self.finished) >= self._enough:
            self._signalled = True
            self.wake.set()

    async def wait(self, until: float | None) -> None:
        """Waits until something has happened, or the time has come; then a moment more, so that results go together."""
        if until is None or self._is_over:  # no limit, or everything has been cancelled and only results can come
            await self.wake.wait()
        else:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.wake.wait(), until - time.monotonic())
        ahead = len(self.running) - len(self.finished) - self._executor.concurrency  # points that no worker has begun
        # the client should send more points when this many have finished
        half = len(self.finished) + max(ahead, 0) // 2
        start = self._loop.time()
        await self._until(len(self.running), COALESCE)
        finished = [*self.finished]  # a copy: workers add to it meanwhile
        if all(sum(job.outcome.seconds) < QUICK for job in finished):
            left = len(self.running) - len(finished)
            needed = left * (self._loop.time() - start) / max(len(finished), 1)  # at this pace, for all that is left
            if needed <= SOON:
                await self._until(len(self.running), 2.0 * needed)
            await self._until(half, LINGER)
        self._listen(1)

    async def _until(self, enough: int, most: float) -> None:
        """Waits until so many points have finished, or anything else has happened, for at most so many seconds."""
        self._listen(enough)
        if len(self.finished) < enough and self.fault is None:
            timer = self._loop.call_later(most, self.wake.set)
            await self.wake.wait()
            timer.cancel()

    def _listen(self, enough: int) -> None:
        """From now on `wake` tells when so many points have finished."""
        self.wake.clear()
        self._enough = enough
        self._signalled = False

    def take(self, limit: int) -> list[Job]:
        """Removes and returns up to `limit` finished points, or fewer if their results are large."""
        taken: list[Job] = []
        size = 0
        while self.finished and len(taken) < limit and size < LARGEST_MESSAGE:
            job = self.finished.popleft()
            del self.running[job.point_id]
            size += job.size
            taken.append(job)
        with self._held_lock:
            self._held -= size
            if self._is_held_back and self._held <= MOST_HELD * self._share() / 2:
                self._is_held_back = False
                self._executor.queue.release(self)
        return taken

    def cancel(self, *, everything: bool) -> None:
        """Cancels the points that wait; with `everything`, also those that run."""
        if everything:
            with self._held_lock:
                self._is_over = True
        # first: a job that a worker gives back from now on either is still in the queue at the end, or was cancelled
        self._executor.queue.drop(self)
        for job in list(self.running.values()):
            if everything:
                self._executor.cancel(job)
            else:
                job.cancel_waiting()
        if everything:
            self._executor.queue.release(self)


def _size(job: Job) -> int:
    """About the bytes of a result in memory; in a message it has fewer."""
    outcome = job.outcome
    size = 500 + 32 * len(outcome.observables) + len(outcome.message)
    if outcome.spectra or outcome.warnings:
        size += sum(map(len, outcome.spectra)) + sum(map(len, outcome.warnings))
    return size


def _listed(names: list[str], count: int | None = None) -> str:
    """Some names, and how many there are in all."""
    count = len(names) if count is None else count
    listed = ", ".join(names[:NAMED]) or "missing"
    return printable(listed) + (f" ... ({count} in all)" if count > NAMED else "")
