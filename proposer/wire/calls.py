"""The calls of the contract whose answers are bounded before they are parsed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from lodescan.v1 import evaluation_pb2 as pb
from proposer.wire.messages import parse_description
from scanspec.fields import TooManyFields, parse

_SERVICE = pb.DESCRIPTOR.services_by_name["EvaluationService"].full_name


def describe_call(channel: grpc.Channel) -> Any:
    """The call `Describe` over a channel, with an answer of bounded size."""
    return channel.unary_unary(
        f"/{_SERVICE}/Describe",
        request_serializer=pb.DescribeRequest.SerializeToString,
        response_deserializer=parse_description,
    )


def evaluate_call(channel: grpc.Channel, unread: Callable[[str], object]) -> Any:
    """The call `Evaluate` over a channel. If a message cannot be parsed, `unread` gets the reason, because gRPC reports
    only INTERNAL.
    """

    def read(data: bytes) -> pb.EvaluateResponse:
        try:
            return parse(pb.EvaluateResponse, data)
        except DecodeError as error:
            unread(str(error) if isinstance(error, TooManyFields) else "a message that cannot be read")
            raise

    return channel.stream_stream(
        f"/{_SERVICE}/Evaluate",
        request_serializer=pb.EvaluateRequest.SerializeToString,
        response_deserializer=read,
    )
