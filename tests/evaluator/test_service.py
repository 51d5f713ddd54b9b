"""The gRPC service: batches, faults of a call, health, reflection, and its end."""

import contextlib
import math
import threading
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from lodescan.v1 import evaluation_pb2 as pb
from scanspec.fields import MOST_FIELDS
from tests.evaluator.calls import Requests, Stream, collect, statuses
from tests.evaluator.serving import wait_until


def test_a_result_has_all_its_fields(scan_file, evaluator):
    scan = scan_file(
        "variables: {x: [-5, 5]}\nderived_variables: {d: x+1}\ncodes:\n  toy:\n    function: codes:square\n"
        "    observables: {y: {mean: 1, sigma: 2}}\n"
        "observables: {z: {function: 1 - y, scaling: MINUSEXPUSER}, w: {function: 1/x}}\n"
    )
    server = evaluator(scan)
    (first,) = server.stub.Evaluate(iter([server.request([[3.0]], first_id=2**63)]), timeout=60)
    description = server.describe()
    assert (first.physics_digest, first.likelihood_digest) == (
        description.physics_digest,
        description.likelihood_digest,
    )
    (result,) = first.results
    assert (result.point_id, result.status) == (2**63, pb.STATUS_OK)
    assert list(result.observables) == [4.0, 9.0, -8.0, 1 / 3]
    m = 710.782712893384
    expected = [0.0, -m * math.expm1(-8 / m), m * math.expm1(-8 / m), 0.0]
    assert list(result.losses) == pytest.approx(expected, rel=1e-12)
    assert result.nll == pytest.approx(sum(expected), abs=1e-12)
    assert len(result.seconds) == 1 and 0 <= result.seconds[0] < 1
    assert not result.missing and not result.message and not result.failed_code and not result.warnings
    (bad,) = server.evaluate([[0.0]])
    assert bad.status == pb.STATUS_OK and math.isnan(bad.observables[3]) and not bad.missing


def test_a_missing_observable_differs_from_nan(python_scan, evaluator):
    server = evaluator(python_scan("misbehave", "x: [-5, 5], mode: [0, 30]", more="observables: {z: {function: y}}\n"))
    nan, invalid = server.evaluate([[1, 2], [1, 3]])
    assert (nan.status, list(nan.missing), math.isnan(nan.observables[0])) == (pb.STATUS_OK, [], True)
    assert nan.nll == pytest.approx(710.782712893384)
    assert (invalid.status, list(invalid.missing)) == (pb.STATUS_INVALID, [0, 1])
    assert not invalid.HasField("nll") and not invalid.losses and invalid.failed_code == "toy"


def test_parameters_may_come_in_another_order(shared):
    requests = [
        shared.request([[0.0, 2.0], [0.0, 3.0]], names=["pause", "x"]),
        shared.request([[0.0, 4.0]], 2, names=[]),
    ]
    found = {
        result.point_id: result.observables[0]
        for r in shared.stub.Evaluate(iter(requests), timeout=60)
        for result in r.results
    }
    assert found == {0: 4.0, 1: 9.0, 2: 16.0}


BAD = grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"parameters": ["x"]}, BAD, "this evaluator has x, pause"),
        ({"parameters": ["x", "second"]}, BAD, "this evaluator has x, pause"),
        ({"parameters": ["x", "x"]}, BAD, "this evaluator has x, pause"),
        ({"parameters": ["x", "pause", "more"]}, BAD, "this evaluator has x, pause"),
        ({"parameters": []}, BAD, "the parameters are missing"),
        ({"values": [1.0, math.nan]}, BAD, "point 7 has a value that is not finite"),
        ({"values": [1.0, math.inf]}, BAD, "not finite"),
        ({"values": [1.0]}, BAD, "1 points of 2 parameters need 2 values, not 1"),
        ({"values": []}, BAD, "need 2 values, not 0"),
        ({"point_ids": [7, 7], "values": [1.0, 0.0] * 2}, BAD, "a point_id is used twice"),
        ({"point_ids": range(4097), "values": [1.0, 0.0] * 4097}, grpc.StatusCode.RESOURCE_EXHAUSTED, "4097 points"),
    ],
)
def test_faulty_requests_are_refused(shared, change, code, words):
    request = pb.EvaluateRequest(**{"parameters": ["x", "pause"], "point_ids": [7], "values": [1.0, 0.0], **change})
    with pytest.raises(grpc.RpcError) as caught:
        list(shared.stub.Evaluate(iter([request]), timeout=60))
    assert caught.value.code() is code and words in caught.value.details()
    assert shared.statuses([[1.0, 0.0]]) == ["OK"]


