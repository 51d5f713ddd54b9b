"""The life of a worker process. Runs in a child of the fork server: imports no gRPC."""

from __future__ import annotations

import os
import shutil
import signal
from multiprocessing.connection import Connection
from pathlib import Path

from evaluator.errors import ConfigurationError
from evaluator.point import Chain
from evaluator.programs import limit_resources
from scanspec import ScanFileError, read_scan_file


def work(pipe: Connection, scan_file: str, log: str) -> None:
    """Loads the codes, says None or what is wrong, and then answers each list of points with their Outcomes until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the evaluator, which ends its workers in order
    limit_resources()
    descriptor = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_TRUNC, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
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
        for variables, folder in points:
            outcomes.append(chain.evaluate(variables, Path(folder)))
            if os.path.isdir(folder):
                shutil.rmtree(folder, ignore_errors=True)
            os.ftruncate(descriptor, 0)  # what one point printed must not fill the disk over a long scan
        pipe.send(outcomes)
