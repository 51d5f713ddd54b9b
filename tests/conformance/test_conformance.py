"""The conformance suite against a real evaluator, a small independent one, and ones that break one promise each."""

import subprocess
import sys
from pathlib import Path

import pytest

from evaluator.conformance.__main__ import main
from evaluator.conformance.checks import CHECKS, every_id_is_answered_once
from evaluator.conformance.peer import Broken, Peer
from tests.conformance.server import serve
from tests.evaluator.harness import EXAMPLES, Evaluator

COMMAND = str(Path(sys.executable).parent / "lodescan-conformance")

FAULTS = {
    "no name": "describe is sane: backend is empty",
    "no digest": "describe is sane: a digest is empty",
    "twice the same parameter": "describe is sane: parameters are ['x', 'x']",
    "reversed range": "describe is sane: parameter x has the range [-1.0, -2.0]",
    "no mean": "describe is sane: z has no usable mean and sigma",
    "no likelihood": "describe is sane: no observable is in the likelihood",
    "kind unspecified": "describe is sane: the likelihood of z is UNSPECIFIED",
    "no bound": "describe is sane: a point may take inf seconds",
    "no batch": "describe is sane: max_batch is 0",
    "description changes": "describe does not change",
    "no health": "health is serving: the standard health service does not answer (UNIMPLEMENTED)",
    "other digests": "the first response carries the digests",
    "loses a point": "every id is answered once",
    "answers twice": "every id is answered once",
    "short ids": "every id is answered once",
    "one batch a stream": "a stream takes several batches",
    "no status": "results are sound: a result has no status",
    "too many observables": "results are sound: 2 observables",
    "negative time": "results are sound: seconds are [-1.0]",
    "times of nobody": "results are sound: seconds of 2 codes, but there are 1",
    "ends before it begins": "results are sound: a point began at 2.0 and ended at 1.5",
    "cancelled twice": "cancelled points are answered once: asked for 8 points and cancelled 2 of them; the answers",
    "ends with any scan": "the end of another scan is not its own: the evaluator ends",
    "finish is an error": "the end of another scan is not its own: Finish ends with INTERNAL",
    "outside its window": "results are sound: an OK point has z",
    "invalid with an NLL": "results are sound: a point with the status STATUS_INVALID has an NLL",
    "fails in silence": "results are sound: a point that is not OK does not say why",
    "nll is not a sum": "the nll is the sum of the losses",
    "beyond the cap": "the nll is the sum of the losses: the losses are [800.0], but the largest loss allowed is 710.7",
    "large spectra": "results are sound: the spectrum files of a point have more than 1 MiB",
    "missing twice": "results are sound: a position is missing twice",
    "wrong formula": "the losses are those of the formulas: the loss of z",
    "wrong term": "a joint term is its formula: t is ",
    "unknown term": "a joint term is its formula: t is a joint term of the kind 99, unknown here",
    "columns as they come": "columns may come in any order",
    "any value": "values that are not finite are refused: a value of nan",
    "any names": "wrong names are refused",
    "any count": "a wrong count of values is refused",
    "ids twice": "an id that is used twice is refused",
    "any batch": "a batch too large is refused",
    "wrong code": "a batch too large is refused: 51 points in a batch end with INTERNAL",
    "answers nobody": "a stream without requests ends",
}


@pytest.mark.slow
@pytest.mark.parametrize("example", ["toy3d", "joint3d"])
def test_lodescans_own_evaluator_keeps_every_promise(tmp_path, example):
    server = Evaluator(tmp_path, EXAMPLES / f"{example}.yaml", workers=1)
    try:
        done = subprocess.run([COMMAND, server.address], capture_output=True, text=True, timeout=120, check=False)
    finally:
        server.close()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"toy passes {len(CHECKS)} of {len(CHECKS)} checks"


@pytest.fixture
def peer():
    started = []

    def start(fault):
        server, address = serve(fault)
        started.append(server)
        return address

    yield start
    for server in started:
        server.stop(0).wait()


@pytest.mark.parametrize("how", ["none", "says when", "a term", "one at a time"])
def test_an_independent_evaluator_keeps_every_promise(peer, capsys, how):
    assert main([peer(how), "--timeout", "10"]) == 0
    assert "FAIL" not in capsys.readouterr().out


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_promise_is_found(peer, capsys, fault):
    assert main([peer(fault), "--timeout", "10"]) == 1
    failed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("FAIL")]
    assert any(line.startswith(f"FAIL  {FAULTS[fault]}") for line in failed), failed


def test_a_stream_that_does_not_end_is_found(peer):
    with pytest.raises(Broken, match="the stream of 8 points did not end after it was half-closed"):
        every_id_is_answered_once(Peer(peer("never ends"), 0.1))


def test_every_promise_is_broken_once():
    tried = " ".join(FAULTS.values())
    names = [check.__name__.replace("_", " ") for check in CHECKS]
    untried = [name for name in names if name not in tried]
    # these two need a server that keeps state between streams, or that dies
    assert untried == ["two streams may use the same ids", "it goes on after a stream that broke"]


def test_an_address_without_an_evaluator_is_an_error(capsys):
    assert main(["127.0.0.1:9", "--timeout", "2"]) == 2
    assert "127.0.0.1:9 does not answer Describe (UNAVAILABLE)" in capsys.readouterr().err


def test_evaluators_are_reached_without_the_web_proxy(peer, monkeypatch):
    for name in ("http_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("no_grpc_proxy", raising=False)
    assert main([peer("none"), "--timeout", "10"]) == 0


@pytest.mark.parametrize("address", ["127.0.0.1:117414", "50051", "localhost:http", "unix:"])
def test_a_missing_address_is_an_error(capsys, address):
    assert main([address]) == 2
    line, *more = capsys.readouterr().err.splitlines()
    assert line.startswith("lodescan-conformance: ") and address in line
    assert "for example" in line or more[0].startswith("next: ")


def test_what_an_evaluator_says_is_not_obeyed_by_a_terminal(peer, capsys):
    assert main([peer("escapes"), "--timeout", "10"]) == 1
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err and max(map(len, said.out.splitlines())) < 3000


def test_commands_in_the_other_side_s_environment_say_where_they_belong():
    """Each environment has the commands of both sides."""
    sides: tuple[tuple[str, list[str], str, str, int], ...] = (
        ("evaluator.conformance", [], "grpc_health", "evaluator", 1),
        ("proposer", ["report", "nowhere"], "matplotlib", "proposer", 2),
    )
    for name, arguments, missing, side, code in sides:
        blocked = f"import sys, runpy; sys.modules[{missing!r}] = None; runpy.run_module({name!r}, run_name='__main__')"
        command = [sys.executable, "-c", blocked, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == code
        assert f" is missing: run it in the {side}'s environment, .envs/{side}/bin/lodescan" in done.stderr
        assert f"; `pip install '.[{side}]'` in the clone makes another one\n" in done.stderr
        assert len(done.stderr.splitlines()) == 1
