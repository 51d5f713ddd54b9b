"""A physics code that is a Python function: `function: module:name` in the scan file.

The function takes one `Point` (a mapping of names to numbers, with `spectrum` and
`folder`) and returns a mapping of observables. It raises `evaluator.InvalidPoint` where
the point is unphysical; any other exception is a failure of the code.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from evaluator import InvalidPoint
from evaluator.codes.deadline import DEFAULT_TIMEOUT, run_by
from evaluator.codes.sources import module_sources
from evaluator.errors import CodeFailed, CodeKilled, ConfigurationError, UnknownName
from evaluator.files import FULL
from scanspec import CodeSpec, ScanFile
from scanspec.codes import read_function
from scanspec.spectrum import EntryMissing

if TYPE_CHECKING:
    from evaluator.codes.point import Point


T = TypeVar("T")
R = TypeVar("R")

_EVALUATOR = str(Path(__file__).parents[1]) + os.sep
_PACKAGES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def in_this_process(function: Callable[[T], R], argument: T) -> R:
    """function(argument); a child that it has forked and that comes back, by an error too, ends here.

    It would go on as if it were this process, and answer in its place.
    """
    here = os.getpid()
    try:
        return function(argument)
    finally:
        if os.getpid() != here:
            os._exit(1)


def _what(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        code = 0 if error.code is None else error.code
        return f"it called sys.exit with exit code {code}" if isinstance(code, int) else f"it called sys.exit: {code}"
    if isinstance(error, UnknownName):
        return str(error)
    return f"{type(error).__name__}: {error}"


class PythonFunction:
    """A function by module and name; the module is looked for beside the scan file first."""

    def __init__(self, spec: CodeSpec, scan: ScanFile) -> None:
        self._where = f"{spec.section.file}, line {spec.section.line('function')}"
        self._folder = scan.folder
        self.module, self._name = read_function(spec.section)
        self.timeout = spec.section.number_in("timeout", DEFAULT_TIMEOUT, 0.0, 1e7, open_low=True)
        self.first_timeout = spec.section.number_in("first_timeout", self.timeout, 0.0, 1e7, open_low=True)
        self._called = f"{self.module}:{self._name}"
        self._ran = False
        self._function: Callable[[Any], Mapping[str, float]] | None = None

    def load(self) -> None:
        if str(self._folder) not in sys.path:
            sys.path.insert(0, str(self._folder))
        try:
            module = in_this_process(importlib.import_module, self.module)
        except (Exception, SystemExit) as error:
            raise ConfigurationError(
                f"{self._where}: the module {self.module!r} cannot be imported ({_what(error)}; {self._place(error)})"
            ) from error
        function = getattr(module, self._name, None)
        if not callable(function):
            raise ConfigurationError(f"{self._where}: {module.__file__} has no function {self._name!r}")
        self._function = function

    def run(self, point: Point) -> Mapping[str, float]:
        if self._function is None:
            self.load()
            assert self._function is not None
        timeout = self.timeout if self._ran else self.first_timeout
        self._ran = True
        try:
            found = run_by(timeout, self._called, self._call, point)
        except (InvalidPoint, CodeFailed, CodeKilled):
            raise
        except EntryMissing as error:  # says enough without a line of the code
            raise CodeFailed(str(error)) from error
        except (Exception, SystemExit) as error:
            with contextlib.suppress(OSError):  # the code may have filled its log
                traceback.print_exc()
            if isinstance(error, OSError) and error.errno in FULL:
                raise CodeKilled(f"there was no room on the disk: {error} ({self._place(error)})") from error
            raise CodeFailed(f"{_what(error)} ({self._place(error)})") from error
        if not isinstance(found, Mapping):
            raise CodeFailed(f"{self._called} must return a mapping of observables, but returned {found!r:.100}")
        return found

    def _call(self, point: Point) -> Mapping[str, float]:
        assert self._function is not None
        return in_this_process(self._function, point)

    def _place(self, error: BaseException) -> str:
        """The last line of the user's own files that the error came through, else the last line of all."""
        lines = [each for each in traceback.extract_tb(error.__traceback__) if _EVALUATOR not in each.filename]
        if isinstance(error, SyntaxError) and error.filename:
            return f"{error.filename}, line {error.lineno}"
        folder = str(self._folder.resolve()) + os.sep
        own = [each for each in lines if os.path.realpath(each.filename).startswith(folder)]
        own = [each for each in own if not any(part in each.filename for part in _PACKAGES)]
        line = next(reversed(own or lines), None)
        return f"{line.filename}, line {line.lineno}" if line is not None else self._called

    def sources(self) -> Mapping[str, str]:
        return module_sources(self.module, self._folder) | {"function": self._called}
