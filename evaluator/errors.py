"""What can end a point, and what can be wrong before any point runs."""

from __future__ import annotations


class ConfigurationError(ValueError):
    """The scan file, a template or a code cannot work for any point; the message says where and what to do."""


class InvalidPoint(Exception):
    """The point is unphysical: the code has looked and says so. Status INVALID."""


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
