"""UM-Bridge models as codes, with the server of the package umbridge."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from evaluator.chain import Chain, Status
from evaluator.description import describe
from evaluator.errors import ConfigurationError
from lodescan.v1 import evaluation_pb2 as pb
from scanspec import ScanFileError, read_scan_file
from tests.evaluator.harness import DATA, alive
from tests.evaluator.serving import wait_until
from tests.ports import free_port


def answers(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/Info")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextlib.contextmanager
def model_server(port):
    command = [sys.executable, str(DATA / "umbridge_server.py"), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert wait_until(lambda: answers(port), 60), "the UM-Bridge server did not start"
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def address():
    port = free_port()
    with model_server(port):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def scan(scan_file):
    def write(
        address, model="right", outputs="[a, b, c]", more="", observables="a: {mean: 0, sigma: 1}, c: {}", timeout=20
    ):
        return scan_file(
            "variables: {x: [0, 10], y: [0, 10], z: [0, 10]}\nderived_variables: {half: x/2}\ncodes:\n  model:\n"
            f"    umbridge:\n      address: {address}\n      model: {model}\n      outputs: {outputs}\n{more}"
            f"    timeout: {timeout}\n    observables: {{{observables}}}\n"
        )

    return write


def test_a_model_gets_variables_and_gives_named_outputs(scan, address, chain):
    outcome = chain(scan(address)).evaluate([1.0, 2.0, 5.0])
    assert outcome.status is Status.OK
    assert outcome.observables == [0.5, 3.0, 5.0]


def test_inputs_may_be_expressions_and_the_config_is_passed_on(scan, address, chain):
    more = "      inputs: [half, y**2, 10]\n      config: {factor: 3, list: [1, {a: text}]}\n"
    observables = "a: {mean: 0, sigma: 1}, b: {}, twice: {function: 2*a}"
    outcome = chain(scan(address, more=more, observables=observables)).evaluate([1.0, 2.0, 5.0])
    assert outcome.observables == [0.5, 3 * 4.5, 40.0, 27.0]


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("fails", "/Evaluate was answered with HTTP 500: 500 Internal Server Error"),
        ("nan", "/Evaluate was answered with no valid JSON"),
        ("inf", "/Evaluate was answered with no valid JSON"),
        ("text", "/Evaluate was answered with no valid JSON"),
        ("short", "error (HTTP 500): InvalidOutput: Output vector 1 has invalid length! Model declared 2"),
        ("flat", "error (HTTP 500): InvalidOutput: Model output is not a list of lists!"),
    ],
)
def test_a_model_that_fails_fails_the_point(scan, address, chain, model, words):
    outcome = chain(scan(address, model)).evaluate([1.0, 2.0, 5.0])
    assert outcome.status is Status.FAILED and outcome.failed_code == "model"
    assert words in outcome.message


def test_an_input_that_is_not_finite_is_not_sent(scan, address, chain):
    outcome = chain(scan(address, more="      inputs: [1/x, y, z]\n")).evaluate([0.0, 2.0, 5.0])
    assert outcome.status is Status.FAILED and "the input 1/x is nan" in outcome.message


@pytest.mark.parametrize(
    ("changes", "line", "words"),
    [
        ({"model": "wright"}, 7, ["has no model 'wright'", "did you mean 'right'?"]),
        ({"model": "useless"}, 7, ["cannot be evaluated"]),
        ({"outputs": "[a, b, c, d]"}, 8, ["has 3 outputs (sizes [1, 2]), the scan file 4"]),
        ({"more": "      inputs: [x, y]\n"}, 9, ["has 3 inputs (sizes [2, 1]), the scan file 2"]),
        ({"more": "      inputs: [x, y, zz]\n"}, 9, ["'zz' is not a variable", "did you mean 'z'?"]),
        ({"outputs": "[a, a, c]"}, 8, ["a list of different names"]),
        ({"observables": "a: {mean: 0, sigma: 1}, e: {}"}, 10, ["'e' is none of the outputs", "a, b, c"]),
        ({"address": "127.0.0.1:4242"}, 6, ["a web address, for example http://127.0.0.1:4242"]),
        ({"address": "http://127.0.0.1:99999"}, 6, ["a web address"]),
        ({"address": "http://127.0.0.1:http"}, 6, ["a web address"]),
        ({"address": "http://a..b:4242"}, 6, ["a web address"]),
        ({"address": "'http://[::1'"}, 6, ["a web address"]),
        ({"address": "'http://[::1]:9'"}, 6, ["no UM-Bridge server answers"]),
        ({"more": "      config: {when: .nan}\n"}, 9, ["which JSON can hold"]),
        ({"more": "      output: [a]\n"}, 9, ["unknown key 'output'", "did you mean 'outputs'?"]),
        ({"address": f"http://127.0.0.1:{free_port()}"}, 6, ["no UM-Bridge server answers", "refused"]),
    ],
)
def test_a_model_that_does_not_fit_the_scan_is_refused_at_the_start(
    scan, address, chain, monkeypatch, changes, line, words
):
    def waits(seconds):
        pytest.fail(f"a server that is away is waited for, {seconds} s")

    monkeypatch.setattr("evaluator.codes.kinds.umbridge.time.sleep", waits)
    with pytest.raises((ConfigurationError, ScanFileError)) as error:
        chain(scan(**{"address": address, **changes}))
    assert f"scan.yaml, line {line}:" in str(error.value)
    for word in words:
        assert word in str(error.value)


@pytest.mark.slow
def test_a_server_that_comes_back_is_waited_for(scan, chain):
    port = free_port()
    with model_server(port):
        made = chain(scan(f"http://127.0.0.1:{port}"))
        assert made.evaluate([1.0, 2.0, 5.0]).status is Status.OK
    found = []
    thread = threading.Thread(target=lambda: found.append(made.evaluate([1.0, 2.0, 5.0])))
    thread.start()
    time.sleep(0.5)
    assert not found
    with model_server(port):
        thread.join()
        assert found[0].status is Status.OK


@pytest.mark.slow
def test_a_server_that_dies_fails_the_point_and_a_missing_server_gives_no_answer(scan, chain):
    port = free_port()
    with model_server(port):
        made = chain(scan(f"http://127.0.0.1:{port}", "dies", timeout=1))
        outcome = made.evaluate([1.0, 2.0, 5.0])
        assert outcome.status is Status.FAILED and "the server broke off at /Evaluate" in outcome.message
    outcome = made.evaluate([1.0, 2.0, 5.0])
    assert outcome.status in (Status.KILLED, Status.TIMED_OUT)


def test_the_digest_depends_on_the_model_and_not_on_its_address(scan):
    def digest(*arguments, **options):
        return describe(Chain(read_scan_file(scan(*arguments, **options))), 1).physics_digest

    first = digest("http://127.0.0.1:1")
    assert digest("http://127.0.0.1:2") == first
    assert digest("http://127.0.0.1:1", more="      config: {a: 1}\n") != first
    assert digest("http://127.0.0.1:1", more="      inputs: [x, z, y]\n") != first
    assert digest("http://127.0.0.1:1", "other") != first


class Odd(BaseHTTPRequestHandler):
    """A server that answers /Evaluate as a test wants."""

    evaluate = b""
    info = b'{"protocolVersion": 1.0, "models": ["right"]}'
    model_info = b'{"support": {"Evaluate": true}}'

    def answer(self, content):
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        self.answer(self.info)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        fixed = {
            "/InputSizes": {"inputSizes": [3]},
            "/OutputSizes": {"outputSizes": [3]},
        }
        known = {f"/a{path}": json.dumps(content).encode() for path, content in fixed.items()}
        known["/a/ModelInfo"] = self.model_info
        self.answer(known.get(self.path, self.evaluate))

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def odd_server(handler=Odd, **answers):
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Other", (handler,), answers))
    thread = threading.Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/a/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def waiting_server():
    """A model that answers when the test lets it: its address, and events for that it was asked and that it may."""
    asked, may_answer = threading.Event(), threading.Event()

    class Waits(Odd):
        evaluate = b'{"output": [[1, 2, 3]]}'

        def do_POST(self):
            if self.path.endswith("/Evaluate"):
                asked.set()
                may_answer.wait()
            super().do_POST()

    with odd_server(Waits) as address:
        try:
            yield address, asked, may_answer
        finally:
            may_answer.set()


def test_a_slow_model_is_timed_out(scan, chain):
    with waiting_server() as (address, _, _):
        outcome = chain(scan(address, timeout=0.5)).evaluate([1.0, 2.0, 5.0])
        assert outcome.status is Status.TIMED_OUT and "0.5 s" in outcome.message


def test_a_slow_model_is_timed_out_in_a_thread_too(scan, chain):
    with waiting_server() as (address, _, _):
        made, found = chain(scan(address, timeout=0.5)), []
        thread = threading.Thread(target=lambda: found.append(made.evaluate([1.0, 2.0, 5.0])))
        thread.start()
        thread.join()
        assert found[0].status is Status.TIMED_OUT and "did not answer within 0.5 s" in found[0].message


@pytest.mark.parametrize(
    "answers",
    [
        {"info": b'{"models": 5}'},
        {"info": b'{"models": null}'},
        {"info": b"{}"},
        {"model_info": b'{"support": ["Evaluate"]}'},
        {"model_info": b'{"support": null}'},
    ],
)
def test_a_server_with_an_odd_description_is_refused(scan, chain, answers):
    with odd_server(**answers) as address, pytest.raises((ConfigurationError, ScanFileError), match=r"line [67]: "):
        chain(scan(address))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no valid JSON"),
        (b"\xff\xfe\x00[", "no valid JSON"),
        (b'{"output": [[1, 2, NaN]]}', "no valid JSON (NaN is not JSON)"),
        (b'{"output": [[1, 2]]}', "outputs of sizes [2], but announced [3]"),
        (b'{"output": [[1, 2, 3], [4]]}', "outputs of sizes [3, 1], but announced [3]"),
        (b'{"output": 3}', "answered without an output: 3"),
        (b"{}", "answered without an output: None"),
        (b"[]", "answered with [], not an object"),
        (b'{"output": [["a", 2, 3]]}', "the observable a is 'a', not a number"),
        (b'{"output": [[null, 2, 3]]}', "the observable a is None, not a number"),
        (b'{"error": "sorry"}', "an error (HTTP 200): sorry"),
        (b"[" * 100_000, "no valid JSON"),
    ],
)
def test_any_answer_without_an_output_fails_the_point(scan, chain, content, words):
    with odd_server(evaluate=content) as address:
        outcome = chain(scan(address)).evaluate([1.0, 2.0, 5.0])
    assert outcome.status is Status.FAILED
    assert words in outcome.message


@pytest.mark.slow
def test_an_evaluator_runs_a_model(scan, address, evaluator):
    server = evaluator(scan(address), workers=2)
    found = server.evaluate([[1.0, y, 5.0] for y in range(10)])
    assert [list(result.observables) for result in found] == [[0.5, 1.0 + y, 5.0] for y in range(10)]


@pytest.mark.slow
def test_a_model_is_not_late_because_the_evaluator_was_suspended(scan, evaluator):
    with waiting_server() as (address, asked, may_answer):
        served = evaluator(scan(address, timeout=2), workers=1)
        call = served.stub.Evaluate(iter([served.request([[1.0, 2.0, 5.0]])]), timeout=60)
        assert asked.wait(60)  # as long as the call may take
        everything = alive(served.tag)
        for pid in everything:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(4)  # twice the time that a point may take
        for pid in everything:
            os.kill(pid, signal.SIGCONT)
        time.sleep(0.5)  # the answer must not arrive before the evaluator looks at its clock
        may_answer.set()
        (result,) = [one for response in call for one in response.results]
        assert (result.status, list(result.observables)) == (pb.STATUS_OK, [0.5, 1.0, 3.0])
        may_answer.clear()
        assert served.statuses([[1.0, 2.0, 5.0]]) == ["TIMED_OUT"]
