"""Runs points on a Dask cluster (`--executor dask --scheduler ADDRESS`).

Each Dask worker keeps worker processes of its own (LocalProcesses), one a thread: so deadlines,
crashes and memory are dealt with as on one machine, and cost a point and not the Dask worker. A
Dask worker that is lost costs nothing but time: the scheduler gives its points to another.

The workers need this package, the physics packages and the scan file at the same path.
"""

from __future__ import annotations

import atexit
import hashlib
import multiprocessing
import queue
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluator.chain import Chain, Outcome, Status, printable
from evaluator.description import describe
from evaluator.errors import ConfigurationError, EvaluatorLost, PhysicsChanged
from evaluator.executors.processes import LocalProcesses
from evaluator.executors.protocol import Job, Loss
from scanspec import ScanFileError

try:
    import distributed
except ImportError as error:
    raise ConfigurationError(f"--executor dask needs the extra `dask` ({error})") from error

CONNECT = 10.0
"""Seconds within which a scheduler must answer."""

ANSWER = 30.0
"""Seconds within which it must have a first worker, or end points."""


class DaskWorkers:
    """The threads of a Dask cluster; as many as there are when it starts, though more that join later work too.

    Raises ConfigurationError when there is no scheduler, no worker, or a worker cannot run the codes.
    """

    def __init__(self, chain: Chain, scheduler: str) -> None:
        self.loss = Loss()
        self._scan = str(chain.scan.path.resolve())
        self._digest = _digest(chain)
        self._futures: dict[Job, distributed.Future] = {}
        self._lock = threading.Lock()
        self._closing = False
        try:
            self._client = distributed.Client(scheduler, timeout=CONNECT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"no Dask scheduler answers at {scheduler} ({error})") from error
        try:
            self._client.wait_for_workers(1, timeout=ANSWER)
            threads: dict[str, int] = self._client.nthreads()
            self.concurrency = sum(threads.values())
            self._client.submit(prepare, self._scan, self._digest, pure=False).result()
        except TimeoutError:
            self._client.close()
            raise ConfigurationError(f"the Dask scheduler at {scheduler} has no workers; start `dask worker`") from None
        except BaseException:
            self._client.close()
            raise
        self._ends: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._ender = threading.Thread(target=self._end_points, name="dask-ends", daemon=True)
        self._ender.start()

    def submit(self, job: Job) -> None:
        if not job.begin():
            return
        try:
            future = self._client.submit(
                evaluate, self._scan, self._digest, job.point_id, job.variables, job.spectra_below, pure=False
            )
        except Exception as error:  # noqa: BLE001  # whatever it is, the cluster is no good any more
            self._lost(error)
            job.finish(Outcome(Status.CANCELLED))
            return
        with self._lock:
            self._futures[job] = future
        future.add_done_callback(lambda each: self._done(job, each))

    def _done(self, job: Job, future: distributed.Future) -> None:
        # in a thread of Dask's
        with self._lock:
            known = self._futures.pop(job, None)
        if known is None:
            return
        try:
            outcome = Outcome(*future.result())
            outcome = outcome._replace(status=Status(outcome.status))
        except (ConfigurationError, ScanFileError, EvaluatorLost) as error:  # what no point is to blame for
            lost = error if isinstance(error, EvaluatorLost) else EvaluatorLost(f"a Dask worker: {error}")
            self.loss.report(lost)
            outcome = Outcome(Status.CANCELLED)
        except distributed.KilledWorker:
            outcome = Outcome(Status.KILLED, message="one Dask worker after the other was lost with it")
        except Exception as error:  # noqa: BLE001  # the cluster is lost: its points are
            self._lost(error)
            outcome = Outcome(Status.CANCELLED)
        job.finish(outcome)

    def _lost(self, error: Exception) -> None:
        """Ends the evaluator in order: the proposer waits for the next one, and no point is blamed."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
        self.loss.report(EvaluatorLost(f"the Dask cluster is lost ({printable(f'{type(error).__name__}: {error}')})"))

    def cancel(self, job: Job) -> None:
        with self._lock:
            future = self._futures.pop(job, None)
        if future is not None:
            self._ends.put(future.key)
            job.finish(Outcome(Status.CANCELLED))

    def drop(self, owner: object) -> None:
        """Nothing waits here: points wait at Dask's scheduler, in the order in which they came."""

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
                self._client.cancel([distributed.Future(each, self._client) for each in ended], force=True)
                self._client.run(end, ended, on_error="ignore")
            except Exception as error:  # noqa: BLE001
                self._lost(error)

    def close(self) -> None:
        with self._lock:
            self._closing = True
            running = list(self._futures)
        for job in running:
            self.cancel(job)
        self._ends.put(None)
        self._ender.join(ANSWER)
        if self._client.status == "running":
            self._client.run(close_pool, self._scan, on_error="ignore")
        self._client.close()


