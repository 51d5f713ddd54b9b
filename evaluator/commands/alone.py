"""Runs a command in a separate process, so that a code that ends this process can be reported."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from evaluator.commands.cleaned import LAST_WORDS
from evaluator.executors.children import end_children, own_children, reap
from evaluator.interrupts import PASSED_ON, take_interrupts
from evaluator.leftovers import adopt_orphans, cleans_up, end_with_parent, has_children
from scanspec import visible

CODE_ENDED_IT = 1

_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def alone(run: Callable[[], int], file: Path) -> int:
    """Calls run() in a forked child, and returns its result. The child returns, too, with the same exit code.

    A code may end its process in ways that Python cannot catch: os._exit, a crash of a library, or a kill because of
    its memory. Then the parent prints a message, and returns 1.
    """
    reading, writing = os.pipe()
    interrupts = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # it is not ignored
    passed: dict[int, int] = {number: number for number in _ENDING}
    if interrupts:
        passed[signal.SIGINT] = PASSED_ON
    unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, passed.keys() | passed.values())
    others = own_children() if has_children() else set[int]()
    adopt_orphans()
    parent, child = os.getpid(), os.fork()
    if child == 0:
        end_with_parent(parent)  # a kill of this command also kills the code
        os.close(reading)
        if interrupts:
            take_interrupts()
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
            code = run()
        except KeyboardInterrupt:
            code = 128 + signal.SIGINT
        os.write(writing, b".")
        os.close(writing)
        return code
    os.close(writing)
    before = {number: signal.signal(number, lambda number, _: os.kill(child, passed[number])) for number in passed}
    signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # no other process can get its id until it is reaped
    for number, handler in before.items():
        signal.signal(number, handler)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    # processes that a code left may hold the other end, and one holds it until the output is shown
    has_returned = bool(select.select([reading], [], [], LAST_WORDS)[0] and os.read(reading, 1))
    _end_leftovers(others)
    if has_returned or -code in _ENDING:
        return code if code >= 0 else 128 - code
    ending = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
    print(
        f"lodescan-evaluator: {visible(str(file))}: a code ended its own process ({ending})\n"
        "next: see its output above; a function may raise an exception or InvalidPoint, but not end its process",
        file=sys.stderr,
    )
    return CODE_ENDED_IT


def _end_leftovers(others: set[int]) -> None:
    """Ends what the child has left, except the helpers of lodescan, which then end by themselves."""
    if has_children():
        helpers = {pid for pid in own_children() - others if cleans_up(pid)}
        end_children(others | helpers)
        for pid in helpers:
            reap(pid)
