"""Lines for people from an evaluator that serves: whether anybody reads them costs no point."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from typing import TextIO

from scanspec.events import say as log_or_print

_GONE = (errno.EPIPE, errno.EIO, errno.EBADF)


def say(text: str) -> None:
    """A line on standard error, or an event where the log is JSON."""
    with unread(sys.stderr):
        log_or_print("evaluator", text)


@contextlib.contextmanager
def unread(stream: TextIO) -> Iterator[None]:
    """What is written to a stream goes nowhere once its reader (a pipe, a terminal) has gone."""
    try:
        yield
    except OSError as error:
        if error.errno not in _GONE:
            return  # a full disk, a reader that is slow: the next line may be written
        nowhere = os.open(os.devnull, os.O_WRONLY)
        with contextlib.suppress(OSError):  # what could not be written would be tried again at the end
            os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
