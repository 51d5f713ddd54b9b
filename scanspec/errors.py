"""The base class of all errors that a user can correct, on both sides."""

from __future__ import annotations

import linecache
import traceback
from itertools import takewhile
from pathlib import Path

_OURS = tuple(f"{Path(__file__).parents[1] / name}/" for name in ("scanspec", "proposer", "evaluator"))
_IPYTHON = "/IPython/"


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

    def _render_traceback_(self) -> list[str]:
        """What IPython and notebooks print instead of a page of lodescan's frames: the user's lines, and the text."""
        frames = [frame for frame in traceback.extract_tb(self.__traceback__) if _IPYTHON not in frame.filename]
        lines = [
            f"{'cell' if 'ipykernel_' in frame.filename or frame.filename.startswith('<') else frame.filename}, "
            f"line {frame.lineno}: {linecache.getline(frame.filename, frame.lineno or 0).strip()}"
            for frame in takewhile(lambda frame: not frame.filename.startswith(_OURS), frames)
        ]
        return [*lines, f"{type(self).__name__}: {self}", *getattr(self, "__notes__", ())]


class UsageError(LodescanError):
    """The arguments of a command do not fit together."""

    next_step = "`--help` behind the command lists its arguments"
