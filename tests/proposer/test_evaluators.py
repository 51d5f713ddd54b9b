"""The client's side of a stream, with real servers that break it off, or count how many points are out."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest

from lodescan.v1 import evaluation_pb2 as pb
from lodescan.v1 import evaluation_pb2_grpc as pb_grpc
from proposer.evaluation.backend import NoEvaluator
from proposer.evaluation.work import Work
from proposer.types import Pending
from proposer.wire.attendance import MOST_BREAKS
from proposer.wire.pool import Pool


class Breaking(pb_grpc.EvaluationServiceServicer):
    """Describes itself, but ends every stream of points with UNAVAILABLE, or without a result."""

    def __init__(self, *, politely: bool) -> None:
        self.streams = 0
        self.politely = politely

    def Describe(self, request: Any, context: Any) -> pb.DescribeResponse:
        return pb.DescribeResponse(physics_digest="a", likelihood_digest="b", concurrency=1, max_batch=10)

    def Evaluate(self, requests: Any, context: Any) -> Iterator[pb.EvaluateResponse]:
        self.streams += 1
        if not self.politely:
            context.abort(grpc.StatusCode.UNAVAILABLE, "going away")
        yield pb.EvaluateResponse(physics_digest="a", likelihood_digest="b")


class Counting(pb_grpc.EvaluationServiceServicer):
    """Answers a point when the expected number is out, and notes whether more came."""

    def __init__(self, workers: int, seconds: float, expected: list[int]) -> None:
        self.workers, self.seconds, self.expected = workers, seconds, expected
        self.out: list[int] = []

    def Describe(self, request: Any, context: Any) -> pb.DescribeResponse:
        return pb.DescribeResponse(physics_digest="a", likelihood_digest="b", concurrency=self.workers, max_batch=1000)

    def Evaluate(self, requests: Any, context: Any) -> Iterator[pb.EvaluateResponse]:
        came: queue.SimpleQueue[int] = queue.SimpleQueue()

        def take() -> None:
            with contextlib.suppress(grpc.RpcError):  # the client may end the stream
                for request in requests:
                    for point in request.point_ids:
                        came.put(point)

        threading.Thread(target=take, daemon=True).start()
        out: list[int] = []
        for expected in self.expected:
            while (point := arrived(came, 20.0 if len(out) < expected else 0.1)) is not None:
                out.append(point)
            self.out.append(len(out))
            result = pb.Result(point_id=out.pop(0), status=pb.STATUS_OK, nll=0.0, seconds=[self.seconds])
            yield pb.EvaluateResponse(physics_digest="a", likelihood_digest="b", results=[result])


def arrived(came: queue.SimpleQueue[int], seconds: float) -> int | None:
    try:
        return came.get(timeout=seconds)
    except queue.Empty:
        return None


@contextlib.contextmanager
def client_of(servicer: pb_grpc.EvaluationServiceServicer) -> Iterator[Pool]:
    """Starts a real server; gives a client for it."""
    server = grpc.server(ThreadPoolExecutor(4))
    pb_grpc.add_EvaluationServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    evaluator = Pool([f"127.0.0.1:{port}"], say=print)
    try:
        yield evaluator
    finally:
        evaluator.close()
        server.stop(None).wait()


def points(n: int) -> Work:
    work = Work(["x"])
    work.add(Pending(np.arange(n), np.full((n, 1), 0.5), np.zeros(n, dtype=np.int64)), most=n)
    return work


@pytest.mark.slow
@pytest.mark.parametrize("politely", [False, True])
def test_an_evaluator_that_breaks_off_every_stream_is_given_up(politely: bool) -> None:
    servicer = Breaking(politely=politely)
    with client_of(servicer) as evaluator:
        evaluator.describe(5.0)
        with pytest.raises(NoEvaluator, match="before it gave a result"):
            list(evaluator.evaluate(points(1), wait=5.0, until=time.monotonic() + 60))
        assert servicer.streams == MOST_BREAKS + 1


@pytest.mark.parametrize(("seconds", "each"), [(10.0, 1.1), (0.4, 3.5), (0.0001, 512)])
def test_points_for_one_second_are_sent_ahead_to_a_worker(seconds: float, each: float) -> None:
    """None are sent ahead while the time of a point is unknown, because points that are out when an evaluator ends are
    computed twice.
    """
    window = int(3 * each)
    expected = [3, window, window, window]
    servicer = Counting(3, seconds, expected)
    with client_of(servicer) as evaluator:
        evaluator.describe(5.0)
        received = evaluator.evaluate(points(9000), wait=5.0, until=time.monotonic() + 60)
        for _ in expected:
            next(received)
        received.close()
    assert servicer.out == expected
