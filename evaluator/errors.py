"""Errors that end a point, and errors that are found before any point runs."""

from __future__ import annotations

from collections.abc import Collection

from scanspec import LodescanError
from scanspec.document import closest


class ConfigurationError(LodescanError, ValueError):
    """The scan file, a template or a code cannot work for any point."""

    next_step = "correct that, then `lodescan-evaluator check FILE` tries every code once"


class OptionError(ConfigurationError):
    """An option, or what it names, cannot be used."""

    next_step = "correct that, then give the same command again"


class CodeFailed(Exception):
    """A code gave no usable answer, which says nothing about the physics. The point is FAILED."""


class ObservableFailed(CodeFailed):
    """A code ended well, but one of its observables is missing or is not a number.

    `position`: the position of the observable in the order of the scan file.
    """

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


class CodeTimedOut(BaseException):
    """A code ran past its deadline. The point is TIMED_OUT.

    It is a BaseException, because it is raised inside users' functions, where `except Exception` is common.
    """


class CodeKilled(Exception):
    """A program was killed from outside (memory, a signal), so the point has no answer. The point is KILLED."""


class UnknownName(KeyError):
    """A function asks its point for an unknown name."""

    def __init__(self, name: object, known: Collection[str]) -> None:
        super().__init__(name)
        self._known = known

    def __str__(self) -> str:
        return f"the point has no {self.args[0]!r}{closest(str(self.args[0]), self._known)}"


class EvaluatorLost(LodescanError):
    """This evaluator cannot run points any more. It ends, and returns its points unanswered."""

    next_step = "mend that, then start the evaluator again: a scan that waits for it goes on"
    exit_code = 5


class PhysicsChanged(EvaluatorLost):
    """The code that computes the points has changed since the evaluator described it."""

    exit_code = 4
