"""What happens at a link to an evaluator, as its thread tells the pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc

from lodescan.v1 import evaluation_pb2 as pb
from proposer.evaluation.backend import Description


@dataclass(frozen=True)
class Gone:
    """A stream has ended: by its server, or with an error.

    `alive`: a server answers all the same. `died`: not the one that had the points: nobody listens there, or another
    one does. `at`: when it ended, of time.monotonic.
    """

    error: grpc.RpcError | None
    alive: bool
    died: bool
    at: float


@dataclass(frozen=True)
class NoAnswer:
    """The evaluator did not describe itself; `fault` where it answers in a way that no waiting mends, but perhaps other
    files of certificates, where it `may_mend`. `refused`: nobody listens there.
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


Event = Description | pb.EvaluateResponse | Gone | NoAnswer | Serving
