"""The questions of `lodescan init`. A bad answer is asked again at once, and what was good in it is kept."""

from __future__ import annotations

import copy
import math
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from proposer.commands.drafting.draft import EXAMPLE_OF_OBSERVABLES, EXAMPLE_OF_VARIABLES, Draft
from proposer.commands.drafting.function import from_function
from proposer.commands.drafting.slha import from_slha
from scanspec import UsageError
from scanspec.document import to_number
from scanspec.text import argument

USUAL_POINTS, USUAL_THRESHOLD = 1000, 3.0

_CODE = (
    "your code (module:function, or a command line), for example my_model:observables for def observables in "
    "my_model.py beside the scan file, or: spheno {input} {output}"
)
_VARIABLES = f"variables, as NAME=LOW,HIGH NAME=LOW,HIGH ..., for example {EXAMPLE_OF_VARIABLES} tanb=2,60"
_OBSERVABLES = f"observables, as NAME=MEAN,SIGMA NAME=MEAN,SIGMA ..., for example {EXAMPLE_OF_OBSERVABLES}"


def ask(draft: Draft, file: Path) -> None:
    """Asks for what the draft does not have yet. Off a terminal, numbers of points and thresholds have defaults, and
    guesses stay.

    Raises UsageError if something is missing off a terminal, or if the answers end.
    """
    try:
        _ask(draft, file)
    except EOFError:
        again = shlex.join(["lodescan", "init", argument(file), *_flags(draft)])
        raise UsageError(
            "the answers ended; nothing was written", next_step=f"this goes on with the answers so far: {again}"
        ) from None


def _ask(draft: Draft, file: Path) -> None:
    if not (draft.function or draft.command):
        _question(lambda: _CODE, lambda answer: _take_code(draft, file, answer))
    if draft.command and not draft.template:
        if not sys.stdin.isatty():
            raise UsageError("a program needs an input file", next_step="name an SLHA input file with --slha")
        question = "an SLHA input file of the program, whose numbers become variables, for example input.slha"
        _question(lambda: question, lambda answer: _take_slha(draft, answer))
    if not draft.variables or (draft.guessed and sys.stdin.isatty()):
        _question(
            lambda: _VARIABLES + _kept(draft.variables),
            lambda answer: _take_each(answer, draft.take_variable),
            may_be_empty=lambda: bool(draft.variables),
        )
    if not draft.observables or (None in draft.observables.values() and sys.stdin.isatty()):
        _question(
            lambda: _OBSERVABLES + _kept({name: known or (0.0, 1.0) for name, known in draft.observables.items()}),
            lambda answer: _take_each(answer, draft.take_observable),
            may_be_empty=lambda: bool(draft.observables),
        )
    if not draft.points:
        draft.points = int(_positive("good points to stop at", USUAL_POINTS, whole=True))
    if math.isnan(draft.threshold):
        draft.threshold = _positive("a point is good with an NLL below", USUAL_THRESHOLD)


def _question(
    question: Callable[[], str], take: Callable[[str], object], may_be_empty: Callable[[], bool] = lambda: False
) -> None:
    """Asks until `take` accepts the answer. `question` is made anew each time, because it shows what is kept."""
    if not sys.stdin.isatty():
        raise UsageError(f"missing: {question()}", next_step="give it by a flag, see `lodescan init --help`")
    while True:
        answer = input(f"{question()}: ").strip()
        if not answer and may_be_empty():
            return
        try:
            if not answer:
                raise UsageError("the answer is empty", next_step="write it as in the example")
            take(answer)
        except UsageError as error:
            print(error)
        else:
            return


def _take_code(draft: Draft, file: Path, answer: str) -> None:
    if re.fullmatch(r"[\w.]+:\w+", answer):
        with _unchanged_if_refused(draft):
            draft.function = answer
            from_function(file.parent, draft)
    elif "{input}" in answer:
        draft.command = answer
    else:
        raise UsageError(
            f"{answer!r} is neither a function nor a command",
            next_step="write module:function, or a command line with {input} for its input file",
        )


def _take_slha(draft: Draft, answer: str) -> None:
    with _unchanged_if_refused(draft):
        from_slha(Path(answer), draft)


@contextmanager
def _unchanged_if_refused(draft: Draft) -> Iterator[None]:
    """A context that gives the draft back its content if an answer is refused half-way."""
    before = copy.deepcopy(vars(draft))
    try:
        yield
    except UsageError:
        vars(draft).update(before)
        raise


def _take_each(answer: str, take: Callable[[str], None]) -> None:
    """Takes each word of an answer. Raises UsageError with all faults after the good words were taken."""
    faults, taken = [], []
    for word in re.sub(r"\s*([=,])\s*", r"\1", answer).split():
        try:
            take(word)
            taken.append(word)
        except UsageError as error:
            faults.append(str(error))
    if faults:
        raise UsageError("\n".join(faults + [f"kept: {' '.join(taken)}"] * bool(taken)))


def _positive(question: str, usual: float, *, whole: bool = False) -> float:
    """The answer to a question, a positive number; `usual` for an empty answer and off a terminal."""
    found = [usual]

    def take(answer: str) -> None:
        value = to_number(answer)
        if value is None or not 0.0 < value < math.inf or (whole and value != int(value)):
            kind = "whole number above 0" if whole else "number above 0"
            raise UsageError(f"{answer!r} is not a {kind}", next_step=f"write for example {usual:g}")
        found[0] = value

    if sys.stdin.isatty():
        _question(lambda: f"{question} (Enter: {usual:g})", take, may_be_empty=lambda: True)
    return found[0]


def _kept(pairs: dict[str, tuple[float, float]]) -> str:
    """What Enter keeps, for a question that proposes values."""
    return f" (Enter keeps {_words(pairs)}; an answer changes those that it names)" if pairs else ""


def _words(pairs: dict[str, tuple[float, float]]) -> str:
    return " ".join(f"{name}={low:g},{high:g}" for name, (low, high) in pairs.items())


def _flags(draft: Draft) -> list[str]:
    """The answers so far as flags."""
    flags = []
    for flag, text in (("--function", draft.function), ("--command", draft.command), ("--slha", draft.slha)):
        flags += [flag, text] if text else []
    for name, (low, high) in draft.variables.items():
        flags += [] if name in draft.guessed else ["--variable", f"{name}={low!r},{high!r}"]
    for name, known in draft.observables.items():
        flags += [] if known is None else ["--observable", f"{name}={known[0]!r},{known[1]!r}"]
    return flags
