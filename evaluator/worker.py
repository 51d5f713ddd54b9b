"""The life of a worker process. Runs in a child of the fork server: imports no gRPC."""

from __future__ import annotations

import os
import shutil
import signal
from multiprocessing.connection import Connection
from pathlib import Path

from evaluator.errors import ConfigurationError
from evaluator.point import Chain
from evaluator.processes import WORKER_MARK, adopt_orphans, clear_point, has_children
from evaluator.programs import limit_resources
from scanspec import ScanFileError, read_scan_file

PRELOAD = "LODESCAN_PRELOAD"
"""Environment variable for `evaluator.preload`: the scan file's folder, then the physics modules."""


LONGEST_PATH = 1000  # characters, of a scratch folder


def work(pipe: Connection, scan_file: str, log: str, state: str, mark: str) -> None:
    """Answers each list of points with their Outcomes until the pipe closes.

    First it loads the codes and says None, or what is wrong. While it works on a point that came
    alone it sends the number of each code, but the first, that it comes to. `state` is a file that
    names the point it has come to.
    """
    os.setsid()
    os.environ[WORKER_MARK] = mark
    for number in (signal.SIGINT, signal.SIGTERM):
        # These are for the evaluator, which ends its workers in order. A handler, because programs
        # would inherit that a signal is ignored.
        signal.signal(number, lambda *_: None)
    adopt_orphans()
    limit_resources()
    descriptor = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_TRUNC, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    progress = os.open(state, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    try:
        chain = Chain(read_scan_file(scan_file))
        chain.load()
    except (ConfigurationError, ScanFileError) as error:
        pipe.send(str(error))
        return
    pipe.send(None)
    while True:
        try:
            points = pipe.recv()
        except EOFError:
            return
        outcomes = []
        on_step = pipe.send if len(points) == 1 else None
        for variables, folder, spectra_below in points:
            os.pwrite(progress, f"{folder:<{LONGEST_PATH}}".encode(), 0)
            outcomes.append(chain.evaluate(variables, folder, on_step, spectra_below))
            if has_children():
                clear_point(Path(folder))
            elif chain.used_scratch:
                shutil.rmtree(folder, ignore_errors=True)
            os.ftruncate(descriptor, 0)  # what one point printed must not fill the disk over a long scan
        pipe.send(outcomes)
