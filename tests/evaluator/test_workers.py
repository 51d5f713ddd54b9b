"""Worker processes: what a code does to its process costs only that point."""

import os
import shutil
import signal
import time

import pytest

from lodescan.v1 import evaluation_pb2 as pb
from tests.evaluator.calls import Stream, statuses
from tests.evaluator.harness import DATA, PROGRAMS, alive
from tests.evaluator.serving import wait_until

SLEEPS = 5  # that spheno.sh starts when it hangs
VARIABLES = "x: [-5, 5], mode: [0, 30], pause: [0, 1000]"


@pytest.fixture(scope="module")
def patient(lasting):
    return misbehaving(lasting, 20)


@pytest.fixture(scope="module")
def impatient(lasting):
    return misbehaving(lasting, 0.5)


def misbehaving(lasting, timeout):
    """One evaluator for all misbehaving codes."""

    def write(folder):
        shutil.copy(DATA / "codes.py", folder)
        (folder / "scan.yaml").write_text(
            f"variables: {{{VARIABLES}}}\ncodes:\n  toy:\n    function: codes:misbehave\n    timeout: {timeout}\n"
            "    observables: {y: {mean: 1, sigma: 2}}\n"
        )
        return folder / "scan.yaml"

    server = lasting(write)
    assert server.statuses([row(1)]) == ["OK"]
    server.processes = len(alive(server.tag))
    return server


def row(x, mode=0, seconds=0.0):
    return [x, mode, seconds]


@pytest.mark.parametrize(
    ("mode", "status", "message"),
    [
        (2, "OK", ""),
        (3, "INVALID", "unbounded"),
        (4, "FAILED", "no convergence"),
        (8, "FAILED", "exit code 3"),
        (9, "FAILED", "signal 11"),
        (10, "TIMED_OUT", "deadline"),
        (11, "TIMED_OUT", "deadline"),
        (12, "TIMED_OUT", "deadline"),
        (13, "FAILED", "File too large"),
        (14, "FAILED", "File too large"),
        (15, "FAILED", "exit code 5"),
        (16, "TIMED_OUT", "deadline"),
        (17, "FAILED", "exit code 1"),
        (19, "FAILED", "MemoryError"),
        (20, "TIMED_OUT", "deadline"),
        (21, "FAILED", "signal 6"),
        (24, "FAILED", "exit code 4"),
    ],
)
def test_a_misbehaving_code_costs_only_its_point(impatient, patient, mode, status, message):
    server = impatient if status == "TIMED_OUT" else patient
    results = server.evaluate([row(1), row(2, mode), row(3), row(-4, 1)])
    names = [pb.Status.Name(result.status).removeprefix("STATUS_") for result in results]
    assert names == ["OK", status, "OK", "OK"]
    assert [results[n].observables[0] for n in (0, 2, 3)] == [1.0, 9.0, 16.0]
    assert message in results[1].message
    assert results[1].failed_code == ("" if status == "OK" else "toy")
    # the processes and files of the point are gone while the evaluator goes on
    assert wait_until(lambda: len(alive(server.tag)) == server.processes)
    (root,) = server.scratch()
    assert wait_until(lambda: not list(root.glob("point-*")))
    assert all(path.stat().st_size < 10_000 for path in root.iterdir())


def test_crashes_among_a_hundred_quick_points_cost_only_themselves(python_scan, evaluator):
    server = evaluator(python_scan("misbehave", VARIABLES, "timeout: 5"), workers=2)
    bad = {7: 8, 31: 9, 32: 21, 90: 15}
    names = server.statuses([row(1.0, bad.get(n, 0)) for n in range(100)])
    assert {n for n, name in enumerate(names) if name == "FAILED"} == set(bad)
    assert names.count("OK") == 96


def test_a_flood_of_output_from_a_program_does_no_harm(program_scan, evaluator):
    server = evaluator(program_scan("flood.sh"))
    (root,) = server.scratch()
    for result in server.evaluate([[1], [2], [3]]):
        assert result.status == pb.STATUS_FAILED and "256 MiB" in result.message
    assert sum(path.stat().st_size for path in root.rglob("*")) < 100_000


def test_programs_that_hang_or_leave_a_daemon_are_ended_with_their_descendants(program_scan, evaluator):
    server = evaluator(program_scan("spheno.sh", settings="timeout: 2.5"), workers=2)
    assert server.statuses([[4.0], [1.0], [4.0], [2.0]]) == ["TIMED_OUT", "OK", "TIMED_OUT", "INVALID"]
    assert wait_until(lambda: not server.programs("sleep") and not server.programs("sh"))
    assert server.statuses([[9.0], [1.0]]) == ["OK", "OK"]
    assert wait_until(lambda: not server.programs("sleep"))


def test_the_code_that_crashed_the_process_is_named(scan_file, evaluator):
    scan = scan_file(
        "variables: {x: [0, 9], mode: [0, 30]}\ncodes:\n"
        "  first:\n    function: codes:square\n    observables: {z: {function: x, mean: 0, sigma: 1}}\n"
        "  second:\n    function: codes:misbehave\n    timeout: 1.5\n    observables: {y: }\n"
    )
    server = evaluator(scan, workers=1)
    start = time.monotonic()
    results = server.evaluate([[1, 8], [1, 12], [1, 0]])
    # the first code may take ten minutes, the second one 1.5 s
    assert time.monotonic() - start < 15
    assert [result.failed_code for result in results] == ["second", "second", ""]
    assert [result.status for result in results] == [pb.STATUS_FAILED, pb.STATUS_TIMED_OUT, pb.STATUS_OK]


def test_a_worker_killed_while_it_works_costs_only_its_point(gated):
    server = gated(workers=2)
    stream = Stream(server, [[1, 1], [2, 0], [3, 0]])
    assert statuses(stream.take(2)) == {1: "OK", 2: "OK"} and server.began(1)
    workers = server.workers()
    assert len(workers) == 2
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    (killed,) = stream.close().values()
    assert killed.status == pb.STATUS_KILLED and "killed from outside" in killed.message
    assert server.statuses([[1, 0]] * 4) == ["OK"] * 4


@pytest.mark.slow
def test_a_worker_killed_while_its_program_runs_costs_only_its_point(program_scan, evaluator):
    server = evaluator(program_scan("spheno.sh", settings="timeout: 60"), workers=1)
    calls = server.stub.Evaluate(iter([server.request([[4.0], [1.0]])]), timeout=60)
    assert wait_until(lambda: len(server.programs("sleep")) >= SLEEPS)
    (root,) = server.scratch()
    assert list(root.glob("point-*"))
    for pid in server.workers():
        os.kill(pid, signal.SIGKILL)
    found = {result.point_id: result for response in calls for result in response.results}
    assert [found[n].status for n in (0, 1)] == [pb.STATUS_KILLED, pb.STATUS_OK]
    assert wait_until(lambda: not server.programs("sleep") and not list(root.glob("point-*")))


def test_idle_workers_killed_lose_nothing(gated):
    server = gated(workers=2)
    for n in range(5):
        stream = Stream(server, [[n + 0.25, 1], [n + 0.5, 1]])
        assert server.began(n + 0.25) and server.began(n + 0.5)  # then both workers exist
        server.let_go(n + 0.25)
        server.let_go(n + 0.5)
        assert statuses(stream.close()) == {0: "OK", 1: "OK"}
        workers = server.workers()
        assert len(workers) == 2
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
    assert server.statuses([[1, 0]] * 4) == ["OK"] * 4


def test_a_killed_fork_server_costs_nothing_but_time(python_scan, evaluator):
    server = evaluator(python_scan("slow_square", VARIABLES, "timeout: 60"), workers=2)
    assert server.statuses([row(1, 0, 0.01)] * 4) == ["OK"] * 4
    workers = set(server.workers())
    (fork_server,) = {_parent(pid) for pid in workers}
    os.kill(fork_server, signal.SIGKILL)
    names = server.statuses([row(1, 0, 0.01)] * 6)
    assert set(names) <= {"OK", "KILLED"} and names.count("KILLED") <= 2
    assert server.statuses([row(1, 0, 0.01)] * 4) == ["OK"] * 4
    assert wait_until(lambda: not workers & set(alive(server.tag)))
    assert server.terminate() == 0
    assert server.nothing_left()


@pytest.mark.slow
def test_a_fork_server_that_was_stopped_is_replaced(python_scan, evaluator):
    impatient = "from evaluator.executors import shared\nshared.FORK_LIMIT = 3.0"
    server = evaluator(python_scan("slow_square", VARIABLES, "timeout: 60"), workers=1, before=impatient)
    assert server.statuses([row(1)]) == ["OK"]
    (worker,) = server.workers()
    fork_server = _parent(worker)
    os.kill(fork_server, signal.SIGSTOP)
    os.kill(worker, signal.SIGKILL)
    assert server.statuses([row(1), row(2)], timeout=120) == ["OK"] * 2
    assert fork_server not in {_parent(pid) for pid in server.workers()}
    assert server.terminate() == 0
    assert server.nothing_left()


def _parent(pid):
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])


@pytest.mark.slow
def test_sigterm_does_not_end_a_worker(python_scan, evaluator):
    server = evaluator(python_scan("slow_square", VARIABLES, "timeout: 60"), workers=1)
    assert server.statuses([row(1)]) == ["OK"]
    before = server.workers()
    for pid in before:
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGINT)
    assert server.statuses([row(1, 0, 0.3)]) == ["OK"]
    assert server.workers() == before


