"""Commands as processes: `lodescan`, and `make scan` with all processes that it starts."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.evaluator.harness import TAG, alive
from tests.evaluator.serving import wait_until

ROOT = Path(__file__).parents[2]
START = 150.0
"""Seconds within which a process must be ready, also on a busy machine."""


@contextlib.contextmanager
def meanwhile(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Runs `work` in a thread during the block. The event that `work` gets is set at the end of the block."""
    ended = threading.Event()
    thread = threading.Thread(target=work, args=(ended,))
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class LoggedProcess:
    """A command as a process whose output goes to a file."""

    def __init__(self, log: Path, command: list[str], **variables: str) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=os.environ | variables
            )

    @property
    def said(self) -> str:
        return self.log.read_text()

    def wait_for(self, words: str, seconds: float = START) -> bool:
        """Waits until the output has these words; False if the process ended first."""
        assert wait_until(lambda: words in self.said or self.process.poll() is not None, seconds), (
            f"it never said {words!r}:\n{self.said}"
        )
        return words in self.said

    def runs_until(self, condition: Callable[[], object], seconds: float = START) -> None:
        """Waits until a condition holds; the process must not end before."""
        assert wait_until(lambda: condition() or self.process.poll() is not None, seconds), self.said
        assert self.process.poll() is None, self.said

    def wait(self, seconds: float = 240.0) -> int:
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"it did not end:\n{self.said}") from None

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def quickly(*arguments: object) -> list[str]:
    """Arguments of `lodescan`. A scan writes no report, which would take seconds and is tested elsewhere."""
    return [*map(str, arguments), *(["--no-report"] if arguments[0] == "scan" else [])]


class ProposerProcess(LoggedProcess):
    """`lodescan` as a process."""

    def __init__(self, log: Path, *arguments: object) -> None:
        super().__init__(log, [sys.executable, "-m", "proposer", *quickly(*arguments)])


def tagged(tag: str, words: str = "") -> list[int]:
    """The ids of the processes that have this tag in their environment and these words in their command line."""
    found = []
    for pid in alive(tag):
        with contextlib.suppress(OSError):
            if words in Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode():
                found.append(pid)
    return found


class MakeScanProcess(LoggedProcess):
    """`make scan` and all processes that it starts, which have a mark in their environment."""

    def __init__(self, log: Path, file: Path, run: Path) -> None:
        self.tag = uuid.uuid4().hex
        self.temporary = log.with_suffix(".tmp")
        self.temporary.mkdir()
        command = ["make", "--no-print-directory", "scan", f"SCAN={file}", f"RUN={run}", "WORKERS=2"]
        super().__init__(log, command, **{TAG: self.tag, "TMPDIR": str(self.temporary)})

    def left(self) -> list[str]:
        """What is left in its folder for temporary files, except for the cache of torch."""
        return [path.name for path in self.temporary.iterdir() if not path.name.startswith("torchinductor")]

    def processes(self, words: str = "") -> list[int]:
        """The ids of its processes whose command line has these words."""
        return tagged(self.tag, words)
