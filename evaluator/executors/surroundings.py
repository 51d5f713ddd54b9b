"""Undoes what a function changes in its process and seeds its random numbers: points do not affect each other."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import struct
import sys
import threading
import time
import zlib
from _signal import (  # type: ignore[import-not-found]  # those of `signal` take microseconds per call
    getsignal,
    pthread_sigmask,
)
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evaluator.chain import Chain
from evaluator.executors.interpreter import Interpreter
from evaluator.executors.names import version_of

_SIGNALS = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})


class Surroundings:
    """Remembers folder, umask, environment, signal handlers and the interpreter's state, and restores them after a
    point.

    `folder`: that of the scan file. Random generators at the top of the modules there are seeded, too. `workers`: see
    Interpreter.
    """

    def __init__(self, folder: Path, workers: int = 0) -> None:
        self._interpreter = Interpreter(workers)
        self._folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
        self._to_folder = ctypes.CDLL(None).fchdir  # that of `os` raises an audit event, and so calls all hooks
        self._umask = os.umask(0o077)
        os.umask(self._umask)
        self._now: dict[bytes, bytes] = vars(os.environ)["_data"]  # comparing this dictionary is fast
        self._environment = dict(self._now)
        self._version = version_of(self._now)
        self._unchanged: int | None = None  # the version at which they were equal
        # Python allows handlers only in the main thread
        self._main = threading.get_ident() == threading.main_thread().ident
        self._handlers = list(map(getsignal, _SIGNALS))
        self._blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self._python: Any = random._inst  # noqa: SLF001  # the generator behind the functions of `random`
        # what `random.seed` calls for an integer, after questions that take a third of the time of the seeding itself
        self._seed_python = super(random.Random, self._python).seed
        self._generators = _generators(folder.resolve())

    def seed(self, point_id: int, values: Sequence[float]) -> None:
        """Seeds the random numbers of a point, so that they differ between points and are the same at each evaluation
        of one point.
        """
        seed = zlib.crc32(struct.pack(f"<Q{len(values)}d", point_id, *values))
        self._seed_python(seed)
        self._python.gauss_next = None  # the second of two normal numbers
        try:  # noqa: SIM105  # `contextlib.suppress` takes longer, for each point
            np.random.seed(seed)  # noqa: NPY002  # for functions that use it
        except TypeError:  # another generator was put in its place
            pass
        for number, generator in enumerate(self._generators, start=1):
            if isinstance(generator, np.random.Generator):
                generator.bit_generator.state = type(generator.bit_generator)([seed, number]).state
            else:
                generator.seed(
                    [seed, number] if isinstance(generator, np.random.RandomState) else (seed << 32) + number
                )

    def restore(self) -> None:
        """Undoes what a function has changed."""
        self._interpreter.restore()
        if self._to_folder(self._folder) != 0:
            os.fchdir(self._folder)  # raises the error
        os.umask(self._umask)
        # read before the comparison: a thread that was left behind may change it meanwhile, or while it is restored
        version = self._version.value if self._version is not None else None
        if version is None or version != self._unchanged:
            self._unchanged = version
            if self._now != self._environment:
                self._unchanged = None
                self._restore_environment()
        if self._main:
            handlers = list(map(getsignal, _SIGNALS))  # twice as fast as a comprehension
            if handlers != self._handlers:
                self._restore_handlers(handlers)
            pthread_sigmask(signal.SIG_SETMASK, self._blocked)

    def worn(self) -> str:
        """What the points have used up, so that another process must go on. Empty if nothing."""
        return self._interpreter.worn()

    def _restore_environment(self) -> None:
        before = {os.fsdecode(name): os.fsdecode(value) for name, value in self._environment.items()}
        for name in [name for name in os.environ if name not in before]:
            del os.environ[name]
        for name, value in before.items():
            if os.environ.get(name) != value:
                os.environ[name] = value
        time.tzset()  # it is not read again when TZ changes

    def _restore_handlers(self, handlers: list[Any]) -> None:
        for number, now, before in zip(_SIGNALS, handlers, self._handlers, strict=True):
            if now != before:
                # None is a handler that is not Python's, and cannot be put back
                signal.signal(number, before if before is not None else signal.SIG_DFL)


def _generators(folder: Path) -> list[Any]:
    kinds = (np.random.Generator, np.random.RandomState, random.Random)
    found: dict[int, Any] = {}
    for name in sorted(sys.modules):
        file = getattr(sys.modules[name], "__file__", None)
        if file and "site-packages" not in file and folder in Path(file).resolve().parents:
            found |= {id(member): member for member in vars(sys.modules[name]).values() if isinstance(member, kinds)}
    return list(found.values())


def runs_functions(chain: Chain) -> bool:
    """Whether a code of the chain can change this process. A function can, a program cannot."""
    return any(step.code.changes_process for step in chain.steps)
