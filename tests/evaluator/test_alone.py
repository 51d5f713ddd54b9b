"""`check` and `point` print their message even if a code ends its process; what a function is called with."""

import os
import pty
import signal
import subprocess
import sys
from contextlib import closing

import pytest

from evaluator.codes.kinds.function import PythonFunction
from evaluator.commands.by_hand import ByHand
from evaluator.errors import ConfigurationError
from tests.evaluator.serving import wait_until

BODIES = {
    "os._exit(3)": "exit code 3",
    "os._exit(0)": "exit code 0",
    "os.kill(os.getpid(), signal.SIGKILL)": "signal SIGKILL",
    "ctypes.string_at(0)": "signal SIGSEGV",
}
SCAN = "variables: {x: [0, 1]}\ncodes: {toy: {function: 'm:f', observables: {y: {mean: 1, sigma: 1}}}}\n"


def run(*words):
    command = [sys.executable, "-m", "evaluator", *map(str, words)]
    return subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,  # some codes stop or kill their process group
        timeout=300,
    )


@pytest.mark.parametrize(
    "body", ["os._exit(3)", *(pytest.param(body, marks=pytest.mark.slow) for body in [*BODIES][1:])]
)
def test_a_code_that_ends_its_process_does_not_end_the_command_without_a_word(scan_file, body):
    file = scan_file(SCAN, m__py=f"import ctypes, os, signal\n\ndef f(point):\n    {body}\n    return {{'y': 1}}\n")
    for command in ("check", "point"):
        done = run(command, file)
        assert done.returncode == 1
    assert f"scan.yaml: a code ended its own process ({BODIES[body]})\nnext: " in done.stderr


def test_a_code_that_kills_its_process_group_does_not_end_the_command_without_a_word(scan_file):
    file = scan_file(SCAN, m__py="import os\n\ndef f(point):\n    os.killpg(0, 9)\n")
    done = run("point", file)
    assert (done.returncode, "a code ended its own process (signal SIGKILL)" in done.stderr) == (1, True)


STOPS = [
    "os.kill(os.getpid(), signal.SIGSTOP)",
    "os.killpg(0, signal.SIGSTOP)",
    "subprocess.run(['sh', '-c', 'kill -STOP $PPID'])",
    "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM]); time.sleep(1000)",
]


@pytest.mark.parametrize("body", [STOPS[0], *(pytest.param(body, marks=pytest.mark.slow) for body in STOPS[1:])])
def test_a_function_that_stops_its_process_is_timed_out(scan_file, body):
    imports = "import os, signal, subprocess, time\n\n"
    file = scan_file(SCAN.replace("'m:f',", "'m:f', timeout: 0.5,"), m__py=f"{imports}def f(point):\n    {body}\n")
    done = run("point", file)
    assert done.returncode == 1
    assert "status TIMED_OUT (code toy): ran past its deadline; its process was ended" in done.stdout


@pytest.mark.parametrize("body", ["sys.modules.clear()", "builtins.isinstance = None", "os.closerange(3, 99)"])
def test_a_function_that_breaks_python_makes_its_point_failed(scan_file, body):
    file = scan_file(SCAN, m__py=f"import builtins, os, sys\n\ndef f(point):\n    {body}\n    return {{'y': 1}}\n")
    done = run("point", file)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "status FAILED (code toy): breaks the Python of its process (" in done.stdout
    done = run("check", file)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "scan.yaml: code toy: breaks the Python of its process (" in done.stderr and "\nnext: " in done.stderr


def test_the_point_after_one_that_breaks_python_is_computed(scan_file, chain, tmp_path):
    body = "import os, sys\n\ndef f(point):\n    os.closerange(3, 99) if point['x'] > 0.5 else None\n"
    made = chain(scan_file(SCAN, m__py=body + "    return {'y': point['x']}\n"))
    with closing(ByHand(made)) as by_hand:
        found = [by_hand.evaluate([x], tmp_path / "point") for x in (0.4, 0.6, 0.3)]
    assert [outcome.status.name for outcome in found] == ["OK", "FAILED", "OK"]
    assert [found[0].observables, found[2].observables] == [[0.4], [0.3]]


def test_exit_codes_and_output_are_those_of_the_command(scan_file):
    file = scan_file(
        SCAN, m__py="import sys\n\ndef f(point):\n    if point['x'] > 0.6:\n        sys.exit(3)\n    return {'y': 1}\n"
    )
    assert run("check", file).returncode == 0
    done = run("point", file, "x=0.7")
    assert done.returncode == 1 and "it called sys.exit with exit code 3" in done.stdout
    done = run("point", file, "z=0.7")
    assert done.returncode == 2 and "ended its own process" not in done.stderr and "must be NAME=VALUE" in done.stderr


PHASES = """\
import os, signal, time
from evaluator import interrupts

def comes_to(phase):
    with open("new", "w") as file:
        file.write(str(os.getpid()))
    os.rename("new", phase)

def wait():  # a signal that comes just before a long sleep would not be seen until its end
    while True:
        time.sleep(0.01)

"""


@pytest.fixture
def point(scan_file, tmp_path):
    """Starts `point` at a terminal with a function of this body, and waits until the function reports `begun`; gives
    the command's process, and the id of the process in which the function runs.
    """
    processes = []
    ours, theirs = pty.openpty()

    def start(body, before=()):
        file = scan_file(SCAN, m__py=f"{PHASES}def f(point):\n{body}")
        command = [*before, sys.executable, "-m", "evaluator", "point", str(file)]
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            command, cwd=tmp_path, start_new_session=True, text=True, stdin=theirs, stdout=pipe, stderr=pipe
        )
        processes.append(process)
        assert wait_until((tmp_path / "begun").exists)
        return process, int((tmp_path / "begun").read_text())

    yield start
    for process in processes:
        process.kill()  # the process of the function ends with it
        process.communicate()
    os.close(ours)
    os.close(theirs)


