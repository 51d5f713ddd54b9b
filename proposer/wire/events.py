"""The events at a link to an evaluator, which its thread posts to the pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc

from lodescan.v1 import evaluation_pb2 as pb
from proposer.evaluation.backend import Description


@dataclass(frozen=True)
class Gone:
    """A stream has ended, by its server or with an error.

    `alive`: a server still answers at the address. `died`: the evaluator that had the points is gone, because no server
    or another one answers. `at`: the time of time.monotonic at which the stream ended.
    """

    error: grpc.RpcError | None
    alive: bool
    died: bool
    at: float


@dataclass(frozen=True)
class NoAnswer:
    """The evaluator did not describe itself. `fault`: what is wrong, if waiting does not help; if it `may_mend`, other
    files of certificates or tokens may help. `refused`: no server listens at the address.
    """

    why: str
    fault: str = ""
    may_mend: bool = False
    refused: bool = False


@dataclass(frozen=True)
class Serving:
    """Whether the evaluator of a stream takes points."""

    call: Any
    takes_points: bool


@dataclass(frozen=True)
class Sign:
    """Whether the evaluator of a stream has answered a question for a sign of life in time."""

    call: Any
    answered: bool


Event = Description | pb.EvaluateResponse | Gone | NoAnswer | Serving | Sign
