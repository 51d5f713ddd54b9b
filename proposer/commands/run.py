"""`lodescan run`: a scan with both sides on this machine. The evaluator runs in its own environment.

The two sides communicate over a socket in a folder that only this user can use; other users of the machine could use a
port of loopback, or take it first. The evaluator ends with this process, even if this process is killed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from proposer.evaluation.backend import NoEvaluator
from proposer.signals import Interrupted, arrivals, ending
from scanspec import AddressError, UsageError, read_address, read_scan_file, visible
from scanspec.text import argument

if TYPE_CHECKING:
    from proposer.commands.watching import Wanted
    from proposer.scanning import ScanOptions

GRACE = 20.0
"""Seconds that an evaluator has to end by itself."""

LAST_LINES = 20
"""The number of last lines of a lost evaluator that are shown."""


class EvaluatorFailed(NoEvaluator):
    """The evaluator did not start. The exit code is the evaluator's."""

    next_step = "correct the error above, then give the same command again"

    def __init__(self, code: int) -> None:
        super().__init__("the evaluator did not start")
        self.exit_code = code


def run(file: Path, workers: int | None, options: ScanOptions, wanted: Wanted) -> int:
    """Starts the evaluator in the file's environment, scans, and ends the evaluator. Returns the exit code of the scan.

    Raises EvaluatorFailed if the evaluator does not start, and NoEvaluator if it does not exist or is lost during the
    scan.
    """
    command = [find_evaluator(read_scan_file(file).environment), "serve", argument(file)]
    if workers is not None:
        command += ["--workers", str(workers)]
    # the file for the evaluator's output has no name, so that it disappears even after a kill
    with arrivals() as have_come, tempfile.TemporaryFile("ab+") as log, _evaluator(command, log) as (process, folder):
        from proposer.commands.scan import scan  # takes seconds, in which the evaluator starts

        address = _wait_for_address(process, folder / "address", log, have_come)
        lost = threading.Event()
        threading.Thread(target=_watch, args=(process, lost, have_come), daemon=True).start()
        try:
            return scan(file, [address], options, wanted=wanted)
        except Interrupted:
            if not lost.is_set():
                raise
            _repeat(log)
            what_next = "give the same command again to continue"
            raise NoEvaluator("the evaluator was lost", next_step=what_next) from None


def find_evaluator(environment: str) -> str:
    """The evaluator's program in an environment next to this one, or in `.envs` of the current folder. Raises
    NoEvaluator.
    """
    for folder in (Path(sys.prefix).parent, Path(".envs")):
        program = folder / environment / "bin" / "lodescan-evaluator"
        if program.exists():
            return str(program)
    raise NoEvaluator(
        f"there is no environment {environment!r} next to {sys.prefix} or in .envs",
        next_step=f"make it in the clone with `tools/environment.sh {environment}`, or scan with `make scan`",
    )


def socket_folder() -> Path:
    """The path of a folder for a socket, short enough for a socket's path. The evaluator makes the folder, for this
    user only. Raises UsageError.
    """
    name = f"lodescan-{secrets.token_hex(8)}"
    for folder in (tempfile.gettempdir(), "/tmp"):  # noqa: S108  # nobody can guess the name
        with contextlib.suppress(AddressError):
            read_address(f"unix:{folder}/{name}/wire")
            return Path(folder, name)
    raise UsageError(
        "there is no folder for temporary files with a short path", next_step="set TMPDIR to a folder with a short path"
    )


@contextlib.contextmanager
def _evaluator(command: list[str], log: BinaryIO) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Starts the evaluator in its own session, so that Ctrl-C reaches only the scan, which ends first."""
    folder = socket_folder()
    listening = ["--listen", f"unix:{folder / 'wire'}", "--address-file", str(folder / "address")]
    process = subprocess.Popen(
        [*_ends_with_us(), *command, *listening],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        yield process, folder
    finally:
        ending.set()
        process.terminate()
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)  # if the evaluator was killed


def _wait_for_address(
    process: subprocess.Popen[bytes], file: Path, log: BinaryIO, have_come: Callable[[], bool]
) -> str:
    while not file.exists():
        if process.poll() is not None and not have_come():  # a signal to both sides is soon handled here, too
            _repeat(log)
            raise EvaluatorFailed(process.returncode if process.returncode > 0 else NoEvaluator.exit_code)
        time.sleep(0.05)
    return file.read_text().strip()


def _watch(process: subprocess.Popen[bytes], lost: threading.Event, have_come: Callable[[], bool]) -> None:
    """Ends the scan when the evaluator ends, unless the scan is already ending. A batch system signals both sides."""
    process.wait()
    if not have_come():
        lost.set()
        os.kill(os.getpid(), signal.SIGTERM)


def _repeat(log: BinaryIO) -> None:
    """Prints the last lines of the evaluator's log, without a change of the position at which the evaluator writes."""
    output = os.pread(log.fileno(), os.fstat(log.fileno()).st_size, 0).decode(errors="replace")
    sys.stderr.writelines(visible(output).splitlines(keepends=True)[-LAST_LINES:])


def _ends_with_us() -> list[str]:
    """The first words of a command that ends when this process dies, even by SIGKILL; empty if there is no
    `setpriv`.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []
