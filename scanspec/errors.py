"""The base class of all errors that a user can correct, on both sides."""

from __future__ import annotations


class LodescanError(Exception):
    """An error that a user can correct. The message says what is wrong and where, `next_step` what to do about it.

    A class may have a `next_step` for all its errors. A `next_step` given to one error becomes part of its text.
    `exit_code` is the exit code of a command that ends with the error.
    """

    next_step = ""
    exit_code = 2

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(f"{message}; {next_step}" if next_step else message)
        self.message = message
        self._says_what_to_do = bool(next_step)
        if next_step:
            self.next_step = next_step

    def tell(self) -> str:
        """The text for people; ends with the next step."""
        return str(self) if self._says_what_to_do or not self.next_step else f"{self}\nnext: {self.next_step}"


class UsageError(LodescanError):
    """The arguments of a command do not fit together."""

    next_step = "`--help` behind the command lists its arguments"
