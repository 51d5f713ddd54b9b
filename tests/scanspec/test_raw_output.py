"""In the format JSON, each line on standard error is a JSON object, whoever wrote it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

LINES = 20_000

PROGRAM = rf"""
import os, subprocess, sys, threading, warnings
from scanspec.events import event
from scanspec.logs import logging_to_stderr

with logging_to_stderr("json"):
    event("mine", text="first")
    os.write(2, b"\xff\xfe from C\nwith two lines\r\n\n")
    print("from print \udc80\nand its second line", file=sys.stderr)
    warnings.warn("a warning\nof two lines")
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    subprocess.run([sys.executable, "-c", "for n in range({LINES}): print(n, file=__import__('sys').stderr)"])
    sys.stderr.write("x" * 200_000)
    sys.stderr.write("no end of the last line")
print("after it", file=sys.stderr)
"""


def test_each_line_is_an_object_whoever_wrote_it() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, timeout=60, check=True)
    *lines, after = done.stderr.decode().splitlines()
    assert after == "after it"
    events = [json.loads(line) for line in lines]
    assert {frozenset(event) >= {"time", "level", "event"} for event in events} == {True}
    assert [event["text"] for event in events if event["event"] == "mine"] == ["first"]
    [warning] = [event for event in events if event["event"] == "log"]
    assert "a warning\nof two lines" in warning["text"]
    output = [event["text"] for event in events if event["event"] == "output"]
    assert {"\\xff\\xfe from C", "with two lines", "and its second line", "ZeroDivisionError: division by zero"} <= {
        *output
    }
    assert [text for text in output if text.isdigit()] == [str(number) for number in range(LINES)]
    assert (
        sum(text.count("x") for text in output if set(text) <= {*"x", *"no end of the last line"} and "xx" in text)
        == 200_000
    )
    assert output[-1].endswith("no end of the last line")


@pytest.mark.slow
def test_a_child_that_never_stops_writing_does_not_hold_up_the_end() -> None:
    program = r"""
import subprocess, sys
from scanspec.logs import logging_to_stderr
with logging_to_stderr("json"):
    child = subprocess.Popen(["sh", "-c", "echo y >&2; echo; exec yes " + 1000 * "y" + " >&2"], stdout=subprocess.PIPE)
    child.stdout.readline()
    print(child.pid, flush=True)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, timeout=60, check=True)
    assert int(done.stdout) > 0
    assert {letter for line in done.stderr.decode().splitlines() for letter in json.loads(line)["text"]} == {"y"}


def events_of(program: str, returncode: int = 0) -> list[dict[str, object]]:
    """Runs a program in a session of its own. Returns the objects that standard error consists of."""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, start_new_session=True, check=False)
    events = [json.loads(line) for line in done.stderr.decode().splitlines()]
    assert done.returncode == returncode, events
    return events


def test_the_last_words_of_a_crash_are_objects_with_what_is_known() -> None:
    events = events_of(
        r"""
import faulthandler, os, signal
from scanspec.events import know
from scanspec.logs import logging_to_stderr
faulthandler.enable()
with logging_to_stderr("json"):
    know(run="one")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
        os.killpg(0, number)
    os.write(2, b"terminate called after ")
    os.write(2, b"throwing")
    os.abort()
""",
        -signal.SIGABRT,
    )
    assert {(event["event"], event["level"], event["run"]) for event in events} == {("output", "info", "one")}
    texts = [event["text"] for event in events]
    assert texts[0] == "terminate called after throwing" + "Fatal Python error: Aborted"
    assert '  File "<string>", line 13 in <module>' in texts


def test_a_child_that_outlives_a_crash_is_still_read() -> None:
    events = events_of(
        r"""
import os, subprocess
from scanspec.logs import logging_to_stderr
with logging_to_stderr("json"):
    program = "read nothing; yes " + 99 * "x" + " | head -n 20000 >&2"
    subprocess.Popen(["sh", "-c", program], stdin=subprocess.PIPE)
    os.kill(os.getpid(), 9)
""",
        -signal.SIGKILL,
    )
    assert [event["text"] for event in events] == 20_000 * [99 * "x"]


def test_c_code_that_holds_the_lock_of_the_interpreter_may_write_more_than_a_pipe_holds() -> None:
    events = events_of(
        r"""
import ctypes
from scanspec.logs import logging_to_stderr
with logging_to_stderr("json"):
    content = 15_000 * (99 * b"x" + b"\n")
    assert ctypes.PyDLL(None).write(2, content, len(content)) == len(content)
"""
    )
    assert [event["text"] for event in events] == 15_000 * [99 * "x"]


def test_lines_of_two_processes_are_not_mixed() -> None:
    events = events_of(
        r"""
import sys, threading
from scanspec.events import event
from scanspec.logs import logging_to_stderr
def others():
    for number in range(100):
        print(50_000 * "x", file=sys.stderr)
with logging_to_stderr("json"):
    thread = threading.Thread(target=others)
    thread.start()
    for number in range(100):
        event("mine", text=100_000 * "y")
    thread.join()
"""
    )
    assert sorted({str(event["text"])[0] + str(event["event"]) for event in events}) == ["xoutput", "ymine"]
    assert len(events) == 200


def test_the_death_of_the_reader_loses_no_later_line_and_leaves_no_child() -> None:
    events = events_of(
        r"""
import os, signal, subprocess
from pathlib import Path
from scanspec.events import event
from scanspec.logs import logging_to_stderr
with logging_to_stderr("json"):
    mine = Path("/proc/self/cmdline").read_bytes()
    [reader] = [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if path.parent.name != str(os.getpid()) and path.exists() and path.read_bytes() == mine
    ]
    os.kill(reader, signal.SIGKILL)
    subprocess.run(f"yes {99 * 'x'} | head -n 20000 >&2", shell=True, check=True)
    event("mine", text="last")
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    pass
else:
    raise AssertionError("a child is left")
"""
    )
    assert [event["text"] for event in events if event["event"] == "output"] == 20_000 * [99 * "x"]
    assert [event["text"] for event in events if event["event"] == "mine"] == ["last"]
