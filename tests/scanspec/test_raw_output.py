"""In the format JSON, each line on standard error is a JSON object, whoever wrote it."""

from __future__ import annotations

import json
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
    child = subprocess.Popen(["yes"], stdout=2)
    print(child.pid, flush=True)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, timeout=60, check=True)
    assert int(done.stdout) > 0
    assert {json.loads(line)["text"] for line in done.stderr.decode().splitlines()} == {"y"}
