"""What an evaluator says, as the proposer's own values: bounded and clean, because it is data from elsewhere."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lodescan.v1 import evaluation_pb2 as pb
from proposer.rows import Outcome
from proposer.strategies.base import Status
from scanspec import Kind, Likelihood

MOST_ATTEMPTS = 3
"""A point that was killed from outside this often has failed."""

MOST_SOURCES = 1000
"""The most sources of an evaluator that are looked at."""

MOST_SPECTRA = 20
"""The most spectrum files of a point that are kept."""


@dataclass(frozen=True)
class Observable:
    """An observable as the evaluator describes it; `valid` is its window, None when open."""

    name: str
    unit: str
    code: str
    valid: tuple[float, float] | None
    likelihood: Likelihood


@dataclass(frozen=True)
class Description:
    """What an evaluator says of itself. `parameters`: name to (low, high), in its own order.

    `codes` are in the order of an outcome's seconds; older evaluators do not name them. `sources`: what the physics
    digest was made of, each by its hash or version. `calls`: code, key and what it calls, of each code. Both are empty
    where the evaluator does not say.
    """

    backend: str
    version: str
    physics_digest: str
    likelihood_digest: str
    parameters: dict[str, tuple[float, float]]
    observables: tuple[Observable, ...]
    concurrency: int
    max_batch: int
    codes: tuple[str, ...]
    sources: dict[str, str]
    calls: tuple[tuple[str, str, str], ...] = ()


def to_description(answer: pb.DescribeResponse) -> Description:
    observables = [
        Observable(
            clean(each.name), clean(each.unit), clean(each.code),
            (each.valid.low, each.valid.high) if each.HasField("valid") else None, _to_likelihood(each.likelihood),
        )
        for each in answer.observables
    ]  # fmt: skip
    return Description(
        clean(answer.backend), clean(answer.version, 2000),
        clean(answer.physics_digest), clean(answer.likelihood_digest),
        {each.name: (each.low, each.high) for each in answer.parameters}, tuple(observables),
        max(1, answer.concurrency), max(1, answer.max_batch), tuple(clean(each) for each in answer.codes),
        {clean(name): clean(value) for name, value in sorted(answer.sources.items())[:MOST_SOURCES]},
        tuple((clean(each.code), clean(each.way), clean(each.called)) for each in answer.calls[:MOST_SOURCES]),
    )  # fmt: skip


def _to_likelihood(likelihood: pb.Likelihood) -> Likelihood:
    name = _KINDS.get(likelihood.kind, "OFF")
    kind = Kind(name) if name in Kind.__members__ else Kind.OFF
    if kind is Kind.OFF:
        return Likelihood()
    return Likelihood(
        kind, likelihood.mean, likelihood.sigma, likelihood.lower, likelihood.upper, likelihood.log_scaling
    )


_KINDS = {number: name.removeprefix("LIKELIHOOD_KIND_") for name, number in pb.LikelihoodKind.items()}

_STATUS = {
    pb.STATUS_OK: Status.OK,
    pb.STATUS_INVALID: Status.INVALID,
    pb.STATUS_FAILED: Status.FAILED,
    pb.STATUS_TIMED_OUT: Status.TIMED_OUT,
    pb.STATUS_KILLED: Status.FAILED,  # for the last time
}


def to_outcome(result: pb.Result, width: int) -> Outcome:
    """A result whose numbers can be trusted to be there: `width` observables, or none."""
    observables, losses, seconds = result.observables[:], result.losses[:], result.seconds[:]  # lists: quicker to read
    found = len(observables)
    warnings = [clean(each) for each in result.warnings[:20]] if result.warnings else ()
    if result.status == pb.STATUS_OK and found == len(losses) == width and math.isfinite(result.nll):
        return Outcome(
            result.point_id, Status.OK, result.nll, observables, losses, seconds,
            "", "", warnings, (), result.spectra[:MOST_SPECTRA] if result.spectra else (),
        )  # fmt: skip
    status, message = _STATUS.get(result.status, Status.FAILED), clean(result.message)
    if status is Status.OK:
        status, message = Status.FAILED, "the evaluator gave no finite NLL, or not every observable with its loss"
    if result.status == pb.STATUS_KILLED:
        message = f"killed from outside {MOST_ATTEMPTS} times: {message}"
    return Outcome(
        result.point_id, status, None, observables if found == width else (), (), seconds,
        clean(result.failed_code), message, warnings, list(result.missing),
    )  # fmt: skip


def clean(text: str, size: int = 500) -> str:
    """Text from the other side: bounded, and without control characters."""
    if text.isprintable() and len(text) <= size:
        return text
    return "".join(char if char.isprintable() else " " for char in text[:size])
