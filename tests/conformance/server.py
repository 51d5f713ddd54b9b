"""A small evaluator that shares only the contract with lodescan's own, and that can break each promise of it."""

import math
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from lodescan.v1 import evaluation_pb2 as pb
from lodescan.v1 import evaluation_pb2_grpc as pb_grpc

NAMES = ["x", "y"]
WITH_A_TERM = ("a term", "wrong term", "unknown term")


class Small(pb_grpc.EvaluationServiceServicer):
    """z = x^2 + y, GAUSS 1 +- 2, valid up to 1e3; `fault` names the promise that it breaks."""

    def __init__(self, fault):
        self.fault, self.calls = fault, 0

    def Describe(self, request, context):
        self.calls += 1
        fault = self.fault
        mean = math.nan if fault == "no mean" else 1.0
        kind = {"no likelihood": "OFF", "kind unspecified": "UNSPECIFIED"}.get(fault, "GAUSS")
        likelihood = pb.Likelihood(kind=f"LIKELIHOOD_KIND_{kind}", mean=mean, sigma=2.0)
        observables = [pb.Observable(name="z", likelihood=likelihood, valid=pb.Window(low=-math.inf, high=1e3))]
        terms = []
        if fault in WITH_A_TERM:
            of_t = pb.Likelihood(kind=pb.LIKELIHOOD_KIND_MINUSEXPUSER)
            observables.append(pb.Observable(name="t", likelihood=of_t))
            of_kind: Any = 99 if fault == "unknown term" else pb.JOINT_KIND_GAUSS_UPPER
            terms.append(pb.JointTerm(observable=1, arguments=[0], kind=of_kind, mean=[0.5], plus=0.1))
        return pb.DescribeResponse(
            joint_terms=terms,
            backend={"no name": "", "escapes": "\x1b[2Jsmall" * 1000}.get(fault, "small"),
            version=str(self.calls) if fault == "description changes" else "1",
            physics_digest="" if fault == "no digest" else "ab",
            likelihood_digest="cd",
            parameters=[
                pb.Parameter(name="x" if fault == "twice the same parameter" else name, low=-1.0, high=high)
                for name, high in (("x", -2.0 if fault == "reversed range" else 1.0), ("y", math.inf))
            ],
            observables=observables,
            concurrency=1,
            max_batch={"no batch": 0, "one at a time": 1}.get(fault, 50),
            codes=["square"],
            longest_seconds=math.inf if fault == "no bound" else 0.0,
        )

    def terms(self, z):
        """-ln L of the term t, where there is one."""
        of_t = (max(z - 0.5, 0.0) / 0.1) ** 2 / 2.0 + (0.1 if self.fault == "wrong term" else 0.0)
        return [of_t] if self.fault in WITH_A_TERM else []

    def Finish(self, request, context):
        if self.fault == "finish is an error":
            context.abort(grpc.StatusCode.INTERNAL, "no")
        if self.fault == "none":  # an evaluator may leave this field out
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "no")
        return pb.FinishResponse(ends=self.fault == "ends with any scan")

    def Evaluate(self, requests, context):
        names: list[str] = []
        seen: set[int] = set()
        digests: dict[str, Any] = {"physics_digest": "ab", "likelihood_digest": "cd"}
        fault = self.fault
        if fault == "other digests":
            digests["physics_digest"] = "ef"
        for number, request in enumerate(requests):
            names = names or list(request.parameters)
            if request.cancel_point_ids and fault == "cancelled twice":
                again = [pb.Result(point_id=0, status=pb.STATUS_CANCELLED)]
                yield pb.EvaluateResponse(results=again)
            if sorted(names) != NAMES and fault != "any names":
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the parameters are x, y")
            if len(request.point_ids) > (1 if fault == "one at a time" else 50) and fault != "any batch":
                code = grpc.StatusCode.INTERNAL if fault == "wrong code" else grpc.StatusCode.RESOURCE_EXHAUSTED
                context.abort(code, "too many")
            ids = list(request.point_ids)
            if (len(set(ids)) < len(ids) or seen & set(ids)) and fault != "ids twice":
                code = grpc.StatusCode.UNKNOWN if fault == "escapes" else grpc.StatusCode.INVALID_ARGUMENT
                context.abort(code, "an id \x1b[2Jtwice")
            seen |= set(ids)
            if len(request.values) != 2 * len(ids) and fault != "any count":
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "a wrong count of values")
            if not all(map(math.isfinite, request.values)) and fault != "any value":
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "not finite")
            if number and fault == "one batch a stream":
                continue
            values = [*request.values, 0.0, 0.0]
            for position, point_id in enumerate(ids):
                row = values[2 * position : 2 * position + 2]
                if names[:1] == ["y"] and fault != "columns as they come":
                    row = row[::-1]
                if position == 1 and fault == "loses a point":
                    continue
                yield pb.EvaluateResponse(results=[self.result(point_id, row)], **digests)
                if fault != "digests always":
                    digests = {}
                if position == 1 and fault == "answers twice":
                    yield pb.EvaluateResponse(results=[self.result(point_id, row)])
        if fault == "never ends":
            time.sleep(2)
        if fault == "answers nobody" and not seen:
            yield pb.EvaluateResponse()

    def result(self, point_id, row):
        fault = self.fault
        z = row[0] ** 2 + row[1]
        if fault == "outside its window":
            z += 2e3
        limit = math.log(1.7976931348623157e308) + 1.0
        loss, *others = (limit * (1.0 - math.exp(-raw / limit)) for raw in ((z - 1.0) ** 2 / 8.0, *self.terms(z)))
        if fault == "wrong formula":
            loss *= 2
        if fault == "beyond the cap":
            loss = 800.0
        if fault == "missing twice":
            return pb.Result(
                point_id=point_id, status=pb.STATUS_INVALID, observables=[math.nan], missing=[0, 0], message="bad"
            )
        if fault == "fails in silence":
            return pb.Result(point_id=point_id, status=pb.STATUS_FAILED)
        if fault == "invalid with an NLL":
            return pb.Result(point_id=point_id, status=pb.STATUS_INVALID, nll=1.0, message="bad")
        return pb.Result(
            point_id=point_id % 2**32 if fault == "short ids" else point_id,
            status=pb.STATUS_UNSPECIFIED if fault == "no status" else pb.STATUS_OK,
            observables=[z, z] if fault == "too many observables" else [z, *self.terms(z)],
            losses=[loss, *others],
            spectra=[b"s" * (2**20 + 1)] if fault == "large spectra" else [],
            nll=loss + 1e-3 if fault == "nll is not a sum" else loss + sum(others),
            begun_at=2.0 if fault == "ends before it begins" else 1.0 if fault == "says when" else 0.0,
            ended_at=1.5 if fault in ("ends before it begins", "says when") else 0.0,
            seconds=[-1.0 if fault == "negative time" else 0.1] * (2 if fault == "times of nobody" else 1),
        )


def serve(fault):
    """Starts a server with this fault on a free port; gives the server and its address."""
    server = grpc.server(ThreadPoolExecutor(4))
    pb_grpc.add_EvaluationServiceServicer_to_server(Small(fault), server)
    if fault != "no health":
        servicer = health.HealthServicer()
        servicer.set("", health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, f"127.0.0.1:{port}"
