"""Runs points in the evaluator's own process (`--workers 0`)."""

from __future__ import annotations

import threading

from evaluator.chain import Chain, Outcome, Status
from evaluator.description import watched
from evaluator.errors import EvaluatorLost
from evaluator.executors.children import Children
from evaluator.executors.groups import Groups
from evaluator.executors.job import CANCELLED, Job, JobQueue
from evaluator.executors.late_files import LateFiles, note_on
from evaluator.executors.protocol import Health
from evaluator.executors.surroundings import Surroundings, runs_functions
from evaluator.executors.watch import Watch
from evaluator.files import remove_tree
from evaluator.leftovers import ROOT_MARK, ScratchRoot, adopt_orphans, kill_marked
from evaluator.words import say
from scanspec.raised import printable, what_was_raised


class InProcessExecutor:
    """Runs points in a thread of this process: no isolation, no deadlines. For trusted codes and benchmarks.

    Quick points are answered together, so a result may wait for a slower point of its group.
    """

    concurrency = 1
    longest_seconds = 0.0

    def __init__(self, chain: Chain) -> None:
        self.health = Health()
        self._chain = chain
        self._watch = Watch(watched(chain))
        self._scratch = ScratchRoot()
        self._root, self._points = str(self._scratch.path), 0
        self._present: Job | None = None
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
        late_files, groups = LateFiles(self._scratch.path, self._chain.scan.folder), Groups()
        try:
            surroundings = Surroundings(self._chain.scan.folder) if runs_functions(self._chain) else None
        finally:
            ready.set()
        while (first := self.queue.get()) is not None:
            # quick points go together, as in a worker: looking at files takes as long as some of them
            group = [first, *groups.more(self.queue, self.concurrency)]
            done = [(job, self._run(job, surroundings)) for job in group if job.begin()]
            unanswered = self._check(late_files)
            for job, outcome in done:
                job.finish(CANCELLED if job.dropped else unanswered or outcome)
            if done:
                groups.note(sum(sum(outcome.seconds) for _, outcome in done) / len(done))

    def _run(self, job: Job, surroundings: Surroundings | None) -> Outcome:
        """Runs a point, and undoes what it has changed."""
        if self.health.error is not None:
            return CANCELLED
        self._present, self._points = job, self._points + 1
        folder = f"{self._root}/point-{self._points}"
        try:
            self._watch.begin()
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
        except EvaluatorLost as error:
            self.health.report(error)
            return CANCELLED
        except Exception as error:  # noqa: BLE001  # the point must get an answer, and the thread must go on
            return _killed(error)
        return outcome

    def _check(self, late_files: LateFiles) -> Outcome | None:
        """Looks whether files have changed, so that the points that have just run may belong to another digest. Returns
        what they get instead of their outcomes; None if they keep these.
        """
        try:
            self._watch.look(after_point=True)
            for late in late_files.new():
                if note := note_on(late, self._watch.files):
                    say(note)
        except EvaluatorLost as error:
            self.health.report(error)
            return CANCELLED
        except Exception as error:  # noqa: BLE001  # as above
            return _killed(error)
        return None

    def cancel(self, job: Job) -> None:
        # a job that runs may be over, and wait for the others of its group
        if not job.cancel() and job.running and job is self._present:
            kill_marked(ROOT_MARK, self._scratch.path)  # ends the program of the point; a function cannot be ended

    def close(self) -> None:
        self.queue.end()
        self._scratch.close()


def _killed(error: BaseException) -> Outcome:
    return Outcome(Status.KILLED, message=printable(what_was_raised(error)))
