"""Whatever a function does to the interpreter, the limits and the scratch folder of its worker, later points do not
suffer.
"""

import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lodescan.v1 import evaluation_pb2 as pb
from tests.evaluator.harness import values

SPIN = "end = time.process_time() + 0.1\nwhile time.process_time() < end:\n    pass\n"


# numbers below 2.2e-308 become 0, as libraries do that are made with -ffast-math: bits of MXCSR, on x86
FLUSH = (
    "libm, kept = ctypes.CDLL(None), (ctypes.c_uint32 * 32)()\nlibm.fegetenv(kept)\n"
    "kept[7] |= 0x8040\nlibm.fesetenv(kept)"
)

WAYS = [
    ("sys.stdout.close()\nsys.stderr.close()", "print('x', flush=True)\nprint('x', file=sys.stderr, flush=True)"),
    ("sys.stdout.close()\nos.close(1)", "print('x', flush=True)"),
    ("os.close(0)\nos.close(1)\nos.close(2)", "print('x', flush=True)\nsubprocess.run(['true'], check=True)"),
    ("sys.stdout = open('/dev/full', 'w')", "print('x', flush=True)"),
    ("np.seterr(all='raise')", "1.0 / np.zeros(1)"),
    ("np.set_printoptions(precision=2)", "assert len(str(np.ones(1) / 3)) > 6"),
    ("import warnings\nwarnings.simplefilter('error')", "__import__('warnings').warn('x')"),
    ("sys.setrecursionlimit(60)", "f = lambda n: n and f(n - 1)\nf(500)"),
    ("sys.set_int_max_str_digits(640)", "assert len(str(10**1000)) == 1001"),
    ("sys.setswitchinterval(50)", "assert sys.getswitchinterval() < 1"),
    ("import gc\ngc.disable()\ngc.set_threshold(1)", "assert gc.isenabled() and gc.get_threshold()[0] > 1"),
    (
        "import locale\nlocale.setlocale(locale.LC_NUMERIC, 'C.UTF-8')",
        "assert __import__('locale').setlocale(4) == 'C'",
    ),
    ("locale.setlocale(locale.LC_TIME, 'C.UTF-8')", "assert __import__('locale').setlocale(2) == 'C'"),
    ("os.environ['TZ'] = 'UTC-5'\ntime.tzset()", "assert time.localtime(0).tm_hour == 0 and time.timezone == 0"),
    ("socket.setdefaulttimeout(1)", "assert __import__('socket').getdefaulttimeout() is None"),
    ("import threading\nthreading.stack_size(65536)", "assert __import__('threading').stack_size() == 0"),
    ("signal.signal(signal.SIGRTMIN + 3, print)", "assert signal.getsignal(signal.SIGRTMIN + 3) is signal.SIG_DFL"),
    ("os.nice(3)", "assert os.nice(0) == os.getpriority(os.PRIO_PROCESS, os.getppid())"),
    (
        "KEPT[:] = [os.sched_getaffinity(0)]\nos.sched_setaffinity(0, {min(KEPT[0])})",
        "assert os.sched_getaffinity(0) == KEPT[0]",
    ),
    ("os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))", "assert os.sched_getscheduler(0) == 0"),
    ("sys.addaudithook(lambda event, _: event == 'open' and 1 / 0)", "open(os.devnull).close()"),
    ("import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (9, 9))", "[open('/dev/null') for n in range(20)]"),
    ("import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (9, 9))", "open(HERE / 'x', 'w').write(99 * 'x')"),
    ("import tempfile\ntempfile.tempdir = '/nowhere'", "__import__('tempfile').TemporaryFile()"),
    ("signal.setitimer(signal.ITIMER_VIRTUAL, 0.02)", SPIN),
    ("signal.setitimer(signal.ITIMER_PROF, 0.02)", SPIN),
    ("import faulthandler\nfaulthandler.dump_traceback_later(0.05, exit=True)", SPIN),
    ("sys.settrace(lambda *_: 1 / 0)", "list(map(str, range(3)))"),
    ("builtins.len = builtins.open = None\ndel builtins.zip", "assert len('x') == 1 and open and zip"),
    ("builtins.float = lambda _: 42.0", "assert float('2') == 2.0"),
    ("time.perf_counter = lambda: float('nan')\ntime.sleep = None", "time.sleep(0)\nassert time.perf_counter() > 0"),
    ("os.pwrite = os.getcwd = None", "os.getcwd()"),
    ("import math\nmath.exp = random.random = lambda *_: 4.0", "assert __import__('math').exp(0.0) == 1.0"),
    ("decimal.getcontext().prec = 2", "assert len(str(__import__('decimal').Decimal(1) / 3)) > 20"),
    ("ctypes.CDLL(None).fesetround(0x800)", "assert sum([2.0**-54], start=1.0) == 1.0"),  # upwards, on x86
    ("ctypes.CDLL(None).fesetround(0xC00)", "assert 1.0 / 3.0 * 3.0 == 1.0"),  # towards 0
    (FLUSH, "assert min(2.0**-1022, 1.0) / 2.0 > 0.0"),
    (  # arrays cannot be compared as a whole
        "KEPT[:] = [contextvars.ContextVar('a')]\nKEPT[0].set(np.ones(2))\nnp.seterr(all='raise')",
        "KEPT[0].set(np.ones(2))\n1.0 / np.zeros(1)",
    ),
    ("sys.path.clear()", "assert sys.path"),
    ("KEPT[:] = [list(sys.path)]\nsys.path.reverse()", "assert sys.path == KEPT[0]"),
    ("sys.path.insert(0, str(HERE / 'gone'))", "assert str(HERE / 'gone') not in sys.path"),
    (
        "resource.setrlimit(resource.RLIMIT_STACK, (8192, resource.getrlimit(resource.RLIMIT_STACK)[1]))",
        "subprocess.run(['true'], check=True)",
    ),
]


