"""The program of a worker process. It is a child of the fork server and does not import gRPC."""

from __future__ import annotations

import gc
import os
import shutil
import signal
from multiprocessing.connection import Connection
from pathlib import Path

from evaluator import clock
from evaluator.chain import Chain, Outcome
from evaluator.codes import deadline
from evaluator.codes.programs import limit_memory, limit_resources
from evaluator.codes.resources import memory_of_process
from evaluator.errors import ConfigurationError
from evaluator.executors.children import Children
from evaluator.executors.surroundings import Surroundings, runs_functions
from evaluator.leftovers import CLOCK, ENDING, WORKER_MARK, adopt_orphans
from scanspec import ScanFile, ScanFileError

PRELOAD = "LODESCAN_PRELOAD"
"""Environment variable for `evaluator.executors.preload`: the scan file's folder, then the physics modules."""


LONGEST_PATH = 1000  # characters, of a scratch folder


def work(pipe: Connection, scan: ScanFile, root: str, *, log: str, state: str, mark: str, workers: int) -> None:
    """Answers each numbered list of points with its number and their Outcomes until the pipe closes.

    First it loads the codes and says None, or what is wrong. While it works on a point that came
    alone it sends the number of each code, but the first, that it comes to. What the user should hear it sends as
    a line of text. `state` is a file that names the point it has come to; `root` is the folder in which the
    evaluator keeps its time; `workers` is the number of such processes. It ends by itself when its points have used
    up what a process has.
    """
    os.setsid()
    os.environ[WORKER_MARK] = mark
    for number in ENDING:
        # These are for the evaluator, which ends its workers in order. A handler, because programs
        # would inherit that a signal is ignored.
        signal.signal(number, lambda *_: None)
    adopt_orphans()
    limit_resources()
    clock.follow(Path(root) / CLOCK)
    descriptor = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_TRUNC, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    progress = os.open(state, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    try:
        chain = Chain(scan)
        chain.load()
    except (ConfigurationError, ScanFileError) as error:
        pipe.send(str(error))
        return
    if memory := memory_of_process([step.code for step in chain.steps]):
        limit_memory(memory)
    deadline.prepare()
    request = 0
    children = Children(lambda text: pipe.send((request, text)))
    surroundings = Surroundings(scan.folder, workers) if runs_functions(chain) else None
    gc.collect()
    gc.freeze()  # what is loaded stays, and is not looked through again
    pipe.send(None)
    while True:
        try:
            request, points = pipe.recv()
        except EOFError:
            return
        outcomes: list[Outcome] = []
        worn = ""

        def on_step(step: int, request: int = request) -> None:
            pipe.send((request, step))

        for point_id, variables, folder, spectra_below in points:
            if surroundings is not None:
                surroundings.seed(point_id, variables)
            os.pwrite(progress, f"{folder:<{LONGEST_PATH}}".encode(), 0)
            outcomes.append(chain.evaluate(variables, folder, on_step if len(points) == 1 else None, spectra_below))
            if surroundings is not None:
                surroundings.restore()
                worn = worn or surroundings.worn()
            if children.end_strays() or chain.used_scratch:
                shutil.rmtree(folder, ignore_errors=True)
            os.ftruncate(descriptor, 0)  # what one point printed must not fill the disk over a long scan
        if worn:
            pipe.send((request, f"a function {worn}, so its worker process is replaced now and then"))
        pipe.send((request, outcomes))
        if worn:
            os._exit(0)  # threads may be left, for which an orderly end would wait
