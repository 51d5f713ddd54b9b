"""--metrics, --log-format json and --traces on both sides: real scrapes, and a collector that takes real spans."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from proposer.commands.certificates import certificates
from proposer.commands.watching import Wanted, Watching
from proposer.evaluation.backend import Load
from proposer.show.metrics import Metrics
from proposer.show.tally import Tally
from proposer.target import Target
from proposer.wire.security import Security
from tests.evaluator.serving import wait_until
from tests.pair.conftest import EvaluatorProcess, Said, ScanFolder, json_lines, read_run
from tests.pair.processes import ROOT, ProposerProcess, meanwhile
from tests.ports import free_port

DASHBOARD = (ROOT / "kubernetes/components/metrics/lodescan.json").read_text()
IN_DASHBOARD = set(re.findall(r"lodescan_\w+", DASHBOARD))

Sample = tuple[str, frozenset[tuple[str, str]]]


def scrape(port: int) -> dict[Sample, float]:
    """Every sample that is served on this port, by its name and labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def total(**labels: str) -> Sample:
    return "lodescan_points_total", frozenset(labels.items())


def of(samples: dict[Sample, float], name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def start_evaluator(scan: ScanFolder, *more: object) -> EvaluatorProcess:
    words = [str(option) for option in more]
    return EvaluatorProcess(scan.file, scan.folder / "evaluator", before=f"import sys; sys.argv += {words!r}")


class Collector:
    """An OpenTelemetry collector that keeps the spans it is sent."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Span]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
                for resource in request.resource_spans:
                    [service] = [
                        attribute.value.string_value
                        for attribute in resource.resource.attributes
                        if attribute.key == "service.name"
                    ]
                    found = [(service, span) for scope in resource.scope_spans for span in scope.spans]
                    collector.spans.extend(found)
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/v1/traces"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()
    yield found
    found.close()


def test_a_scan_is_followed_from_outside_on_both_sides(
    tmp_path: Path, make_scan: Callable[..., ScanFolder], collector: Collector
) -> None:
    """One scan with metrics, logs and traces, which all agree with the dataset."""
    folder = make_scan(setup="  seed: 1\n  type: RANDOM\n  max_evaluations: 150")
    go = folder.folder / "go"
    folder.physics(  # the physics waits in the middle of the scan
        f"while os.fstat(LOG).st_size > 4000 and not Path({str(go)!r}).exists():\n    time.sleep(0.01)\n"
        "if x > 0.8:\n    raise InvalidPoint('too far')"
    )
    metrics_of_evaluator, metrics_of_proposer = free_port(), free_port()
    follow = ["--log-format", "json", "--traces", collector.url]
    evaluator = start_evaluator(folder, *follow, "--metrics", f"127.0.0.1:{metrics_of_evaluator}")
    run = tmp_path / "run"
    words = ["scan", folder.file, "--evaluator", evaluator.address, "--run", run, *follow]
    scan = ProposerProcess(tmp_path / "scan.log", *words, "--metrics", metrics_of_proposer)
    try:
        assert scan.wait_for('"event": "point"')
        seen: list[dict[Sample, float]] = []

        def counted() -> bool:  # a scrape may come while the results of one message are counted
            seen[:] = scrape(metrics_of_proposer), scrape(metrics_of_evaluator)
            here = {"evaluator": evaluator.address}
            ok, invalid = (seen[0].get(total(status=status, **here), 0) for status in ("OK", "INVALID"))
            ran = seen[0].get(("lodescan_code_seconds_count", frozenset({("code", "ball")})), 0)
            busy = of(seen[0], "lodescan_workers_busy"), of(seen[1], "lodescan_evaluator_workers_busy")
            good = of(seen[0], "lodescan_good_points")
            return min(good, ok, invalid) > 0 and ran == ok + invalid and busy == (2, 2)

        scan.runs_until(counted)
        proposer, theirs = seen
        go.touch()
        assert scan.wait() == 0
    finally:
        if scan.process.poll() is None:
            scan.kill()
        evaluator.stop()

    assert of(proposer, "lodescan_evaluators") == 1
    assert of(proposer, "lodescan_workers") == of(theirs, "lodescan_evaluator_workers") == 2
    assert of(proposer, "lodescan_workers_busy") == of(theirs, "lodescan_evaluator_workers_busy") == 2
    assert of(proposer, "lodescan_points_waiting") > 0
    assert of(proposer, "lodescan_good_points_wanted") == 100_000
    assert 0 < of(proposer, "lodescan_hit_rate") < 1
    assert of(proposer, "lodescan_dataset_bytes") > 4096
    assert of(proposer, "lodescan_batches_total") >= 1
    assert of(proposer, "lodescan_choosing_seconds_total") >= 0
    assert of(proposer, "lodescan_training_seconds_total") == 0  # RANDOM does not train
    answered = {
        status: of(proposer, "lodescan_points_total", status=status, evaluator=evaluator.address)
        for status in ("OK", "INVALID")
    }
    assert of(proposer, "lodescan_code_seconds_count", code="ball") == sum(answered.values())
    assert of(theirs, "lodescan_evaluator_code_seconds_count", code="ball") >= sum(answered.values())
    assert of(theirs, "lodescan_evaluator_code_seconds_sum", code="ball") > 0
    assert of(theirs, "lodescan_evaluator_points_total", status="OK") >= answered["OK"]

    names = {name for name, _ in {**proposer, **theirs}}
    assert {name for name in IN_DASHBOARD if "certificate" not in name} <= names

    stored = read_run(run)
    mine = [event for event in json_lines(scan.said) if event["event"] == "point"]
    statuses = Counter(status for status in stored.status if status in ("OK", "INVALID"))
    assert Counter(event["status"] for event in mine) == statuses
    batch_of = dict(zip(stored.ids, stored.batches, strict=True))
    for event in mine:
        assert (event["run"], event["evaluator"], event["level"]) == ("ball", evaluator.address, "info")
        assert event["batch"] == batch_of[event["point"]]
    hers = {
        event["point"]: event
        for event in json_lines((folder.folder / "evaluator/log").read_text())
        if event["event"] == "point"
    }
    for event in mine:
        line = hers[event["point"]]
        assert (line["run"], line["batch"], line["status"]) == ("ball", event["batch"], event["status"])
        assert line["evaluator"] == evaluator.address

    check_traces(collector, mine)


def check_traces(collector: Collector, points: list[dict[str, Any]]) -> None:
    """Checks that each point is one trace: a span of the proposer, in it one of the evaluator, and in that one for each
    code.
    """
    by_trace: dict[bytes, dict[str, tuple[str, Span]]] = {}
    for service, span in collector.spans:
        by_trace.setdefault(span.trace_id, {})[span.name] = (service, span)
    whole = {trace: spans for trace, spans in by_trace.items() if "point" in spans}
    assert {int.from_bytes(trace[8:]) for trace in whole} == {event["point"] for event in points}
    assert len({trace[:8] for trace in whole}) == 1
    for spans in whole.values():
        (here, point), (there, evaluate), (_, code) = spans["point"], spans["evaluate"], spans["ball"]
        assert (here, there) == ("lodescan-proposer", "lodescan-evaluator")
        assert (evaluate.parent_span_id, code.parent_span_id) == (point.span_id, evaluate.span_id)
        assert point.start_time_unix_nano <= evaluate.start_time_unix_nano
        assert evaluate.end_time_unix_nano <= point.end_time_unix_nano


@pytest.mark.slow
def test_training_and_choosing_are_counted_apart(
    tmp_path: Path, make_scan: Callable[..., ScanFolder], lodescan: Callable[..., Said]
) -> None:
    """The physics waits within the second batch, before which the search has trained for the first time."""
    go, port = tmp_path / "go", free_port()
    held = f"while os.fstat(LOG).st_size > 4500 and not Path({str(go)!r}).exists():\n    time.sleep(0.01)"
    folder, seen = make_scan(iterations=2, body=held), dict[Sample, float]()

    def second_batch() -> bool:
        with contextlib.suppress(urllib.error.URLError):  # the scan is only starting
            seen.update(scrape(port))
        return seen.get(("lodescan_batches_total", frozenset())) == 2

    def watch(_: threading.Event) -> None:
        wait_until(second_batch)
        seen.update(scrape(port))  # the numbers of one scrape are not of one moment
        go.touch()

    evaluator = start_evaluator(folder)
    words = ["scan", folder.file, "--evaluator", evaluator.address, "--run", tmp_path / "run", "--metrics", port]
    with meanwhile(watch):
        said = json_lines(lodescan(*words, "--log-format", "json").err)
    evaluator.stop()
    asks = [event for event in said if event["event"] == "ask"]
    assert asks[0]["training"] == 0.0 < asks[1]["training"] <= asks[1]["seconds"]
    assert of(seen, "lodescan_training_seconds_total") == asks[1]["training"]
    choosing = sum(event["seconds"] - event["training"] for event in asks[:2])
    assert of(seen, "lodescan_choosing_seconds_total") == pytest.approx(choosing)
    batches = [event["batch"] for event in said if event["event"] == "batch"]
    assert batches == list(range(1, len(batches) + 1))
    assert {"note", "end"} <= {event["event"] for event in said}


@pytest.mark.parametrize("looks", [0, 1])
def test_a_journal_that_vanishes_spoils_no_scrape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: int) -> None:
    """SQLite removes the journal between the listing of the folder and the look at the file; `looks` counts these
    looks.
    """
    dataset, journal, registry = tmp_path / "dataset.sqlite", tmp_path / "dataset.sqlite-journal", CollectorRegistry()
    dataset.write_bytes(bytes(1000))
    journal.write_bytes(bytes(500))
    Metrics(registry, Tally(1, Target(1.0)), lambda: Load(0, 0, 0, 0), [], dataset)
    look, seen = Path.stat, list[Path]()

    def noted(path: Path, **how: Any) -> os.stat_result:
        if path == journal:
            if len(seen) == looks:
                journal.unlink()
            seen.append(path)
        return look(path, **how)

    monkeypatch.setattr(Path, "stat", noted)
    assert registry.get_sample_value("lodescan_dataset_bytes") == (1500.0 if looks else 1000.0) and seen


@pytest.mark.parametrize("side", ["proposer", "evaluator"])
def test_certificates_say_when_they_expire(side: str, tmp_path: Path, make_scan: Callable[..., ScanFolder]) -> None:
    certificates(tmp_path / "pair", [], 30)
    folder, port = tmp_path / "pair" / side, free_port()
    ca, cert, key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
    with ExitStack() as opened:
        if side == "proposer":
            name = "lodescan_certificate_expiry_timestamp_seconds"
            Watching(opened, Wanted(metrics=str(port)), Security(ca=ca, cert=cert, key=key), "run")
        else:
            name = "lodescan_evaluator_certificate_expiry_timestamp_seconds"
            files = [f"--tls-ca={ca}", f"--tls-cert={cert}", f"--tls-key={key}"]
            opened.callback(start_evaluator(make_scan(), *files, "--metrics", port).stop)
        assert name in IN_DASHBOARD
        for days in (30, 300):
            certificates(tmp_path / "pair", [], days)
            found = scrape(port)
            assert of(found, name, file=str(cert)) == pytest.approx(time.time() + days * 86400, abs=600)
            assert of(found, name, file=str(ca)) > time.time() + 300 * 86400  # the authority lives longer


MISSING = {
    "--metrics": ("prometheus_client", "127.0.0.1:0", "prometheus-client", ".[metrics]"),
    "--traces": ("opentelemetry", "http://127.0.0.1:1/v1/traces", "OpenTelemetry", ".[traces]"),
}


@pytest.mark.parametrize("side", ["proposer", "evaluator"])
@pytest.mark.parametrize("option", MISSING)
def test_the_message_names_a_missing_package(
    side: str, option: str, tmp_path: Path, make_scan: Callable[..., ScanFolder]
) -> None:
    module, value, package, extra = MISSING[option]
    program = f"import sys; sys.modules[{module!r}] = None; from {side}.__main__ import main; raise SystemExit(main())"
    command = "scan" if side == "proposer" else "serve"
    own = ["--run", str(tmp_path / "run")] if side == "proposer" else ["--listen", "127.0.0.1:0"]
    done = subprocess.run(
        [str(ROOT / f".envs/{side}/bin/python"), "-c", program, command, str(make_scan().file), option, value, *own],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert f"{option} needs" in done.stderr and package in done.stderr and extra in done.stderr
    assert not (tmp_path / "run").exists()


def test_an_error_is_one_event_of_the_log(make_scan: Callable[..., ScanFolder], lodescan: Callable[..., Said]) -> None:
    refused = lodescan("scan", make_scan().file, "--evaluator", "nowhere", "--log-format", "json")
    assert refused.code == 2
    [line] = json_lines(refused.err)
    assert (line["event"], line["level"], line["code"]) == ("error", "error", 2)
    assert "nowhere" in line["text"] and line["next_step"]