def test_what_a_function_does_to_its_python_is_undone(evil, evaluator):
    imports = "import builtins, contextvars, ctypes, decimal, gc, warnings, locale, resource, socket, tempfile\n"
    imports += "import faulthandler\n"
    server = evaluator(evil(imports, *(part for way, later in WAYS for part in (imports + way, later))))
    server.evaluate([[0, 1]])  # the first point imports the modules, so it may set the modes for all points
    for number, (way, _) in enumerate(WAYS):
        evil_way, later = 2 + 2 * number, 3 + 2 * number
        server.evaluate([[1, evil_way]])
        found = server.evaluate([[2, later], [3, 0], [4, later]])
        assert [(result.status, result.message) for result in found] == [(pb.STATUS_OK, "")] * 3, way
        assert [result.observables[0] for result in found] == [2, 3, 4], way


BREAKS = [
    "sys.modules.clear()",
    "import builtins\nvars(builtins).clear()",
    "os.closerange(0, 99)",
    "del sys.modules['os']\nimport builtins\nbuiltins.__import__ = builtins.isinstance = None",
    "import threading, logging\nthreading._active_limbo_lock.acquire()\nlogging._lock.acquire()",
]


@pytest.mark.slow
def test_a_point_that_breaks_python_costs_only_itself(evil, evaluator):
    server = evaluator(evil(*BREAKS))
    for mode, way in enumerate(BREAKS, start=1):
        found = server.evaluate([[1, 0], [2, mode], [3, 0], [4, 0]])
        assert found[1].status in (pb.STATUS_OK, pb.STATUS_FAILED), way
        assert [list(result.observables) for result in found if result is not found[1]] == [[1], [3], [4]], way


@pytest.mark.slow
def test_what_an_imported_module_sets_stays(evil, evaluator, tmp_path):
    (tmp_path / "set_modes.py").write_text("import sys\nimport numpy as np\nnp.seterr(all='raise')\n")
    server = evaluator(evil("import set_modes\nreturn float(np.geterr()['divide'] == 'raise')"))
    assert values(server, [[0, 1]] * 20) == [1.0] * 20


def test_what_a_function_sets_at_its_first_point_stays(evil, evaluator):
    once = "if not KEPT:\n    KEPT.append(1)\n    np.seterr(all='raise')\n    sys.setrecursionlimit(3000)\n"
    server = evaluator(evil(once + "return float(np.geterr()['divide'] == 'raise') + sys.getrecursionlimit()"))
    assert values(server, [[0, 1]] * 20) == [3001.0] * 20


