"""A child process in which codes run, so that whatever they do to it can be reported."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from os import _exit  # by name, because a code may replace functions of `os`
from typing import Any

from evaluator.commands.cleaned import LAST_WORDS, flush
from evaluator.executors.children import end_children, own_children, reap
from evaluator.executors.pipe import BrokenMessage, limit_waiting, receive
from evaluator.interrupts import PASSED_ON, take_interrupts
from evaluator.leftovers import adopt_orphans, adopting_orphans, cleans_up, end_with_parent, has_children

LOOK = 0.05
"""Seconds between two looks at whether the child still lives."""

BROKEN = 70
"""The exit code of a child in which a code has broken what the child itself needs."""

END_LIMIT = 2.0
"""Seconds that a child may take to end by itself."""

_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_INTERRUPTED = "interrupted"


class Ended(Exception):
    """The child has ended without an answer. `code` is its exit code, negative for a signal."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}")
        self.code = code


class Alone:
    """A forked child that runs `work(pipe)` and ends with it, or with this process."""

    def __init__(self, work: Callable[[Connection], object]) -> None:
        self._interrupts = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # it is not ignored
        self._passed: dict[int, int] = {number: number for number in _ENDING}
        if self._interrupts:
            self._passed[signal.SIGINT] = PASSED_ON
        self._code: int | None = None
        self._pipe, theirs = Pipe()
        limit_waiting(self._pipe)
        flush()
        unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, self._passed.keys() | self._passed.values())
        self._others = own_children() if has_children() else set[int]()
        adopt_orphans()
        parent, self._pid = os.getpid(), os.fork()
        if self._pid == 0:
            code = BROKEN
            try:
                end_with_parent(parent)  # a kill of this command also kills the code
                if not os.isatty(0):  # a terminal lets only this group read, as breakpoint() does
                    os.setpgid(0, 0)  # a code that stops or kills its group must not stop the user's job
                self._pipe.close()
                if self._interrupts:
                    take_interrupts()
                signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
                code = _answers(work, theirs)
            finally:
                _exit(code)  # without a traceback, and without what an orderly end needs
        theirs.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)

    @contextlib.contextmanager
    def passing_on(self) -> Iterator[None]:
        """A context in which signals that would end this process go to the child, once each."""
        before = {number: signal.signal(number, self._pass_on) for number in self._passed}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def ask(self, request: object) -> None:
        """Sends the child a request. If it has ended, `answer` will tell."""
        flush()
        with contextlib.suppress(OSError):
            self._pipe.send(request)

    def answer(self, seconds_left: Callable[[], float]) -> Any:
        """The child's next message; None if no second is left before it comes.

        Raises Ended, KeyboardInterrupt if the child was interrupted, and SystemExit if a signal has ended it.
        """
        while not self._pipe.poll(LOOK):
            if self._has_ended():
                self._pipe.poll(LAST_WORDS)  # who still holds the other end shows the last output
                break
            if seconds_left() <= 0.0:
                return None
        try:
            message = receive(self._pipe) if self._pipe.poll() else None
        except (EOFError, OSError, BrokenMessage):
            message = None
        if message is None:
            code = self.end(at_once=False)
            if -code in _ENDING:
                raise SystemExit(128 - code)
            raise Ended(code)
        if message == _INTERRUPTED:
            raise KeyboardInterrupt
        return message

    def _pass_on(self, number: int, _: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, self._passed[number])

    def end(self, *, at_once: bool) -> int:
        """Ends the child and what it has left, except the helpers of lodescan, which then end by themselves. Returns
        the exit code. Unless `at_once`, the child may end by itself, for which it has END_LIMIT.
        """
        if self._code is not None:
            return self._code
        with adopting_orphans():
            self._code = self._end(at_once=at_once)
        return self._code

    def _end(self, *, at_once: bool) -> int:
        self._pipe.close()
        limit = time.monotonic() + (0.0 if at_once else END_LIMIT)
        while not self._has_ended() and time.monotonic() < limit:
            time.sleep(0.001)
        if not self._has_ended():
            os.kill(self._pid, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        if has_children():
            helpers = {pid for pid in own_children() - self._others if cleans_up(pid)}
            end_children(self._others | helpers)
            for pid in helpers:
                reap(pid)
        return code

    def _has_ended(self) -> bool:
        return os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _answers(work: Callable[[Connection], object], pipe: Connection) -> int:
    """Runs `work`; returns the exit code."""
    try:
        work(pipe)
    except KeyboardInterrupt:
        pipe.send(_INTERRUPTED)
    except EOFError:  # nobody asks any more
        pass
    return 0