def test_later_messages_must_keep_the_order_of_the_parameters(shared):
    first = pb.EvaluateRequest(parameters=["x", "pause"], point_ids=[1], values=[3.0, 0.0])
    same = pb.EvaluateRequest(parameters=["x", "pause"], point_ids=[2], values=[4.0, 0.0])
    assert sum(len(response.results) for response in shared.stub.Evaluate(iter([first, same]), timeout=60)) == 2
    other = pb.EvaluateRequest(parameters=["pause", "x"], point_ids=[2], values=[0.0, 4.0])
    with pytest.raises(grpc.RpcError, match="another order than the first one") as error:
        list(shared.stub.Evaluate(iter([first, other]), timeout=60))
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_bytes_that_are_no_message_are_refused_without_a_traceback(shared):
    raw = shared.channel.stream_stream("/lodescan.v1.EvaluationService/Evaluate")
    with pytest.raises(grpc.RpcError, match="its bytes cannot be read") as error:
        list(raw(iter([b"\xff" * 100]), timeout=60))
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "Traceback" not in shared.log.read_text()


@pytest.mark.parametrize("method", ["Describe", "Finish"])
def test_the_bytes_of_other_calls_are_refused_in_the_same_way(shared, method):
    raw = shared.channel.unary_unary(f"/lodescan.v1.EvaluationService/{method}")
    with pytest.raises(grpc.RpcError, match="its bytes cannot be read") as error:
        raw(b"\x0a\x02\xff" if method == "Finish" else b"\xff" * 10, timeout=60)
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "Traceback" not in shared.log.read_text()


def test_a_request_of_very_many_fields_is_refused_before_it_is_parsed(scan_file, evaluator):
    ranges = "".join(f"  x{number}: [0, 1]\n" for number in range(20))
    server = evaluator(
        scan_file(f"variables:\n{ranges}codes:\n  toy_targets: {{observables: {{Ackley: {{mean: 1, sigma: 1}}}}}}\n")
    )
    raw = server.channel.stream_stream("/lodescan.v1.EvaluationService/Evaluate")
    with pytest.raises(grpc.RpcError, match="has more than 250,000 fields; send several") as error:
        list(raw(iter([b"\x0a\x00" * (MOST_FIELDS + 1)]), timeout=60))
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "Traceback" not in server.log.read_text()


def test_the_id_of_a_running_point_cannot_be_used_again(shared):
    requests = [shared.request([[1.0, 100.0]]), shared.request([[1.0, 0.0]], names=[])]
    with pytest.raises(grpc.RpcError) as caught:
        list(shared.stub.Evaluate(iter(requests), timeout=60))
    assert caught.value.code() is BAD and "used twice" in caught.value.details()
    # the running point was killed, so its worker is free long before the point would have ended
    assert shared.statuses([[1.0, 0.0]], timeout=60) == ["OK"]


def test_a_stream_without_points_ends_at_once(shared):
    assert list(shared.stub.Evaluate(iter([]), timeout=60)) == []
    assert list(shared.stub.Evaluate(iter([shared.request([])]), timeout=60)) == []


def test_ten_thousand_points_pass_through_one_stream(shared):
    requests = [
        shared.request([[i % 7, 0.0] for i in range(a, a + 500)], a, names=["x", "pause"] if a == 0 else [])
        for a in range(0, 10_000, 500)
    ]
    found = {}
    digests = []
    for response in shared.stub.Evaluate(iter(requests), timeout=120):
        digests.append(response.physics_digest)
        for result in response.results:
            assert result.point_id not in found
            found[result.point_id] = (result.status, result.observables[0])
    assert len(found) == 10_000
    assert all(value == (pb.STATUS_OK, float((i % 7) ** 2)) for i, value in found.items())
    assert digests[0] and not any(digests[1:])


def test_results_come_as_they_are_ready(gated):
    server = gated(workers=2)
    stream = Stream(server, [[1.0, 1], [2.0, 0], [3.0, 0]])
    assert statuses(stream.take(2)) == {1: "OK", 2: "OK"}
    assert server.began(1)
    server.let_go(1)
    assert statuses(stream.close()) == {0: "OK"}


def test_describe_gives_parameters_observables_and_digests(scan_file, evaluator):
    scan = scan_file(
        "variables:\n  x: {range: [-5, 5], unit: GeV, description: a mass}\n"
        "  z: {prior: {type: normal, mean: 0, sigma: 1}}\n"
        "derived_variables: {d: x+1}\ncodes:\n  toy:\n    function: codes:square\n"
        "    observables:\n      y: {mean: 1, sigma: 2, unit: GeV2, description: a square, valid: [-1, inf]}\n"
        "observables:\n  c: {function: y, scaling: CFUNCTION, lower_bound: 3, log_scaling: true}\n"
    )
    found = evaluator(scan, workers=2).describe()
    assert (found.backend, found.concurrency, found.max_batch) == ("toy", 2, 4096)
    assert found.version.startswith("lodescan ")
    assert [(p.name, p.unit, p.description, p.low, p.high) for p in found.parameters] == [
        ("x", "GeV", "a mass", -5.0, 5.0),
        ("z", "", "", -math.inf, math.inf),
    ]
    d, y, c = found.observables
    assert (d.name, d.code, d.likelihood.kind, d.HasField("valid")) == ("d", "", pb.LIKELIHOOD_KIND_OFF, False)
    assert (y.name, y.unit, y.description, y.code) == ("y", "GeV2", "a square", "toy")
    assert (y.valid.low, y.valid.high) == (-1.0, math.inf)
    assert (y.likelihood.kind, y.likelihood.mean, y.likelihood.sigma) == (pb.LIKELIHOOD_KIND_GAUSS, 1.0, 2.0)
    assert (c.likelihood.kind, c.likelihood.lower, c.likelihood.upper) == (pb.LIKELIHOOD_KIND_CFUNCTION, 3.0, math.inf)
    assert c.likelihood.log_scaling and math.isnan(c.likelihood.mean) and c.code == ""


