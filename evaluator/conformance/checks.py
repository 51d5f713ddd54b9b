"""The checks of the rules in proto/lodescan/v1/evaluation.proto. The name of a check is its rule.

The points are random points in the evaluator's ranges, and the same in every run.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc

from evaluator.conformance.peer import LARGEST_MESSAGE, Broken, Peer, promise
from lodescan.v1 import evaluation_pb2 as pb
from scanspec import Kind, Likelihood, losses_and_nll
from scanspec.likelihoods import LARGEST_LOSS, NEEDS_MEAN_AND_SIGMA
from scanspec.terms import Term, TermKind

POINTS = 8
"""Number of points in a batch."""

LARGEST_SPECTRA = 2**20
"""The largest total size of a point's spectrum files, in bytes."""

_NOT_ANSWERS = {pb.STATUS_KILLED, pb.STATUS_CANCELLED}


def describe_is_sane(peer: Peer) -> None:
    description = peer.description
    names, observables = peer.names, [spec.name for spec in description.observables]
    promise(bool(description.backend), "backend is empty")
    promise(bool(description.physics_digest) and bool(description.likelihood_digest), "a digest is empty")
    distinct = bool(names) and all(names) and len(set(names)) == len(names)
    promise(distinct, f"parameters are {names}: there are none, or a name is empty or repeated")
    promise(bool(observables) and all(observables), f"observables are {observables}")
    promise(len(set(observables)) == len(observables), f"the name of an observable is repeated: {observables}")
    promise(description.concurrency >= 1, "concurrency is 0")
    promise(description.max_batch >= 1, "max_batch is 0")
    promise(0 <= description.longest_seconds < math.inf, f"a point may take {description.longest_seconds} seconds")
    for parameter in description.parameters:
        promise(
            parameter.low <= parameter.high,
            f"parameter {parameter.name} has the range [{parameter.low}, {parameter.high}]",
        )
    for observable in description.observables:
        likelihood = _likelihood(observable)
        if likelihood.kind in NEEDS_MEAN_AND_SIGMA:
            finite = math.isfinite(likelihood.mean) and math.isfinite(likelihood.sigma)
            promise(finite and likelihood.sigma > 0, f"{observable.name} has no usable mean and sigma")
        if observable.HasField("valid"):
            promise(observable.valid.low <= observable.valid.high, f"the window of {observable.name} is empty")
    scored = [spec for spec in description.observables if spec.likelihood.kind != pb.LIKELIHOOD_KIND_OFF]
    promise(bool(scored), "no observable is in the likelihood, so every point would be good")


def describe_does_not_change(peer: Peer) -> None:
    promise(peer.describe() == peer.description, "two calls of Describe differ")


def health_is_serving(peer: Peer) -> None:
    stub: Any = health_pb2_grpc.HealthStub(peer.channel)
    try:
        answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=5.0)
    except grpc.RpcError as error:
        raise Broken(f"the standard health service does not answer ({error.code().name})") from None
    promise(answer.status == health_pb2.HealthCheckResponse.SERVING, "health says that it is not serving")


def the_first_response_carries_the_digests(peer: Peer) -> None:
    responses = peer.stream(peer.request(peer.points(1), [1]))
    promise(bool(responses), "no response at all")
    found = (responses[0].physics_digest, responses[0].likelihood_digest)
    wanted = (peer.description.physics_digest, peer.description.likelihood_digest)
    promise(found == wanted, "the digests in the first response are not those of Describe")


def every_id_is_answered_once(peer: Peer) -> None:
    rows = peer.points(POINTS)
    ids = [2**64 - 1 - 7 * number for number in range(len(rows))]
    found = sorted(result.point_id for result in peer.results(peer.request(rows, ids)))
    promise(found == sorted(ids), f"asked for the points {sorted(ids)}; the answers are {found}")


def a_stream_takes_several_batches(peer: Peer) -> None:
    row = peer.points(1)
    found = peer.results(peer.request(row, [10]), peer.request(row, [11], names=()))
    promise(sorted(result.point_id for result in found) == [10, 11], "a second batch, without names, was not answered")


def results_are_sound(peer: Peer) -> None:
    width, codes = len(peer.description.observables), len(peer.description.codes)
    for result in peer.results(_batch(peer)):
        promise(result.status != pb.STATUS_UNSPECIFIED, "a result has no status")
        promise(all(0 <= second < math.inf for second in result.seconds), f"seconds are {list(result.seconds)}")
        in_order = 0 <= result.begun_at <= result.ended_at < math.inf
        promise(in_order, f"a point began at {result.begun_at} and ended at {result.ended_at}")
        promise(
            not codes or len(result.seconds) <= codes, f"seconds of {len(result.seconds)} codes, but there are {codes}"
        )
        promise(
            len(result.observables) in ((width,) if result.status == pb.STATUS_OK else (0, width)),
            f"{len(result.observables)} observables, but Describe lists {width}",
        )
        promise(len(set(result.missing)) == len(result.missing), "a position is missing twice")
        promise(sum(map(len, result.spectra)) <= LARGEST_SPECTRA, "the spectrum files of a point have more than 1 MiB")
        absent = all(position < width and math.isnan(result.observables[position]) for position in result.missing)
        promise(absent, "a missing observable must be NaN at its position")
        if result.status != pb.STATUS_OK:
            promise(not result.HasField("nll"), f"a point with the status {pb.Status.Name(result.status)} has an NLL")
            promise(bool(result.message) or result.status in _NOT_ANSWERS, "a point that is not OK does not say why")
            continue
        promise(not result.missing, "an observable of an OK point is missing")
        for value, observable in zip(result.observables, peer.description.observables, strict=True):
            if observable.HasField("valid"):
                inside = observable.valid.low <= value <= observable.valid.high
                promise(inside, f"an OK point has {observable.name} = {value}, outside its window")


