"""A physics code that is a Python function: `function: module:name` in the scan file.

The function takes one `Point` (a mapping of names to numbers, with `spectrum` and
`folder`) and returns a mapping of observables. It raises `evaluator.InvalidPoint` where
the point is unphysical; any other exception is a failure of the code.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from evaluator.deadline import DEFAULT_TIMEOUT, run_by
from evaluator.errors import CodeFailed, CodeKilled, ConfigurationError, InvalidPoint
from evaluator.sources import module_sources
from scanspec import CodeSpec, ScanFile
from scanspec.codes import read_function
from scanspec.spectrum import EntryMissing

if TYPE_CHECKING:
    from evaluator.point import Point


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
            module = importlib.import_module(self.module)
        except Exception as error:
            line = traceback.extract_tb(error.__traceback__)[-1]
            raise ConfigurationError(
                f"{self._where}: the module {self.module!r} cannot be imported ({type(error).__name__}: {error}; "
                f"{line.filename}, line {line.lineno})"
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
            found = run_by(timeout, self._called, self._function, point)
        except (InvalidPoint, CodeFailed, CodeKilled):
            raise
        except EntryMissing as error:  # says enough without a line of the code
            raise CodeFailed(str(error)) from error
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            with contextlib.suppress(OSError):  # the code may have filled its log
                traceback.print_exc()
            raise CodeFailed(f"{type(error).__name__}: {error} ({last.filename}, line {last.lineno})") from error
        if not isinstance(found, Mapping):
            raise CodeFailed(f"{self._called} must return a mapping of observables, but returned {found!r:.100}")
        return found

    def sources(self) -> Mapping[str, str]:
        return module_sources(self.module, self._folder) | {"function": self._called}
