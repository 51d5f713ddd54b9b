"""A physics code that is a Python function: `function: module:name` in the scan file.

The function has one argument, a `Point` (a mapping of names to numbers, with `spectrum` and `folder`), or several
arguments with the names of variables or earlier observables. It returns a mapping of observables. It raises
`evaluator.InvalidPoint` if the point is unphysical. Any other exception is a failure of the code.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from evaluator import InvalidPoint, interrupts
from evaluator.codes.data import opened_by
from evaluator.codes.deadline import run_by
from evaluator.codes.forks import in_this_process
from evaluator.codes.from_source import import_from_source
from evaluator.codes.protocol import Code
from evaluator.codes.sources import FileHash, module_sources
from evaluator.errors import CodeFailed, CodeKilled, CodeTimedOut, ConfigurationError, UnknownName
from evaluator.files import FULL
from scanspec import CodeSpec, ScanFile, visible
from scanspec.arguments import of_a_point, signature_of, what_it_gets
from scanspec.codes import read_function
from scanspec.document import closest
from scanspec.raised import returned, what_was_raised, words_of
from scanspec.spectrum import EntryMissing

if TYPE_CHECKING:
    from evaluator.codes.point import Point


LONGEST_TRACEBACK = 100_000
"""The most characters of a traceback that are printed; the text of an exception may have any length."""

_EVALUATOR = str(Path(__file__).parents[2]) + os.sep
_PACKAGES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def _instead(found: object) -> str:
    hint = '; for an unphysical point: raise InvalidPoint("why")' if found is None else ""
    return f"must return a mapping of observables, but returned {returned(found)}{hint}"


def _what(error: BaseException) -> str:
    return str(error) if isinstance(error, UnknownName) else what_was_raised(error)


def _is_ours(error: BaseException) -> bool:
    """Whether the error is a request to end this process, and not an exception that the code itself has raised."""
    return isinstance(error, KeyboardInterrupt) and interrupts.may_have_come()


def _file_of(module: ModuleType) -> str:
    return getattr(module, "__file__", None) or f"the module {module.__name__!r} of Python itself"


class PythonFunction(Code):
    """A function with its module and name. The scan file's folder is the first place to look for the module."""

    key = "function"

    def __init__(self, spec: CodeSpec, scan: ScanFile, known: Collection[str]) -> None:
        super().__init__(spec, scan, known)
        self._where = f"{spec.section.file}, line {spec.section.line('function')}"
        self.module, self._name = read_function(spec.section)
        self.preloads = [self.module]
        self._called = f"{self.module}:{self._name}"
        self._known = tuple(known)  # a copy, because `known` grows by the observables of this and later codes
        self._opened: Mapping[str, str] | None = None
        self._gets = ""
        self._function: Callable[[Any], Mapping[str, float]] | None = None

    def load(self) -> None:
        if str(self.folder) not in sys.path:
            sys.path.insert(0, str(self.folder))
        import_from_source()
        try:
            module = in_this_process(importlib.import_module, self.module)
        except (Exception, SystemExit) as error:
            if isinstance(error, ModuleNotFoundError) and error.name == self.module.partition(".")[0]:
                beside = [path.stem for path in self.folder.glob("*.py")]
                raise ConfigurationError(
                    f"{self._where}: the module {self.module!r} cannot be imported (ModuleNotFoundError): there is no "
                    f"{error.name}.py in {self.folder}, and no such package in the evaluator's environment"
                    f"{closest(error.name, beside)}"
                ) from error
            raise ConfigurationError(
                f"{self._where}: the module {self.module!r} cannot be imported ({_what(error)}; {self._line_of(error)})"
            ) from error
        self._check_file(module)
        function = getattr(module, self._name, None)
        if not callable(function):
            raise ConfigurationError(f"{self._where}: {_file_of(module)} has no function {self._name!r}")
        self._gets = what_it_gets(function, self._known)
        function = of_a_point(function, self._known)
        try:
            signature_of(function).bind(None)
        except TypeError as error:
            message = f"{self._called} must take one argument, the point ({error}), or several named like variables"
            raise ConfigurationError(f"{self._where}: {message}") from None
        except ValueError:  # written in C, without a signature
            pass
        self._function = function

    def _check_file(self, module: ModuleType) -> None:
        """Raises ConfigurationError if a file in the scan file's folder has the name of another, already
        known module.
        """
        top = self.module.partition(".")[0]
        meant = next(
            (source for source in (self.folder / f"{top}.py", self.folder / top / "__init__.py") if source.is_file()),
            None,
        )
        file = _file_of(module)
        anothers = top in sys.stdlib_module_names or _EVALUATOR in file or any(part in file for part in _PACKAGES)
        if meant is not None and anothers and Path(file) != meant:
            raise ConfigurationError(
                f"{self._where}: the module {self.module!r} is {file} and not {meant}; rename your file"
            )

    def run(self, point: Point) -> Mapping[str, float]:
        if self._function is None:
            self.load()
            assert self._function is not None
        try:
            found = run_by(self.next_timeout(), self._called, self._function, point)
        except (InvalidPoint, CodeFailed, CodeKilled, CodeTimedOut):
            raise
        except EntryMissing as error:  # the message needs no line of the code
            raise CodeFailed(str(error)) from error
        except BaseException as error:
            if _is_ours(error):
                raise
            with contextlib.suppress(Exception):  # the code's log may be full or closed
                print(visible(traceback.format_exc()[-LONGEST_TRACEBACK:]), end="", file=sys.stderr)
            if isinstance(error, OSError) and error.errno in FULL:
                raise CodeKilled(f"the disk is full: {words_of(error)} ({self._line_of(error)})") from error
            hint = f"; {self._gets}" if self._gets and isinstance(error, (TypeError, AttributeError)) else ""
            raise CodeFailed(f"{_what(error)} ({self._line_of(error)}){hint}") from error
        if type(found) is not dict and not isinstance(found, Mapping):  # the second question takes much longer
            raise CodeFailed(f"{self._called} {_instead(found)}")
        return found

    def _line_of(self, error: BaseException) -> str:
        """The last line of the traceback in the user's own files, else its last line."""
        lines = [frame for frame in traceback.extract_tb(error.__traceback__) if _EVALUATOR not in frame.filename]
        if isinstance(error, SyntaxError) and error.filename:
            return f"{error.filename}, line {error.lineno}"
        folder = str(self.folder.resolve()) + os.sep
        own = [frame for frame in lines if os.path.realpath(frame.filename).startswith(folder)]
        own = [frame for frame in own if not any(part in frame.filename for part in _PACKAGES)]
        line = next(reversed(own or lines), None)
        return f"{line.filename}, line {line.lineno}" if line is not None else self._called

    def sources(self) -> Mapping[str, str]:
        found = module_sources(self.module, self.folder)
        if self._opened is None:
            files = [source.path for source in found.values() if isinstance(source, FileHash)]
            self._opened = opened_by(self.module, files, self.scan_file)
        return {**self._opened, **found, "function": self._called}
