"""Single points are cancelled, results have times, and an evaluator ends with its scan or its lifetime and announces
itself.
"""

import os
import shutil
import signal
import socket
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from evaluator.service import announcement
from evaluator.service.ending import read_duration
from lodescan.v1 import evaluation_pb2 as pb
from scanspec import read_address
from scanspec.finished import mark_finished
from tests.evaluator.calls import Stream, statuses
from tests.evaluator.serving import wait_until

SLEEPS = 5  # that spheno.sh starts when it hangs


@pytest.mark.parametrize("workers", [*(pytest.param(number, marks=pytest.mark.slow) for number in (0, 1)), 2])
def test_single_points_of_a_program_are_ended_with_its_processes(program_scan, evaluator, workers):
    server = evaluator(program_scan("spheno.sh", settings="timeout: 600"), workers=workers)
    stream = Stream(server, [[4]] * 2 + [[1]] + [[4]])  # 4 hangs
    assert wait_until(lambda: len(server.programs("sleep")) == max(1, workers) * SLEEPS)
    stream.send(cancel_point_ids=[0, 3, 77])
    expected = {0: "CANCELLED", 3: "CANCELLED"}
    assert statuses(stream.take(2)) == expected
    assert wait_until(lambda: len(server.programs("sleep")) == SLEEPS)  # the processes of point 1
    stream.send(cancel_point_ids=[1, 0])  # 0 is answered already, which is not a fault
    assert statuses(stream.close()) == {1: "CANCELLED", 2: "OK"}
    assert wait_until(lambda: not server.programs("sleep"))
    (root,) = server.scratch()
    assert wait_until(lambda: not list(root.glob("point-*")))


def test_the_other_points_of_a_group_are_answered(python_scan, evaluator):
    server = evaluator(python_scan("misbehave", "x: [-5, 5], mode: [0, 30]", "timeout: 100"), workers=1)
    assert server.statuses([[1, 0]] * 200) == ["OK"] * 200  # points this quick go to the worker in groups
    stream = Stream(server, [[1, 0]] * 10 + [[1, 10]] + [[1, 0]] * 10)  # 10 hangs
    time.sleep(0.3)
    stream.send(cancel_point_ids=[10])
    found = statuses(stream.close())
    assert found.pop(10) == "CANCELLED"
    assert set(found.values()) == {"OK"} and len(found) == 20


SLEEPY = """
import subprocess

def f(point):
    return {"y": subprocess.run(["sleep", "1"]).returncode if point["x"] == 50 else 0}
"""


@pytest.mark.slow
def test_without_workers_a_point_that_waits_for_others_of_its_group_is_cancelled_alone(scan_file, evaluator):
    scan = "variables: {x: [0, 100]}\ncodes: {toy: {function: toy:f, observables: {y: {mean: 1, sigma: 1}}}}\n"
    server = evaluator(scan_file(scan, toy__py=SLEEPY), workers=0)
    assert server.statuses([[1]] * 200) == ["OK"] * 200  # points this quick go together
    stream = Stream(server, [[1]] * 10 + [[50]])
    assert wait_until(lambda: server.programs("sleep"))
    stream.send(cancel_point_ids=range(10))
    found = stream.close()
    assert found[10].status == pb.STATUS_OK
    assert list(found[10].observables) == [0.0]


def test_too_many_ids_to_cancel_are_refused(shared):
    request = shared.request([[1.0, 0.0]])
    request.cancel_point_ids.extend(range(5000))
    with pytest.raises(grpc.RpcError) as caught:
        list(shared.stub.Evaluate(iter([request]), timeout=60))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "more than 4096" in caught.value.details()


