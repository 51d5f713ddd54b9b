"""A pool of real servers, and its messages."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest

from lodescan.v1 import evaluation_pb2 as pb
from proposer.evaluation.work import Work
from proposer.types import Outcome, Pending
from proposer.wire.pool import Pool
from tests.proposer.hostile import GAUSS, Honest, good, listening

DESCRIBED: dict[str, Any] = {
    "parameters": [pb.Parameter(name="x", low=0.0, high=1.0)],
    "observables": [pb.Observable(name="y", likelihood=GAUSS)],
}


def at_once(ids: list[int], rows: np.ndarray) -> Iterator[pb.EvaluateResponse]:
    yield pb.EvaluateResponse(results=[good(point, seconds=[0.01]) for point in ids])


def points(n: int, first: int = 1) -> Work:
    work = Work(["x"])
    work.add(Pending(np.arange(first, first + n), np.full((n, 1), 0.5), np.zeros(n, dtype=np.int64)), n)
    return work


def names(monkeypatch: pytest.MonkeyPatch, hosts: list[str]) -> None:
    """Lets the name `pool.test` stand for the present addresses in `hosts`."""
    look_up = socket.getaddrinfo

    def of_pool(name: Any, port: Any, *more: Any, **to: Any) -> list[Any]:
        here = hosts if name == "pool.test" else [name]  # links of earlier tests may still ask for other names
        return [entry for host in here for entry in look_up(host, port, *more, **to)]

    monkeypatch.setattr(socket, "getaddrinfo", of_pool)


class Pooled:
    """A pool of real servers, and its messages."""

    def __init__(
        self,
        opened: ExitStack,
        *servicers: Honest,
        places: tuple[str, ...] = (),
        **options: Any,
    ) -> None:
        self.servicers = servicers
        self.addresses = [opened.enter_context(listening(servicer)) for servicer in servicers]
        self.said: list[str] = []
        self.pool = Pool([*places, *self.addresses], say=self.said.append, **options)
        opened.callback(self.pool.close)

    def said_of(self, words: str) -> list[str]:
        return [line for line in self.said if words in line]

    def evaluate(self, work: Work, seconds: float = 20.0) -> list[Outcome]:
        self.pool.describe(5.0)
        found = self.pool.evaluate(work, wait=5.0, until=time.monotonic() + seconds)
        return sorted(outcome for received in found for outcome in received.outcomes)


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack
