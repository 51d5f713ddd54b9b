"""The health service follows the workers, and signals of batch systems end an evaluator in order."""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from evaluator.chain import Chain
from evaluator.executors.job import JobQueue
from evaluator.executors.protocol import Health
from evaluator.executors.shared import Shared
from evaluator.executors.watch import Watch
from lodescan.v1 import evaluation_pb2 as pb
from scanspec import read_scan_file
from tests.evaluator.harness import alive
from tests.evaluator.serving import wait_until

TOY = (
    "import time\nfrom pathlib import Path\nHERE = Path(__file__).parent\n"
    "while (HERE / 'hold').exists():\n    time.sleep(0.02)\n"
    "def f(point):\n"
    "    (HERE / 'began').touch()\n"
    "    while point['x'] > 1 and not (HERE / 'go').exists():\n        time.sleep(0.02)\n"
    "    return {'y': point['x']}\n"
)
SCAN = (
    "variables: {x: [0, 100]}\ncodes:\n  toy:\n    function: toy:f\n    timeout: 60\n"
    "    observables: {y: {mean: 1, sigma: 1}}\n"
)
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def scan(scan_file):
    return lambda: scan_file(SCAN, toy__py=TOY)


@pytest.fixture
def watch():
    """Collects what `Health/Watch` says."""
    calls = []

    def start(server):
        said: queue.SimpleQueue[int] = queue.SimpleQueue()
        call = health_pb2_grpc.HealthStub(server.channel).Watch(health_pb2.HealthCheckRequest(), timeout=60)
        calls.append(call)

        def read():
            try:
                for response in call:
                    said.put(response.status)
            except Exception:  # noqa: BLE001  # the evaluator has ended
                return

        threading.Thread(target=read, daemon=True).start()
        return lambda: said.get(timeout=60)

    yield start
    for open_call in calls:
        open_call.cancel()


def parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_an_evaluator_without_workers_is_not_serving(scan, evaluator, watch, tmp_path):
    server = evaluator(scan(), workers=1)
    said = watch(server)
    assert said() == SERVING
    (tmp_path / "hold").touch()
    (worker,) = server.workers()
    for pid in (parent(worker), worker):  # the fork server, which has imported the code, and then the worker
        os.kill(pid, signal.SIGKILL)
    call = server.stub.Evaluate(iter([server.request([[1.0]])]), timeout=60)
    assert said() == NOT_SERVING
    (tmp_path / "hold").unlink()
    assert said() == SERVING
    assert [result.status for response in call for result in response.results] == [pb.STATUS_OK]


@pytest.mark.slow
def test_health_does_not_change_for_a_worker_that_is_soon_replaced(scan, evaluator, watch):
    soon = "from evaluator.commands import serve; serve.QUICK_START = 60.0"  # long enough for a busy machine
    server = evaluator(scan(), workers=1, before=soon)
    said = watch(server)
    assert said() == SERVING
    for _ in range(3):
        for pid in server.workers():
            os.kill(pid, signal.SIGKILL)
        assert server.statuses([[1.0]]) == ["OK"]
    server.process.send_signal(signal.SIGTERM)
    assert said() == NOT_SERVING  # this is the first change, at the end of the evaluator
    assert server.process.wait(60) == 0


ENDS = [signal.SIGHUP, signal.SIGTERM]
RARE_ENDS = [signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU]


@pytest.mark.parametrize("number", [*ENDS, *(pytest.param(number, marks=pytest.mark.slow) for number in RARE_ENDS)])
def test_signals_of_batch_systems_end_an_evaluator_in_order(scan, evaluator, watch, tmp_path, number):
    """The signal may go to all processes of a job at once. The running points are answered."""
    before = signal.signal(number, signal.SIG_DFL)  # it is ignored where the tests run in the background of a shell
    server = evaluator(scan(), workers=2, options=["--grace", "20"])
    signal.signal(number, before)
    said = watch(server)
    assert said() == SERVING
    call = server.stub.Evaluate(iter([server.request([[2.0], [3.0], [4.0], [5.0]])]), timeout=60)
    assert wait_until((tmp_path / "began").exists)
    for pid in alive(server.tag):
        with contextlib.suppress(ProcessLookupError):  # a worker that has just started may not be there yet
            os.kill(pid, number)
    assert said() == NOT_SERVING
    (tmp_path / "go").touch()
    statuses = sorted(result.status for response in call for result in response.results)
    assert statuses in ([1, 1, 6, 6], [1, 6, 6, 6])  # the second worker may not have begun
    assert server.process.wait(60) == 0
    assert server.nothing_left()


