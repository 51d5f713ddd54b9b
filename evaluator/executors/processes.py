"""Worker processes on this machine, in which points run.

A worker process has a pipe of its own and works on one point at a time, so that a crash, a
hang or a kill costs that point and nothing else: there is no shared queue or lock that a
dying worker could take along.
"""

from __future__ import annotations

import multiprocessing
import os

from evaluator.chain import Chain
from evaluator.description import watched
from evaluator.executors.protocol import Job, Loss, Waiting
from evaluator.executors.slot import Shared, Slot
from evaluator.executors.watch import Watch
from evaluator.executors.worker import PRELOAD
from evaluator.leftovers import ScratchRoot


class LocalProcesses:
    """Runs points in `count` worker processes.

    Raises ConfigurationError when a worker cannot be made ready.
    """

    def __init__(self, chain: Chain, count: int) -> None:
        self.concurrency = count
        self.loss = Loss()
        watch = Watch(watched(chain))
        self._scratch = ScratchRoot()
        modules = [module for step in chain.steps for module in step.code.preloads]
        os.environ[PRELOAD] = os.pathsep.join([str(chain.scan.folder), *modules])
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["evaluator.executors.preload"])
        self._waiting = Waiting()
        shared = Shared(context, chain, self._scratch.path, self._waiting, self.loss, watch, count)
        self._slots = [Slot(shared, number) for number in range(count)]
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
