"""Runs points in the evaluator's own process (`--workers 0`)."""

from __future__ import annotations

import threading
from pathlib import Path

from evaluator.chain import Chain, Outcome, Status
from evaluator.description import watched
from evaluator.errors import EvaluatorLost
from evaluator.executors.children import Children
from evaluator.executors.job import Job, JobQueue
from evaluator.executors.late_files import LateFiles, note_on
from evaluator.executors.protocol import Health
from evaluator.executors.surroundings import Surroundings, runs_functions
from evaluator.executors.watch import Watch
from evaluator.files import remove_tree
from evaluator.leftovers import ROOT_MARK, ScratchRoot, adopt_orphans, kill_marked
from evaluator.words import say
from scanspec.raised import printable, what_was_raised


class InProcessExecutor:
    """Runs points in a thread of this process: no isolation, no deadlines. For trusted codes and benchmarks."""

    concurrency = 1
    longest_seconds = 0.0

    def __init__(self, chain: Chain) -> None:
        self.health = Health()
        self._chain = chain
        self._watch = Watch(watched(chain))
        self._scratch = ScratchRoot()
        adopt_orphans()
        self._children = Children(say)
        self.queue = JobQueue()
        # a daemon, so that a code that hangs does not keep the evaluator from ending
        ready = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(ready,), name="points", daemon=True)
        self._thread.start()
        ready.wait()  # the caller may change the umask now

    def submit(self, *jobs: Job) -> None:
        self.queue.put(*jobs)

    def _work(self, ready: threading.Event) -> None:
        late_files, count = LateFiles(Path(self._scratch.path), self._chain.scan.folder), 0
        try:
            surroundings = Surroundings(self._chain.scan.folder) if runs_functions(self._chain) else None
        finally:
            ready.set()
        while (job := self.queue.get()) is not None:
            if not job.begin():
                continue
            count += 1
            outcome = Outcome(Status.CANCELLED)
            try:
                if self.health.error is None:
                    self._watch.begin()
                    outcome = self._run(job, f"{self._scratch.path}/point-{count}", surroundings)
                    self._watch.look(after_point=True)
                    for late in late_files.new():
                        if note := note_on(late, self._watch.files):
                            say(note)
            except EvaluatorLost as error:
                self.health.report(error)
                outcome = Outcome(Status.CANCELLED)
            except Exception as error:  # noqa: BLE001  # the point must get an answer, and the thread must go on
                outcome = Outcome(Status.KILLED, message=printable(what_was_raised(error)))
            job.finish(Outcome(Status.CANCELLED) if job.dropped else outcome)

    def _run(self, job: Job, folder: str, surroundings: Surroundings | None) -> Outcome:
        if surroundings is not None:
            surroundings.seed(job.point_id, job.variables)
        try:
            outcome = self._chain.evaluate(job.variables, folder, None, job.spectra_below)
        except BaseException as error:  # noqa: BLE001  # whatever a function raises
            outcome = Outcome(Status.FAILED, message=printable(what_was_raised(error)))
        if surroundings is not None:
            surroundings.restore()
        if self._chain.used_scratch:
            self._children.end_strays()
            remove_tree(folder)
        else:
            self._children.end_strays_in_time()
        return outcome

    def cancel(self, job: Job) -> None:
        if not job.cancel() and job.running:
            kill_marked(ROOT_MARK, self._scratch.path)  # ends the program of the point; a function cannot be ended

    def close(self) -> None:
        self.queue.end()
        self._scratch.close()
