"""Asks an evaluator for its description, also to find out whether it is still there."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import grpc

from lodescan.v1 import evaluation_pb2 as pb
from proposer.evaluation.backend import Description
from proposer.wire.calls import describe_call
from proposer.wire.events import NoAnswer
from proposer.wire.messages import BadDescription, clean, to_description
from proposer.wire.security import Security
from scanspec import Address

ANSWERS = 5.0
"""The time in seconds in which an evaluator must describe itself."""

AT_LAST = 2.0
"""The time in seconds in which a server that broke off a stream must answer to count as alive."""

PAUSE = 0.1
"""Seconds between two attempts to reach it."""

SIGN_OF_LIFE = 2.0
"""The time in seconds for a sign of life. An evaluator that gives none twice in a row is suspended, or its network is
down: an evaluator whose workers are busy answers within milliseconds.
"""

FATAL = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
)
"""Errors of the call itself; waiting does not help."""

SILENT = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)  # no server answers

NOBODY_LISTENS = ("Connection refused", "No such file or directory")
"""gRPC's words if the host, or the folder of a Unix socket, exists but no server listens."""


class Asking:
    """Asks the evaluator at `address` over a channel. `name`: the name in its certificate, if the address is not."""

    def __init__(self, channel: grpc.Channel, address: Address, *, name: str, security: Security) -> None:
        self._describe: Any = describe_call(channel)
        self._address, self._name, self._security = address, name, security

    def ask(self, timeout: float = ANSWERS) -> Description | NoAnswer:
        """Its description, or why there is none within `timeout` seconds."""
        try:
            return to_description(self._describe(pb.DescribeRequest(), timeout=timeout))
        except BadDescription as error:
            return NoAnswer("", f"the evaluator at {self._address} cannot be used: {error}")
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                return NoAnswer(
                    "", f"the evaluator at {self._address} refuses the token: {details(error)}", may_mend=True
                )
            if error.code() in FATAL:
                return NoAnswer("", f"{self._address} does not speak lodescan's contract: {details(error)}")
            if error.code() in SILENT and (fault := self._security.fault(self._address, self._name)):
                return NoAnswer("", f"the evaluator at {self._address} cannot be asked: {fault}", may_mend=True)
            refused = any(word in (error.details() or "") for word in NOBODY_LISTENS)
            return NoAnswer("" if error.code() in SILENT else details(error), refused=refused)

    def ask_at_last(self) -> Description | NoAnswer:
        """Asks after a stream has broken. The first answer may still come from the broken connection, so the evaluator
        is asked again.
        """
        end = time.monotonic() + AT_LAST
        while True:
            answer = self.ask(max(end - time.monotonic(), PAUSE))
            if not isinstance(answer, NoAnswer) or answer.refused or answer.fault or time.monotonic() >= end:
                return answer
            time.sleep(PAUSE)

    def ask_for_sign(self, tell: Callable[[bool], object]) -> None:
        """Does not wait: calls `tell` in another thread with whether there was a sign of life within SIGN_OF_LIFE."""
        call = self._describe.future(pb.DescribeRequest(), timeout=SIGN_OF_LIFE)
        call.add_done_callback(lambda ended: tell(ended.code() is not grpc.StatusCode.DEADLINE_EXCEEDED))


def has_died(before: Description | NoAnswer, now: Description | NoAnswer | None) -> bool:
    """Whether an evaluator has ended, from the answers at its address before and now."""
    if isinstance(now, NoAnswer):
        return now.refused
    names = [answer.instance for answer in (before, now) if isinstance(answer, Description)]
    return len(names) == 2 and all(names) and names[0] != names[1]


def details(error: grpc.RpcError) -> str:
    """A server's text for an error, cleaned, or the name of its code."""
    return clean(error.details() or error.code().name)
