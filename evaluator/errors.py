"""What can end a point, and what can be wrong before any point runs."""

from __future__ import annotations

from collections.abc import Collection

from scanspec import LodescanError
from scanspec.document import closest


class ConfigurationError(LodescanError, ValueError):
    """The scan file, a template or a code cannot work for any point; the message says where."""

    next_step = "correct that, then `lodescan-evaluator check FILE` tries every code once"


def words_of(error: BaseException) -> str:
    """What an exception says; those of users may not even be able to say it."""
    try:
        return str(error)
    except Exception as another:  # noqa: BLE001
        return f"its words cannot be had: {type(another).__name__}"


def shown(value: object) -> str:
    """The beginning of a value of a user's, as Python writes it."""
    try:
        return f"{value!r:.100}"
    except Exception as error:  # noqa: BLE001
        return f"a {type(value).__name__} that cannot be shown ({type(error).__name__})"


class CodeFailed(Exception):
    """A code gave no answer that can be used; says nothing about the physics. Status FAILED."""


class ObservableFailed(CodeFailed):
    """A code ended well, but one of its observables is not there, or is no number; `position` in the file's order."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


class CodeTimedOut(BaseException):
    """A code ran past its deadline. Status TIMED_OUT.

    A BaseException, because it is raised inside users' functions, where `except Exception` is common.
    """


class CodeKilled(Exception):
    """A program was killed from outside (memory, a signal): no answer. Status KILLED."""


class UnknownName(KeyError):
    """A function asks its point for a name that it does not have."""

    def __init__(self, name: object, known: Collection[str]) -> None:
        super().__init__(name)
        self._known = known

    def __str__(self) -> str:
        return f"the point has no {self.args[0]!r}{closest(str(self.args[0]), self._known)}"


class EvaluatorLost(LodescanError):
    """No point can be answered here any more: the evaluator ends, and its points go back unanswered."""

    next_step = "mend that, then start the evaluator again: a scan that waits for it goes on"
    exit_code = 5


class PhysicsChanged(EvaluatorLost):
    """What the points are computed with is no longer what the evaluator has described."""

    exit_code = 4
