"""Bounds the memory that requests take, before they are parsed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import grpc

from lodescan.v1 import evaluation_pb2 as pb
from scanspec.fields import parse

_EVALUATE = f"/{pb.DESCRIPTOR.services_by_name['EvaluationService'].full_name}/Evaluate"


class BoundedRequests(grpc.aio.ServerInterceptor):
    """Refuses requests of Evaluate that would take far more memory than they have bytes. Other requests are small."""

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        handler = await continuation(handler_call_details)
        if handler is None or handler_call_details.method != _EVALUATE:
            return handler
        return grpc.stream_stream_rpc_method_handler(
            handler.stream_stream,
            request_deserializer=partial(parse, pb.EvaluateRequest),
            response_serializer=handler.response_serializer,
        )