def the_nll_is_the_sum_of_the_losses(peer: Peer) -> None:
    for result in peer.results(_batch(peer)):
        if result.status == pb.STATUS_OK:
            promise(len(result.losses) == len(peer.description.observables), f"{len(result.losses)} losses")
            promise(result.HasField("nll") and math.isfinite(result.nll), "an OK point has no finite NLL")
            capped = all(abs(loss) <= LARGEST_LOSS * (1.0 + 1e-9) for loss in result.losses)
            promise(
                capped, f"the losses are {list(result.losses)}, but the largest loss allowed is {LARGEST_LOSS:.10g}"
            )
            total = math.fsum(result.losses)
            promise(_near(result.nll, total), f"the NLL is {result.nll}, but the losses add up to {total}")


def the_losses_are_those_of_the_formulas(peer: Peer) -> None:
    likelihoods = [_likelihood(spec) for spec in peer.description.observables]
    for result in peer.results(_batch(peer)):
        if result.status == pb.STATUS_OK:
            losses, _ = losses_and_nll(likelihoods, np.array([result.observables]))
            for observable, mine, theirs in zip(peer.description.observables, losses[0], result.losses, strict=True):
                promise(_near(mine, theirs), f"the loss of {observable.name} is {theirs}, but its formula gives {mine}")


def a_joint_term_is_its_formula(peer: Peer) -> None:
    described = peer.description
    names = [observable.name for observable in described.observables]
    for joint in described.joint_terms:
        promise(joint.observable < len(names), f"a joint term at {joint.observable}, of {len(names)} observables")
        name = names[joint.observable]
        promise(len(joint.arguments) > 0 and max(joint.arguments) < len(names), f"the arguments of {name} do not exist")
        of = described.observables[joint.observable].likelihood.kind
        promise(of == pb.LIKELIHOOD_KIND_MINUSEXPUSER, f"{name} is a joint term, but not -ln L")
        promise(joint.kind != pb.JOINT_KIND_UNSPECIFIED, f"the joint term {name} has no kind")
        try:
            term = Term.checked(joint, names)
        except ValueError as error:
            raise Broken(f"{name} is {error}") from error
        promise(term.kind is not TermKind.UNKNOWN, f"{name} is a joint term of the kind {joint.kind}, unknown here")
        for result in peer.results(_batch(peer)):
            if result.status == pb.STATUS_OK:
                mine = term.at([result.observables[index] for index in joint.arguments])
                theirs = result.observables[joint.observable]
                promise(_near(mine, theirs) or mine != mine, f"{name} is {theirs}, but its formula gives {mine}")


def cancelled_points_are_answered_once(peer: Peer) -> None:
    batch = _batch(peer)
    count = len(batch.point_ids)
    found = peer.results(batch, pb.EvaluateRequest(cancel_point_ids=[0, count - 1, 10**9]))
    ids = sorted(result.point_id for result in found)
    promise(
        ids == list(range(count)),
        f"asked for {count} points and cancelled {len({0, count - 1})} of them; the answers are {ids}",
    )
    kept = [
        result.point_id for result in found if result.status == pb.STATUS_CANCELLED and 0 < result.point_id < count - 1
    ]
    promise(not kept, f"the points {kept} are cancelled without a request")


def the_end_of_another_scan_is_not_its_own(peer: Peer) -> None:
    request = pb.FinishRequest(physics_digest="another scan's", likelihood_digest=peer.description.likelihood_digest)
    try:
        answer = peer.stub.Finish(request, timeout=peer.timeout)
    except grpc.RpcError as error:
        promise(error.code() is grpc.StatusCode.UNIMPLEMENTED, f"Finish ends with {error.code().name}")
    else:
        promise(not answer.ends, "the evaluator ends although another scan is finished")
    every_id_is_answered_once(peer)


def columns_may_come_in_any_order(peer: Peer) -> None:
    if len(peer.names) < 2:
        return
    rows = peer.points(3)
    ids = range(len(rows))
    turned = peer.request([row[::-1] for row in rows], ids, peer.names[::-1])
    for one, other in zip(_by_id(peer, peer.request(rows, ids)), _by_id(peer, turned), strict=True):
        promise(one.status == other.status, "another order of the columns gives another status")
        same = all(_near(a, b) or (a != a and b != b) for a, b in zip(one.observables, other.observables, strict=True))
        promise(same, "another order of the columns gives other observables")


