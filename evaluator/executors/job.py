"""A job is one point on its way through an evaluator; a queue hands out those that wait."""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable, Sequence

from evaluator.chain import Outcome, Status

_lock = threading.Lock()  # one for all: it is held for a few instructions
CANCELLED = Outcome(Status.CANCELLED)


class Job:
    """One point: it waits, then runs and ends with an outcome, or is cancelled while it waits.

    `done` is called once, with the job, in the thread that ends it. Lighter than a
    `concurrent.futures.Future`, whose two locks cost as much as a quick point.
    """

    __slots__ = (
        "_done",
        "_may_wait",
        "_open",
        "batch",
        "begun_at",
        "dropped",
        "ended_at",
        "outcome",
        "owner",
        "point_id",
        "running",
        "size",
        "spectra_below",
        "variables",
    )

    def __init__(
        self,
        point_id: int,
        variables: Sequence[float],
        spectra_below: float,
        done: Callable[[Job], None],
        owner: object = None,
        *,
        batch: int = 0,
    ) -> None:
        self.point_id, self.variables, self.spectra_below = point_id, variables, spectra_below
        self.batch = batch
        """The client's number of the batch; 0 if it does not say."""
        self.owner = owner
        """The owner who has submitted the job; the jobs of several owners take turns."""
        self.outcome = CANCELLED
        self.size = 0
        """The bytes of its outcome in memory, once its owner has counted them."""
        self.begun_at = self.ended_at = 0.0
        """The times of begin and end in seconds since 1970-01-01 UTC; 0.0 before."""
        self.running = False
        self.dropped = False
        """Whether it was cancelled; if it runs, whoever runs it ends it."""
        self._open = self._may_wait = True
        self._done = done

    def begin(self) -> bool:
        """Marks the job as running. Returns False if it has been cancelled."""
        with _lock:
            self.running = self._open
            if self.running:
                self.begun_at = time.time()
            return self._open

    def wait_again(self) -> None:
        """Marks a job that has begun, but was not worked on, as waiting again. Ends it if it has been cancelled, or if
        waiting jobs have been cancelled meanwhile.
        """
        with _lock:
            self.running, self.begun_at = False, 0.0
            may_wait = self._may_wait
        if not may_wait:
            self.cancel_waiting()

    def cancel(self) -> bool:
        """Cancels the job if it waits. Returns False if it has ended, or if it runs: then its worker has to end it."""
        with _lock:
            self.dropped = True  # before it may wait again
        return self.cancel_waiting()

    def cancel_waiting(self) -> bool:
        """Cancels the job if it waits, or else if it comes to wait again. Returns False if it runs or has ended."""
        with _lock:
            self._may_wait = False
            if self.running or not self._open:
                return False
            self._open = False
        self._done(self)
        return True

    def finish(self, outcome: Outcome) -> None:
        """Ends a job that runs, with its outcome."""
        self.outcome = outcome
        self.ended_at = max(time.time(), self.begun_at)  # the clock may have been set back
        with _lock:
            self.running = self._open = False
        self._done(self)


class JobQueue:
    """A queue of jobs for several threads. The jobs of several owners take turns, so that nobody waits for all of
    another's. Those of an owner that is held back wait until it is released.
    """

    def __init__(self) -> None:
        self._jobs: dict[object, collections.deque[Job]] = {}
        self._held: dict[object, collections.deque[Job]] = {}
        self._turns: collections.deque[object] = collections.deque()
        self._count = self._ends = 0
        self._lock = threading.Lock()
        self._ready = threading.Condition(self._lock)
        self.idle = 0
        """The number of threads that wait for a job, or have not yet taken the one that has come."""

    def put(self, *jobs: Job) -> None:
        """Adds jobs behind the others of their owners."""
        with self._lock:
            for job in jobs:
                self._place_of(job).append(job)
            self._ready.notify(len(jobs))

    def end(self) -> None:
        """Ends one of the threads that wait for jobs, after all jobs."""
        with self._lock:
            self._ends += 1
            self._ready.notify()

    def put_back(self, jobs: Sequence[Job]) -> None:
        """Puts jobs before all others of their owners, in the same order."""
        with self._lock:
            for job in reversed(jobs):
                self._place_of(job).appendleft(job)
            self._ready.notify(len(jobs))

    def _place_of(self, job: Job) -> collections.deque[Job]:
        """The jobs among which this one is counted from now on."""
        if (held := self._held.get(job.owner)) is not None:
            return held
        self._count += 1
        return self._jobs_of(job.owner)

    def _jobs_of(self, owner: object) -> collections.deque[Job]:
        jobs = self._jobs.get(owner)
        if jobs is None:
            jobs = self._jobs[owner] = collections.deque()
            self._turns.append(owner)
        return jobs

    def hold(self, owner: object) -> None:
        """Holds back the jobs of an owner, also those that are put from now on."""
        with self._lock:
            if owner not in self._held:
                self._held[owner] = self._remove(owner)

    def release(self, owner: object) -> None:
        """Lets the jobs of an owner go on."""
        with self._lock:
            jobs = self._held.pop(owner, None)
            if jobs:
                self._jobs_of(owner).extend(jobs)
                self._count += len(jobs)
                self._ready.notify(len(jobs))

    def get(self) -> Job | None:
        """The next owner's next job; waits for one. None if this thread is to end."""
        with self._lock:
            while not self._count and not self._ends:
                self.idle += 1
                self._ready.wait()
                self.idle -= 1
            if not self._count:
                self._ends -= 1
                return None
            return self._next()

    def take(self, most: int) -> list[Job]:
        """At most `most` further jobs, in the same order, without waiting."""
        with self._lock:
            return [self._next() for _ in range(min(most, self._count))]

    def _next(self) -> Job:
        owner = self._turns.popleft()
        jobs = self._jobs[owner]
        job = jobs.popleft()
        self._count -= 1
        if jobs:
            self._turns.append(owner)
        else:
            del self._jobs[owner]
        return job

    def qsize(self) -> int:
        """The number of jobs that wait and are not held back."""
        return self._count

    def drop(self, owner: object) -> None:
        """Forgets the jobs of an owner, who has cancelled them."""
        with self._lock:
            self._remove(owner)
            if owner in self._held:
                self._held[owner].clear()

    def _remove(self, owner: object) -> collections.deque[Job]:
        """Takes the jobs of an owner out of the queue."""
        jobs = self._jobs.pop(owner, None)
        if jobs is None:
            return collections.deque()
        self._turns.remove(owner)
        self._count -= len(jobs)
        return jobs
