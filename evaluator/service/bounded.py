"""Bounds the memory that requests take, and refuses those that cannot be read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from lodescan.v1 import evaluation_pb2 as pb
from scanspec.fields import parse

_SERVICE = f"/{pb.DESCRIPTOR.services_by_name['EvaluationService'].full_name}/"

NO_MESSAGE = "a message does not follow the contract: its bytes cannot be read"


class BoundedRequests(grpc.aio.ServerInterceptor):
    """Refuses requests of Evaluate that would take far more memory than they have bytes; other requests are small. If
    another request cannot be parsed, the call ends with INVALID_ARGUMENT, and without a traceback of gRPC.
    """

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        handler = await continuation(handler_call_details)
        if handler is None or not handler_call_details.method.startswith(_SERVICE):
            return handler
        if handler.stream_stream is not None:
            return grpc.stream_stream_rpc_method_handler(
                handler.stream_stream,
                request_deserializer=partial(parse, pb.EvaluateRequest),
                response_serializer=handler.response_serializer,
            )
        return grpc.unary_unary_rpc_method_handler(
            partial(_answer, handler.unary_unary),
            request_deserializer=partial(_read, handler.request_deserializer),
            response_serializer=handler.response_serializer,
        )


def _read(deserialize: Callable[[bytes], Any], data: bytes) -> Any:
    """The request; None if it cannot be parsed."""
    try:
        return deserialize(data)
    except DecodeError:
        return None


async def _answer(answer: Callable[[Any, Any], Awaitable[Any]], request: Any, context: Any) -> Any:
    if request is None:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, NO_MESSAGE)
    return await answer(request, context)