def _digest(chain: Chain) -> str:
    """Of the codes and of the file, whose deadlines are the pool's too."""
    return f"{describe(chain, 1).physics_digest} {hashlib.sha256(chain.scan.text.encode()).hexdigest()}"


# What follows runs in the Dask workers.


class _Pool:
    """The worker processes of one scan in this Dask worker."""

    def __init__(self, scan_file: str, digest: str, threads: int) -> None:
        from evaluator.scan import read_scan

        self.scan_file, self.digest = scan_file, digest
        self.running: dict[str, Job] = {}
        chain = Chain(read_scan(Path(scan_file)))
        if _digest(chain) != digest:
            raise PhysicsChanged(
                f"{scan_file} with its codes is not the same on the Dask worker at {distributed.get_worker().address}: "
                "other versions, an older copy, or a file that was changed while this evaluator served"
            )
        self.places = LocalProcesses(chain, threads)


_pool: _Pool | None = None
_pool_lock = threading.Lock()
_ended: set[str] = set()  # tasks to be ended that have not begun here, and never may
_ended_lock = threading.Lock()


def prepare(scan_file: str, digest: str) -> None:
    """Makes this Dask worker ready for a scan; raises ConfigurationError where it cannot be."""
    _get_pool(scan_file, digest)


def evaluate(
    scan_file: str, digest: str, point_id: int, variables: Sequence[float], spectra_below: float
) -> tuple[Any, ...]:
    """One point, in a worker process of this Dask worker; the fields of its Outcome."""
    pool, key = _get_pool(scan_file, digest), distributed.worker.thread_state.key
    finished = threading.Event()
    job = Job(point_id, variables, spectra_below, lambda _: finished.set())
    with _ended_lock:
        # word that a task is to end comes by another way than word that it is not wanted, and may be first
        if key in _ended:
            return tuple(job.outcome)
        pool.running[key] = job
    pool.places.submit(job)
    finished.wait()
    with _ended_lock:
        pool.running.pop(key, None)
    if pool.places.loss.error is not None:
        raise pool.places.loss.error
    return tuple(job.outcome)


def end(keys: list[str]) -> None:
    """Ends the points of these tasks if they run here, and lets them not begin."""
    pool = _pool
    with _ended_lock:
        running = {key: pool.running[key] for key in keys if key in pool.running} if pool is not None else {}
        _ended.update(set(keys) - set(running))
    for job in running.values():
        assert pool is not None
        pool.places.cancel(job)


def close_pool(scan_file: str | None = None) -> None:
    """Ends the worker processes of a scan, or of any."""
    global _pool  # noqa: PLW0603  # a Dask worker has no other place for what outlives a task
    with _pool_lock:
        if _pool is not None and scan_file in (None, _pool.scan_file):
            _pool.places.close()
            _pool = None


def _get_pool(scan_file: str, digest: str) -> _Pool:
    global _pool  # noqa: PLW0603
    with _pool_lock:
        lost = _pool is not None and _pool.places.loss.error is not None
        if _pool is not None and (lost or (_pool.scan_file, _pool.digest) != (scan_file, digest)):
            if _pool.running and not lost:
                raise ConfigurationError(f"this Dask worker is busy with another scan, {_pool.scan_file}")
            _pool.places.close()
            _pool = None
        if _pool is None:
            multiprocessing.current_process().daemon = False  # as a nanny starts it: such have no children
            atexit.register(close_pool)
            _pool = _Pool(scan_file, digest, distributed.get_worker().state.nthreads)
        return _pool
