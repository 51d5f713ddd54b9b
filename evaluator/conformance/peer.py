"""The evaluator for the checks of the contract: its address, its description, and its answers."""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Sequence
from typing import Any

import grpc

from evaluator.commands.channel import PLAIN, open_channel
from lodescan.v1 import evaluation_pb2 as pb
from lodescan.v1 import evaluation_pb2_grpc as pb_grpc
from scanspec import read_address

LARGEST_MESSAGE = 32 * 2**20
"""The largest message that the checks send, in bytes. The check of a batch that is too large is skipped if its message
is larger.
"""

Row = list[float]


class Broken(AssertionError):
    """A rule of the contract that the evaluator breaks."""


class Peer:
    """The evaluator at an address, and its own description."""

    def __init__(self, address: str, timeout: float, options: argparse.Namespace = PLAIN) -> None:
        """`options` are those of `open_channel`. Raises AddressError, ConfigurationError, grpc.RpcError."""
        more = [("grpc.max_receive_message_length", 2 * LARGEST_MESSAGE)]
        self.channel = open_channel(read_address(address), options, more)
        self.stub: Any = pb_grpc.EvaluationServiceStub(self.channel)
        self.timeout = timeout
        self.description = self.describe()
        self.names = [parameter.name for parameter in self.description.parameters]

    def close(self) -> None:
        self.channel.close()

    def describe(self) -> pb.DescribeResponse:
        answer: pb.DescribeResponse = self.stub.Describe(pb.DescribeRequest(), timeout=self.timeout)
        return answer

    def points(self, count: int) -> list[Row]:
        """`count` points in the ranges, but not more than a batch may have. In an infinite range, they are near 0."""
        draw = random.Random(1)  # noqa: S311  # always the same points
        count = min(count, max(self.description.max_batch, 1))
        return [[_within(parameter, draw) for parameter in self.description.parameters] for _ in range(count)]

    def request(
        self, rows: Sequence[Row], ids: Sequence[int], names: Sequence[str] | None = None
    ) -> pb.EvaluateRequest:
        values = [value for row in rows for value in row]
        return pb.EvaluateRequest(parameters=self.names if names is None else names, point_ids=ids, values=values)

    def stream(self, *requests: pb.EvaluateRequest) -> list[pb.EvaluateResponse]:
        """All responses to these requests and a half-close. Raises grpc.RpcError, and Broken if the stream does not
        end.
        """
        count = sum(len(request.point_ids) for request in requests)
        try:
            return list(self.stub.Evaluate(iter(requests), timeout=self.timeout * max(1, count)))
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise Broken(f"the stream of {count} points did not end after it was half-closed") from None
            raise

    def results(self, *requests: pb.EvaluateRequest) -> list[pb.Result]:
        return [result for response in self.stream(*requests) for result in response.results]

    def code(self, *requests: pb.EvaluateRequest) -> grpc.StatusCode:
        """The gRPC status with which these requests end."""
        try:
            self.stream(*requests)
        except grpc.RpcError as error:
            code: grpc.StatusCode = error.code()
            return code
        return grpc.StatusCode.OK


def _within(parameter: pb.Parameter, draw: random.Random) -> float:
    low, high = parameter.low, parameter.high
    if math.isinf(low) or math.isinf(high):
        return min(max(draw.gauss(0.0, 1.0), low), high)
    return low + (high - low) * draw.random()


def promise(kept: bool, otherwise: str) -> None:
    """Raises Broken with the message `otherwise` unless `kept` is true."""
    if not kept:
        raise Broken(otherwise)
