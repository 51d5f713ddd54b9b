"""Undoes what a function changes in its interpreter and process, and notices when the process is worn out."""

from __future__ import annotations

import decimal
import errno
import faulthandler
import gc
import locale
import os
import resource
import signal
import socket
import sys
import tempfile
import threading
import time
import warnings
from _locale import setlocale  # that of `locale` takes half as long again
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any

import numpy as np

from evaluator.executors.arithmetic import Arithmetic
from evaluator.executors.names import Names
from evaluator.executors.scheduling import Scheduling
from evaluator.memory import memory_limit

MOST_THREADS = 256
"""The most threads of Python that points may leave behind in a worker."""

LOOK = 0.01
"""Seconds between two looks at the memory, which take longer than a quick point may."""

_LIMITS = sorted({getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")})
_MODES: tuple[tuple[Callable[[], Any], Callable[[Any], object]], ...] = (
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (sys.get_int_max_str_digits, sys.set_int_max_str_digits),
    (sys.getswitchinterval, sys.setswitchinterval),
    (socket.getdefaulttimeout, socket.setdefaulttimeout),
    (threading.stack_size, threading.stack_size),
)
"""Settings of the interpreter: what gets each, and what sets it."""
_GETS = tuple(get for get, _ in _MODES)

_CATEGORIES = (locale.LC_NUMERIC, locale.LC_CTYPE, locale.LC_COLLATE, locale.LC_TIME)
"""What a locale decides. To ask for all of it together takes five times as long."""

_HARMLESS = (resource.RLIMIT_CORE, resource.RLIMIT_RSS)
"""Limits that do not affect later points: the size of a core dump, and one that Linux ignores."""

_STREAMS = (0, 1, 2)
_TIMERS = (signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)  # the third one is the deadline's
_NEVER = (0.0, 0.0)


class Interpreter:
    """Standard output and error, timers, limits and modes of Python, as they are when this is made.

    `workers`: the number of processes like this one that share the machine's memory; 0 if nothing replaces this one.
    """

    def __init__(self, workers: int = 0) -> None:
        self._streams = (sys.stdout, sys.stderr)
        self._files = [(number, kept) for number in _STREAMS if (kept := _copy(number)) is not None]
        self._limits = [resource.getrlimit(kind) for kind in _LIMITS]
        self._most_files = self._most_threads = 0  # until the first point has shown what is needed
        self._timers = [timer for timer in _TIMERS if signal.getitimer(timer) == _NEVER]
        self._temporary = tempfile.gettempdir()
        self._traced = (sys.gettrace(), sys.getprofile())
        self._collects, self._garbage = gc.isenabled(), gc.get_threshold()
        self._share = memory_limit() // (2 * workers) if workers else 0
        self._most_memory: tuple[int, int] | None = None
        self._needs_more = False
        self._look_at = 0.0
        self._worn = ""
        self._names, self._scheduling = Names(), Scheduling()
        self._note_modes()
        self._limits_set, self._is_new = False, True
        self._hooks_added = False
        sys.addaudithook(self._audit)

    def _note_modes(self) -> None:
        self._modules = len(sys.modules)
        self._errors: Any = np.geterr()
        self._printed: Any = np.get_printoptions()  # functions may write arrays into the input of a program
        self._filters = list(warnings.filters)
        self._locale = list(map(setlocale, _CATEGORIES))
        self._modes = [get() for get in _GETS]
        self._path = list(sys.path)
        self._least_path = self._path
        self._decimal = decimal.getcontext().copy()
        self._arithmetic = Arithmetic()
        self._context: Context | None = None  # until the first point is undone

    def restore(self) -> None:
        """Undoes what a function has changed."""
        # a module that a point imports may replace names for all, as gevent does; `len` may be another function
        if sys.modules.__len__() == self._modules:
            self._names.restore()
            if not self._scheduling.restore():
                self._worn = "lowers the priority of its process for good (os.nice)"
            if self._hooks_added:
                self._worn = "adds audit hooks, which nothing can remove (sys.addaudithook)"
        else:
            self._names.note()
            self._scheduling.note()
        self._hooks_added = False
        for number, kept in self._files:  # restored without asking whether it changed, which would take as long
            os.dup2(kept, number)
        out, err = self._streams
        closed = getattr(out, "closed", False) or getattr(err, "closed", False)  # a user's object may only have `write`
        if sys.stdout is not out or sys.stderr is not err or closed:
            self._restore_streams()
        for timer in self._timers:
            if signal.getitimer(timer) != _NEVER:
                signal.setitimer(timer, 0)
        faulthandler.cancel_dump_traceback_later()
        if (sys.gettrace(), sys.getprofile()) != self._traced:
            sys.settrace(self._traced[0])
            sys.setprofile(self._traced[1])
        if self._collects and not gc.isenabled():
            gc.enable()
        if gc.get_threshold() != self._garbage:
            gc.set_threshold(*self._garbage)
        tempfile.tempdir = self._temporary
        if self._limits_set:
            self._restore_limits()
        if len(sys.modules) == self._modules and not self._is_new:
            self._restore_modes()
        else:  # what a function sets at its first point, or a module that it imports later, is meant for all points
            self._note_modes()
        self._is_new = False

    def _restore_streams(self) -> None:
        self._streams = tuple(  # type: ignore[assignment]
            open(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
            if getattr(stream, "closed", False)
            else stream
            for number, stream in enumerate(self._streams, start=1)
        )
        sys.stdout, sys.stderr = self._streams

    def _audit(self, event: str, _: tuple[Any, ...]) -> None:
        """Limits are set rarely, and asking for them after each point would take longer than a quick point. Hooks such
        as this one cannot be found otherwise.
        """
        if event in ("resource.setrlimit", "resource.prlimit"):
            self._limits_set = True
        elif event == "sys.addaudithook":
            self._hooks_added = True

    def _restore_limits(self) -> None:
        for kind, before in zip(_LIMITS, self._limits, strict=True):
            if resource.getrlimit(kind) != before:
                try:
                    resource.setrlimit(kind, before)
                except (OSError, ValueError):  # lowered for good
                    if kind not in _HARMLESS:
                        self._worn = "lowers limits of its process (resource.setrlimit)"
        self._limits_set = False

    def _restore_modes(self) -> None:
        if self._context is None or _differ(copy_context(), self._context):
            if np.geterr() != self._errors:
                np.seterr(**self._errors)
            if np.get_printoptions() != self._printed:
                np.set_printoptions(**self._printed)
        if warnings.filters != self._filters:
            warnings.filters[:] = self._filters  # type: ignore[index]
            warnings._filters_mutated()  # type: ignore[attr-defined]  # noqa: SLF001  # as `warnings` itself does
        if list(map(setlocale, _CATEGORIES)) != self._locale:
            for category, name in zip(_CATEGORIES, self._locale, strict=True):
                setlocale(category, name)
        if [get() for get in _GETS] != self._modes:
            for (_, change), before in zip(_MODES, self._modes, strict=True):
                change(before)
        if sys.path != self._path:
            self._restore_path()
        decimal.setcontext(self._decimal.copy())
        self._context = copy_context() if _NUMPY_IN_CONTEXT else None
        self._arithmetic.restore()

    def _restore_path(self) -> None:
        """Puts back entries that were removed or moved. One that was added stays as long as there is such a folder: a
        later point may import from it.
        """
        if [entry for entry in sys.path if entry in self._path] != self._path:
            sys.path[:] = self._path + [entry for entry in sys.path if entry not in self._path]
        sys.path[:] = [entry for entry in sys.path if entry in self._least_path or _exists(entry)]
        self._path = list(sys.path)

    def worn(self) -> str:
        """Why this process must be replaced: what points have used up. Empty if nothing."""
        if self._worn:
            return self._worn
        lowest = _lowest_free()
        if not self._most_files:
            most = self._limits[_LIMITS.index(resource.RLIMIT_NOFILE)][0]
            self._most_files = max((lowest + most) // 2, lowest)
            self._most_threads = threading.active_count() + MOST_THREADS
        if lowest > self._most_files:
            return "leaves open files behind"
        if threading.active_count() > self._most_threads:
            return "leaves threads behind"
        if self._share and self._grew():
            return "takes more memory with each point"
        return ""

    def _grew(self) -> bool:
        """Whether the points after the first have taken more memory for good than this process should have.

        Once they may: the first point may have ended before it loaded what the others need.
        """
        if (now := time.perf_counter()) < self._look_at:
            return False
        self._look_at = now + LOOK
        used, data = _memory()
        if self._most_memory is not None and (used > self._most_memory[0] or data > self._most_memory[1]):
            if self._needs_more:
                return True
            self._needs_more, self._most_memory = True, None
        if self._most_memory is None:  # later points also use what the first one loads
            allowed = resource.getrlimit(resource.RLIMIT_DATA)[0]
            left = max(0, allowed - data) // 2 if allowed != resource.RLIM_INFINITY else self._share
            self._most_memory = used + self._share // 2, data + left
        return False


def _is_in_context() -> bool:
    """Whether numpy keeps in context variables what it does about errors and how it prints, as new versions do. To
    compare two contexts takes a tenth of the time of asking numpy.
    """
    before = copy_context()
    with np.errstate():
        errors = copy_context() != before
    with np.printoptions():
        return errors and copy_context() != before


_NUMPY_IN_CONTEXT = Context().run(_is_in_context)  # where no variable is set yet


def _differ(now: Context, before: Context) -> bool:
    try:
        return now != before
    except Exception:  # noqa: BLE001  # a function may put anything into a context variable
        return True


def _exists(entry: Any) -> bool:
    return isinstance(entry, str) and os.path.exists(entry)


def _copy(descriptor: int) -> int | None:
    """A duplicate of an open descriptor; None if it is not open."""
    try:
        return os.dup(descriptor)
    except OSError:
        return None


def _lowest_free() -> int:
    """The lowest free descriptor, which measures how many files are open."""
    try:
        lowest = os.dup(0)
    except OSError as error:
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0] if error.errno == errno.EMFILE else 0
    os.close(lowest)
    return lowest


def _memory() -> tuple[int, int]:
    """Bytes of this process that are in memory and no file's, and those that its limit on data counts."""
    with open("/proc/self/statm", "rb") as file:
        pages = file.read().split()
    return (int(pages[1]) - int(pages[2])) * resource.getpagesize(), int(pages[5]) * resource.getpagesize()
