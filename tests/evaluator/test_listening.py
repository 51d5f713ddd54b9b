"""Where an evaluator listens: addresses, sockets and other machines; options that it refuses."""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from lodescan.v1 import evaluation_pb2 as pb
from lodescan.v1 import evaluation_pb2_grpc as pb_grpc
from tests.evaluator.serving import ROOT, wait_until


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.168.1.1:0", "example.org:0"])
def test_other_machines_are_refused_unless_told_otherwise(here, python_scan, listen):
    done = here("serve", python_scan(), "--listen", listen)
    assert done.returncode == 2
    assert "--insecure" in done.stderr and "Traceback" not in done.stderr


def test_insecure_listens_everywhere(python_scan, evaluator):
    server = evaluator(python_scan(), options=["--listen", "0.0.0.0:0", "--insecure"])
    assert server.statuses([[1.0]]) == ["OK"]
    reflection: Any = reflection_pb2_grpc.ServerReflectionStub(server.channel)
    question = reflection_pb2.ServerReflectionRequest(list_services="")
    with pytest.raises(grpc.RpcError) as caught:  # other machines do not learn which services there are
        list(reflection.ServerReflectionInfo(iter([question]), timeout=20))
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--listen", "50051"], "'50051' is not an address"),
        (["--listen", "localhost:"], "is not an address"),
        (["--listen", "127.0.0.1:117414"], "the largest one is 65535"),
        (["--listen", "127.0.0.1:http"], "'http' is not a port"),
        (["--workers", "-1"], "at least 0"),
        (["--grace", "-1"], "at least 0"),
    ],
)
def test_bad_options_are_refused(here, python_scan, options, words):
    done = here("serve", python_scan(), *options)
    assert done.returncode == 2 and "Traceback" not in done.stderr and words in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--listen", "unix:/nowhere/at/all/wire"], "/nowhere/at/all: No such file or directory"),
        pytest.param(
            ["--listen", "no.such.machine.invalid:50051", "--insecure"], "there is no machine", marks=pytest.mark.slow
        ),
        (["--listen", "192.0.2.1:50051", "--insecure"], "192.0.2.1 is not an address of this machine"),
        (["--listen", "127.0.0.1:0", "--address-file", "/nowhere/at/all"], "--address-file /nowhere/at/all: No such"),
        pytest.param(["--listen", "127.0.0.1:0", "--address-file", "/"], "--address-file /: ", marks=pytest.mark.slow),
    ],
)
def test_options_that_the_machine_cannot_satisfy_are_refused(python_scan, options, words):
    done = serve(python_scan(), "--workers", "0", *options)
    assert done.returncode == 2 and "Traceback" not in done.stderr and words in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("workers", [pytest.param("0", marks=pytest.mark.slow), "1"])
def test_an_evaluator_whose_output_nobody_reads_works_and_ends_in_order(evil, tmp_path, workers):
    address_file = tmp_path / "address"
    command = [sys.executable, "-m", "evaluator", "serve", str(evil("subprocess.Popen(['sleep', '1000'])\nos.fork()"))]
    command += ["--listen", "127.0.0.1:0", "--address-file", str(address_file), "--workers", workers]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert any(b"evaluator: toy on 127.0.0.1:" in line for line in process.stdout)  # notices may come first
        process.stdout.close()
        assert wait_until(address_file.exists)
        with grpc.insecure_channel(f"dns:///{address_file.read_text().strip()}") as channel:
            call = pb_grpc.EvaluationServiceStub(channel).Evaluate(
                iter([pb.EvaluateRequest(parameters=["x", "mode"], point_ids=[1, 2], values=[5, 1, 6, 0])]), timeout=60
            )
            found = {result.point_id: result.observables[0] for response in call for result in response.results}
        assert found == {1: 5, 2: 6}
        process.terminate()
        assert process.wait(60) == 0


@pytest.fixture
def short(tmp_path_factory):
    """A folder with a short name, because the name of a socket is limited."""
    with tempfile.TemporaryDirectory(prefix="ls-", dir="/tmp") as folder:
        yield Path(folder)


def test_a_socket_is_for_one_user_and_one_evaluator(python_scan, evaluator, short):
    path = short / "a b" / "wire"
    server = evaluator(python_scan(), options=["--listen", f"unix:{path}"])
    assert server.address == f"unix:{path}"
    assert server.statuses([[1.0]] * 3) == ["OK"] * 3
    assert [stat.S_IMODE(made.stat().st_mode) & 0o077 for made in (path, path.parent)] == [0, 0]
    assert subprocess.run([sys.executable, "-m", "evaluator", "healthy", server.address], check=False).returncode == 0
    done = serve(python_scan(), "--listen", server.address)
    assert done.returncode == 2 and "another program listens there already" in done.stderr
    assert server.statuses([[1.0]]) == ["OK"]  # the first evaluator was not disturbed
    assert server.terminate() == 0
    assert not path.parent.exists()


@pytest.mark.slow
def test_a_socket_left_by_a_kill_is_replaced_but_a_file_is_not(python_scan, evaluator, short):
    path = short / "wire"
    first = evaluator(python_scan(), options=["--listen", f"unix:{path}"])
    first.process.kill()
    first.process.wait()
    assert path.is_socket()
    second = evaluator(python_scan(), options=["--listen", f"unix:{path}"])
    assert second.statuses([[1.0]]) == ["OK"]
    assert second.terminate() == 0
    assert not path.exists() and short.exists()
    path.write_text("mine")
    done = serve(python_scan(), "--listen", f"unix:{path}")
    assert done.returncode == 2 and "is not a socket" in done.stderr and path.read_text() == "mine"


def test_evaluators_are_reached_without_the_web_proxy(shared):
    environment = {**os.environ, "http_proxy": "http://127.0.0.1:9", "grpc_proxy": "http://127.0.0.1:9", "no_proxy": ""}
    command = [sys.executable, "-m", "evaluator", "healthy", shared.address]
    assert subprocess.run(command, env=environment, timeout=60, check=False).returncode == 0


def test_an_address_in_use_is_refused(python_scan, shared):
    done = serve(python_scan(), "--listen", shared.address)
    assert done.returncode == 2
    *notices, line = done.stderr.splitlines()
    assert all(notice.startswith("evaluator: ") for notice in notices)  # no message of gRPC itself
    assert f"--listen {shared.address}: another program listens there already" in line and "127.0.0.1:0`" in line


def serve(scan, *options):
    return subprocess.run(
        [sys.executable, "-m", "evaluator", "serve", str(scan), "--workers", "1", *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
