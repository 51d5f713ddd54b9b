"""Runs points on a Dask cluster (`--executor dask --scheduler ADDRESS`).

Each Dask worker keeps worker processes of its own (`dask_worker`), one for each thread. So a missed
deadline, a crash or too much memory costs only a point, as on one machine, and not the Dask worker. If
a Dask worker is lost, the scheduler gives its points to another.

The workers need this package, the physics packages and the scan file at the same path.
"""

from __future__ import annotations

import queue
import threading

from evaluator.chain import Chain, Outcome, Status
from evaluator.errors import ConfigurationError, EvaluatorLost, OptionError
from evaluator.executors.job import CANCELLED, Job, JobQueue
from evaluator.executors.processes import longest_seconds
from evaluator.executors.protocol import Health
from evaluator.words import say
from scanspec import ScanFileError
from scanspec.raised import printable, what_was_raised

try:
    import distributed
except ImportError as error:
    raise OptionError(f"--executor dask needs the extra `dask` ({error})") from error

from evaluator.description import digest_of
from evaluator.executors.dask_worker import close_pool, end, evaluate, prepare

CONNECT = 10.0
"""Seconds within which a scheduler must answer."""

ANSWER = 30.0
"""Seconds within which the scheduler must have a first worker, or end points."""

CENSUS = 2.0
"""Seconds between two looks at how many threads the cluster has."""

MOST_SILENT = 5
"""The cluster counts as lost when it does not answer this many times in a row."""

AHEAD_SECONDS = 0.2
"""Each thread of the cluster is given points for this time ahead. More wait here: they may be cancelled, and their
owners take turns."""

MOST_AHEAD = 50
"""The most points that a thread is given ahead."""


