"""A real gRPC server that answers whatever a test wants, and the proposer's client for it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np

from lodescan.v1 import evaluation_pb2 as pb
from lodescan.v1 import evaluation_pb2_grpc as pb_grpc
from proposer.evaluation.work import Work
from proposer.types import Outcome, Pending
from proposer.wire.pool import Pool

GAUSS = pb.Likelihood(kind=pb.LIKELIHOOD_KIND_GAUSS, mean=0.0, sigma=1.0)
ONE = [pb.Parameter(name="x", low=0.0, high=1.0)]

Answer = Callable[[list[int]], Iterable[pb.EvaluateResponse]]
AnswerRows = Callable[[list[int], np.ndarray], Iterable[pb.EvaluateResponse]]


def good(point: int, **changes: Any) -> pb.Result:
    """A valid result of a point."""
    values: dict[str, Any] = {
        "point_id": point,
        "status": pb.STATUS_OK,
        "observables": [1.0],
        "losses": [0.5],
        "nll": 0.5,
        "seconds": [0.1],
    }
    return pb.Result(**{name: value for name, value in {**values, **changes}.items() if value is not None})


def message(*results: pb.Result) -> pb.EvaluateResponse:
    return pb.EvaluateResponse(physics_digest="a", likelihood_digest="b", results=results)


class Refusal(Exception):
    """An answer that ends the call with this status."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code = code


class Hostile(pb_grpc.EvaluationServiceServicer):
    """`answer` makes the responses to the ids of a request; `described` replaces fields of the description."""

    def __init__(self, answer: Answer, described: dict[str, Any]) -> None:
        self.answer, self.described = answer, described
        self.asked: list[int] = []
        self.returned = 0  # number of requests to return waiting points

    def Describe(self, request: Any, context: Any) -> pb.DescribeResponse:
        fields: dict[str, Any] = {
            "backend": "evil",
            "physics_digest": "a",
            "likelihood_digest": "b",
            "concurrency": 2,
            "max_batch": 10,
            "parameters": ONE,
            "observables": [pb.Observable(name="y", likelihood=GAUSS)],
            "codes": ["code"],
        }
        return pb.DescribeResponse(**{**fields, **self.described})

    def Evaluate(self, requests: Any, context: Any) -> Iterator[pb.EvaluateResponse]:
        for request in requests:
            self.asked += request.point_ids
            self.returned += request.return_waiting
            try:
                if request.point_ids:
                    yield from self.answer(list(request.point_ids))
            except Refusal as refusal:
                context.abort(refusal.code, str(refusal))


class Client:
    """The proposer's client; `said` collects the messages for the user."""

    def __init__(self, servicer: Hostile, port: int) -> None:
        self.servicer, self.said = servicer, list[str]()
        self.evaluator = Pool([f"127.0.0.1:{port}"], say=self.said.append)

    def outcomes(self, n: int, until: float) -> list[Outcome]:
        """The outcomes of n points in the order of their ids."""
        work = Work(["x"])
        self.evaluator.describe(5.0)
        work.add(Pending(np.arange(n), np.full((n, 1), 0.5), np.zeros(n, dtype=np.int64)), most=n)
        found = self.evaluator.evaluate(work, wait=5.0, until=until)
        return sorted(outcome for received in found for outcome in received.outcomes)


class Honest(pb_grpc.EvaluationServiceServicer):
    """`answer` makes the responses to ids and their values. Notes which points it was asked to give up."""

    def __init__(
        self, answer: Callable[[list[int], np.ndarray], Iterable[pb.EvaluateResponse]], described: Any
    ) -> None:
        self.answer, self.described = answer, described
        self.asked: list[int] = []
        self.given_up: list[int] = []

    def Describe(self, request: Any, context: Any) -> pb.DescribeResponse:
        fields = {
            "physics_digest": "a",
            "likelihood_digest": "b",
            "concurrency": 2,
            "max_batch": 100,
            "codes": ["code"],
        }
        return pb.DescribeResponse(**{**fields, **self.described})

    def Evaluate(self, requests: Any, context: Any) -> Iterator[pb.EvaluateResponse]:
        width = 0
        for request in requests:
            width = width or len(request.parameters)
            self.given_up += request.cancel_point_ids
            self.asked += request.point_ids
            if request.point_ids:
                yield from self.answer(list(request.point_ids), np.array(request.values).reshape(-1, width))


@contextlib.contextmanager
def listening(servicer: pb_grpc.EvaluationServiceServicer, port: int = 0, host: str = "127.0.0.1") -> Iterator[str]:
    """Starts a real server; gives its address."""
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    pb_grpc.add_EvaluationServiceServicer_to_server(servicer, server)
    if (watch := getattr(servicer, "Watch", None)) is not None:  # the health service, whose messages stay bytes
        handlers: dict[str, Any] = {"Watch": grpc.unary_stream_rpc_method_handler(watch)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", handlers),))
    port = server.add_insecure_port(f"{host}:{port}")
    server.start()
    try:
        yield f"{host}:{port}"
    finally:
        server.stop(None).wait()


@contextlib.contextmanager
def serving(answer: AnswerRows, servers: int, **described: Any) -> Iterator[Pool]:
    """Starts this number of real servers; gives the proposer's pool of them."""
    with contextlib.ExitStack() as opened:
        addresses = [opened.enter_context(listening(Honest(answer, described))) for _ in range(servers)]
        pool = Pool(addresses, say=print)
        opened.callback(pool.close)
        yield pool


@contextlib.contextmanager
def client_of(answer: Answer, **described: Any) -> Iterator[Client]:
    """Starts a real server; gives a client for it."""
    servicer = Hostile(answer, described)
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", -1)])
    pb_grpc.add_EvaluationServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    client = Client(servicer, port)
    try:
        yield client
    finally:
        client.evaluator.close()
        server.stop(None).wait()
