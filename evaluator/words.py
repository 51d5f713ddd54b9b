"""Writes lines for people from a serving evaluator, so that a reader that goes away costs no point."""

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
    """Writes a line on standard error, or an event if the log is JSON."""
    with unread(sys.stderr):
        log_or_print("evaluator", text)


@contextlib.contextmanager
def unread(stream: TextIO) -> Iterator[None]:
    """Discards what is written to a stream once its reader (a pipe, a terminal) is gone."""
    try:
        yield
    except OSError as error:
        if error.errno not in _GONE:
            return  # a full disk or a slow reader: the next line may succeed
        nowhere = os.open(os.devnull, os.O_WRONLY)
        with contextlib.suppress(OSError):  # otherwise Python would try to write the rest at its end
            os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
