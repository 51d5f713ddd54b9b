"""An evaluator that answers, but never gives a result: a real server that breaks off every stream."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest

from lodescan.v1 import evaluation_pb2 as pb
from lodescan.v1 import evaluation_pb2_grpc as pb_grpc
from proposer.evaluators import MOST_BREAKS, Evaluator, NoEvaluator
from proposer.rows import Pending
from proposer.work import Work


class Breaking(pb_grpc.EvaluationServiceServicer):
    """Describes itself; every stream of points ends with UNAVAILABLE, or without a result."""

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


@pytest.mark.slow
@pytest.mark.parametrize("politely", [False, True])
def test_an_evaluator_that_only_breaks_off_is_given_up(politely: bool) -> None:
    servicer = Breaking(politely=politely)
    server = grpc.server(ThreadPoolExecutor(4))
    pb_grpc.add_EvaluationServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    said: list[str] = []
    evaluator = Evaluator(f"127.0.0.1:{port}", insecure=False, say=said.append)
    try:
        work = Work()
        work.add(Pending(np.array([1]), np.array([[0.5]]), np.array([0])), most=1)
        with pytest.raises(NoEvaluator, match="before it gave a result"):
            list(evaluator.evaluate(evaluator.describe(5.0), ["x"], work, 5.0, time.monotonic() + 60))
        assert servicer.streams == MOST_BREAKS + 1
    finally:
        evaluator.close()
        server.stop(None).wait()
