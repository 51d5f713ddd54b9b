"""Runs points in worker processes on this machine.

The process of a worker has a pipe of its own and works on one point at a time, so that a
crash, a hang or a kill costs that point and nothing else: there is no shared queue or lock
that a dying process could take along.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable

from evaluator.chain import Chain
from evaluator.description import watched
from evaluator.executors import temporary
from evaluator.executors.job import Job, JobQueue
from evaluator.executors.protocol import Health
from evaluator.executors.shared import Shared, time_limits
from evaluator.executors.watch import Watch
from evaluator.executors.worker import Worker
from evaluator.executors.worker_process import PRELOAD
from evaluator.leftovers import ScratchRoot
from evaluator.words import say


def longest_seconds(chain: Chain) -> float:
    """The sum of the time limits of all codes; 0.0 with a section `fitting`, which runs the codes an unknown number of
    times.
    """
    return sum(time_limits(chain)) if chain.scan.fitting is None else 0.0


class ProcessExecutor:
    """Runs points in `count` worker processes.

    Raises ConfigurationError when a worker cannot be made ready.
    """

    def __init__(self, chain: Chain, count: int, say: Callable[[str], object] = say) -> None:
        """`say` gets messages for the user."""
        self.concurrency = count
        self.health = Health()
        self.longest_seconds = longest_seconds(chain)
        watch = Watch(watched(chain))
        self._scratch = ScratchRoot()
        modules = [module for step in chain.steps for module in step.code.preloads]
        os.environ[PRELOAD] = os.pathsep.join([str(chain.scan.folder), *modules])
        temporary.leave_alone(chain.scan.setup.section("environment_variables"))
        multiprocessing.get_context("forkserver").set_forkserver_preload(["evaluator.executors.preload"])
        self.queue = JobQueue()
        shared = Shared(
            chain=chain,
            root=self._scratch.path,
            queue=self.queue,
            health=self.health,
            watch=watch,
            count=count,
            say=say,
        )
        self._workers = [Worker(shared, number) for number in range(count)]
        try:
            self._workers[0].start_worker()  # the first one shows whether the codes work at all
        except BaseException:
            self.close()
            raise
        if shared.scratch.notice:
            shared.say(shared.scratch.notice)
        for worker in self._workers:
            worker.thread.start()

    def submit(self, *jobs: Job) -> None:
        self.queue.put(*jobs)

    def cancel(self, job: Job) -> None:
        if not job.cancel():
            for worker in self._workers:
                worker.cancel(job)

    def close(self) -> None:
        for worker in self._workers:
            worker.close()
        for _ in self._workers:
            self.queue.end()
        for worker in self._workers:
            if worker.thread.is_alive():
                worker.thread.join()
        self._scratch.close()
