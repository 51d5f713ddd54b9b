"""Points that harm their worker, its children or its disk; no other point may notice."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lodescan.v1 import evaluation_pb2 as pb
from tests.evaluator.evil import write_evil
from tests.evaluator.harness import alive, values
from tests.evaluator.serving import ROOT, wait_until

COMES_BACK = [
    "if os.fork() == 0:\n    return -1.0",
    "if os.fork() == 0:\n    os.execv('/nonexistent', ['x'])",
    "pid, fd = pty.fork()\nif pid == 0:\n    return -1.0\nos.close(fd)",
    "if os.fork() == 0:\n    raise RuntimeError('in the child')",
    "if os.fork() == 0:\n    sys.exit(3)",
    "p = multiprocessing.get_context('fork').Process(target=len, args=(3,))\np.start()\np.join()",
    # the answer of the child would come first, and the parent would wait for ever
    "pid = os.fork()\nif pid == 0:\n    return -1.0\nos.waitpid(pid, 0)",
]
LEFT_BEHIND = [
    "p = subprocess.Popen(['true'])\nnote(p.pid)",
    "p = subprocess.Popen(['sleep', '1000'])\nnote(p.pid)",
    "p = subprocess.Popen(['sleep', '1000'], start_new_session=True, env={})\nnote(p.pid)",
    "subprocess.run(['sh', '-c', 'sleep 1000 & echo $! >> ' + str(HERE / 'pids')])",
    "pid = os.fork()\nif pid == 0:\n    time.sleep(1000)\nnote(pid)",
    "p = multiprocessing.get_context('fork').Process(target=background)\np.start()\nnote(p.pid)",
]


@pytest.fixture(scope="module")
def parent(lasting):
    """An evaluator whose points start children, by the modes of COMES_BACK and then those of LEFT_BEHIND."""
    server = lasting(lambda folder: write_evil(folder, *COMES_BACK, *LEFT_BEHIND))
    assert values(server, [[1, 0]]) == [1]
    server.processes = len(alive(server.tag))
    return server


@pytest.mark.parametrize("mode", range(1, 1 + len(COMES_BACK)))
def test_a_forked_child_that_returns_from_the_function_answers_nothing(parent, mode):
    for _ in range(2):
        assert values(parent, [[1, 0], [2, mode], [3, 0], [4, 0], [5, mode], [6, 0]]) == [1, 2, 3, 4, 5, 6]
    assert values(parent, [[x, 0] for x in range(100)]) == list(range(100))
    assert wait_until(lambda: len(alive(parent.tag)) == parent.processes)


@pytest.mark.slow
def test_a_forked_child_that_returns_between_two_codes_answers_nothing(evil, evaluator):
    scan = evil("if os.fork() == 0:\n    return -1.0")
    scan.write_text(scan.read_text() + "  second:\n    function: evil:f\n    observables: {z: {function: y}}\n")
    server = evaluator(scan)
    assert values(server, [[1, 0], [2, 1], [3, 0], [4, 1], [5, 0]]) == [1, 2, 3, 4, 5]


CHAIN = """
import sys
from evaluator.chain import Chain
from scanspec import read_scan_file

chain = Chain(read_scan_file(sys.argv[1]))
chain.load()
for x in (1.0, 2.0):
    print(list(chain.evaluate([x, 1.0], sys.argv[2]).observables), flush=True)