@pytest.mark.parametrize("workers", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_results_say_when_they_began_and_ended(slow, workers):
    server = slow(workers=workers)  # a new evaluator, because points after quick ones go to a worker together
    before = time.time()
    stream = Stream(server, [[1.0, 0.3], [2.0, 0.0], [3.0, 100.0], [4.0, 0.0]])
    found = stream.take(2)
    after = time.time()
    assert before <= found[0].begun_at <= found[0].ended_at <= found[1].begun_at <= found[1].ended_at <= after
    assert 0.3 <= found[0].ended_at - found[0].begun_at < 5
    if workers:
        stream.send(cancel_point_ids=[2, 3])
        found = stream.close()
        assert found[2].ended_at >= found[2].begun_at > before
        assert found[3].begun_at == found[3].ended_at == 0  # it never began
    else:
        stream.call.cancel()


def test_describe_says_how_long_a_point_may_take(shared, python_scan, evaluator):
    assert 900 <= shared.describe().longest_seconds <= 910
    assert (
        evaluator(python_scan("square"), workers=0).describe().longest_seconds == 0
    )  # without workers nothing ends a point


def finish(server, **digests):
    said = server.describe()
    request = {"physics_digest": said.physics_digest, "likelihood_digest": said.likelihood_digest, **digests}
    return server.stub.Finish(pb.FinishRequest(**request), timeout=60).ends


def test_the_end_of_the_scan_ends_an_evaluator_that_was_started_for_it(slow):
    server = slow(options=["--until-finished"])
    stream = Stream(server, [[1.0, 0.0], [2.0, 0.5]])
    assert len(stream.take(1)) == 1
    assert not finish(server, physics_digest="another scan")
    assert finish(server)
    assert statuses(stream.close()) == {1: "OK"}  # it ends when the last stream closes
    assert server.process.wait(60) == 0
    assert "stopping (the end of the scan)" in server.log.read_text()


@pytest.mark.parametrize(("options", "code"), [(["--until-finished"], 6), ([], 0)])
def test_the_exit_code_tells_that_an_evaluator_was_stopped_before_the_end_of_the_scan(slow, options, code):
    server = slow(options=options)
    if not options:
        assert not finish(server)  # it outlives its scans
    assert server.statuses([[1.0, 0.0]]) == ["OK"]
    assert server.terminate() == code


SOON_ALONE = """
from evaluator.service import ending
from evaluator.service.server import Evaluation

ending.LONGEST_ALONE = 0.5
opened, evaluate, alone = [], Evaluation.Evaluate, Evaluation.seconds_alone.fget


async def noted(self, requests, context):
    opened.append(True)
    async for response in evaluate(self, requests, context):
        yield response


Evaluation.Evaluate = noted
Evaluation.seconds_alone = property(lambda self: alone(self) if opened else 0.0)  # the test may be late
"""


@pytest.mark.parametrize("options", [["--until-finished"], pytest.param([], marks=pytest.mark.slow)])
def test_an_evaluator_that_starts_after_the_end_of_the_scan_ends_after_a_while(slow, options):
    """Nobody tells it that the scan is finished. An open stream keeps it running, even without messages."""
    server = slow(options=options, before=SOON_ALONE)
    stream = Stream(server, [[1.0, 0.0]])
    assert len(stream.take(1)) == 1
    time.sleep(1.0)  # of silence, longer than the limit
    assert server.process.poll() is None
    stream.close()
    if not options:
        time.sleep(1.0)
        assert server.process.poll() is None
        return
    assert server.process.wait(60) == 6
    assert "stopping (nobody asks it any more)" in server.log.read_text()


def test_an_evaluator_reads_in_its_folder_that_its_scan_is_finished(python_scan, evaluator, tmp_path):
    """Nobody tells it otherwise. Only the end of its own scan counts, not that of another scan with the same folder."""
    options = ["--until-finished", "--announce", str(tmp_path / "pool")]
    often = "from evaluator.service import ending; ending.LOOK_EVERY = 0.05"
    server = evaluator(python_scan("square"), options=options, before=often)
    digests = (server.describe().physics_digest, server.describe().likelihood_digest)
    mark_finished(tmp_path / "pool", ("another", digests[1]))
    stream = Stream(server, [[1.0]])
    assert len(stream.take(1)) == 1
    mark_finished(tmp_path / "pool", digests)
    stream.send(point_ids=[2], values=[2.0])
    assert len(stream.take(1)) == 1  # it goes on while a client has a stream open
    stream.close()
    assert server.process.wait(60) == 0
    assert "stopping (the end of the scan)" in server.log.read_text()


STANDS_STILL = """
import time
from pathlib import Path
from types import SimpleNamespace
from evaluator.service import ending

started = []


def clock():
    if not started and Path({file!r}).exists():
        started.append(time.monotonic())
    return time.monotonic() - started[0] if started else 0.0


ending.time = SimpleNamespace(monotonic=clock)
"""
"""The lifetime begins with the file: on a busy machine, an evaluator takes as long to start."""


@pytest.mark.slow
def test_an_evaluator_ends_in_order_at_the_end_of_its_lifetime(slow, tmp_path):
    go = tmp_path / "go"
    server = slow(options=["--lifetime", "10s", "--grace", "1"], before=STANDS_STILL.format(file=str(go)))
    stream = Stream(server, [[1.0, 0.2], [2.0, 600.0], [3.0, 0.0]])
    assert statuses(stream.take(1)) == {0: "OK"}
    start = time.monotonic()
    go.touch()
    assert statuses(stream.close()) == {1: "CANCELLED", 2: "CANCELLED"}
    assert server.process.wait(60) == 6
    assert time.monotonic() - start < 15
    assert "stopping (the end of its lifetime)" in server.log.read_text()
    assert server.nothing_left()


@pytest.mark.slow
def test_a_point_that_fits_into_the_rest_of_the_lifetime_is_answered(slow, tmp_path):
    go = tmp_path / "go"
    server = slow(options=["--lifetime", "12s", "--grace", "6"], before=STANDS_STILL.format(file=str(go)))
    health = health_pb2_grpc.HealthStub(server.channel)
    stream = Stream(server, [[1.0, 0.0], [1.0, 6.0]])
    stream.take(1)
    go.touch()
    assert wait_until(
        lambda: health.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    )
    assert statuses(stream.close()) == {1: "OK"}
    assert server.process.wait(60) == 6


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3h50m", 13800), ("90s", 90), ("90", 90), ("1d12h", 129600), ("0.5", 0.5), ("2h", 7200), ("1h30", 3630)],
)
def test_durations_are_read(text, seconds):
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "3x", "h", "50m3h", "-5", "0", "nan", "inf", "1e3", "3:50"])
def test_wrong_durations_are_refused(text):
    with pytest.raises(ValueError, match=r"is not a time|longer than 0"):
        read_duration(text)