def test_health_says_serving(shared):
    stub = health_pb2_grpc.HealthStub(shared.channel)
    assert stub.Check(health_pb2.HealthCheckRequest(), timeout=60).status == health_pb2.HealthCheckResponse.SERVING


def test_health_answers_while_points_run(gated):
    server = gated(workers=1)
    stream = Stream(server, [[1.0, 1], [2.0, 0]])
    assert server.began(1)
    stub = health_pb2_grpc.HealthStub(server.channel)
    for _ in range(20):
        stub.Check(health_pb2.HealthCheckRequest(), timeout=60)
    server.let_go(1)  # the held point was running all the time
    assert statuses(stream.close()) == {0: "OK", 1: "OK"}


def test_reflection_lists_the_services(shared):
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(shared.channel)
    (answer,) = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=60)
    names = {entry.name for entry in answer.list_services_response.service}
    assert {"lodescan.v1.EvaluationService", "grpc.health.v1.Health"} <= names


def test_at_a_stop_running_points_finish_and_the_others_are_returned(gated):
    server = gated(options=["--grace", "100"])
    requests = Requests(server.request([[2.0, 1], [1.0, 0], [1.0, 0]]))
    found, ended = collect(
        server.stub.Evaluate(iter(requests), timeout=60)
    )  # the client keeps its side of the stream open
    assert server.began(2)
    server.process.terminate()
    assert wait_until(lambda: len(found) == 2)
    assert found == {1: "CANCELLED", 2: "CANCELLED"}
    server.let_go(2)
    assert server.process.wait(60) == 0
    assert ended.wait(60)
    assert found == {0: "OK", 1: "CANCELLED", 2: "CANCELLED", "end": "OK"}
    assert server.nothing_left()
    requests.close()


def test_after_the_grace_period_running_points_are_returned_too(gated):
    server = gated(workers=2, options=["--grace", "0.5"])
    found, ended = collect(server.stub.Evaluate(iter([server.request([[x, 1] for x in range(1, 5)])]), timeout=60))
    assert server.began(1) and server.began(2)
    assert server.terminate() == 0
    assert ended.wait(60)
    assert found == {0: "CANCELLED", 1: "CANCELLED", 2: "CANCELLED", 3: "CANCELLED", "end": "OK"}
    assert server.nothing_left()


def test_a_stopping_evaluator_says_so_and_takes_nothing_new(gated):
    server = gated(workers=2, options=["--grace", "100"])
    watched: list[int] = []

    def watch():
        stub = health_pb2_grpc.HealthStub(server.channel)
        with contextlib.suppress(grpc.RpcError):
            watched.extend(result.status for result in stub.Watch(health_pb2.HealthCheckRequest(), timeout=60))

    threading.Thread(target=watch, daemon=True).start()
    requests = Requests(server.request([[2.0, 1]]))
    found, ended = collect(server.stub.Evaluate(iter(requests), timeout=60))
    assert wait_until(lambda: watched) and server.began(2)
    server.process.terminate()
    assert wait_until(lambda: health_pb2.HealthCheckResponse.NOT_SERVING in watched)
    requests.send(server.request([[1.0, 0]], first_id=9, names=[]))
    with pytest.raises(grpc.RpcError) as caught:
        list(server.stub.Evaluate(iter([server.request([[1.0, 0]])]), timeout=60))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    server.let_go(2)
    assert server.process.wait(60) == 0
    assert ended.wait(60)
    assert found.pop(9, "CANCELLED") == "CANCELLED"
    assert found == {0: "OK", "end": "OK"}
    requests.close()


def test_an_idle_evaluator_with_an_open_stream_stops_at_once(slow):
    server = slow(options=["--grace", "100"])
    requests = Requests(server.request([[1.0, 0.0]]))
    found, ended = collect(server.stub.Evaluate(iter(requests), timeout=60))
    assert wait_until(lambda: 0 in found)
    assert server.terminate() == 0
    assert ended.wait(60) and found == {0: "OK", "end": "OK"}
    requests.close()