"""


def test_a_forked_child_that_returns_runs_no_later_code(evil, tmp_path):
    """This holds in a worker, on Dask and in a trial."""
    scan = evil(
        "pid = os.fork()\nif pid == 0:\n    return -1.0\nos.waitpid(pid, 0)",
        "note(os.getpid())\nreturn 2.0",
    )
    source = scan.parent / "evil.py"
    source.write_text(source.read_text() + "\nlater = lambda point: {'z': way2(point)}\n")
    later = "  later:\n    function: evil:later\n    observables: {z: {}}\n"
    scan.write_text(scan.read_text() + later)
    command = [sys.executable, "-c", CHAIN, scan, tmp_path]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    found = [json.loads(line) for line in said.stdout.splitlines()]
    assert found == [[1.0, 2.0], [2.0, 2.0]]
    assert len((scan.parent / "pids").read_text().splitlines()) == 2


@pytest.mark.slow
def test_a_child_forked_by_an_import_answers_nothing(scan_file, evaluator):
    scan = scan_file(
        "variables: {x: [0, 9]}\ncodes:\n  toy:\n    function: forks:f\n    observables: {y: {mean: 1, sigma: 1}}\n",
        forks__py="import os\nif os.fork() == 0:\n    os.execv('/none', ['x'])\nf = lambda point: {'y': point['x']}\n",
    )
    server = evaluator(scan, workers=2)
    assert values(server, [[x] for x in range(9)]) == list(range(9))
    assert server.terminate() == 0
    assert server.nothing_left()


DAEMON = (
    "import os, sys, time\nif os.fork():\n    os._exit(0)\nos.setsid()\nif os.fork():\n    os._exit(0)\n"
    "open(sys.argv[1], 'a').write(f'{os.getpid()}\\n')\nos.chdir('/')\ntime.sleep(1000)\n"
)


def is_there(pid):
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def pids(tmp_path):
    """Reads the ids of processes that points have noted; at the end of the test all of them are killed."""

    def read():
        path = tmp_path / "pids"
        return [int(line) for line in path.read_text().splitlines()] if path.exists() else []

    yield read
    for pid in read():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("workers", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_a_daemon_without_an_environment_ends_with_its_point(evil, evaluator, tmp_path, pids, workers):
    (tmp_path / "daemon.py").write_text(DAEMON)
    way = f"subprocess.run(['env', '-i', {sys.executable!r}, HERE / 'daemon.py', HERE / 'pids'], env={{}})"
    written = "os.path.exists(HERE / 'pids') and os.path.getsize(HERE / 'pids')"
    server = evaluator(evil(f"{way}\nwhile not ({written}):\n    time.sleep(0.01)"), workers=workers)
    assert values(server, [[1, 1], [2, 0]]) == [1, 2]
    assert pids() and not any(map(is_there, pids()))


def test_a_daemon_of_a_program_ends_with_its_point(program_scan, evaluator, tmp_path, pids):
    (tmp_path / "daemon.py").write_text(DAEMON)
    scan = program_scan("spheno.sh")
    daemon = (
        f"env -i {sys.executable} {tmp_path}/daemon.py {tmp_path}/pids </dev/null\n"
        f"while [ ! -s {tmp_path}/pids ]; do sleep 0.01; done\n"
    )
    (tmp_path / "spheno.sh").write_text((tmp_path / "spheno.sh").read_text().replace("\n", "\n" + daemon, 1))
    server = evaluator(scan)
    assert server.statuses([[1.0]]) == ["OK"]
    assert pids() and not any(map(is_there, pids()))


@pytest.mark.parametrize("how", ["worker", pytest.param("evaluator", marks=pytest.mark.slow)])
def test_a_daemon_ends_with_its_worker_or_evaluator_when_that_is_killed(evil, evaluator, tmp_path, pids, how):
    (tmp_path / "daemon.py").write_text(DAEMON)
    way = f"subprocess.run(['env', '-i', {sys.executable!r}, HERE / 'daemon.py', HERE / 'pids'], env={{}})"
    server = evaluator(evil(f"{way}\ntime.sleep(1000)"))
    call = server.stub.Evaluate(iter([server.request([[1, 1]])]), timeout=60)
    assert wait_until(lambda: pids() and is_there(pids()[0]))
    if how == "worker":
        (worker,) = server.workers()
        os.kill(worker, signal.SIGKILL)
        (result,) = [one for response in call for one in response.results]
        assert result.status == pb.STATUS_KILLED
    else:
        server.process.kill()
        server.process.wait()
        call.cancel()
    assert wait_until(lambda: not any(map(is_there, pids())))


@pytest.mark.parametrize("mode", range(1 + len(COMES_BACK), 1 + len(COMES_BACK) + len(LEFT_BEHIND)))
def test_processes_that_a_point_leaves_behind_are_killed_and_reaped(parent, mode):
    noted = parent.file.with_name("pids")
    noted.unlink(missing_ok=True)
    assert values(parent, [[x, mode] for x in range(20)]) == list(range(20))
    pids = noted.read_text().split()
    assert len(pids) == 20
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]  # none is left even as a zombie


KEEPS = (
    "if not KEPT:\n    KEPT.append({start})\n"
    "KEPT[0].stdin.write(b'%d\\n' % point['x'])\nKEPT[0].stdin.flush()\nreturn int(KEPT[0].stdout.readline())"
)
CAT = "subprocess.Popen(['cat'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)"
CAT_APART = CAT.replace(")", ", start_new_session=True)")


@pytest.mark.slow
def test_a_helper_that_a_function_keeps_lives_on(evil, evaluator):
    ends = "KEPT[0].stdin.close()\nreturn 100 + KEPT.pop().wait()"
    fails = "KEPT.append(subprocess.Popen(['sh', '-c', 'exit 3']))"
    later = "return float(KEPT.pop().wait())"
    strays = "subprocess.Popen(['sleep', '1000'])"
    server = evaluator(evil(*(KEEPS.format(start=start) for start in (CAT, CAT_APART)), ends, fails, later, strays))
    for keeps in (1, 2):
        modes = [keeps, 0, 6, keeps, 3, keeps, 4, 0, 5, 3]
        found = values(server, [[x, mode] for x, mode in enumerate(modes, start=1)])
        assert found == [1, 2, 3, 4, 100, 6, 7, 8, 3, 100]
    values(server, [[1, 1]])
    assert server.terminate() == 0
    assert server.nothing_left()


POOLS = [
    "from concurrent.futures import ProcessPoolExecutor\nProcessPoolExecutor(2).submit(time.sleep, 1000)",
    "with multiprocessing.get_context('forkserver').Pool(1) as pool:\n    return pool.map(abs, [-70.0])[0]",
    "with multiprocessing.Pool(1) as pool:\n    return pool.map(abs, [-80.0])[0]",
    (
        "from concurrent.futures import ProcessPoolExecutor\nKEPT or KEPT.append(ProcessPoolExecutor(1))\n"
        "return KEPT[0].submit(abs, -90.0).result()"
    ),
    "return float(sum(len(task.read_text().split()) for task in Path('/proc/self/task').glob('*/children')))",
]


@pytest.mark.slow
def test_pools_of_processes_work_at_each_point_and_end_unless_they_are_kept(evil, evaluator):
    server = evaluator(evil(*POOLS))
    modes = [1, 5, 2, 2, 5, 3, 1, 2, 5, 4, 1, 5, 4, 2, 3, 5, 0]
    found = values(server, [[x, mode] for x, mode in enumerate(modes)])
    assert found == [0, 0, 70, 70, 0, 80, 6, 70, 0, 90, 10, 1, 90, 70, 80, 1, 16]
    assert server.terminate() == 0
    assert server.nothing_left()


@pytest.mark.slow
def test_when_helpers_replace_each_other_the_last_one_lives_on(evil, evaluator, pids):
    way = "p = subprocess.Popen(['sleep', '1000'])\nnote(p.pid)\nKEPT[:] = [p]"
    server = evaluator(evil(way))
    assert values(server, [[x, 1] for x in range(5)]) == list(range(5))
    assert [Path(f"/proc/{pid}").exists() for pid in pids()] == [False] * 4 + [True]


CHANGES = [
    ("os.chdir('/')", "os.getcwd() == START"),
    ("d = HERE / 'gone'\nd.mkdir()\nos.chdir(d)\nd.rmdir()", "os.getcwd() == START"),
    ("os.umask(0o777)", "os.umask(0o22) == 0o22"),
    ("os.environ['LANG'] = 'x'\nos.environ['NEW'] = '1'", "os.environ['LANG'] == 'C' and 'NEW' not in os.environ"),
    ("os.environ.clear()", "'PATH' in os.environ and subprocess.getoutput('echo $PATH')"),
    ("os.chdir('/')\nraise ValueError('no')", "os.getcwd() == START"),
]


@pytest.fixture(scope="module", params=[0, 1])
def changing(request, lasting):
    """Evaluators without and with a worker. The modes 1, 3, ... change something; 2, 4, ... tell whether it was
    restored.
    """
    ways = [part for way, state in CHANGES for part in (way, f"START = {str(ROOT)!r}\nreturn float(bool({state}))")]
    before = os.umask(0o22)
    try:
        return lasting(lambda folder: write_evil(folder, *ways), workers=request.param, environment={"LANG": "C"})
    finally:
        os.umask(before)


@pytest.mark.parametrize("change", range(len(CHANGES)))
def test_what_a_function_changes_is_restored(changing, change):
    changing.evaluate([[1, 1 + 2 * change]])
    assert values(changing, [[1, 2 + 2 * change]]) == [1.0]


WITHOUT_WORKERS = """
import os, sys, threading, time
from evaluator.chain import Chain
from evaluator.executors import in_process
from evaluator.executors.job import Job
from scanspec import read_scan_file

