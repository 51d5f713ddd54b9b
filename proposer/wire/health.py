"""Watches whether an evaluator takes points, by gRPC's standard health service; a draining evaluator may
return none.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import grpc

_WATCH = "/grpc.health.v1.Health/Watch"
_NOT_SERVING = b"\x08\x02"  # grpc.health.v1.HealthCheckResponse: field 1, value 2


def watch_health(channel: grpc.Channel, tell: Callable[[bool], object]) -> Any:
    """Tells `tell`, in a thread of its own, whether the evaluator takes points: now, and at each change.

    Returns the call of gRPC, which the caller has to cancel. For a server without this service, `tell` is never called.
    """
    watch = channel.unary_stream(_WATCH, request_serializer=bytes, response_deserializer=lambda data: data)
    call = watch(b"")

    def read() -> None:
        with contextlib.suppress(grpc.RpcError):
            for answer in call:
                tell(answer != _NOT_SERVING)

    threading.Thread(target=read, name="health", daemon=True).start()
    return call