def values_that_are_not_finite_are_refused(peer: Peer) -> None:
    for bad in (math.nan, math.inf, -math.inf):
        rows = peer.points(2)
        rows[-1][-1] = bad
        _refused(peer.code(peer.request(rows, range(len(rows)))), f"a value of {bad}")


def wrong_names_are_refused(peer: Peer) -> None:
    row = peer.points(1)
    _refused(peer.code(peer.request(row, [1], [*peer.names[:-1], "no such parameter"])), "an unknown parameter")
    _refused(peer.code(peer.request(row, [1], [])), "a first message without names")
    _refused(peer.code(peer.request([[*row[0], 1.0]], [1], [*peer.names, "one more"])), "a parameter too many")


def a_wrong_count_of_values_is_refused(peer: Peer) -> None:
    row = peer.points(1)[0]
    _refused(peer.code(peer.request([[*row, 1.0]], [1])), "a value too many")
    _refused(peer.code(peer.request([row[:-1]], [1])), "a value too few")


def an_id_that_is_used_twice_is_refused(peer: Peer) -> None:
    if len(rows := peer.points(2)) == 2:
        _refused(peer.code(peer.request(rows, [5, 5])), "an id twice in a batch")


def a_batch_too_large_is_refused(peer: Peer) -> None:
    count = peer.description.max_batch + 1
    if 10 * count * (1 + len(peer.names)) > LARGEST_MESSAGE:
        return
    row = peer.points(1)[0]
    code = peer.code(peer.request([row] * count, range(count)))
    refused = code is grpc.StatusCode.RESOURCE_EXHAUSTED
    promise(refused, f"{count} points in a batch end with {code.name}, not with RESOURCE_EXHAUSTED")


def a_stream_without_requests_ends(peer: Peer) -> None:
    promise(peer.stream() == [], "an empty stream has an answer")


def two_streams_may_use_the_same_ids(peer: Peer) -> None:
    row = peer.points(1)
    calls = [peer.stub.Evaluate(iter([peer.request(row, [3])]), timeout=peer.timeout) for _ in range(2)]
    for call in calls:
        found = [result.point_id for response in call for result in response.results]
        promise(found == [3], f"two streams with a point 3 each: one of them got {found}")


def it_goes_on_after_a_stream_that_broke(peer: Peer) -> None:
    broken = peer.stub.Evaluate(iter([_batch(peer)]), timeout=peer.timeout)
    broken.cancel()
    found = peer.results(peer.request(peer.points(1), [1]))
    promise([result.point_id for result in found] == [1], "after a broken stream, a new stream gives no result")


CHECKS: tuple[Callable[[Peer], None], ...] = (
    describe_is_sane,
    describe_does_not_change,
    health_is_serving,
    the_first_response_carries_the_digests,
    every_id_is_answered_once,
    a_stream_takes_several_batches,
    results_are_sound,
    the_nll_is_the_sum_of_the_losses,
    the_losses_are_those_of_the_formulas,
    a_joint_term_is_its_formula,
    cancelled_points_are_answered_once,
    the_end_of_another_scan_is_not_its_own,
    columns_may_come_in_any_order,
    values_that_are_not_finite_are_refused,
    wrong_names_are_refused,
    a_wrong_count_of_values_is_refused,
    an_id_that_is_used_twice_is_refused,
    a_batch_too_large_is_refused,
    a_stream_without_requests_ends,
    two_streams_may_use_the_same_ids,
    it_goes_on_after_a_stream_that_broke,
)


def _batch(peer: Peer) -> pb.EvaluateRequest:
    """A batch of POINTS, or of the most points that the evaluator accepts."""
    rows = peer.points(POINTS)
    return peer.request(rows, range(len(rows)))


def _refused(code: grpc.StatusCode, case: str) -> None:
    promise(code is grpc.StatusCode.INVALID_ARGUMENT, f"{case} ends with {code.name}, not with INVALID_ARGUMENT")


def _by_id(peer: Peer, request: pb.EvaluateRequest) -> list[pb.Result]:
    return sorted(peer.results(request), key=lambda result: result.point_id)


def _near(one: float, other: float) -> bool:
    return one == other or abs(one - other) <= 1e-9 * max(1.0, abs(one), abs(other))


def _likelihood(observable: pb.Observable) -> Likelihood:
    given = observable.likelihood
    name = pb.LikelihoodKind.Name(given.kind).removeprefix("LIKELIHOOD_KIND_")
    promise(name in Kind.__members__, f"the likelihood of {observable.name} is {name}")
    return Likelihood(
        Kind[name], given.mean, sigma=given.sigma, lower=given.lower, upper=given.upper, log_scaling=given.log_scaling
    )
