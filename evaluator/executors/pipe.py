"""The evaluator's end of the pipe to a worker. A user's code may write to the other end, too."""

from __future__ import annotations

import os
import pickle
import socket
import struct
from multiprocessing.connection import Connection
from typing import Any

PART_LIMIT = 10.0
"""Seconds within which the next part of a message that has begun must come, or be taken."""


class BrokenMessage(Exception):
    """The bytes that came out of the pipe are not a message."""


def limit_waiting(pipe: Connection) -> None:
    """Lets each read and write at this end fail after PART_LIMIT seconds. Otherwise a process would wait for ever for
    the rest of a broken message.
    """
    timeval = struct.pack("ll", int(PART_LIMIT), int(PART_LIMIT % 1.0 * 1e6))
    with socket.socket(fileno=os.dup(pipe.fileno())) as end:
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            end.setsockopt(socket.SOL_SOCKET, option, timeval)


def receive(pipe: Connection) -> Any:
    """The next message. Raises BrokenMessage, and EOFError or OSError if the other end was closed."""
    try:
        message = pipe.recv_bytes()
    except (BlockingIOError, OverflowError, MemoryError):
        raise BrokenMessage("half a message, or none, came from it; does a code write to its pipe?") from None
    try:
        return pickle.loads(message)  # noqa: S301  # its writer runs the user's code anyway
    except Exception as error:
        raise BrokenMessage("what came from it is not a message; does a code write to its pipe?") from error
