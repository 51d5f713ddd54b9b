"""What runs in the workers of a Dask cluster: a pool of worker processes for the scan, and the tasks that use it."""

from __future__ import annotations

import atexit
import multiprocessing
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import distributed

from evaluator.chain import Chain
from evaluator.description import digest_of
from evaluator.errors import ConfigurationError, PhysicsChanged
from evaluator.executors.job import Job
from evaluator.executors.processes import ProcessExecutor
from evaluator.scan import read_scan


class _Pool:
    """The worker processes of one scan in this Dask worker."""

    def __init__(self, scan_file: str, digest: str, threads: int) -> None:
        self.scan_file, self.digest = scan_file, digest
        self.running: dict[str, Job] = {}
        self.said: list[str] = []
        chain = Chain(read_scan(Path(scan_file)))
        if digest_of(chain) != digest:
            raise PhysicsChanged(
                f"{scan_file} with its codes is not the same on the Dask worker at {distributed.get_worker().address}: "
                "other versions, an older copy, or a file that was changed while this evaluator served"
            )
        self.executor = ProcessExecutor(chain, threads, self.said.append)

    def close(self) -> None:
        """Ends the worker processes and all tasks, even one whose point is not submitted yet."""
        with _ended_lock:
            running = list(self.running.values())
        for job in running:
            self.executor.cancel(job)
        self.executor.close()


_pool: _Pool | None = None
_pool_lock = threading.Lock()
_ended: set[str] = set()  # tasks to end that have not begun here; some never will
_ended_lock = threading.Lock()


def prepare(scan_file: str, digest: str) -> None:
    """Makes this Dask worker ready for a scan. Raises ConfigurationError if it cannot run the codes."""
    with _pool_lock:
        _get_pool(scan_file, digest)


def evaluate(
    scan_file: str, digest: str, point_id: int, variables: Sequence[float], spectra_below: float
) -> tuple[tuple[Any, ...], list[str]]:
    """Evaluates one point in a worker process of this Dask worker. Returns the fields of its Outcome, and the messages
    of this worker to the user so far.

    `variables`: shape (d,), in the order of the scan file. Raises EvaluatorLost if this worker can run no more
    points.
    """
    key, finished = distributed.worker.thread_state.key, threading.Event()
    job = Job(point_id, variables, spectra_below, lambda _: finished.set())
    with _pool_lock:  # until the pool knows the job: another scan closes one without jobs
        pool = _get_pool(scan_file, digest)
        with _ended_lock:
            # the order to end a task and its cancellation come by different ways, in any order
            if key in _ended:
                return tuple(job.outcome), []
            pool.running[key] = job
    pool.executor.submit(job)
    finished.wait()
    with _ended_lock:
        pool.running.pop(key, None)
    if pool.executor.health.error is not None:
        raise pool.executor.health.error
    return tuple(job.outcome), list(pool.said)


def end(keys: list[str]) -> None:
    """Ends the points of those of these tasks that run here. The other tasks will not start here."""
    pool = _pool
    with _ended_lock:
        running = {key: pool.running[key] for key in keys if key in pool.running} if pool is not None else {}
        _ended.update(set(keys) - set(running))
    for job in running.values():
        assert pool is not None
        pool.executor.cancel(job)


def close_pool(scan_file: str | None = None) -> None:
    """Ends the worker processes of the scan `scan_file`, or of any scan if it is None."""
    global _pool  # noqa: PLW0603  # a Dask worker has no other place for what outlives a task
    with _pool_lock:
        if _pool is not None and scan_file in (None, _pool.scan_file):
            _pool.close()
            _pool = None


def _get_pool(scan_file: str, digest: str) -> _Pool:
    """The pool of the scan; the caller holds `_pool_lock`. Raises ConfigurationError."""
    global _pool  # noqa: PLW0603
    lost = _pool is not None and _pool.executor.health.error is not None
    if _pool is not None and (lost or (_pool.scan_file, _pool.digest) != (scan_file, digest)):
        if _pool.running and not lost:
            raise ConfigurationError(f"this Dask worker is busy with another scan, {_pool.scan_file}")
        _pool.close()
        _pool = None
    if _pool is None:
        # a nanny's workers are daemons, which may not have children
        multiprocessing.current_process().daemon = False
        atexit.register(close_pool)
        _pool = _Pool(scan_file, digest, distributed.get_worker().state.nthreads)
    return _pool
