"""Runs points in the evaluator's own process (`--workers 0`)."""

from __future__ import annotations

import threading
from pathlib import Path

from evaluator.jobs import Job, Waiting
from evaluator.point import Chain, Outcome, Status, printable
from evaluator.processes import ROOT_MARK, ScratchRoot, clear_point, kill_marked


class InProcess:
    """Runs points in a thread of this process: no isolation, no deadlines. For trusted codes and benchmarks."""

    concurrency = 1

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._scratch = ScratchRoot()
        self._waiting = Waiting()
        # a daemon: a code that hangs must not keep the evaluator from ending
        self._thread = threading.Thread(target=self._work, name="points", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        self._waiting.put(job)

    def _work(self) -> None:
        count = 0
        while (job := self._waiting.get()) is not None:
            if not job.begin():
                continue
            count += 1
            folder = f"{self._scratch.path}/point-{count}"
            try:
                outcome = self._chain.evaluate(job.variables, folder, None, job.spectra_below)
            except BaseException as error:  # noqa: BLE001  # the point must get an answer, and the thread go on
                outcome = Outcome(Status.FAILED, message=printable(f"{type(error).__name__}: {error}"))
            if self._chain.used_scratch:
                clear_point(Path(folder))
            job.finish(outcome)

    def cancel(self, job: Job) -> None:
        if not job.cancel() and job.running:
            kill_marked(ROOT_MARK, self._scratch.path)  # its program; a function cannot be ended

    def drop(self, owner: object) -> None:
        self._waiting.drop(owner)

    def close(self) -> None:
        self._waiting.put(None)
        self._scratch.close()