def test_without_workers_functions_run_in_the_evaluator(python_scan, evaluator):
    server = evaluator(python_scan("misbehave", VARIABLES), workers=0)
    assert server.statuses([row(1), row(2, 3), row(3, 4), row(4, 5), row(5, 15), row(5)]) == [
        "OK",
        "INVALID",
        "FAILED",
        "FAILED",
        "FAILED",
        "OK",
    ]
    assert server.terminate() == 0
    assert server.nothing_left()


@pytest.mark.slow
def test_a_function_that_hangs_without_workers_does_not_keep_the_evaluator(python_scan, evaluator):
    server = evaluator(python_scan("misbehave", VARIABLES), workers=0, options=["--grace", "0.3"])
    call = server.stub.Evaluate(iter([server.request([row(1, 10)])]), timeout=60)
    time.sleep(0.5)
    assert server.terminate(15) == 0
    assert server.nothing_left()
    call.cancel()


def test_programs_run_without_workers(program_scan, evaluator):
    server = evaluator(program_scan("spheno.sh", settings="timeout: 2.5"), workers=0)
    assert server.statuses([[1], [4], [9], [2]]) == ["OK", "TIMED_OUT", "OK", "INVALID"]
    assert wait_until(lambda: not server.programs("sleep"))
    assert server.terminate() == 0
    assert server.nothing_left()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import nosuchmodule\n", "ModuleNotFoundError: No module named 'nosuchmodule'"),
        ("def f(:\n", "SyntaxError"),
        ("import os\nos._exit(7)\n", "worker"),
        ("import ctypes\nctypes.string_at(0)\n", "worker"),
        ("f = 3\n", "no function 'f'"),
    ],
)
def test_a_module_that_cannot_be_loaded_ends_the_evaluator_at_once(scan_file, evaluator, source, words):
    scan = scan_file(
        "variables: {x: [0, 1]}\ncodes:\n  toy:\n    function: broken:f\n    observables: {y: {mean: 1, sigma: 1}}\n",
        broken__py=source,
    )
    with pytest.raises(RuntimeError) as caught:
        evaluator(scan)
    lines = str(caught.value).strip().splitlines()
    assert any(line.startswith("lodescan-evaluator: ") and words in line for line in lines)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_of_an_evaluator_that_is_ended(program_scan, evaluator, workers, how):
    server = evaluator(program_scan("spheno.sh", settings="timeout: 100"), workers=workers, options=["--grace", "0.3"])
    calls = server.stub.Evaluate(iter([server.request([[4], [4], [4], [1]])]), timeout=60)
    assert wait_until(lambda: len(server.programs("sleep")) >= SLEEPS)
    server.process.send_signal(how)
    assert server.process.wait(60) == (-how if how is signal.SIGKILL else 0)
    assert server.nothing_left()
    calls.cancel()


def test_a_broken_stream_kills_only_its_own_programs(program_scan, evaluator):
    server = evaluator(program_scan("spheno.sh", settings="timeout: 100"), workers=2)
    first = server.stub.Evaluate(iter([server.request([[4]])]), timeout=60)
    assert wait_until(lambda: len(server.programs("sleep")) == SLEEPS)
    second = server.stub.Evaluate(iter([server.request([[4]])]), timeout=60)
    assert wait_until(lambda: len(server.programs("sleep")) == 2 * SLEEPS)
    first.cancel()
    assert wait_until(lambda: len(server.programs("sleep")) == SLEEPS)
    assert server.statuses([[1], [2]]) == ["OK", "INVALID"]
    assert len(server.programs("sleep")) == SLEEPS
    second.cancel()
    assert wait_until(lambda: not server.programs("sleep"))


def test_cancelled_waiting_points_never_run(gated):
    server = gated()
    stream = Stream(server, [[x, 1] for x in range(-5, 5)])
    assert server.began(-5)
    stream.call.cancel()
    assert server.statuses([[1, 0]]) == ["OK"]
    assert [path.name for path in server.folder.glob("began-*")] == ["began--5"]


def test_cancelled_points_of_a_group_that_was_split_never_run(python_scan, evaluator):
    server = evaluator(python_scan("misbehave", VARIABLES, "timeout: 100"), workers=1)
    assert server.statuses([row(1)] * 200) == ["OK"] * 200  # points this quick go to the worker in groups
    call = server.stub.Evaluate(iter([server.request([row(1)] * 20 + [row(1, 8)] + [row(1, 10)] * 20)]), timeout=60)
    found = []
    for response in call:
        found += [pb.Status.Name(result.status) for result in response.results]
        if len(found) == 21:  # one point has crashed the worker, and the next one hangs
            call.cancel()
            break
    assert sorted(found) == ["STATUS_FAILED"] + ["STATUS_OK"] * 20
    start = time.monotonic()
    assert server.statuses([row(1)]) == ["OK"]
    assert time.monotonic() - start < 20


def test_the_programs_are_executable():
    assert all(os.access(path, os.X_OK) for path in PROGRAMS.iterdir())
