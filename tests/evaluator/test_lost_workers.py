"""Workers that are killed while they start or cannot be started again, and evaluators that are suspended."""

import os
import resource
import signal
import threading
import time

import pytest

from lodescan.v1 import evaluation_pb2 as pb
from tests.evaluator.harness import alive
from tests.evaluator.serving import wait_until

SLOW_START = (
    "import time\nfrom pathlib import Path\nHERE = Path(__file__).parent\n"
    "def f(point):\n    time.sleep(point['pause'])\n    return {'y': point['x']}\n"
)
SCAN = (
    "variables: {x: [0, 100], pause: [0, 100]}\ncodes:\n  toy:\n    function: toy:f\n    timeout: TIMEOUT\n"
    "    observables: {y: {mean: 1, sigma: 1}}\n"
)


@pytest.fixture
def scan(scan_file):
    return lambda timeout=20: scan_file(SCAN.replace("TIMEOUT", str(timeout)), toy__py=SLOW_START)


@pytest.mark.slow
def test_workers_that_are_killed_while_they_start_cost_no_point(scan, evaluator):
    server = evaluator(scan(), workers=1)
    seen, kills = set(server.workers()), 0
    for pid in seen:
        os.kill(pid, signal.SIGKILL)
    found = []
    thread = threading.Thread(target=lambda: found.extend(server.evaluate([[x, 0.0] for x in range(5)])))
    thread.start()
    end = time.monotonic() + 20
    while kills < 3 and time.monotonic() < end:  # kills each new worker as soon as it exists
        for pid in set(server.workers()) - seen:
            seen.add(pid)
            kills += 1
            os.kill(pid, signal.SIGKILL)
    thread.join(60)
    assert {pb.Status.Name(result.status) for result in found} <= {"STATUS_OK", "STATUS_KILLED"}
    assert server.statuses([[1, 0]]) == ["OK"]


@pytest.mark.slow
def test_too_many_open_files_end_the_evaluator_in_order(scan, evaluator):
    server = evaluator(scan(), workers=2)
    assert server.statuses([[1, 0]] * 4) == ["OK"] * 4
    used = len(os.listdir(f"/proc/{server.process.pid}/fd"))
    call = server.stub.Evaluate(iter([server.request([[x, 0.05] for x in range(200)])]), timeout=60)
    next(iter(call))
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (used - 2, hard))
    for pid in server.workers():
        os.kill(pid, signal.SIGKILL)
    statuses = {result.status for response in call for result in response.results}
    assert statuses <= {pb.STATUS_OK, pb.STATUS_KILLED, pb.STATUS_CANCELLED}
    assert server.process.wait(40) == 5
    assert "cannot be started: " in server.log.read_text()
    assert server.nothing_left()


@pytest.mark.slow
def test_an_evaluator_that_may_open_no_file_ends_in_order(scan, evaluator):
    """It says why, and clears up."""
    server = evaluator(scan(), workers=2)
    assert server.statuses([[1, 0]]) == ["OK"]
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (3, hard))
    for pid in server.workers():
        os.kill(pid, signal.SIGKILL)
    assert server.statuses([[1, 0]]) == ["CANCELLED"]
    assert server.process.wait(60) == 5
    assert "cannot be started: OSError: [Errno 24] Too many open files" in server.log.read_text()
    assert "Traceback" not in server.log.read_text().partition("evaluator: stopping")[2]
    assert server.nothing_left()


def test_a_worker_that_answers_about_another_point_is_ended(scan_file, evaluator):
    forged = (
        "import sys\n"
        "def f(point):\n"
        "    frame = sys._getframe()\n"
        "    while frame.f_code.co_name != 'work':\n        frame = frame.f_back\n"
        "    if point['x'] == 3:\n        frame.f_locals['pipe'].send((0, []))\n"
        "    return {'y': point['x']}\n"
    )
    scan = scan_file(SCAN.replace("TIMEOUT", "20"), toy__py=forged)
    server = evaluator(scan, workers=1)
    results = server.evaluate([[x, 0] for x in range(6)])
    assert [pb.Status.Name(result.status) for result in results] == [
        "STATUS_OK",
        "STATUS_OK",
        "STATUS_OK",
        "STATUS_KILLED",
        "STATUS_OK",
        "STATUS_OK",
    ]
    assert [result.observables[0] for result in results if result.status == pb.STATUS_OK] == [0, 1, 2, 4, 5]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["function", "program"])
def test_points_are_not_late_because_the_evaluator_was_suspended(scan, program_scan, evaluator, tmp_path, kind):
    if kind == "function":
        server, rows = evaluator(scan(2), workers=2), [[1, 1.0], [2, 1.0], [3, 60]]
    else:
        path = program_scan("spheno.sh", settings="timeout: 2")
        program = (tmp_path / "spheno.sh").read_text().replace("\n", "\nsleep 1\n", 1)
        (tmp_path / "spheno.sh").write_text(program)
        server, rows = evaluator(path, workers=2), [[1], [1], [4]]
    call = server.stub.Evaluate(iter([server.request(rows)]), timeout=60)
    assert wait_until(lambda: len(server.workers()) == 2)
    time.sleep(0.5)
    everything = alive(server.tag)
    for how in (signal.SIGSTOP, signal.SIGCONT):
        for pid in everything:
            os.kill(pid, how)
        if how is signal.SIGSTOP:
            time.sleep(4)  # twice the time that a point may take
    found = {result.point_id: pb.Status.Name(result.status) for response in call for result in response.results}
    assert found == {0: "STATUS_OK", 1: "STATUS_OK", 2: "STATUS_TIMED_OUT"}


@pytest.mark.slow
def test_a_worker_is_not_late_while_it_loads_because_the_evaluator_was_suspended(scan_file, evaluator):
    """The evaluator's clock stands still, as it does while it is suspended."""

    def loads_for(seconds):
        waits = f"import os, time\nos.register_at_fork(after_in_child=lambda: time.sleep({seconds}))\n"
        return scan_file(SCAN.replace("TIMEOUT", "20"), toy__py=waits + SLOW_START)

    still = "from evaluator import clock; clock.lived = lambda: 0.0; "
    limited = "from evaluator.executors import worker; worker.START_LIMIT = 0.05"
    assert evaluator(loads_for(0.2), before=still + limited).statuses([[1, 0]]) == ["OK"]
    with pytest.raises(RuntimeError, match=r"the worker was not ready within 0\.05 s"):
        evaluator(loads_for(60), before=limited)


@pytest.mark.slow
def test_the_path_for_temporary_files_may_be_long(scan, evaluator, tmp_path):
    folder = tmp_path / ("a" * 90)
    folder.mkdir()
    server = evaluator(scan(), workers=2, environment={"TMPDIR": str(folder)})
    assert server.statuses([[1, 0]] * 4) == ["OK"] * 4
    assert list(folder.glob("lodescan-*"))
    assert server.terminate() == 0
    assert wait_until(lambda: not alive(server.tag)) and not list(folder.iterdir())


def test_the_path_for_temporary_files_may_be_no_text(scan, evaluator, tmp_path):
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    os.mkdir(folder)
    server = evaluator(scan(), environment={"TMPDIR": folder})
    assert server.statuses([[1, 0]]) == ["OK"]
    assert server.terminate() == 0
    assert wait_until(lambda: not alive(server.tag)) and not os.listdir(folder)
