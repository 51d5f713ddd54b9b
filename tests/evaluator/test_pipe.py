"""The evaluator's end of the pipe to a worker: bytes that are no message must not hold anything up."""

import os
import pickle
import struct
from multiprocessing import Pipe

import pytest

from evaluator.executors import pipe
from evaluator.executors.pipe import BrokenMessage, limit_waiting, receive
from tests.evaluator.harness import values


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