class DaskExecutor:
    """The threads of a Dask cluster. `concurrency` is their number at the start; others that join later work too.

    Raises ConfigurationError when there is no scheduler, no worker, or a worker cannot run the codes.
    """

    def __init__(self, chain: Chain, scheduler: str) -> None:
        self.health = Health()
        self.longest_seconds = longest_seconds(chain)
        self._scan = str(chain.scan.path.resolve())
        self._digest = digest_of(chain)
        self.queue = JobQueue()
        self._futures: dict[Job, distributed.Future] = {}
        self._said = set[str]()
        # seconds of a point, a running mean; until it is known, no point is sent in advance
        self._seconds = AHEAD_SECONDS * MOST_AHEAD
        self._changed = threading.Condition()
        self._closing = threading.Event()
        try:
            self._client = distributed.Client(scheduler, timeout=CONNECT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise OptionError(f"no Dask scheduler answers at {scheduler} ({error})") from error
        try:
            self._client.wait_for_workers(1, timeout=ANSWER)
            self.concurrency = self._count_threads()
            self._client.submit(prepare, self._scan, self._digest, pure=False).result()
        except TimeoutError:
            self._client.close()
            raise OptionError(f"the Dask scheduler at {scheduler} has no workers; start `dask worker`") from None
        except BaseException:
            self._client.close()
            raise
        self._ends: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._threads_here = [
            threading.Thread(target=target, name=f"dask-{target.__name__.strip('_')}", daemon=True)
            for target in (self._hand_out, self._end_points, self._watch_threads)
        ]
        for thread in self._threads_here:
            thread.start()

    def submit(self, *jobs: Job) -> None:
        self.queue.put(*jobs)

    def _hand_out(self) -> None:
        """Gives jobs to the cluster as long as it has room for them."""
        while True:
            with self._changed:
                while len(self._futures) >= self._window() and not self._closing.is_set():
                    self._changed.wait()
            if (job := self.queue.get()) is None:
                return
            if job.begin():
                self._give(job)

    def _window(self) -> int:
        ahead = min(AHEAD_SECONDS / max(self._seconds, 1e-6), MOST_AHEAD)
        return max(1, int(self.concurrency * (1.0 + ahead)))

    def _give(self, job: Job) -> None:
        try:
            future = self._client.submit(
                evaluate, self._scan, self._digest, job.point_id, job.variables, job.spectra_below, pure=False
            )
        except Exception as error:  # noqa: BLE001  # whatever it is, the cluster cannot be used from now on
            self._lost(error)
            job.finish(CANCELLED)
            return
        with self._changed:
            self._futures[job] = future
        if job.dropped or self._closing.is_set():  # it was cancelled meanwhile
            self.cancel(job)
        future.add_done_callback(lambda done: self._done(job, done))

    def _done(self, job: Job, future: distributed.Future) -> None:
        # in a thread of Dask's
        if self._forget(job) is None:
            return
        try:
            fields, said = future.result()
            outcome = Outcome(*fields)
            outcome = outcome._replace(status=Status(outcome.status))
            self._say_once(said)
            self._seconds = 0.8 * self._seconds + 0.2 * sum(outcome.seconds)
        except (ConfigurationError, ScanFileError, EvaluatorLost) as error:  # errors for which no point is to blame
            lost = error if isinstance(error, EvaluatorLost) else EvaluatorLost(f"a Dask worker: {error}")
            self.health.report(lost)
            outcome = CANCELLED
        except distributed.KilledWorker:
            outcome = Outcome(Status.KILLED, message="one Dask worker after the other was lost with it")
        except Exception as error:  # noqa: BLE001  # the cluster is lost: its points are
            self._lost(error)
            outcome = CANCELLED
        job.finish(outcome)

    def _say_once(self, said: list[str]) -> None:
        """Passes on what Dask workers say to the user; several of them may say the same."""
        with self._changed:
            new = [text for text in said if text not in self._said]
            self._said.update(new)
        for text in new:
            say(text)

    def _forget(self, job: Job) -> distributed.Future | None:
        with self._changed:
            future = self._futures.pop(job, None)
            self._changed.notify()
        return future

    def _lost(self, error: Exception) -> None:
        """Ends the evaluator in order: the proposer waits for the next one, and no point is blamed."""
        if self._closing.is_set():
            return
        self._close_queue()
        self.health.report(EvaluatorLost(f"the Dask cluster is lost ({printable(what_was_raised(error))})"))

    def cancel(self, job: Job) -> None:
        if job.cancel():
            return
        if (future := self._forget(job)) is not None:
            self._ends.put(future.key)
            job.finish(CANCELLED)

    def _count_threads(self) -> int:
        threads: dict[str, int] = self._client.nthreads()
        return sum(threads.values())

    def _watch_threads(self) -> None:
        """Follows a cluster that grows and shrinks: without a worker it is not ready."""
        silent = 0
        while not self._closing.wait(CENSUS):
            try:
                count = self._count_threads()
            except Exception as error:  # noqa: BLE001  # Dask connects again if it can
                count, silent = 0, silent + 1
                if silent >= MOST_SILENT:
                    self._lost(error)
            else:
                silent = 0
            with self._changed:
                self.concurrency = count
                self._changed.notify()
            self.health.set_ready(count > 0)

    def _end_points(self) -> None:
        """Ends cancelled points wherever they are; in a thread of its own, since it waits for the cluster."""
        more = True
        while more and (key := self._ends.get()) is not None:
            ended = [key]
            while more and not self._ends.empty():  # all in one go
                key = self._ends.get()
                more = key is not None
                ended += [key] if key is not None else []
            try:
                self._client.cancel([distributed.Future(key, self._client) for key in ended], force=True)
                self._client.run(end, ended, on_error="ignore")
            except Exception as error:  # noqa: BLE001
                self._lost(error)

    def _close_queue(self) -> None:
        with self._changed:
            self._closing.set()
            self._changed.notify()
        self.queue.end()

    def close(self) -> None:
        self._close_queue()
        with self._changed:
            running = list(self._futures)
        for job in running:
            self.cancel(job)
        self._ends.put(None)
        for thread in self._threads_here:
            thread.join(ANSWER)
        if self._client.status == "running":
            self._client.run(close_pool, self._scan, on_error="ignore")
        self._client.close()
