"""Scans by one call: as `lodescan scan` does, or with a Python function as the code."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from proposer.asked import Asked, ask_of, read_asked
from proposer.evaluation.backend import EvaluationBackend
from proposer.evaluation.processes import LocalProcesses
from proposer.interface.problem import Problem
from proposer.interface.runs import Run
from proposer.run.manifest import AnotherRun
from proposer.scanning import ScanOptions, open_pool, scan_with
from proposer.show.voice import Voice, speaking
from proposer.signals import interruptible_call
from proposer.types import Observable
from proposer.wire.security import PLAIN, Security
from scanspec import DEFAULT_ADDRESS, LodescanError

INTERRUPTED = "the scan was interrupted; all results are kept, and the same call continues it"


def scan(
    what: Path | str | Problem,
    *,
    evaluator: str | Sequence[str] = DEFAULT_ADDRESS,
    workers: int | None = None,
    folder: Path | str | None = None,
    seed: int | None = None,
    security: Security = PLAIN,
    quiet: bool = False,
    report: bool = True,
    same_physics: bool = False,
) -> Run:
    """Scans until a stop condition is met, and returns the run.

    `what` is a scan file, whose points are evaluated at the addresses `evaluator`, or a `Problem`, whose function is
    called in `workers` processes of this machine (None: one per core). Ctrl-C, or the stop button of a notebook, ends
    the scan with KeyboardInterrupt; its results are kept, and the same call goes on. `folder` is the folder of the run
    (None: runs/NAME). `seed` is by default that of the file, or a new one. `quiet` prints only warnings. `report`
    writes report.html at the end. `same_physics` goes on although the function or the files of the evaluator have
    changed; you assert that they compute the same as before, and the manifest records it.

    Raises UsageError, ScanFileError, NoEvaluator, EvaluatorRefused, and AnotherRun if the folder holds a run with other
    ranges, another likelihood or another function.

    >>> import math, tempfile
    >>> import proposer
    >>> def ring(point):
    ...     return {"radius": math.hypot(point["x"], point["y"])}
    >>> problem = proposer.Problem(
    ...     variables={"x": (-3, 3), "y": (-3, 3)},
    ...     observables={"radius": (2.0, 0.1)},
    ...     code=ring,
    ...     threshold=2.0,
    ...     points=20,
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = proposer.scan(problem, folder=folder, seed=1, workers=2, quiet=True, report=False)
    ...     radius = run.good()["radius"]
    >>> len(radius) >= 20 and bool((abs(radius - 2) < 0.2).all())
    True
    """
    where = None if folder is None else Path(folder)
    own = ScanOptions(folder=where, seed=seed, report=report, same_physics=same_physics)

    def call() -> Run:
        backend: EvaluationBackend
        if isinstance(what, Problem):
            asked = ask_of(what.read(own.folder))
            backend = _processes(what, asked, len(os.sched_getaffinity(0)) if workers is None else workers)
        else:
            asked = read_asked(Path(what))
            backend = open_pool(asked, [evaluator] if isinstance(evaluator, str) else evaluator, security=security)
        scan_with(backend, asked, own)
        return Run(own.folder_of(asked.spec))

    with interruptible_call(), speaking(Voice.QUIET if quiet else Voice.PEOPLE):
        try:
            return call()
        except KeyboardInterrupt:
            raise KeyboardInterrupt(INTERRUPTED) from None
        except AnotherRun as error:
            raise AnotherRun(error.message, next_step=_in_python(error.next_step)) from None
        except LodescanError as error:
            next_step = error.tell().removeprefix(str(error)).strip()
            if next_step and not isinstance(what, Problem):  # it names commands for a scan file
                error.add_note(next_step)
            raise


def _in_python(words: str) -> str:
    """A next step that names arguments of `scan` instead of options of the command."""
    return words.replace("(--run)", "(`folder`)").replace("--same-physics", "`same_physics=True`")


def _processes(problem: Problem, asked: Asked, workers: int) -> LocalProcesses:
    (code,) = asked.spec.codes
    observables = [
        Observable(observable.name, observable.unit, code.name, observable.valid, observable.likelihood)
        for observable in asked.spec.all_observables()
    ]
    ranges = {variable.name: (variable.low, variable.high) for variable in asked.spec.variables}
    return LocalProcesses(problem.code, problem.code_name, ranges, observables, workers)
