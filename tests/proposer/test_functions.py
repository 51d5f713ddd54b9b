"""User functions in worker processes of `proposer.scan`: what they may raise, return and be."""

from __future__ import annotations

import asyncio
import functools
import math
import sys
import threading
from pathlib import Path

import cloudpickle
import pytest

from proposer.__main__ import main
from proposer.evaluation.worker import compute
from proposer.run.manifest import AnotherRun
from proposer.target import Target
from scanspec import UsageError
from tests.proposer.called import problem, scan

SHORT = {"type": "RANDOM", "max_evaluations": 6}


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no words")


class InvalidPoint(Exception):
    pass


class Tachyon(InvalidPoint):
    pass


def answer_of(action):
    (answer,) = compute(cloudpickle.dumps(lambda point: action()), ["x"], ["o"], [[1.0]])
    return answer


def raising(error):
    def action():
        raise error

    return action


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (lambda: sys.exit(3), "it called sys.exit with exit code 3"),
        (lambda: sys.exit("enough"), "it called sys.exit: enough"),
        (raising(KeyboardInterrupt()), "KeyboardInterrupt: "),
        (raising(GeneratorExit()), "GeneratorExit: "),
        (raising(asyncio.CancelledError("late")), "CancelledError: late"),
        (raising(BaseExceptionGroup("two", [SystemExit(1)])), "BaseExceptionGroup: two (1 sub-exception)"),
        (raising(Mute()), "Mute: its text cannot be printed: RuntimeError"),
        (raising(ValueError("a\ud800b\x1b[31m" + 600 * "c")), "ValueError: ab[31mccc"),
        (lambda: {"o": 10**400}, "o is 1000000"),
    ],
)
def test_any_exception_is_a_failure_of_the_point(action, words) -> None:
    found = answer_of(action)
    assert found.observables is None and found.message == "" and words in found.error
    assert len(found.error.encode()) < 600


@pytest.mark.parametrize("error", [InvalidPoint("too light"), Tachyon("too light")])
def test_invalid_point_and_its_subclasses_make_a_point_invalid(error) -> None:
    found = answer_of(raising(error))
    assert found.observables is None and found.error == "" and found.message == "too light"


def test_a_function_that_exits_when_it_is_unpickled_does_not_end_the_scan() -> None:
    class Exits:
        def __reduce__(self):
            return sys.exit, (4,)

    with pytest.raises(ImportError, match="exit code 4"):
        compute(cloudpickle.dumps(Exits()), ["x"], ["o"], [[1.0]])


def test_a_scan_goes_on_after_sys_exit_and_an_interrupt_that_a_function_raises(tmp_path: Path) -> None:
    def code(point):
        if point["x"] > 0:
            sys.exit("enough")
        if point["y"] > 0:
            raise KeyboardInterrupt
        return {"radius": 2.0}

    points = scan(problem(code, points=100, setup={**SHORT, "max_evaluations": 20}), tmp_path).points()
    for row in points.itertuples():
        words = "it called sys.exit: enough" if row.x > 0 else "KeyboardInterrupt" if row.y > 0 else ""
        assert row.status == ("FAILED" if words else "OK") and row.message.startswith(words)
    assert set(points["status"]) == {"FAILED", "OK"} and len(points) == 20


@pytest.mark.slow
def test_a_changed_argument_of_a_partial_is_another_function(tmp_path: Path) -> None:
    def code(point, by):
        return {"radius": math.hypot(point["x"], point["y"]) + by}

    def part(by, most):
        return problem(functools.partial(code, by=by), points=100, setup={**SHORT, "max_evaluations": most})

    scan(part(0.0, 4), tmp_path)
    assert len(scan(part(0.0, 8), tmp_path).points()) == 8
    with pytest.raises(AnotherRun, match="the function code has changed"):
        scan(part(0.5, 12), tmp_path)


@pytest.mark.parametrize("by_name", [False, True])
def test_the_call_that_is_shown_evaluates_a_point_again(tmp_path: Path, capsys, by_name: bool) -> None:
    def ring(point):
        return {"radius": math.hypot(point["x"], point["y"])}

    def named(y, x, more=0.0):
        return {"radius": math.hypot(x, y) + more}

    code = named if by_name else ring
    run = scan(problem(code, points=100, setup={**SHORT, "max_evaluations": 4}), tmp_path / "run")
    assert main(["point", str(tmp_path / "run"), "2"]) == 0
    shown = capsys.readouterr().out.splitlines()[-1].removeprefix("run it again: ")
    assert eval(shown, {code.__name__: code}) == {"radius": run.points()["radius"][2]}


def test_functions_that_cannot_work_are_refused_before_the_scan(tmp_path: Path) -> None:
    lock = threading.Lock()

    def code(point):
        with lock:
            return {"radius": 2.0}

    with pytest.raises(UsageError, match=r"'code' cannot be sent to another process: TypeError.*; open files, locks"):
        scan(problem(code), tmp_path)
    for workers in (0, -1):
        with pytest.raises(UsageError, match=f"there cannot be {workers} workers"):
            scan(problem(len), tmp_path, workers=workers)
    with pytest.raises(UsageError, match="the threshold is nan"):
        problem(len, threshold=math.nan).read(tmp_path)
    with pytest.raises(UsageError, match="the threshold is nan"):
        Target.given(None, Target(math.nan))
    assert not list(tmp_path.iterdir())
