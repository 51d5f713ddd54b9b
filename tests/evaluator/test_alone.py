"""`check` and `point` have the last word also where a code ends its process; and what a function is called with."""

import os
import signal
import subprocess
import sys

import pytest

from evaluator.codes.kinds.function import PythonFunction
from evaluator.errors import ConfigurationError

BODIES = {
    "os._exit(3)": "exit code 3",
    "os._exit(0)": "exit code 0",
    "os.kill(os.getpid(), signal.SIGKILL)": "signal SIGKILL",
    "ctypes.string_at(0)": "signal SIGSEGV",
}
SCAN = "variables: {x: [0, 1]}\ncodes: {toy: {function: 'm:f', observables: {y: {mean: 1, sigma: 1}}}}\n"


def run(*words):
    command = [sys.executable, "-m", "evaluator", *map(str, words)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.mark.parametrize("body", BODIES)
def test_a_code_that_ends_its_process_does_not_end_the_command_without_a_word(scan_file, body):
    file = scan_file(SCAN, m__py=f"import ctypes, os, signal\n\ndef f(point):\n    {body}\n    return {{'y': 1}}\n")
    for command in ("check", "point"):
        done = run(command, file)
        assert done.returncode == 1
    assert f"scan.yaml: a code ended the process in which it ran ({BODIES[body]})\nnext: " in done.stderr


def test_exit_codes_and_output_are_those_of_the_command(scan_file):
    file = scan_file(
        SCAN, m__py="import sys\n\ndef f(point):\n    if point['x'] > 0.6:\n        sys.exit(3)\n    return {'y': 1}\n"
    )
    assert run("check", file).returncode == 0
    done = run("point", file, "x=0.7")
    assert done.returncode == 1 and "it called sys.exit with exit code 3" in done.stdout
    done = run("point", file, "z=0.7")
    assert done.returncode == 2 and "ended the process" not in done.stderr and "must be NAME=VALUE" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_and_the_code_in_it(scan_file, tmp_path, number):
    os.mkfifo(tmp_path / "begun")
    body = "import os, time\n\ndef f(point):\n    open('begun', 'w').write(str(os.getpid()))\n    time.sleep(60)\n"
    file = scan_file(SCAN, m__py=body)
    command = [sys.executable, "-m", "evaluator", "point", str(file)]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)
    child = int((tmp_path / "begun").read_text())
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        process.send_signal(number)
    assert process.wait(20) == 128 + number
    assert "a code ended" not in process.stderr.read()
    process.stderr.close()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


@pytest.mark.parametrize("arguments", ["", "point, other", "*, point"])
def test_a_function_of_other_arguments_is_refused_where_it_is_loaded(scan_file, arguments):
    from scanspec import read_scan_file

    scan = read_scan_file(scan_file(SCAN, m__py=f"def f({arguments}):\n    return {{'y': 1}}\n"))
    sys.modules.pop("m", None)
    code = PythonFunction(scan.codes[0], scan, ["x"])
    with pytest.raises(ConfigurationError, match=r"scan.yaml, line 2: m:f must take one argument, the point"):
        code.load()


def test_a_traceback_gives_a_terminal_no_orders(scan_file):
    file = scan_file(SCAN, m__py="def f(point):\n    raise ValueError('bad\\x1b[31m thing')\n")
    done = run("point", file)
    assert "\x1b" not in done.stderr + done.stdout and "ValueError: bad thing" in done.stderr
