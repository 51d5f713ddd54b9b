"""Collects the errors of a scan file, so that the user sees all of them at once."""

from __future__ import annotations

from types import TracebackType

from scanspec.errors import LodescanError

MOST_FAULTS = 20
"""The most errors that one message names."""


class ScanFileError(LodescanError, ValueError):
    """A scan file, or a file that the scan file names, cannot be used.

    `line` is the line of the error, from 1; 0 if it is not known.
    """

    next_step = "correct the file, then `lodescan check FILE` reads it again"

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


class NoScanFile(ScanFileError):
    """There is no scan file at a path, or it may not be read."""

    next_step = "name a file that can be read; `lodescan init FILE` writes a new one"


class Faults:
    """Keeps the errors of a file while it is `collecting`; before and afterwards, it raises an error at once."""

    def __init__(self, *, collecting: bool = False) -> None:
        self._collecting = collecting
        self._found: dict[str, int] = {}

    def add(self, error: ScanFileError) -> None:
        """Keeps an error, once; raises it unless errors are being collected."""
        if not self._collecting:
            raise error
        self._found.setdefault(str(error), error.line)

    def collect(self) -> _Collect:
        """A context that keeps an error raised in it, so that the rest of the file is read."""
        return _Collect(self)

    def close(self) -> None:
        """Raises one ScanFileError with all errors in the order of the file, if there are any. Later errors are raised
        at once.
        """
        self._collecting = False
        found = sorted(self._found, key=lambda fault: self._found[fault])
        if found:
            more = [f"... and {len(found) - MOST_FAULTS} more"] if len(found) > MOST_FAULTS else []
            raise ScanFileError("\n".join([*found[:MOST_FAULTS], *more]), self._found[found[0]])

    @property
    def any(self) -> bool:
        """Whether an error was kept."""
        return bool(self._found)


class _Collect:
    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, ScanFileError):
            return False
        self._faults.add(error)
        return True
