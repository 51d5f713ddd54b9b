"""The evaluator's end of the pipe to a worker: bytes that are not a message must not hold anything up."""

import os
import pickle
import struct
import subprocess
import sys
from multiprocessing import Pipe
from pathlib import Path

import pytest

from evaluator.executors import pipe
from evaluator.executors.pipe import BrokenMessage, limit_waiting, receive
from tests.evaluator.harness import values

ROOT = Path(__file__).parents[2]


@pytest.fixture
def ends(monkeypatch):
    """The two ends of a pipe, of which the first one waits for a tenth of a second."""
    monkeypatch.setattr(pipe, "PART_LIMIT", 0.1)
    ours, theirs = Pipe()
    limit_waiting(ours)
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize(
    "written",
    [b"garbage!" * 10, struct.pack("!i", 2**30) + b"xx", b"\0\0", struct.pack("!iQ", -1, 2**62) + b"x"],
    ids=["text", "half", "length", "too long"],
)
def test_half_a_message_is_not_waited_for(ends, written):
    ours, theirs = ends
    os.write(theirs.fileno(), written)
    with pytest.raises(BrokenMessage):
        receive(ours)


@pytest.mark.parametrize("message", [b"", b"no pickle", b"\x80\x04."])
def test_a_message_that_is_no_pickle_is_named(ends, message):
    ours, theirs = ends
    theirs.send_bytes(message)
    with pytest.raises(BrokenMessage):
        receive(ours)


def test_a_process_that_does_not_read_is_not_waited_for(ends):
    ours, _ = ends
    with pytest.raises(BlockingIOError):
        ours.send_bytes(bytes(2**24))


def test_messages_and_the_end_are_as_before(ends):
    ours, theirs = ends
    theirs.send([1, "two"])
    assert receive(ours) == [1, "two"]
    theirs.send_bytes(pickle.dumps(None))
    assert receive(ours) is None
    theirs.close()
    with pytest.raises(EOFError):
        receive(ours)


WRITES = """
import stat, struct
for number in range(3, 60):
    try:
        if stat.S_ISSOCK(os.fstat(number).st_mode):
            os.write(number, struct.pack('!i', 2**30) + b'xx')
    except OSError:
        pass
"""


@pytest.mark.slow
def test_a_function_that_writes_half_a_message_costs_its_point(evil, evaluator):
    server = evaluator(evil(WRITES))
    assert values(server, [[1, 0]]) == [1]
    assert server.statuses([[1, 0], [2, 1], [3, 0]]) == ["OK", "KILLED", "OK"]


@pytest.mark.slow
def test_half_a_message_while_a_worker_starts_ends_the_evaluator_in_words(evil):
    scan = evil()
    body = "".join(f"    {line}\n" for line in WRITES.splitlines())
    with (scan.parent / "evil.py").open("a") as module:  # the fork server has imported it when the worker begins
        module.write(f"\ndef write():\n{body}\nos.register_at_fork(after_in_child=write)\n")
    command = [sys.executable, "-m", "evaluator", "serve", str(scan), "--listen", "127.0.0.1:0", "--workers", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert "does a code write to its pipe?" in done.stderr and "Traceback" not in done.stderr
    assert done.returncode == 2
