"""`lodescan run`: a scan with both sides on this machine. The evaluator runs in an environment of its own.

They communicate over a socket in a folder of this user alone: every user of the machine could use a port of loopback,
or take it first. The evaluator ends with this process, however that ends.
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
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from proposer.commands.signals import Interrupted, ending
from proposer.evaluation.backend import NoEvaluator
from scanspec import AddressError, UsageError, read_address, read_scan_file, visible

if TYPE_CHECKING:
    from proposer.commands.watching import Wanted
    from proposer.scanning import ScanOptions

GRACE = 20.0
"""Seconds that an evaluator has to end by itself."""

LAST_LINES = 20
"""How much is shown of what an evaluator said before it was lost."""


class EvaluatorFailed(NoEvaluator):
    """The evaluator did not start. The exit code is the evaluator's."""

    next_step = "mend what it says above, then give the same command again"

    def __init__(self, code: int) -> None:
        super().__init__("the evaluator did not start")
        self.exit_code = code


def run(file: Path, workers: int | None, options: ScanOptions, wanted: Wanted) -> int:
    """Starts the evaluator that the file names, scans, and ends it again. Returns the exit code of the scan.

    Raises EvaluatorFailed where it does not start, and NoEvaluator where it is not there or is lost on the way.
    """
    command = [find_evaluator(read_scan_file(file).environment), "serve", str(file)]
    if workers is not None:
        command += ["--workers", str(workers)]
    # the file for what it says has no name, so that no kill leaves it behind
    with tempfile.TemporaryFile("ab+") as log, _evaluator(command, log) as (process, folder):
        from proposer.commands.scan import scan  # seconds, in which the evaluator starts too

        address = _wait_for_address(process, folder / "address", log)
        lost = threading.Event()
        threading.Thread(target=_watch, args=(process, lost), daemon=True).start()
        try:
            return scan(file, [address], options, wanted=wanted)
        except Interrupted:
            if not lost.is_set():
                raise
            _repeat(log)
            what_next = "give the same command again to continue"
            raise NoEvaluator("the evaluator was lost", next_step=what_next) from None


def find_evaluator(environment: str) -> str:
    """The program of an environment beside this one's, or in `.envs` here. Raises NoEvaluator."""
    for folder in (Path(sys.prefix).parent, Path(".envs")):
        program = folder / environment / "bin" / "lodescan-evaluator"
        if program.exists():
            return str(program)
    raise NoEvaluator(
        f"there is no environment {environment!r} beside {sys.prefix} or in .envs",
        next_step=f"make it in the clone with `tools/environment.sh {environment}`, or scan with `make scan`",
    )


def socket_folder() -> Path:
    """A folder for a socket, which the evaluator makes for this user alone; the path of a socket must be short."""
    name = f"lodescan-{secrets.token_hex(8)}"
    for folder in (tempfile.gettempdir(), "/tmp"):  # noqa: S108  # nobody can guess the name
        with contextlib.suppress(AddressError):
            read_address(f"unix:{folder}/{name}/wire")
            return Path(folder, name)
    raise UsageError("there is no folder for temporary files with a short name", next_step="set TMPDIR to one")


@contextlib.contextmanager
def _evaluator(command: list[str], log: BinaryIO) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Starts the evaluator in a session of its own: Ctrl-C reaches only the scan, which ends first."""
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
        shutil.rmtree(folder, ignore_errors=True)  # where it was killed


def _wait_for_address(process: subprocess.Popen[bytes], file: Path, log: BinaryIO) -> str:
    while not file.exists():
        if process.poll() is not None:
            _repeat(log)
            raise EvaluatorFailed(process.returncode if process.returncode > 0 else NoEvaluator.exit_code)
        time.sleep(0.05)
    return file.read_text().strip()


def _watch(process: subprocess.Popen[bytes], lost: threading.Event) -> None:
    """Ends the scan when the evaluator has ended, unless somebody has ended the scan already."""
    process.wait()
    if not ending.is_set():
        lost.set()
        os.kill(os.getpid(), signal.SIGTERM)


def _repeat(log: BinaryIO) -> None:
    """Prints the last lines of the evaluator's log, and keeps the position at which the evaluator writes."""
    output = os.pread(log.fileno(), os.fstat(log.fileno()).st_size, 0).decode(errors="replace")
    sys.stderr.writelines(visible(output).splitlines(keepends=True)[-LAST_LINES:])


def _ends_with_us() -> list[str]:
    """A prefix with which a program is ended when this process dies, even by SIGKILL; Linux only."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []
