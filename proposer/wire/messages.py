"""Converts an evaluator's messages into the proposer's own values, bounded and clean, because they are
untrusted data.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lodescan.v1 import evaluation_pb2 as pb
from proposer.evaluation.backend import Description
from proposer.evaluation.work import MOST_TRIES
from proposer.types import OK, Floats, Observable, Outcome, Status
from scanspec import Kind, Likelihood
from scanspec.fields import parse
from scanspec.likelihoods import LARGEST_LOSS, NEEDS_MEAN_AND_SIGMA
from scanspec.terms import Term

MOST_SOURCES = 1000
"""The most sources of an evaluator that are read."""

MOST_NAMES = 10_000
"""The most parameters, observables or codes that an evaluator may describe."""

MOST_CONCURRENT = 16_384
"""The largest number of points at once that an evaluator may claim."""

MOST_IN_BATCH = 4096
"""The most points in one request, whatever an evaluator offers."""

MOST_SPECTRA = 20
"""The most spectrum files of a point that are kept."""

LARGEST_SPECTRA = 2**20
"""The most bytes of all spectrum files of a point, by the contract."""

MOST_WARNINGS = 20

LONGEST = 1e9
"""The longest credible time of a code, in seconds."""

CLOCKS_DIFFER = 10.0, 1.1
"""The codes of a point may take this many seconds more than, and this many times, the time for which it was out."""

LONGEST_CLOCK = 1e11
"""The latest credible time, in seconds since 1970."""

Came = tuple[str, float, float]
"""The address of a result's evaluator, and the times at which its point was sent and returned."""

Least = Sequence[tuple[float, float]]
"""See Description.least_losses."""

SUM = 1e-6
"""The tolerance for the difference between the NLL and the sum of the losses, relative to the sum of their magnitudes
(or to 1).
"""

TOGETHER = 8
"""The smallest number of results whose NLLs are checked together."""

_CAP = LARGEST_LOSS * (1.0 + SUM)

LARGEST_DESCRIPTION = 2**22
"""The most bytes of a description."""


class BadDescription(ValueError):
    """An evaluator's description of itself cannot be used; the message says why."""


def parse_description(data: bytes) -> pb.DescribeResponse:
    """Parses a description; gRPC turns any error here into INTERNAL."""
    if len(data) > LARGEST_DESCRIPTION:
        raise BadDescription("it is too large")
    return parse(pb.DescribeResponse, data)


def to_description(answer: pb.DescribeResponse) -> Description:
    """Converts the description of an evaluator. Raises BadDescription if it cannot be right."""
    for what, entries in (
        ("parameters", answer.parameters),
        ("observables", answer.observables),
        ("codes", answer.codes),
    ):
        if len(entries) > MOST_NAMES:
            raise BadDescription(f"it describes {len(entries):,} {what}, more than {MOST_NAMES:,}")
    terms = _to_terms(answer)
    observables = [
        Observable(
            clean(observable.name),
            clean(observable.unit),
            clean(observable.code),
            (observable.valid.low, observable.valid.high) if observable.HasField("valid") else None,
            _to_likelihood(observable),
            term=terms.get(position),
        )
        for position, observable in enumerate(answer.observables)
    ]
    parameters = [(clean(parameter.name), (parameter.low, parameter.high)) for parameter in answer.parameters]
    for what, names in (("parameter", [name for name, _ in parameters]), ("observable", [x.name for x in observables])):
        name, times = Counter(names).most_common(1)[0] if names else ("", 1)
        if times > 1:
            raise BadDescription(f"it describes the {what} {name!r} twice")
    longest = answer.longest_seconds
    return Description(
        backend=clean(answer.backend),
        version=clean(answer.version, 2000),
        physics_digest=clean(answer.physics_digest),
        likelihood_digest=clean(answer.likelihood_digest),
        parameters=dict(parameters),
        observables=tuple(observables),
        concurrency=to_concurrency(answer.concurrency),
        max_batch=min(max(1, answer.max_batch), MOST_IN_BATCH),
        codes=tuple(clean(code) for code in answer.codes),
        sources={clean(name): clean(value) for name, value in sorted(answer.sources.items())[:MOST_SOURCES]},
        calls=tuple((clean(call.code), clean(call.way), clean(call.called)) for call in answer.calls[:MOST_SOURCES]),
        longest=longest if 0.0 < longest <= LONGEST else math.inf,
        instance=clean(answer.instance),
    )


def to_concurrency(said: int) -> int:
    """The number of points that an evaluator works on at once, from its own claim, within bounds."""
    return min(max(1, said), MOST_CONCURRENT)


def _to_terms(answer: pb.DescribeResponse) -> dict[int, Term]:
    """The joint terms, by the position of the observable that is their value. Raises BadDescription."""
    found: dict[int, Term] = {}
    names = [clean(observable.name) for observable in answer.observables]
    for term in answer.joint_terms:
        positions = [term.observable, *term.arguments]
        if (
            max(positions) >= len(names)
            or len(set(positions)) < len(positions)
            or len(positions) < 2
            or term.observable in found
        ):
            raise BadDescription("it describes a joint term of observables that it does not give, or gives twice")
        if answer.observables[term.observable].likelihood.kind != pb.LIKELIHOOD_KIND_MINUSEXPUSER:
            raise BadDescription(f"{names[term.observable]!r} is a joint term, but its value is not its loss")
        try:
            found[term.observable] = Term.checked(term, names)
        except ValueError as error:
            raise BadDescription(f"{names[term.observable]!r} is {error}") from None
    return found


def _to_likelihood(observable: pb.Observable) -> Likelihood:
    """The likelihood of an observable. Raises BadDescription if its constants give no NLL."""
    likelihood = observable.likelihood
    name = _KINDS.get(likelihood.kind, "OFF")
    kind = Kind(name) if name in Kind.__members__ else Kind.OFF
    if kind is Kind.OFF:
        return Likelihood()
    mean, sigma = likelihood.mean, likelihood.sigma
    if kind in NEEDS_MEAN_AND_SIGMA and not (math.isfinite(mean) and 0.0 < sigma < math.inf):
        raise BadDescription(f"the likelihood of {clean(observable.name)!r} is {name} {mean:g} +- {sigma:g}")
    return Likelihood(
        kind,
        likelihood.mean,
        sigma=likelihood.sigma,
        lower=likelihood.lower,
        upper=likelihood.upper,
        log_scaling=likelihood.log_scaling,
    )


_KINDS = {number: name.removeprefix("LIKELIHOOD_KIND_") for name, number in pb.LikelihoodKind.items()}

_STATUS = {
    pb.STATUS_INVALID: Status.INVALID,
    pb.STATUS_FAILED: Status.FAILED,
    pb.STATUS_TIMED_OUT: Status.TIMED_OUT,
    pb.STATUS_KILLED: Status.FAILED,  # it was killed at its last try
}


Numbers = tuple[list[float], list[float], bool]
"""The observables and losses of a result, and whether they are known to be complete and consistent. Of too many
numbers, one more than allowed is kept, so that this is seen later.
"""


def numbers_of(results: Sequence[pb.Result], least: Least) -> list[Numbers]:
    """The numbers of results. All are checked together, because checking each takes as long as storing it."""
    width = len(least)
    found = [(result.observables[: width + 1], result.losses[: width + 1]) for result in results]  # as lists
    whole = [
        number
        for number, (result, (observables, losses)) in enumerate(zip(results, found, strict=True))
        if len(observables) == len(losses) == width and result.HasField("nll")
    ]
    sound = set[int]()
    if width and len(whole) >= TOGETHER:
        table = np.array([[*found[number][0], *found[number][1], results[number].nll] for number in whole])
        sound.update(whole[row] for row in np.flatnonzero(_are_sound(table, least)).tolist())
    return [(*lists, number in sound) for number, lists in enumerate(found)]


def _are_sound(table: Floats, least: Least) -> NDArray[np.bool_]:
    """The check of `_fault_of_nll` for many results. `table`: observables, losses, NLL; shape (n, 2 m + 1)."""
    width = len(least)
    values, losses, nlls = table[:, :width], table[:, width:-1], table[:, -1]
    bounds = np.array(least)
    with np.errstate(all="ignore"):
        bound = np.where(np.isfinite(values), bounds[:, 0], bounds[:, 1])
        sizes = np.abs(losses).sum(axis=1)
        possible = (np.abs(losses) <= _CAP) & (losses >= bound - SUM * np.maximum(1.0, np.abs(bound)))
        adds_up = np.abs(nlls - losses.sum(axis=1)) <= SUM * np.maximum(1.0, sizes)
    return np.asarray(possible.all(axis=1) & adds_up)


def to_outcome(result: pb.Result, numbers: Numbers, least: Least, *, codes: int, came: Came) -> Outcome:
    """Converts a result into an Outcome with the right numbers of values: as many observables as `least` has, or none,
    and the seconds of at most `codes` codes. An OK point with inconsistent numbers becomes FAILED, with a message.
    """
    (evaluator, sent, returned), width = came, len(least)
    begun = result.begun_at
    if not 0.0 < begun < LONGEST_CLOCK:
        begun = math.nan
    observables, losses, is_sound = numbers
    complete = len(observables) == width
    seconds = _to_seconds(result.seconds[:codes], returned - sent)
    warnings: Sequence[str] = [clean(warning) for warning in result.warnings[:MOST_WARNINGS]] if result.warnings else ()
    if result.status == pb.STATUS_OK:
        fault = "" if complete and len(losses) == width else "not every observable with its loss"
        if not (fault or is_sound):
            fault = _fault_of_nll(result, observables, losses, least)
        if not fault:
            spectra, warnings = _to_spectra(result, warnings)
            return Outcome.__new__(  # half the time of `Outcome(...)`, which collects the keywords first
                Outcome,
                id=result.point_id,
                status=OK,
                nll=result.nll,
                observables=observables,
                losses=losses,
                seconds=seconds,
                warnings=warnings,
                spectra=spectra,
                evaluator=evaluator,
                sent=sent,
                begun=begun,
                returned=returned,
            )
        status, message = Status.FAILED, f"the evaluator gave {fault}"
    elif result.status in _STATUS:
        status, message = _STATUS[result.status], clean(result.message)
    else:
        status = Status.FAILED
        message = f"the evaluator gave a status that the contract does not have, {result.status}"
    if result.status == pb.STATUS_KILLED:
        message = f"killed from outside {MOST_TRIES} times: {message}"
    missing = sorted({column for column in result.missing[:width] if column < width}) if complete else ()
    return Outcome(
        id=result.point_id,
        status=status,
        observables=observables if complete else (),
        seconds=seconds,
        failed_code=clean(result.failed_code),
        message=message,
        warnings=warnings,
        missing=missing,
        evaluator=evaluator,
        sent=sent,
        begun=begun,
        returned=returned,
    )


def _fault_of_nll(result: pb.Result, observables: list[float], losses: list[float], least: Least) -> str:
    """What is wrong with the NLL of a point that is called OK; empty if nothing is."""
    if not result.HasField("nll"):
        return "no NLL for a point that is OK"
    size = sum(map(abs, losses))
    if not (math.isfinite(size) and all(-_CAP <= loss <= _CAP for loss in losses)):
        return f"a loss that is not from -{LARGEST_LOSS:.6g} to {LARGEST_LOSS:.6g}"
    for value, loss, bounds in zip(observables, losses, least, strict=True):
        bound = bounds[0] if math.isfinite(value) else bounds[1]
        if loss < bound - SUM * max(1.0, abs(bound)):
            what = f"the loss {loss:.9g} of an observable that is {value:.9g}"
            return f"{what}: its likelihood gives none below {bound:.6g}"
    if not abs(result.nll - math.fsum(losses)) <= SUM * max(1.0, size):
        return f"the NLL {result.nll:.9g}, but its losses add up to {math.fsum(losses):.9g}"
    return ""


def _to_seconds(seconds: list[float], out: float) -> list[float]:
    """Replaces impossible times by 0, and scales all down if the codes claim to have run for much longer than the point
    was `out`, in seconds, because both would spoil sums and means.
    """
    more, times = CLOCKS_DIFFER
    most = more + times * max(out, 0.0)
    if not seconds or (sum(seconds) <= most and min(seconds) >= 0.0):  # no NaN is among them, or the sum would be one
        return seconds
    seconds = [value if 0.0 <= value <= LONGEST else 0.0 for value in seconds]
    total = sum(seconds)
    return seconds if total <= most else [value * most / total for value in seconds]


def _to_spectra(result: pb.Result, warnings: Sequence[str]) -> tuple[Sequence[bytes], Sequence[str]]:
    """The spectrum files and the warnings; no files and one more warning if they are larger than the
    contract allows.
    """
    if not result.spectra:
        return (), warnings
    spectra = result.spectra[:MOST_SPECTRA]
    if sum(map(len, spectra)) <= LARGEST_SPECTRA:
        return spectra, warnings
    what = f"its spectrum files are larger than {LARGEST_SPECTRA >> 20} MiB and were not kept"
    return (), [*warnings[: MOST_WARNINGS - 1], what]


def clean(text: str, size: int = 500) -> str:
    """Text of an evaluator, without control characters and with at most `size` characters."""
    if text.isprintable() and len(text) <= size:
        return text
    return "".join(char if char.isprintable() else " " for char in text[:size])
