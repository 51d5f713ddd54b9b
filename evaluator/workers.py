"""Where points run: processes on this machine, or this process itself.

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
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
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

QUICK = 0.002
"""Seconds below which a point is so quick that several share a message to a worker."""

GROUP_SECONDS = 0.01
"""How long the points of one such message should take together."""

LARGEST_GROUP = 64

START_LIMIT = 600.0
"""Seconds that a worker may take to import its physics packages."""


Item = tuple[Future[Outcome], Sequence[float]]
Waiting = queue.SimpleQueue[Item | None]


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
        self._scratch = Path(tempfile.mkdtemp(prefix="lodescan-"))
        self._waiting: Waiting = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="points", daemon=True)
        self._thread.start()

    def submit(self, variables: Sequence[float]) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        self._waiting.put((future, variables))
        return future

    def _work(self) -> None:
        count = 0
        while (item := self._waiting.get()) is not None:
            future, variables = item
            if future.set_running_or_notify_cancel():
                count += 1
                folder = self._scratch / str(count)
                future.set_result(self._evaluate(variables, folder))
                if os.path.isdir(folder):
                    clear_point(folder)

    def _evaluate(self, variables: Sequence[float], folder: Path) -> Outcome:
        try:
            return self._chain.evaluate(variables, folder)
        except ConfigurationError as error:
            return Outcome(Status.FAILED, message=str(error))

    def cancel(self, future: Future[Outcome]) -> None:
        future.cancel()

    def close(self) -> None:
        self._waiting.put(None)
        shutil.rmtree(self._scratch, ignore_errors=True)


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
        self._waiting: Waiting = queue.SimpleQueue()
        self._slots = [_Slot(context, chain, self._root, number, self._waiting, count) for number in range(count)]
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
        waiting: Waiting,
        slots: int,
    ) -> None:
        self._context, self._chain, self._waiting, self._slots = context, chain, waiting, slots
        self._seconds = math.inf  # of a point, a running mean
        self._log = root / f"worker-{number}.log"
        self._folder = root / f"point-{number}"
        self._count = 0
        self._closing = False
        self._cancelled: set[Future[Outcome]] = set()
        self._lock = threading.Lock()
        self._current: list[Future[Outcome]] = []
        self._process: multiprocessing.context.ForkServerProcess | None = None
        self._pipe: Connection | None = None
        self.thread = threading.Thread(target=self._work, name=f"worker-{number}", daemon=True)

    def start_worker(self) -> None:
        """Starts the process and waits until its codes are loaded; raises ConfigurationError."""
        ours, theirs = self._context.Pipe()
        self._process = self._context.Process(
            target=work, args=(theirs, str(self._chain.scan.path), str(self._log)), daemon=True
        )
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
            if future in self._current and self._process is not None:
                self._cancelled.add(future)
                self._process.kill()

    def close(self) -> None:
        """Takes no more points and ends those that run."""
        self._closing = True
        with self._lock:
            self._cancelled.update(self._current)
            if self._process is not None:
                self._process.kill()

    def _work(self) -> None:
        while (item := self._waiting.get()) is not None:
            group = [item, *self._more()]
            running = [each for each in group if each[0].set_running_or_notify_cancel()]
            if running and not self._try(running):
                for each in running:  # one of them took the worker down: find out which
                    self._try_one(each)
        self._end_worker()

    def _more(self) -> list[Item]:
        """More points for one message, when points are so quick that messages would cost more than they do."""
        if self._seconds > QUICK:
            return []
        wanted = min(int(GROUP_SECONDS / max(self._seconds, 1e-6)), LARGEST_GROUP, self._waiting.qsize() // self._slots)
        more: list[Item] = []
        with contextlib.suppress(queue.Empty):
            while len(more) < wanted:
                item = self._waiting.get_nowait()
                if item is None:
                    self._waiting.put(None)
                    break
                more.append(item)
        return more

    def _try(self, group: list[Item]) -> bool:
        """Works on points in one go; False, with no future set, when the worker did not survive and there are several."""
        futures = [future for future, _ in group]
        folders = [self._next_folder() for _ in group]
        start = time.perf_counter()
        try:
            if self._closing:
                raise EOFError
            if self._process is None or not self._process.is_alive():
                self._end_worker()
                self.start_worker()
            assert self._pipe is not None
            with self._lock:
                self._current = futures
            self._pipe.send([(variables, str(folder)) for (_, variables), folder in zip(group, folders, strict=True)])
            if self._pipe.poll(self._chain.time_limit + GRACE):
                outcomes: list[Outcome] = self._pipe.recv()
                self._forget()
                for future, outcome in zip(futures, outcomes, strict=True):
                    future.set_result(outcome)
                self._note_seconds((time.perf_counter() - start) / len(group))
                return True
            outcome = Outcome(
                Status.TIMED_OUT, message="the code did not stop at its deadline, and its process was ended"
            )
        except ConfigurationError as error:
            outcome = Outcome(Status.FAILED, message=str(error))
        except (EOFError, OSError):
            outcome = self._died(futures)
        self._end_worker()
        self._forget()
        self._seconds = math.inf
        for folder in folders:
            clear_point(folder)
        if len(group) > 1:
            return False
        futures[0].set_result(self._blame(outcome))
        return True

    def _try_one(self, item: Item) -> None:
        if item[0] in self._cancelled:
            self._cancelled.discard(item[0])
            item[0].set_result(Outcome(Status.CANCELLED))
        else:
            self._try([item])

    def _next_folder(self) -> Path:
        self._count += 1
        return Path(f"{self._folder}-{self._count}")

    def _forget(self) -> None:
        with self._lock:
            self._current = []

    def _note_seconds(self, seconds: float) -> None:
        self._seconds = seconds if math.isinf(self._seconds) else 0.8 * self._seconds + 0.2 * seconds

    def _died(self, futures: list[Future[Outcome]]) -> Outcome:
        if self._process is not None:
            self._process.join(1.0)
        if self._closing or not self._cancelled.isdisjoint(futures):
            if len(futures) == 1:
                self._cancelled.difference_update(futures)
            return Outcome(Status.CANCELLED)
        how = self._how_it_died()
        if self._process is not None and self._process.exitcode == -signal.SIGKILL:
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
