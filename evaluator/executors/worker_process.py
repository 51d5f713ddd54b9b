"""The program of a worker process. It is a child of the fork server and does not import gRPC."""

from __future__ import annotations

import gc
import mmap
import multiprocessing
import os
import threading
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic, sleep  # by name, because a point may replace functions of `time`
from typing import NamedTuple

from evaluator import clock
from evaluator.chain import OK, Chain, Outcome, Status
from evaluator.codes import deadline
from evaluator.codes.programs import limit_memory, limit_resources
from evaluator.codes.resources import memory_of_process
from evaluator.errors import ConfigurationError
from evaluator.executors.children import Children
from evaluator.executors.late_files import Late, LateFiles
from evaluator.executors.surroundings import Surroundings, runs_functions
from evaluator.executors.temporary import TemporaryFiles
from evaluator.files import remove_tree
from evaluator.leftovers import CLOCK, WORKER_MARK, adopt_orphans, outlast_endings
from scanspec import ScanFile, ScanFileError
from scanspec.raised import printable, what_was_raised

PRELOAD = "LODESCAN_PRELOAD"
"""Environment variable for `evaluator.executors.preload`: the scan file's folder, then the physics modules."""

STATE_SIZE = 100
"""Bytes of a state behind the path of the scratch root."""

ALONE, IN_COMPANY = "alone", "accompanied"
"""The words in the file `state` that say whether threads of earlier points still run."""

EARLY = 0.1
"""Seconds after which outcomes of a message's points are sent, even if other points of the message still run. On a
machine with many evaluators, a message of quick points takes 30 ms or more.
"""


class Begun(NamedTuple):
    """The number of points of a message that have begun. The others are given back, for any worker to take."""

    points: int


