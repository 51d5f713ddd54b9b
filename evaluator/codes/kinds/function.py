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
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluator import InvalidPoint
from evaluator.codes.data import opened_by
from evaluator.codes.deadline import run_by
from evaluator.codes.forks import in_this_process
from evaluator.codes.protocol import Code
from evaluator.codes.sources import FileHash, module_sources
from evaluator.errors import CodeFailed, CodeKilled, ConfigurationError, UnknownName
from evaluator.files import FULL
from scanspec import CodeSpec, ScanFile
from scanspec.codes import read_function
from scanspec.spectrum import EntryMissing

if TYPE_CHECKING:
    from evaluator.codes.point import Point


_EVALUATOR = str(Path(__file__).parents[2]) + os.sep
_PACKAGES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def _what(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        code = 0 if error.code is None else error.code
        return f"it called sys.exit with exit code {code}" if isinstance(code, int) else f"it called sys.exit: {code}"
    if isinstance(error, UnknownName):
        return str(error)
    return f"{type(error).__name__}: {error}"


class PythonFunction(Code):
    """A function by module and name; the module is looked for beside the scan file first."""

    key = "function"

    def __init__(self, spec: CodeSpec, scan: ScanFile, known: Collection[str]) -> None:
        super().__init__(spec, scan, known)
        self._where = f"{spec.section.file}, line {spec.section.line('function')}"
        self.module, self._name = read_function(spec.section)
        self.preloads = [self.module]
        self._called = f"{self.module}:{self._name}"
        self._opened: Mapping[str, str] | None = None
        self._function: Callable[[Any], Mapping[str, float]] | None = None

    def load(self) -> None:
        if str(self.folder) not in sys.path:
            sys.path.insert(0, str(self.folder))
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
        try:
            found = run_by(self.next_timeout(), self._called, self._call, point)
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
        folder = str(self.folder.resolve()) + os.sep
        own = [each for each in lines if os.path.realpath(each.filename).startswith(folder)]
        own = [each for each in own if not any(part in each.filename for part in _PACKAGES)]
        line = next(reversed(own or lines), None)
        return f"{line.filename}, line {line.lineno}" if line is not None else self._called

    def sources(self) -> Mapping[str, str]:
        found = module_sources(self.module, self.folder)
        if self._opened is None:
            files = [each.path for each in found.values() if isinstance(each, FileHash)]
            self._opened = opened_by(self.module, files, self.scan_file)
        return {**self._opened, **found, "function": self._called}
