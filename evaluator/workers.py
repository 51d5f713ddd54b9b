"""Worker processes on this machine, in which points run.

A worker process has a pipe of its own and works on one point at a time, so that a crash, a
hang or a kill costs that point and nothing else: there is no shared queue or lock that a
dying worker could take along.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import queue
import signal
import threading
import time
from multiprocessing.connection import Connection, wait
from pathlib import Path

from evaluator.codes import preloads
from evaluator.errors import ConfigurationError
from evaluator.jobs import Job, Waiting
from evaluator.point import Chain, Outcome, Status, printable
from evaluator.processes import ScratchRoot, clear_point, kill_worker
from evaluator.programs import last_line, read_tail
from evaluator.worker import PRELOAD, work

GRACE = 2.0
"""Seconds beyond its deadline after which a worker that does not notice is ended."""

QUICK = 0.002
"""Seconds below which a point is so quick that several share a message to a worker."""

GROUP_SECONDS = 0.01
"""How long the points of one such message should take together."""

LARGEST_GROUP = 64

START_LIMIT = 600.0
"""Seconds that a worker may take to import its physics packages."""

JOIN_LIMIT = 10.0
"""Seconds within which a killed process must be gone."""


class LocalProcesses:
    """Runs points in `count` worker processes.

    Raises ConfigurationError when a worker cannot be made ready.
    """

    def __init__(self, chain: Chain, count: int) -> None:
        self.concurrency = count
        self._scratch = ScratchRoot()
        modules = [module for step in chain.steps for module in preloads(step.code)]
        os.environ[PRELOAD] = os.pathsep.join([str(chain.scan.folder), *modules])
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["evaluator.preload"])
        self._waiting = Waiting()
        self._slots = [
            _Slot(context, chain, self._scratch.path, number, self._waiting, count) for number in range(count)
        ]
        try:
            self._slots[0].start_worker()  # the first one tells whether the codes work at all
        except BaseException:
            self.close()
            raise
        for slot in self._slots:
            slot.thread.start()

    def submit(self, job: Job) -> None:
        self._waiting.put(job)

    def cancel(self, job: Job) -> None:
        if not job.cancel():
            for slot in self._slots:
                slot.cancel(job)

    def drop(self, owner: object) -> None:
        self._waiting.drop(owner)

    def close(self) -> None:
        for slot in self._slots:
            slot.close()
        for _ in self._slots:
            self._waiting.put(None)
        for slot in self._slots:
            if slot.thread.is_alive():
                slot.thread.join()
        self._scratch.close()


class _Slot:
    """One worker process and the thread that owns it."""

    def __init__(
        self,
        context: multiprocessing.context.ForkServerContext,
        chain: Chain,
        root: Path,
        number: int,
        waiting: Waiting,
        slots: int,
    ) -> None:
        self._context, self._chain, self._root = context, chain, root
        self._waiting, self._slots = waiting, slots
        self._seconds = math.inf  # of a point, a running mean
        self._limits = [max(step.code.timeout, step.code.first_timeout) + GRACE for step in chain.steps]
        self._number = number
        self._log = root / f"worker-{number}.log"
        self._state = root / f"worker-{number}.state"
        self._points = self._starts = self._step = 0
        self._mark = ""
        self._closing = self._doomed = self._late = False
        self._folders: list[str] = []
        self._lock = threading.Lock()
        self._current: list[Job] = []
        self._process: multiprocessing.context.ForkServerProcess | None = None
        self._pipe: Connection | None = None
        self.thread = threading.Thread(target=self._work, name=f"worker-{number}", daemon=True)

    def start_worker(self) -> None:
        """Starts the process and waits until its codes are loaded; raises ConfigurationError."""
        self._starts += 1
        self._mark = f"{self._root}/{self._number}.{self._starts}"
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=work, args=(theirs, str(self._chain.scan.path), str(self._log), str(self._state), self._mark)
        )
        try:
            process.start()
        except (OSError, EOFError) as error:
            ours.close()
            raise ConfigurationError(
                f"a worker cannot be started ({type(error).__name__}: {error}); does importing the code end it?"
            ) from error
        finally:
            theirs.close()
        self._process, self._pipe, self._doomed = process, ours, False
        answer: str | None = "the worker did not get ready"
        if wait([ours, process.sentinel], START_LIMIT):
            try:
                answer = ours.recv()
            except (EOFError, OSError):
                process.join(JOIN_LIMIT)
                answer = f"the worker died while it loaded the codes ({self._how_it_died()})"
        if answer is not None:
            self._end_worker()
            raise ConfigurationError(answer)

    def cancel(self, job: Job) -> None:
        """Ends the worker if it works on this point."""
        with self._lock:
            if job in self._current:
                self._doom()

    def close(self) -> None:
        """Takes no more points and ends those that run."""
        with self._lock:
            self._closing = True
            self._doom()

    def _doom(self) -> None:
        self._doomed = True
        if self._process is not None:
            self._process.kill()

    def _work(self) -> None:
        while (job := self._waiting.get()) is not None:
            running = [each for each in (job, *self._more()) if each.begin()]
            if len(running) == 1 or (running and not self._try_together(running)):
                for each in running:  # after a group: one of them took the worker down; find out which
                    each.finish(self._run(each))
        self._end_worker()

    def _more(self) -> list[Job]:
        """More points for one message, when points are so quick that messages would cost more than they do."""
        if self._seconds > QUICK:
            return []
        wanted = min(int(GROUP_SECONDS / max(self._seconds, 1e-6)), LARGEST_GROUP, self._waiting.qsize() // self._slots)
        more: list[Job] = []
        with contextlib.suppress(queue.Empty):
            while len(more) < wanted:
                job = self._waiting.get_nowait()
                if job is None:
                    self._waiting.put(None)
                    break
                more.append(job)
        return more

    def _try_together(self, group: list[Job]) -> bool:
        """Works on several points; False, with none of them ended, when the worker did not survive."""
        try:
            outcomes = self._ask(group)
        except Exception:  # noqa: BLE001  # each point alone will tell
            outcomes = None
        if outcomes is None:
            self._finish(group)
            self._seconds = math.inf
            return False
        self._forget()
        for job, outcome in zip(group, outcomes, strict=True):
            job.finish(outcome)
        return True

    def _run(self, job: Job) -> Outcome:
        """Works on one point, and always has an outcome."""
        group = [job]
        try:
            outcomes = self._ask(group)
            outcome = outcomes[0] if outcomes is not None else self._why(job)
            if outcome.status is Status.KILLED and outcomes is None and not self._begun():
                self._end_worker()
                outcomes = self._ask(group)
                outcome = outcomes[0] if outcomes is not None else self._why(job)
        except ConfigurationError as error:
            outcome = Outcome(Status.FAILED, message=printable(str(error)))
        except Exception as error:  # noqa: BLE001  # the point must get an answer, and this thread go on
            outcome = Outcome(Status.KILLED, message=printable(f"the worker was lost: {type(error).__name__}: {error}"))
            outcomes = None
        else:
            if outcomes is not None:
                self._forget()
                return outcome
        self._finish(group)
        return outcome

    def _ask(self, group: list[Job]) -> list[Outcome] | None:
        """Hands points to the worker and waits for what comes of them; None when that is no answer."""
        self._step, self._late = 0, False
        start = time.perf_counter()
        if not self._begin(group):
            return None
        assert self._pipe is not None and self._process is not None
        while ready := wait([self._pipe, self._process.sentinel], self._limits[self._step]):
            if self._pipe not in ready and not self._pipe.poll():
                return None
            try:
                answer: list[Outcome] | int = self._pipe.recv()
            except (EOFError, OSError):
                return None
            if isinstance(answer, list):
                seconds = (time.perf_counter() - start) / len(group)
                self._seconds = seconds if math.isinf(self._seconds) else 0.8 * self._seconds + 0.2 * seconds
                return answer
            self._step = answer
        self._late = True
        return None

    def _begin(self, group: list[Job]) -> bool:
        """Gives points to a worker that lives; False when there is no time for them any more."""
        self._folders = [f"{self._root}/point-{self._number}-{self._points + n}" for n in range(len(group))]
        self._points += len(group)
        message = [(job.variables, folder, job.spectra_below) for job, folder in zip(group, self._folders, strict=True)]
        while True:
            if self._process is None or self._doomed or not self._process.is_alive():
                self._end_worker()
                self.start_worker()
            with self._lock:
                # cancel() marks a job before it looks for it here: one of the two sees the other
                if self._closing or any(job.dropped for job in group):
                    return False
                self._current = group
            assert self._pipe is not None
            try:
                self._pipe.send(message)
            except OSError:  # it was killed while it was idle, just now: no point has begun
                self._end_worker()
            else:
                return True

    def _begun(self) -> bool:
        """Whether the worker has come to the point that it was given; it may have been killed while it was idle."""
        return read_tail(self._state).strip() == self._folders[0]

    def _forget(self) -> None:
        with self._lock:
            self._current = []

    def _finish(self, group: list[Job]) -> None:
        """Clears up after points whose worker is no good any more, or was never there."""
        self._forget()
        self._end_worker()
        for folder in self._folders:
            clear_point(Path(folder))

    def _why(self, job: Job) -> Outcome:
        """Why the worker has not answered about this point."""
        if self._closing or job.dropped:
            return Outcome(Status.CANCELLED)
        if self._late:
            return self._blame(Status.TIMED_OUT, "ran past its deadline; its process was ended")
        assert self._process is not None and self._process.pid is not None
        self._process.join(JOIN_LIMIT)
        how = self._how_it_died()
        # a process that is still there has lost the fork server, its parent
        if self._process.exitcode == -signal.SIGKILL or Path(f"/proc/{self._process.pid}").exists():
            return self._blame(Status.KILLED, f"the worker was killed from outside (out of memory?); {how}")
        return self._blame(Status.FAILED, f"the code took its process down: {how}")

    def _blame(self, status: Status, message: str) -> Outcome:
        return Outcome(status, failed_code=self._chain.steps[self._step].name, message=printable(message))

    def _how_it_died(self) -> str:
        code = self._process.exitcode if self._process is not None else None
        how = f"exit code {code}"
        if code is not None and code < 0:
            how = f"signal {-code}, {signal.strsignal(-code)}"
        said = last_line(read_tail(self._log))
        return f"{how}: {said}" if said else how

    def _end_worker(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is not None and process.pid is not None:
            process.kill()
            kill_worker(self._root, self._mark, process.pid)
            process.join(JOIN_LIMIT)
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