class Answers:
    """The outcomes of points that came in one message. They are sent together, except that quick points do not wait for
    a slow one. So they are not lost if the slow one ends the process. Points behind a slow one are given back.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._lock = pipe, threading.Lock()
        self._request, self._began, self._points, self._sent, self._begun = 0, 0.0, 0, 0, 0
        self._outcomes: list[Outcome] = []
        self._several = threading.Event()  # several points run
        self._sender: threading.Thread | None = None

    @property
    def threads(self) -> int:
        """The number of its threads."""
        return int(self._sender is not None)

    def begin(self, request: int, points: int) -> list[Outcome]:
        """Begins with a message of `points` points. Returns the list to which their outcomes are to be added."""
        with self._lock:
            self._request, self._began, self._points = request, monotonic(), points
            self._sent, self._begun, self._outcomes = 0, 0, []
        if points > 1:
            self._several.set()
            if self._sender is None:  # most codes never need it
                self._sender = threading.Thread(target=self._send_early, name="answers", daemon=True)
                self._sender.start()
        return self._outcomes

    def next(self) -> bool:
        """Whether the next point may begin; False if it was given back."""
        with self._lock:
            may_begin = self._begun < self._points
            self._begun += may_begin
            return may_begin

    def say(self, what: str | int | Late) -> None:
        """Sends a step, a line of text or files, which belong to these points."""
        with self._lock:
            self._pipe.send((self._request, what))

    def give_back(self) -> None:
        """Gives back the points of the message that have not begun."""
        with self._lock:
            self._give_back()

    def _give_back(self) -> None:
        if self._begun < self._points:
            self._points = self._begun
            self._pipe.send((self._request, Begun(self._begun)))

    def end(self) -> None:
        """Sends the outcomes that are left, at least the last one, which shows that the worker is ready for others."""
        self._several.clear()
        with self._lock:
            self._send(self._points)

    def _send(self, most: int) -> None:
        if unsent := self._outcomes[self._sent : most]:
            self._pipe.send((self._request, [tuple(outcome) for outcome in unsent]))  # quicker than named tuples
            self._sent += len(unsent)

    def _send_early(self) -> None:
        while self._several.wait():
            sleep(EARLY)
            with self._lock:
                if self._several.is_set() and monotonic() - self._began >= EARLY:
                    if self._begun:  # one at least is answered, and so the message
                        self._give_back()
                    self._send(self._points - 1)


def work(pipe: Connection, scan: ScanFile, root: str, *, log: str, state: str, mark: str, workers: int) -> None:
    """Answers each numbered list of points with its number and their Outcomes, in one message or more, until the pipe
    closes. If the points take long, it says how many of them have begun, and answers no others.

    First it loads the codes and sends None, or an error. While it works on a point that came alone, it sends the number
    of each code that it begins, except the first. It sends messages for the user as lines of text, and the files that
    points need as Late. It ends by itself when its points have used up what a process has.

    `root`: the folder where the evaluator keeps its time. `log`: the file for the output of points. `state`: the file
    that names the point it has come to, and says ALONE or IN_COMPANY. `mark`: the folder of its temporary files.
    `workers`: the number of such processes.
    """
    # 1. Become a process of its own, and load the codes.
    temporary, output = _become_a_worker(root, log, mark)
    progress = _shared_with_the_evaluator(state, len(os.fsencode(root)) + STATE_SIZE)
    try:
        chain = Chain(scan)
        chain.load()
    except (ConfigurationError, ScanFileError) as error:
        pipe.send(str(error))
        return
    # 2. Note the state to which each point must return.
    if memory := memory_of_process([step.code for step in chain.steps]):
        limit_memory(memory)
    deadline.prepare()
    answers = Answers(pipe)
    children = Children(answers.say)
    late_files = LateFiles(Path(root), scan.folder)
    # it takes the audit hooks that are added later for those of a code
    surroundings = Surroundings(scan.folder, workers) if runs_functions(chain) else None
    temporary.loaded(functions=surroundings is not None)
    gc.collect()
    gc.freeze()  # loaded objects stay, so the garbage collector need not scan them again
    pipe.send(None)
    tasks = os.open("/proc/self/task", os.O_RDONLY | os.O_DIRECTORY)
    threads = _threads(tasks)
    # 3. Answer points.
    while True:
        try:
            request, points = pipe.recv()
        except EOFError:
            return
        outcomes, worn = answers.begin(request, len(points)), ""
        on_step = answers.say if len(points) == 1 else None
        now = _threads(tasks) - answers.threads
        for point_id, variables, folder, spectra_below in points:
            if not answers.next():
                break
            if surroundings is not None:
                surroundings.seed(point_id, variables)
            beside, company = now, ALONE if now <= threads else IN_COMPANY
            progress[:] = os.fsencode(f"{folder} {company}").ljust(len(progress))
            outcome = chain.evaluate(variables, folder, on_step, spectra_below)
            outcomes.append(outcome)
            try:
                if surroundings is not None:
                    surroundings.restore()
                    for late in late_files.new():
                        answers.say(late)
                now = _threads(tasks) - answers.threads
                if outcome.status is OK or outcome.status is Status.INVALID:
                    threads = min(beside, now)  # threads that outlive the point beside it harm nobody
                if children.end_strays() or chain.used_scratch:
                    remove_tree(folder)
                temporary.clear(ok=outcome.status is OK)
                if os.lseek(output, 0, os.SEEK_END):
                    os.ftruncate(output, 0)  # the output of points must not fill the disk over a long scan
                worn = surroundings.worn() if surroundings is not None else ""
            except BaseException as error:  # noqa: BLE001  # the point may have broken what this code needs
                worn = _breaks(error)
            if worn:  # another process has room for the others
                answers.give_back()
                break
        if worn:
            answers.say(f"a function {worn}, so its worker process is replaced now and then")
        answers.end()
        if worn:
            os._exit(0)  # threads may be left, for which an orderly end would wait


def _become_a_worker(root: str, log: str, mark: str) -> tuple[TemporaryFiles, int]:
    """Separates this process from the evaluator: its session, signals, limits, clock, temporary files and output.
    Returns the temporary files, and the descriptor of the output. The arguments are those of `work`.
    """
    os.setsid()
    multiprocessing.set_start_method(None, force=True)  # for functions, as in `point`; it was inherited
    os.environ[WORKER_MARK] = mark
    temporary = TemporaryFiles(mark)
    outlast_endings()
    adopt_orphans()
    limit_resources()
    clock.follow(Path(root) / CLOCK)
    output = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_TRUNC, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    return temporary, output


def _breaks(error: BaseException) -> str:
    return f"breaks its process ({printable(what_was_raised(error))})"


def _shared_with_the_evaluator(path: str, size: int) -> mmap.mmap:
    """The file of the state in memory, which outlives this process: to write a file takes as long as a quick point."""
    with open(path, "wb+", opener=partial(os.open, mode=0o600)) as file:
        file.write(b" " * size)  # so that it has its place on the disk
        file.flush()
        return mmap.mmap(file.fileno(), size)


def _threads(tasks: int) -> int:
    """Threads of this process, of any language: the kernel counts their folders as links of the open folder `tasks`,
    which takes a third of the time of looking for that folder.
    """
    return os.fstat(tasks).st_nlink - 2