def test_an_evaluator_is_announced_as_long_as_it_takes_points(gated, tmp_path):
    folder = tmp_path / "pool" / "one"
    server = gated(options=["--announce", str(folder), "--grace", "100"])
    (file,) = folder.iterdir()
    assert file.name.startswith(f"{socket.gethostname()}-") and file.suffix == ".evaluator"
    assert file.read_text() == f"{server.address}\n"
    other = gated(options=["--announce", str(folder), "--listen", "0.0.0.0:0", "--insecure"])
    (second,) = set(folder.iterdir()) - {file}
    assert second.read_text() == f"{socket.gethostname()}:{other.address.rpartition(':')[2]}\n"
    stream = Stream(server, [[1.0, 1]])
    assert server.began(1)
    server.process.send_signal(signal.SIGTERM)
    assert wait_until(lambda: not file.exists())
    assert server.process.poll() is None  # its point still runs
    server.let_go(1)
    assert statuses(stream.close()) == {0: "OK"}
    assert server.process.wait(60) == 0
    other.process.kill()
    assert os.listdir(folder) == [second.name]  # the stale file was removed, because nobody answers there


def test_an_announcement_that_somebody_removes_is_written_again(tmp_path, monkeypatch):
    """A file system may remove old files, and the scan may be continued after that."""
    monkeypatch.setattr(announcement, "LOOK_EVERY", 0.05)
    folder = tmp_path / "pool"
    with announcement.announced(folder, read_address("127.0.0.1:5")):
        (file,) = folder.iterdir()
        file.unlink()
        assert wait_until(file.exists) and file.read_text() == "127.0.0.1:5\n"
        shutil.rmtree(folder)
        assert wait_until(file.exists) and file.read_text() == "127.0.0.1:5\n"
    assert os.listdir(folder) == []


@pytest.mark.slow
def test_an_announce_folder_that_cannot_be_written_is_an_error(slow, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RuntimeError, match=r"--announce .*file.*: .*; name a folder that both sides can write"):
        slow(options=["--announce", str(tmp_path / "file")])