remember = in_process.Surroundings
in_process.Surroundings = lambda folder: (time.sleep(0.2), remember(folder))[1]  # a busy machine
os.umask(0o22)
chain = Chain(read_scan_file(sys.argv[1]))
chain.load()
executor = in_process.InProcessExecutor(chain)
os.umask(0o077)  # as a server does before it makes its socket
done = threading.Semaphore(0)
jobs = [Job(number, [1.0, mode], 0.0, lambda job: done.release()) for number, mode in enumerate((1.0, 2.0))]
executor.submit(*jobs)
for _ in jobs:
    done.acquire()
print([job.outcome.observables for job in jobs])
"""


def test_a_point_restores_what_held_before_the_server_started(tmp_path):
    scan = write_evil(tmp_path, "os.umask(0o777)", "return float(os.umask(0o22))")
    command = [sys.executable, "-c", WITHOUT_WORKERS, scan]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(found.stdout) == [[1.0], [float(0o22)]], found


@pytest.mark.slow
def test_handlers_of_signals_that_a_function_sets_are_restored(evil, evaluator):
    server = evaluator(
        evil(
            "signal.signal(signal.SIGALRM, signal.SIG_IGN)\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)",
            "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])",
            "return float(subprocess.run(['sh', '-c', 'exit 3']).returncode)",
            "time.sleep(1000)",
            timeout=1,
        )
    )
    results = server.evaluate([[0, 1], [0, 3], [0, 4], [0, 2], [0, 4], [5, 0]])
    assert [result.observables[0] for result in results if result.status == pb.STATUS_OK] == [0, 3, 0, 5]
    # the worker itself noticed the deadline, before its owner would have killed it
    assert [result.message for result in results if result.status == pb.STATUS_TIMED_OUT] == [
        "evil:f ran past its deadline of 1 s and was ended"
    ] * 2


def test_random_numbers_belong_to_a_point_and_are_reproducible(evil, evaluator):
    # the sum repeats only if each of the three generators does
    scan = evil("return random.random() + np.random.normal() + rng.normal()")
    rows = [[0, 1]] * 40
    first = evaluator(scan, workers=2)
    noise = values(first, rows)
    assert len(set(noise)) == len(noise)
    assert values(first, rows) == noise
    assert values(evaluator(scan, workers=1), rows) == noise
    assert values(evaluator(scan, workers=0), rows) == noise
    assert values(first, [[1, 1]]) != noise[:1]


FILLS = (  # not as fast as the disk: until somebody looks, that would be a gigabyte
    "import time\npoint.folder.mkdir(exist_ok=True)\nn = 0\nwhile True:\n    n += 1\n"
    "    (point.folder / f'{n}').write_bytes(bytes(2**20))\n    time.sleep(0.02)"
)


def test_a_point_that_fills_its_folder_costs_only_itself(evil, evaluator):
    limited = "from evaluator.executors import scratch\nscratch.LARGEST_FOLDER = 32 * 2**20"
    server = evaluator(evil(FILLS), workers=2, before=limited)
    results = server.evaluate([[1, 0], [2, 1], [3, 0]])
    assert [result.status for result in results] == [pb.STATUS_OK, pb.STATUS_FAILED, pb.STATUS_OK]
    assert "wrote more than 32 MiB of scratch files" in results[1].message and results[1].failed_code == "toy"
    (root,) = server.scratch()
    assert not list(root.glob("point-*"))


@pytest.mark.slow
def test_a_full_disk_is_not_blamed_on_the_point(evil, program_scan, evaluator, chain, tmp_path):
    way = "import errno\nraise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), 'file')"
    assert evaluator(evil(way)).statuses([[1, 1], [1, 0]]) == ["KILLED", "OK"]
    scan = program_scan("spheno.sh")
    (tmp_path / "spheno.sh").write_text("#!/bin/sh\ncat $1 >/dev/full || exit 1\n")
    outcome = chain(scan).evaluate([1.0], tmp_path / "s")
    assert (outcome.status.name, "disk is full" in outcome.message) == ("KILLED", True)


def computed(pid):
    """Seconds of user time of a process. The time in the kernel is left out, because it depends on other processes."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / os.sysconf("SC_CLK_TCK")


@pytest.mark.slow
def test_a_child_that_nobody_waits_for_does_not_slow_later_points(evil, evaluator):
    server = evaluator(evil("KEPT.append(subprocess.Popen(['true']))"))
    (worker,) = server.workers()
    seconds = []
    for _ in range(2):
        server.evaluate([[1, 0]] * 500)
        start = computed(worker)
        server.evaluate([[1, 0]] * 2000)
        seconds.append(computed(worker) - start)
        server.evaluate([[1, 1]])
    assert server.workers() == [worker]
    children = Path(f"/proc/{worker}/task/{worker}/children").read_text().split()
    assert len(children) >= 1  # the function may still ask for its exit code
    assert seconds[1] < 4 * seconds[0]