@pytest.mark.slow
def test_folders_added_to_the_import_path_stay(evil, evaluator, tmp_path):
    """One point adds the folder, and another point imports from it."""
    (tmp_path / "lazy").mkdir()
    (tmp_path / "lazy" / "found_later.py").write_text("VALUE = 7.0\n")
    server = evaluator(
        evil("sys.path.append(str(HERE / 'lazy'))", "sys.path.clear()", "import found_later\nreturn found_later.VALUE")
    )
    modes = [0, 0, 1, 0, 2, 0, 1, 3]
    assert values(server, [[x, mode] for x, mode in enumerate(modes)]) == [0, 1, 2, 3, 4, 5, 6, 7.0]
    assert values(server, [[1, 0], [1, 3]]) == [1, 7.0]


@pytest.mark.slow
def test_names_that_a_function_adds_stay(evil, evaluator):
    counts = "import math\nmath.count = getattr(math, 'count', 0) + 1\nmath.exp = None\nreturn math.count"
    server = evaluator(evil(counts))
    assert values(server, [[0, 0]] * 3 + [[0, 1]] * 5) == [0, 0, 0, 1, 2, 3, 4, 5]


# only root may raise a limit again
DROP = (
    "import resource\nhead, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()\n"
    "LIBC.capget(head, sets)\nsets[0] &= ~(1 << 24)  # CAP_SYS_RESOURCE\nassert LIBC.capset(head, sets) == 0\n"
)


@pytest.mark.slow
def test_lowered_limits_cost_the_worker_only_if_later_points_feel_them(evil, evaluator):
    server = evaluator(
        evil(
            DROP + "for kind in (resource.RLIMIT_CORE, resource.RLIMIT_RSS):\n    resource.setrlimit(kind, (0, 0))",
            DROP + "resource.setrlimit(resource.RLIMIT_FSIZE, (10**8, 10**8))",
        )
    )
    (first,) = server.workers()
    assert values(server, [[x, 1] for x in range(5)]) == list(range(5))
    assert server.workers() == [first]
    assert values(server, [[1, 2]]) + values(server, [[2, 0]]) == [1, 2]
    assert first not in server.workers()
    assert "a function lowers limits of its process" in server.log.read_text()


@pytest.mark.slow
def test_an_output_stream_that_can_only_write_is_accepted(evil, evaluator):
    scan = evil("print('x')")
    tee = (
        "import sys\nclass Tee:\n    def write(self, text):\n        return sys.__stdout__.write(text)\n"
        "    def flush(self):\n        pass\nsys.stdout = Tee()\n"
    )
    source = scan.parent / "evil.py"
    source.write_text(tee + source.read_text())
    assert values(evaluator(scan), [[x, 1] for x in range(5)]) == list(range(5))


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("KEPT.extend(open('/dev/null') for _ in range(30))", "leaves open files behind"),
        pytest.param(
            "KEPT.append(bytearray(100 * 2**20))", "takes more memory with each point", marks=pytest.mark.slow
        ),
        (
            "import threading\nfor _ in range(40):\n    threading.Thread(target=time.sleep, args=(1000,)).start()",
            "leaves threads behind",
        ),
    ],
    ids=["files", "memory", "threads"],
)
def test_resources_that_points_use_up_come_back(evil, evaluator, way, words):
    scan = evil(way)
    if "memory" in words:
        scan.write_text(scan.read_text() + "    memory: 1 GB\n")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        server = evaluator(scan)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    (first,) = server.workers()
    assert values(server, [[x, 1] for x in range(12)]) == list(range(12))
    assert server.workers() != [first]
    assert server.log.read_text().count(f"a function {words}, so its worker process is replaced now and then") == 1


