"""Points by hand with the same result as in a scan: in another process, with the same random numbers."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stderr
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from evaluator.chain import Chain, Outcome, Status
from evaluator.clock import Countdown
from evaluator.codes.deadline import Deadline
from evaluator.commands.alone import BROKEN, Alone, Ended
from evaluator.commands.cleaned import cleaned, flush
from evaluator.errors import ConfigurationError
from evaluator.executors.children import Children
from evaluator.executors.shared import time_limits
from evaluator.executors.surroundings import Surroundings, runs_functions
from evaluator.leftovers import adopting_orphans
from evaluator.words import say
from scanspec import LodescanError, visible
from scanspec.raised import printable, what_was_raised

_BREAKS = "breaks the Python of its process"


class CodeEnded(LodescanError):
    """A code has ended the process in which it ran."""

    next_step = "see its output above; a function may raise an exception or InvalidPoint, but not end its process"
    exit_code = 1


class _Request(NamedTuple):
    values: Sequence[float]
    folder: Path
    point_id: int
    windows: bool
    deadlines: list[Deadline]
    """Those of the codes, which `check` makes shorter after the first point."""


class _Answer(NamedTuple):
    outcome: Outcome
    is_worn: bool
    """Whether the point has broken its process, so that the next one needs another."""


_READY = ""
"""The child's answer when the codes are loaded. Any other text says how a code has broken Python."""


class ByHand:
    """Loads a chain in a child process, and runs its points there. The scratch root must be made before.

    `quiet`: what functions print as errors is not shown. Raises ConfigurationError if the chain cannot be loaded.
    """

    def __init__(self, chain: Chain, *, quiet: bool = False) -> None:
        self.chain, self._quiet = chain, quiet
        self._where = visible(str(chain.scan.path))
        self._child: Alone | None = None
        self._start()

    def _start(self) -> Alone:
        self._child = child = Alone(self._work)
        with child.passing_on():
            broken = self._answer(child, math.inf)
        if broken:
            raise ConfigurationError(f"{self._where}: a code {_BREAKS} ({broken})")
        return child

    def evaluate(self, values: Sequence[float], folder: Path, *, point_id: int = 0, windows: bool = True) -> Outcome:
        """Runs one point like Chain.evaluate, with the random numbers of the scan's point with this id. Then it ends
        the processes that the point has left behind. Raises CodeEnded.
        """
        child = self._child or self._start()
        request = _Request(values, folder, point_id, windows, [step.code.deadline for step in self.chain.steps])
        limits, number = [*time_limits(self.chain), math.inf], 0
        with child.passing_on():  # before the point begins
            child.ask(request)
            while isinstance(answer := self._answer(child, limits[number]), int):
                number = answer
        if isinstance(answer, _Answer):
            outcome, is_worn = answer
            if is_worn:
                self._close(at_once=True)
            return outcome
        self._close(at_once=True)
        status, message = Status.FAILED, f"{_BREAKS} ({answer})"
        if answer is None:
            status, message = Status.TIMED_OUT, "ran past its deadline; its process was ended"
        code, count = self.chain.steps[number].name, len(self.chain.specs)
        return Outcome(status, [math.nan] * count, list(range(count)), failed_code=code, message=message)

    def _answer(self, child: Alone, seconds: float) -> Any:
        """The child's next message; None if it does not come in time. Raises CodeEnded, and errors of the file."""
        try:
            answer = child.answer(Countdown(seconds).left)
        except Ended as error:
            self._child = None
            if error.code == BROKEN:
                return "it cannot even say how"
            raise CodeEnded(f"{self._where}: a code ended its own process ({error})") from error
        if isinstance(answer, LodescanError):
            raise answer
        return answer

    def close(self) -> None:
        """Ends the child with what its points have left."""
        self._close(at_once=False)

    def _close(self, *, at_once: bool) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.end(at_once=at_once)

    def _work(self, pipe: Connection) -> None:
        """What the child does: it loads the chain, and answers requests until the pipe closes."""
        with redirect_stderr(io.StringIO()) if self._quiet else nullcontext():
            try:
                self._load_and_answer(pipe)
            except (KeyboardInterrupt, EOFError):
                raise
            except LodescanError as error:
                pipe.send(error)
            except BaseException as error:  # noqa: BLE001  # a code may have broken anything
                pipe.send(printable(what_was_raised(error)))

    def _load_and_answer(self, pipe: Connection) -> None:
        chain = self.chain
        with cleaned():
            chain.load()
        surroundings = Surroundings(chain.scan.folder) if runs_functions(chain) else None
        said = set[str]()
        pipe.send(_READY)
        while True:
            values, folder, point_id, windows, deadlines = pipe.recv()
            for step, deadline in zip(chain.steps, deadlines, strict=True):
                step.code.deadline = deadline
            is_worn = False
            with cleaned(), adopting_orphans():
                children = Children(lambda text: _say_once(text, said))
                if surroundings is not None:
                    surroundings.seed(point_id, values)
                outcome = chain.evaluate(values, folder, pipe.send, windows=windows)
                try:
                    if surroundings is not None:
                        surroundings.restore()
                        is_worn = bool(surroundings.worn())
                    children.end_strays()
                except Exception:  # noqa: BLE001  # as in a worker, this costs the process and not the point
                    is_worn = True
            flush()
            pipe.send(_Answer(outcome, is_worn))


def _say_once(text: str, said: set[str]) -> None:
    if text not in said:
        said.add(text)
        say(text)
