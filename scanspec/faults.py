"""Collects the faults of a scan file in one error, so that the user can correct all of them at once."""

from __future__ import annotations

from types import TracebackType

from scanspec.errors import LodescanError

MOST_FAULTS = 20
"""The most faults that one message names."""


class ScanFileError(LodescanError, ValueError):
    """A scan file, or a file that it names, cannot be used; the message says what to do.

    `line` is where in the file, from 1, and 0 where that is not known.
    """

    next_step = "correct the file, then `lodescan check FILE` reads it again"

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


class Faults:
    """Keeps the faults of a file while it is `collecting`; afterwards it raises each at once."""

    def __init__(self, *, collecting: bool = False) -> None:
        self._collecting = collecting
        self._found: dict[str, int] = {}

    def add(self, error: ScanFileError) -> None:
        """Keeps a fault, once; raises it when no faults are collected."""
        if not self._collecting:
            raise error
        self._found.setdefault(str(error), error.line)

    def collect(self) -> _Collect:
        """A context that keeps a fault raised in it, so that the rest of the file is read."""
        return _Collect(self)

    def close(self) -> None:
        """Raises ScanFileError with all faults in the order of the file. Later faults are raised at once."""
        self._collecting = False
        found = sorted(self._found, key=lambda fault: self._found[fault])
        if found:
            more = [f"... and {len(found) - MOST_FAULTS} more"] if len(found) > MOST_FAULTS else []
            raise ScanFileError("\n".join([*found[:MOST_FAULTS], *more]), self._found[found[0]])

    @property
    def any(self) -> bool:
        """Whether there is a fault."""
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