def test_points_that_come_together_do_not_use_up_a_resource_either(evil, evaluator):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        server = evaluator(evil("KEPT.extend(open('/dev/null') for _ in range(30))"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert values(server, [[x, 0] for x in range(300)]) == list(range(300))  # quick points, so that they come together
    assert values(server, [[x, 1] for x in range(60)]) == list(range(60))


@pytest.mark.slow
def test_the_death_of_a_worker_before_a_point_begins_is_not_blamed_on_the_point(evil, evaluator):
    """The random numbers are seeded between the two points, so a failure there comes from the first point."""
    server = evaluator(evil("import zlib\nzlib.crc32 = None"))
    assert server.statuses([[1, 1], [2, 0], [3, 0]]) == ["OK", "OK", "OK"]


@pytest.mark.slow
def test_a_worker_broken_by_an_earlier_point_is_not_blamed_on_the_next(evil, evaluator):
    """The folder is removed after the second point, which is answered by then, so a failure there comes from the first
    point.
    """
    server = evaluator(evil("import shutil\nshutil.rmtree = None", "(point.folder / 'x').touch()"))
    found = [server.evaluate([row])[0] for row in ([1, 1], [2, 2], [3, 2])]
    assert [(pb.Status.Name(result.status), *result.observables) for result in found] == [
        ("STATUS_OK", 1),
        ("STATUS_OK", 2),
        ("STATUS_OK", 3),
    ]
    assert "a function breaks its process (TypeError: " in server.log.read_text()


def test_a_thread_left_by_a_point_costs_no_other_point(evil, evaluator):
    """The thread ends the process while another point runs. Another worker then runs that point alone."""
    leaves = (
        "import threading\ndef end():\n    while not (HERE / 'go').exists():\n        time.sleep(0.001)\n"
        "    os._exit(7)\nthreading.Thread(target=end, daemon=True).start()"
    )
    meets = "if not (HERE / 'go').exists():\n    (HERE / 'go').touch()\n    time.sleep(15)"
    server = evaluator(evil(leaves, meets, "os._exit(3)"))
    assert values(server, [[1, 1]]) + values(server, [[2, 2]]) == [1, 2]
    assert server.statuses([[3, 3]]) == ["FAILED"]


@pytest.mark.slow
def test_a_crash_beside_old_threads_is_blamed_on_the_point(evil, evaluator, tmp_path):
    """Earlier points have survived beside these threads, so a crash is the point's own fault. Beside a newer thread it
    may not be, and the point is tried again.
    """
    start = "__import__('threading').Thread(target=time.sleep, args=(1000,), daemon=True).start()"
    pool = f"if not KEPT:\n    KEPT.append(1)\n    {start}"
    server = evaluator(evil(pool, "note(os.getpid())\nos._exit(3)", start))
    for modes, crashes in ((1, 1), 1), ((1, 1, 3), 3):
        assert [server.statuses([[0, mode]]) for mode in modes] == [["OK"]] * len(modes)
        assert server.statuses([[0, 2]]) == ["FAILED"]
        assert len((tmp_path / "pids").read_text().split()) == crashes


SIGNAL_AT_ONCE = """
import os, signal, sys
from evaluator.leftovers import outlast_endings
os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGTERM))
outlast_endings()
if (child := os.fork()) == 0:
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != -signal.SIGTERM)
"""


def test_a_signal_that_comes_right_after_the_fork_ends_the_child():
    """It comes before the child has given up the handlers of its parent."""
    assert subprocess.run([sys.executable, "-c", SIGNAL_AT_ONCE], check=False).returncode == 0


@pytest.mark.parametrize("workers", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_forked_children_end_at_a_signal(evil, evaluator, workers):
    """A pool ends its processes with SIGTERM, which a worker ignores."""
    pool = "with multiprocessing.get_context('fork').Pool(2) as pool:\n    return sum(pool.map(abs, [1, -2]))"
    server = evaluator(evil(pool, timeout=50), workers=workers)
    assert values(server, [[0, 1], [0, 1]]) == [3, 3]
    assert server.process.poll() is None


@pytest.mark.slow
def test_an_evaluator_ends_if_its_scratch_folder_is_removed(evil, evaluator):
    server = evaluator(evil(), workers=2)
    assert server.statuses([[1, 0]]) == ["OK"]
    (root,) = server.scratch()
    shutil.rmtree(root)
    assert set(server.statuses([[1, 0]] * 4)) <= {"OK", "CANCELLED"}
    assert server.process.wait(60) == 5
    assert f"{root}, the folder of its scratch files, was removed" in server.log.read_text()


def test_the_kernel_ends_workers_before_the_evaluator(shared):
    assert shared.statuses([[0, 0]]) == ["OK"]
    (worker,) = shared.workers()
    own, score = (int(Path(f"/proc/{pid}/oom_score_adj").read_text()) for pid in (shared.process.pid, worker))
    assert own < 500
    assert score >= 500
