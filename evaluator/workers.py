"""Where points run: processes on this machine, or this process itself.

A worker process has a pipe of its own and works on one point at a time, so that a crash, a
hang or a kill costs that point and nothing else: there is no shared queue or lock that a
dying worker could take along.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Protocol

from evaluator.codes.python import PythonFunction
from evaluator.errors import ConfigurationError
from evaluator.point import Chain, Outcome, Status
from evaluator.processes import ROOT_MARK, clear_point, clear_root, start_janitor
from evaluator.programs import last_line, read_tail
from evaluator.worker import work

GRACE = 2.0
"""Seconds beyond its deadline after which a worker that does not notice is ended."""

START_LIMIT = 600.0
"""Seconds that a worker may take to import its physics packages."""


class Workers(Protocol):
    """A place where points run."""

    concurrency: int
    """How many points are worked on at once."""

    def submit(self, variables: Sequence[float]) -> Future[Outcome]:
        """Takes a point; its future always ends with an Outcome, unless it is cancelled before it starts."""

    def cancel(self, future: Future[Outcome]) -> None:
        """Ends a point, also one that runs: then its status is CANCELLED."""

    def close(self) -> None:
        """Ends everything that runs."""


class InProcess:
    """Runs points in a thread of this process: no isolation, no deadlines. For trusted codes and benchmarks."""

    concurrency = 1

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._scratch = tempfile.TemporaryDirectory(prefix="lodescan-", ignore_cleanup_errors=True)
        self._count = 0
        self._thread = ThreadPoolExecutor(1)

    def submit(self, variables: Sequence[float]) -> Future[Outcome]:
        return self._thread.submit(self._run, variables)

    def _run(self, variables: Sequence[float]) -> Outcome:
        self._count += 1
        folder = Path(self._scratch.name, str(self._count))
        outcome = self._chain.evaluate(variables, folder)
        if folder.is_dir():
            clear_point(folder)
        return outcome

    def cancel(self, future: Future[Outcome]) -> None:
        future.cancel()

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)
        self._scratch.cleanup()


class LocalProcesses:
    """Runs points in `count` worker processes.

    Raises ConfigurationError when a worker cannot be made ready.
    """

    def __init__(self, chain: Chain, count: int) -> None:
        self.concurrency = count
        self._root = Path(tempfile.mkdtemp(prefix="lodescan-"))
        self._janitor = start_janitor(self._root)
        os.environ[ROOT_MARK] = str(self._root)  # inherited by the fork server, the workers and their programs
        modules = [step.code.module for step in chain.steps if isinstance(step.code, PythonFunction)]
        os.environ["LODESCAN_PRELOAD"] = os.pathsep.join([str(chain.scan.folder), *modules])
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["evaluator.preload"])
        self._waiting: queue.SimpleQueue[tuple[Future[Outcome], Sequence[float]] | None] = queue.SimpleQueue()
        self._slots = [_Slot(context, chain, self._root, number, self._waiting) for number in range(count)]
        try:
            self._slots[0].start_worker()  # the first one tells whether the codes work at all
        except ConfigurationError:
            self.close()
            raise
        for slot in self._slots:
            slot.thread.start()

    def submit(self, variables: Sequence[float]) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        self._waiting.put((future, variables))
        return future

    def cancel(self, future: Future[Outcome]) -> None:
        if not future.cancel():
            for slot in self._slots:
                slot.cancel(future)

    def close(self) -> None:
        for slot in self._slots:
            slot.close()
        for _ in self._slots:
            self._waiting.put(None)
        for slot in self._slots:
            if slot.thread.is_alive():
                slot.thread.join()
        clear_root(self._root)
        assert self._janitor.stdin is not None
        self._janitor.stdin.close()
        self._janitor.wait()
        os.environ.pop(ROOT_MARK, None)


class _Slot:
    """One worker process and the thread that owns it."""

    def __init__(
        self,
        context: multiprocessing.context.ForkServerContext,
        chain: Chain,
        root: Path,
        number: int,
        waiting: queue.SimpleQueue[tuple[Future[Outcome], Sequence[float]] | None],
    ) -> None:
        self._context, self._chain, self._root, self._waiting = context, chain, root, waiting
        self._log = root / f"worker-{number}.log"
        self._folder = root / f"point-{number}"
        self._count = 0
        self._closing = False
        self._lock = threading.Lock()
        self._current: Future[Outcome] | None = None
        self._process: multiprocessing.context.ForkServerProcess | None = None
        self._pipe: Connection | None = None
        self.thread = threading.Thread(target=self._work, name=f"worker-{number}", daemon=True)

    def start_worker(self) -> None:
        """Starts the process and waits until its codes are loaded; raises ConfigurationError."""
        ours, theirs = self._context.Pipe()
        self._process = self._context.Process(target=work, args=(theirs, str(self._chain.scan.path), str(self._log)), daemon=True)
        self._process.start()
        theirs.close()
        self._pipe = ours
        answer: str | None = "the worker did not get ready"
        if wait([ours, self._process.sentinel], START_LIMIT):
            try:
                answer = ours.recv()
            except (EOFError, OSError):
                self._process.join()
                answer = f"the worker died while it loaded the codes ({self._how_it_died()})"
        if answer is not None:
            self._end_worker()
            raise ConfigurationError(answer)

    def cancel(self, future: Future[Outcome]) -> None:
        """Ends the worker if it works on this point."""
        with self._lock:
            if self._current is future and self._process is not None:
                self._current = None
                self._process.kill()

    def close(self) -> None:
        """Takes no more points and ends the one that runs."""
        self._closing = True
        with self._lock:
            self._current = None
            if self._process is not None:
                self._process.kill()

    def _work(self) -> None:
        while (item := self._waiting.get()) is not None:
            future, variables = item
            if future.set_running_or_notify_cancel():
                future.set_result(self._run(future, variables))
        self._end_worker()

    def _run(self, future: Future[Outcome], variables: Sequence[float]) -> Outcome:
        self._count += 1
        folder = Path(f"{self._folder}-{self._count}")
        if self._closing:
            return Outcome(Status.CANCELLED)
        try:
            if self._process is None or not self._process.is_alive():
                self._end_worker()
                self.start_worker()
            assert self._pipe is not None and self._process is not None
            with self._lock:
                self._current = future
            self._pipe.send((variables, str(folder)))
            if self._pipe.poll(self._chain.time_limit + GRACE):
                outcome: Outcome = self._pipe.recv()
                with self._lock:
                    self._current = None
                return outcome
            outcome = Outcome(Status.TIMED_OUT, message="the code did not stop at its deadline, and its process was ended")
            self._process.kill()
        except ConfigurationError as error:
            outcome = Outcome(Status.FAILED, message=str(error))
        except (EOFError, OSError):
            outcome = self._died(future)
        with self._lock:
            self._current = None
        self._end_worker()
        clear_point(folder)
        return self._blame(outcome)

    def _died(self, future: Future[Outcome]) -> Outcome:
        with self._lock:
            cancelled = self._current is not future
        assert self._process is not None
        self._process.join()
        if cancelled:
            return Outcome(Status.CANCELLED)
        how = self._how_it_died()
        if self._process.exitcode == -signal.SIGKILL:
            return Outcome(Status.KILLED, message=f"the worker was killed from outside (out of memory?); {how}")
        return Outcome(Status.FAILED, message=f"the code took its process down: {how}")

    def _blame(self, outcome: Outcome) -> Outcome:
        """Names the code where only one can have been running."""
        if outcome.status is Status.CANCELLED or len(self._chain.steps) != 1:
            return outcome
        return outcome._replace(failed_code=self._chain.steps[0].name)

    def _how_it_died(self) -> str:
        code = self._process.exitcode if self._process is not None else None
        how = f"exit code {code}"
        if code is not None and code < 0:
            how = f"signal {signal.Signals(-code).name}"
        said = last_line(read_tail(self._log))
        return f"{how}: {said}" if said else how

    def _end_worker(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._pipe is not None:
            self._pipe.close()
        self._process, self._pipe = None, None