KILLED = """
import os, signal
from pathlib import Path
from evaluator.leftovers import ENDING, ScratchRoot, descendants

root = ScratchRoot()
for pid in descendants(os.getpid()):
    if b"evaluator.leftovers" in Path(f"/proc/{pid}/cmdline").read_bytes():
        for number in ENDING:
            os.kill(pid, number)
print(root.path, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_signals_do_not_end_the_janitor_even_just_after_its_start():
    done = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, timeout=60, check=False)
    root = Path(done.stdout.strip())
    assert done.returncode == -signal.SIGKILL and root.name.startswith("lodescan-")
    assert wait_until(lambda: not root.exists())


LONG_GOODBYE = """
import asyncio, pathlib
from grpc_health.v1.health import aio
say = aio.HealthServicer.enter_graceful_shutdown
async def enter_graceful_shutdown(self):
    await say(self)
    while not pathlib.Path({heard!r}).exists():
        await asyncio.sleep(0.02)
aio.HealthServicer.enter_graceful_shutdown = enter_graceful_shutdown
"""


def test_no_point_begins_once_health_has_told_of_the_end(scan, evaluator, watch, tmp_path):
    """This holds however late the news reaches the other threads."""
    before = LONG_GOODBYE.format(heard=str(tmp_path / "heard"))
    server = evaluator(scan(), workers=1, options=["--grace", "20"], before=before)
    said = watch(server)
    assert said() == SERVING
    call = server.stub.Evaluate(iter([server.request([[2.0], [3.0], [4.0]])]), timeout=60)
    assert wait_until((tmp_path / "began").exists)
    server.process.send_signal(signal.SIGTERM)
    assert said() == NOT_SERVING
    (tmp_path / "go").touch()
    assert sorted(result.status for response in call for result in response.results) == [1, 6, 6]
    (tmp_path / "heard").touch()
    assert server.process.wait(60) == 0


@pytest.mark.slow
def test_a_hangup_that_nohup_ignores_stays_ignored(scan, evaluator):
    server = evaluator(scan(), before="import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)")
    server.process.send_signal(signal.SIGHUP)
    assert server.statuses([[1.0]] * 3) == ["OK"] * 3
    assert server.terminate() == 0


NO_SECOND = """
from evaluator.executors import worker
worker.START_PAUSES = (0.0, 0.0)
start = worker.Worker.start_worker
def start_worker(self):
    if self._number == 1:
        raise OSError(11, "Resource temporarily unavailable")
    start(self)
worker.Worker.start_worker = start_worker
"""


@pytest.mark.slow
def test_a_first_start_that_fails_does_not_count_as_a_lost_worker(scan, evaluator):
    server = evaluator(scan(), workers=2, options=["--grace", "0.1"], before=NO_SECOND)
    call = server.stub.Evaluate(iter([server.request([[2.0], [3.0]])]), timeout=60)
    assert server.process.wait(60) == 5
    call.cancel()
    assert "lodescan-evaluator: worker 2 of 2 cannot be started: BlockingIOError" in server.log.read_text()


LATE_LOSS = """
from evaluator.errors import EvaluatorLost
from evaluator.executors import processes

def close(self, close=processes.ProcessExecutor.close):
    self.health.report(EvaluatorLost("too late"))
    close(self)

processes.ProcessExecutor.close = close
"""


@pytest.mark.slow
def test_what_happens_to_workers_after_the_service_has_ended_costs_no_order(scan, evaluator):
    server = evaluator(scan(), workers=1, before=LATE_LOSS)
    server.stop()
    assert (server.process.returncode, "Traceback" in server.log.read_text()) == (0, False)


def test_a_worker_that_comes_while_another_one_is_lost_makes_the_evaluator_ready(scan, tmp_path):
    """Two threads say so at the same time: the later one has the last word."""

    class Slow(Health):
        def set_ready(self, ready):
            if not ready:
                other.start()
                other.join(0.2)  # it waits, or is overtaken
            super().set_ready(ready)

    health, chain = Slow(), Chain(read_scan_file(scan()))
    shared = Shared(chain, tmp_path, queue=JobQueue(), health=health, watch=Watch([]), count=2, say=print)
    shared.set_missing(1, True)
    other = threading.Thread(target=shared.set_missing, args=(1, False))
    shared.set_missing(0, True)
    other.join(60)
    assert health.ready


SECOND_SIGNAL = """
import os, signal
from evaluator.executors import processes

def close(self, close=processes.ProcessExecutor.close):
    os.kill(os.getpid(), signal.NUMBER)
    close(self)
    os.kill(os.getpid(), signal.NUMBER)

processes.ProcessExecutor.close = close
"""


@pytest.mark.parametrize("number", ["SIGTERM", pytest.param("SIGINT", marks=pytest.mark.slow)])
def test_a_second_signal_does_not_interrupt_the_orderly_end(scan, evaluator, number):
    server = evaluator(scan(), workers=1, before=SECOND_SIGNAL.replace("NUMBER", number))
    server.stop()
    assert (server.process.returncode, "Traceback" in server.log.read_text()) == (0, False)
    assert server.nothing_left() and not list(server.temporary.iterdir())
