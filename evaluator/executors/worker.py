"""A worker: a process, which is replaced when it is lost, and the thread that hands jobs to it."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path

from evaluator.chain import Outcome, Status
from evaluator.clock import Countdown
from evaluator.codes.programs import last_line, read_tail
from evaluator.errors import ConfigurationError, EvaluatorLost
from evaluator.executors.forked import ForkedProcess
from evaluator.executors.groups import Groups
from evaluator.executors.job import CANCELLED, Job
from evaluator.executors.late_files import Late, note_on
from evaluator.executors.pipe import BrokenMessage, limit_waiting, receive
from evaluator.executors.scratch import Kept
from evaluator.executors.shared import Shared
from evaluator.executors.worker_process import IN_COMPANY, Begun, work
from evaluator.files import remove_tree
from evaluator.leftovers import clear_point, kill_worker
from scanspec.raised import printable, what_was_raised

log = logging.getLogger(__name__)

START_LIMIT = 600.0
"""Seconds that a worker may take to import its physics packages."""

START_PAUSES = (0.0, 0.2, 0.5, 1.0, 2.0)
"""Seconds to wait before each attempt to replace a lost worker."""

LOOK = 0.2
"""Seconds between two looks at the scratch files of a point that runs."""

JOIN_LIMIT = 10.0
"""Seconds within which a killed process must be gone."""


class Worker:
    """A worker process, which is replaced when it is lost, and the thread that hands jobs to it."""

    def __init__(self, shared: Shared, number: int) -> None:
        self._shared, self._number = shared, number
        self._groups = Groups()
        self._log = shared.root / f"worker-{number}.log"
        self._state = shared.root / f"worker-{number}.state"
        self._points = self._starts = self._step = self._requests = 0
        self._mark, self._kept = "", Kept()
        self._doomed = False
        self._overran = False  # it has more scratch files than it may
        self._late = False
        self._closing = threading.Event()
        self._folders: list[str] = []
        self._lock = threading.Lock()
        self._current: list[Job] = []
        self._process: ForkedProcess | None = None
        self._pipe: Connection | None = None
        self.thread = threading.Thread(target=self._work, name=f"worker-{number}", daemon=True)

    def start_worker(self) -> None:
        """Starts the process and waits until its codes are loaded.

        Raises ConfigurationError, and PhysicsChanged if the codes are no longer those of the digest.
        """
        shared = self._shared
        shared.watch.compare()
        self._starts += 1
        self._mark = f"{shared.root}/{self._number}.{self._starts}"
        ours, theirs = Pipe()
        limit_waiting(ours)
        process = ForkedProcess(
            target=work,
            args=(theirs, shared.chain.scan, str(shared.root)),
            kwargs={"log": str(self._log), "state": str(self._state), "mark": self._mark, "workers": shared.count},
        )
        try:
            with shared.census, shared.forking():
                process.start()
                assert process.pid is not None
                shared.add(process.pid)
        except (OSError, EOFError) as error:
            ours.close()
            raise ConfigurationError(
                f"a worker cannot be started ({type(error).__name__}: {error}); does importing the code end it?"
            ) from error
        finally:
            theirs.close()
        with self._lock:
            self._process, self._pipe, self._doomed = process, ours, self._closing.is_set()
        answer: str | None = f"the worker was not ready within {START_LIMIT:g} s, while it loaded the codes"
        if not self._doomed and self._has_spoken([ours, process.sentinel]):
            try:
                answer = receive(ours)
            except (EOFError, OSError):
                process.join(JOIN_LIMIT)
                answer = f"the worker died while it loaded the codes ({self._how_it_died()})"
            except BrokenMessage as error:
                answer = f"the worker was lost while it loaded the codes: {error}"
        try:
            if answer is not None:
                raise ConfigurationError(answer)
            shared.watch.look()  # it may have read files that had just changed
        except BaseException:
            self._end_worker()
            raise

    @staticmethod
    def _has_spoken(events: Sequence[Connection | int]) -> bool:
        """Whether a worker that starts is ready or has ended within START_LIMIT."""
        limit = Countdown(START_LIMIT)
        while (left := limit.left()) > 0:
            if wait(events, left):
                return True
        return False

    def _start_in_time(self) -> None:
        """Starts a worker where there is none. Raises EvaluatorLost when that fails.

        The process may be killed while it starts, or there may be no room for it at the moment. So it is tried several
        times.
        """
        lost = self._starts > 0
        if lost:
            log.info("worker %d is gone; another one is started", self._number)
        self._shared.set_missing(self._number, True)
        for pause in START_PAUSES:
            if self._closing.wait(pause):
                return
            try:
                self.start_worker()
            except EvaluatorLost:
                raise
            except Exception as error:  # noqa: BLE001  # whatever it is, it may be over next time
                what = str(error) if isinstance(error, ConfigurationError) else f"{type(error).__name__}: {error}"
            else:
                self._shared.set_missing(self._number, False)
                return
        which = "a worker was lost, and another one" if lost else f"worker {self._number + 1} of {self._shared.count}"
        raise EvaluatorLost(f"{which} cannot be started: {printable(what)}")

    def cancel(self, job: Job) -> None:
        """Ends the worker if it works on this point."""
        with self._lock:
            if job in self._current:
                self._doom()

    def close(self) -> None:
        """Takes no more points, and ends those that are running."""
        with self._lock:
            self._closing.set()
            self._doom()

    def _doom(self) -> None:
        self._doomed = True
        if self._process is not None:
            self._process.kill()

    def _work(self) -> None:
        while (job := self._shared.queue.get()) is not None:
            group = [job]
            try:
                group += self._groups.more(self._shared.queue, self._shared.count)
                group = [member for member in group if member.begin()]
                if len(group) == 1 or (group and not self._try_together(group)):
                    for member in group:  # after a group: one of them took the worker down; find out which
                        member.finish(self._run(member))
            except EvaluatorLost as error:
                self._shared.health.report(error)
                self._give_up(group, CANCELLED)
            except BaseException as error:  # noqa: BLE001  # its points must get an answer, and this thread go on
                self._give_up(group, _lost(error))
        self._end_worker()

    def _give_up(self, group: list[Job], outcome: Outcome) -> None:
        """Gives this answer to the points that have none."""
        try:
            self._finish(group)
        finally:
            for job in group:
                if job.running or job.begin():
                    job.finish(outcome)

    def _try_together(self, group: list[Job]) -> bool:
        """Works on several points. Returns False, with the group being those that are not answered, when the worker
        died.
        """
        try:
            outcomes = self._ask(group)
        except EvaluatorLost:
            raise
        except Exception:  # noqa: BLE001  # each point alone will tell
            outcomes = None
        if outcomes is None:
            self._finish(group)
            self._groups.lose()
            return False
        self._forget()
        for job, outcome in zip(group, outcomes, strict=True):
            job.finish(outcome)
        return True

    def _run(self, job: Job) -> Outcome:
        """Works on one point; raises EvaluatorLost."""
        group = [job]
        try:
            outcomes = self._ask(group)
            outcome = outcomes[0] if outcomes is not None else self._why(job)
            if outcomes is None and self._may_be_innocent(outcome.status):
                self._end_worker()
                outcomes = self._ask(group)
                outcome = outcomes[0] if outcomes is not None else self._why(job)
        except EvaluatorLost:
            raise
        except Exception as error:  # noqa: BLE001  # costs this point, and not those that wait behind it
            outcomes, outcome = None, _lost(error)
        if outcomes is None:
            self._finish(group)
        else:
            self._forget()
        return outcome

    def _ask(self, group: list[Job]) -> list[Outcome] | None:
        """Hands points to the worker and waits for its answers; None when it does not give all. Those that come early
        end their jobs, which the group loses.

        Raises PhysicsChanged when the answers may belong to another digest.
        """
        self._step, self._late, self._overran = 0, False, False
        asked, together = len(group), 0.0  # seconds
        free_before = self._shared.scratch.free()
        if not self._begin(group):
            return None
        assert self._pipe is not None and self._process is not None
        shared, worker = self._shared, self._process.pid
        assert worker is not None
        limit = Countdown(shared.limits[0])
        while (left := limit.left()) > 0:
            ready = wait([self._pipe, self._process.sentinel], min(left, LOOK))
            if not ready:
                self._overran = shared.scratch.passed_by(
                    [*self._folders, self._mark], worker, free_before, self._kept.bytes
                )
                if self._overran:
                    return None
                continue
            if self._pipe not in ready and not self._pipe.poll():
                return None
            try:
                request, answer = receive(self._pipe)
            except (EOFError, OSError):
                return None
            if request != self._requests or (isinstance(answer, list) and not 0 < len(answer) <= len(group)):
                raise RuntimeError("it has answered about other points")
            if isinstance(answer, Begun):
                asked -= self._give_back(group, answer.points - (asked - len(group)))
                continue
            if isinstance(answer, list):
                outcomes = list(map(Outcome._make, answer))
                shared.watch.look(after_point=True)
                # of the codes alone: on a busy machine the way to the worker takes longest
                together += sum(sum(outcome.seconds) for outcome in outcomes)
                if len(outcomes) < len(group):
                    self._answer_first(group, outcomes)
                    limit = Countdown(shared.limits[0])
                    continue
                self._groups.note(together / asked)
                return outcomes
            if isinstance(answer, (str, Late)):
                shared.say(answer if isinstance(answer, str) else note_on(answer, shared.watch.files))
                continue
            self._step = answer
            limit = Countdown(shared.limits[self._step])
        self._late = True
        return None

    def _answer_first(self, group: list[Job], outcomes: list[Outcome]) -> None:
        """Ends the first jobs of a group, which they belong to no longer."""
        first = group[: len(outcomes)]
        with self._lock:
            del group[: len(outcomes)]
        for job, outcome in zip(first, outcomes, strict=True):
            job.finish(outcome)

    def _give_back(self, group: list[Job], begun: int) -> int:
        """Lets other workers take the jobs of a group that have not begun, the first `begun` excepted. Returns their
        number.
        """
        with self._lock:
            others = group[begun:]
            del group[begun:]
        for job in others:
            job.wait_again()
        self._shared.queue.put_back(others)
        return len(others)

    def _begin(self, group: list[Job]) -> bool:
        """Gives points to a live worker; False when no time is left for them."""
        self._shared.watch.begin()
        self._folders = [f"{self._shared.root}/point-{self._number}-{self._points + n}" for n in range(len(group))]
        self._points += len(group)
        message = [
            (job.point_id, job.variables, folder, job.spectra_below)
            for job, folder in zip(group, self._folders, strict=True)
        ]
        while self._shared.health.error is None:
            if self._process is None or self._doomed or not self._process.is_alive():
                self._end_worker()
                self._start_in_time()
            with self._lock:
                # cancel() marks a job before it looks for it here: one of the two sees the other
                if self._closing.is_set() or any(job.dropped for job in group):
                    return False
                self._current = group
            assert self._pipe is not None
            self._kept.measure(self._mark)
            self._requests += 1
            try:
                self._pipe.send((self._requests, message))
            except OSError:  # it was killed while it was idle, so no point has begun
                self._end_worker()
            else:
                return True
        return False

    def _may_be_innocent(self, status: Status) -> bool:
        """Whether something else than its point may have ended the worker.

        It may have been killed while it was idle, before it began the point. Or a thread that an earlier point has left
        behind has ended it; then another worker will tell.
        """
        folder, _, company = read_tail(self._state).rstrip().rpartition(" ")
        if folder.rstrip() != self._folders[0]:
            return status in (Status.KILLED, Status.FAILED)
        return status is Status.FAILED and company == IN_COMPANY

    def _forget(self) -> None:
        with self._lock:
            self._current = []

    def _finish(self, group: list[Job]) -> None:
        """Clears up after points whose worker is unusable or was never there."""
        self._forget()
        self._end_worker()
        for folder in self._folders:
            with contextlib.suppress(OSError):
                clear_point(Path(folder))

    def _why(self, job: Job) -> Outcome:
        """Why the worker has not answered about this point."""
        if self._closing.is_set() or job.dropped or self._shared.health.error is not None:
            return CANCELLED
        if self._overran:
            return self._blame(*self._shared.scratch.verdict())
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
        return Outcome(status, failed_code=self._shared.chain.steps[self._step].name, message=printable(message))

    def _how_it_died(self) -> str:
        code = self._process.exitcode if self._process is not None else None
        how = f"exit code {code}"
        if code is not None and code < 0:
            how = f"signal {-code}, {signal.strsignal(-code)}"
        last_words = last_line(read_tail(self._log))
        return f"{how}: {last_words}" if last_words else how

    def _end_worker(self) -> None:
        with self._lock:
            process, self._process = self._process, None
            pipe, self._pipe = self._pipe, None
        if process is not None and process.pid is not None:
            shared = self._shared
            process.kill()
            with shared.census:
                shared.not_orphans.discard(process.pid)
                with contextlib.suppress(OSError):  # too many open files: a later call ends the processes that are left
                    kill_worker(shared.root, self._mark, process.pid, shared.fork_server, shared.not_orphans)
            process.join(JOIN_LIMIT)
            remove_tree(self._mark)
        if pipe is not None:
            pipe.close()


def _lost(error: BaseException) -> Outcome:
    return Outcome(Status.KILLED, message=printable(f"the worker was lost: {what_was_raised(error)}"))