def to_all(process, number):
    """Sends the signal to all processes of the command, as a terminal does."""
    os.killpg(process.pid, number)


@pytest.mark.parametrize("send", [subprocess.Popen.send_signal, to_all])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_and_the_code_in_it(point, number, send):
    process, child = point("    comes_to('begun')\n    wait()\n")
    send(process, number)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, "a code ended" in said) == (128 + number, False)
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


@pytest.mark.slow
def test_an_interrupt_from_a_terminal_counts_once(point, tmp_path):
    """The function catches the first interrupt, and does not get it again when its parent passes it on. A second
    interrupt ends the command.
    """
    process, _ = point(
        "    try:\n        comes_to('begun')\n        wait()\n    except KeyboardInterrupt:\n"
        "        while sum(interrupts.seen.values()) < 2:\n"
        # Python 3.11 forgets a second signal whose handler waits for one that raises in `sleep`, until it is reminded
        "            signal.pthread_sigmask(signal.SIG_BLOCK, ())\n            time.sleep(0.01)\n"
        "        comes_to('once')\n        wait()\n"
    )
    to_all(process, signal.SIGINT)
    assert wait_until((tmp_path / "once").exists)
    to_all(process, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT


@pytest.mark.slow
def test_an_ignored_interrupt_stays_ignored(point, tmp_path):
    process, _ = point(
        "    comes_to('begun')\n    while not os.path.exists('go'):\n        time.sleep(0.01)\n    return {'y': 7.5}\n",
        before=["sh", "-c", 'trap "" INT; exec "$@"', "sh"],
    )
    to_all(process, signal.SIGINT)
    (tmp_path / "go").touch()
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "7.5" in said


@pytest.mark.parametrize("arguments", ["", "point, other", "*, point", "x, other", "x, other, /"])
def test_a_function_with_wrong_arguments_is_refused_when_it_is_loaded(scan_file, arguments):
    from scanspec import read_scan_file

    scan = read_scan_file(scan_file(SCAN, m__py=f"def f({arguments}):\n    return {{'y': 1}}\n"))
    sys.modules.pop("m", None)
    code = PythonFunction(scan.codes[0], scan, ["x"])
    with pytest.raises(ConfigurationError, match=r"scan.yaml, line 2: m:f must take one argument, the point"):
        code.load()


def test_a_traceback_has_no_control_sequences(scan_file):
    file = scan_file(SCAN, m__py="def f(point):\n    raise ValueError('bad\\x1b[31m thing')\n")
    done = run("point", file)
    assert "\x1b" not in done.stderr + done.stdout and "ValueError: bad thing" in done.stderr


def test_folders_within_folders_are_removed_however_many(scan_file, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    body = "os.chdir(point.folder)\n    for _ in range(2500):\n        os.mkdir('d')\n        os.chdir('d')"
    file = scan_file(SCAN, m__py=f"import os\n\ndef f(point):\n    {body}\n    return {{'y': 1}}\n")
    done = run("point", file)
    assert done.returncode == 0, done.stderr
    assert not list((tmp_path / "scratch").glob("lodescan-*"))


DAEMON = """\
import os, subprocess, sys
LEFT = {left!r}
HOW = ["setsid", "env", "-i", sys.executable, "-c", LEFT]

def f(point):
    {first}
    between = os.fork()
    if between == 0:
        os.setsid()
        subprocess.Popen(HOW, stdout=subprocess.PIPE).stdout.read(1)
        os._exit(0)
    os.waitpid(between, 0)
    {last}
    return {{"y": 1}}
"""
LEFT = "import os, time; open({path!r}, 'w').write(str(os.getpid())); print('begun', flush=True); time.sleep(1000)"


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("pass", "pass"),
        pytest.param("pass", "os._exit(3)", marks=pytest.mark.slow),
        pytest.param("import ctypes; ctypes.CDLL(None).prctl(36, 0)", "pass", marks=pytest.mark.slow),
    ],
    ids=["daemon", "the code ends its process", "the code adopts no orphans"],
)
@pytest.mark.parametrize("command", ["point", "check"])
def test_no_daemon_outlives_the_command(scan_file, tmp_path, command, first, last):
    """Neither a session nor an environment of its own protects it."""
    left = tmp_path / "left"
    file = scan_file(SCAN, m__py=DAEMON.format(left=LEFT.format(path=str(left)), first=first, last=last))
    done = run(command, file)
    pid = int(left.read_text())
    assert not os.path.exists(f"/proc/{pid}"), done.stderr
    assert done.returncode == (1 if "_exit" in last else 0)
    if first == last:
        assert "still running after their point, and ended with it: python" in done.stderr


@pytest.mark.parametrize("command", ["point", "check"])
def test_a_reader_that_ends_early_is_not_taken_for_a_code_that_ends_its_process(scan_file, command):
    """`lodescan-evaluator check FILE | head -1`"""
    file = scan_file(SCAN, m__py="def f(point):\n    return {'y': 1}\n")
    reading, writing = os.pipe()
    os.close(reading)
    words = [sys.executable, "-m", "evaluator", command, str(file)]
    done = subprocess.run(words, check=False, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")
