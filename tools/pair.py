"""The pair on this machine: an evaluator in the background, the proposer in front.

usage: tools/pair.py ENVIRONMENT WORKERS SCAN [OPTION...]; options are those of `lodescan scan`

Starts the evaluator of .envs/ENVIRONMENT, runs the proposer on it, and ends
that evaluator again, however the proposer ends. They speak over a socket in a
folder of this user alone: any user of the machine could use a loopback port,
or take it first. The exit code is the proposer's, the evaluator's where that
does not start, and 3 where it is lost on the way.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import BinaryIO, NoReturn

from scanspec import AddressError, read_address, visible

GRACE = 20.0  # seconds that an evaluator has to end by itself
READY = re.compile(r"^evaluator: .* on (\S+), points run in ", re.MULTILINE)
SIGNALS = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGXCPU,
)


def main(environment: str, workers: str, scan: str, *options: str) -> int:
    on_signals(leave)
    address = socket_address()
    serve = [f".envs/{environment}/bin/lodescan-evaluator", "serve", scan, "--listen", address]
    with tempfile.TemporaryFile("ab+") as log:  # has no name, so that no kill leaves it behind
        # In a session of its own: Ctrl-C is for the proposer, which comes first.
        evaluator = subprocess.Popen(
            [*ends_with_us(), *serve, "--workers", workers],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            while READY.search(read(log)) is None:
                if evaluator.poll() is not None:
                    sys.stderr.write(visible(read(log)))
                    return evaluator.returncode if evaluator.returncode > 0 else 3
                time.sleep(0.05)
            return propose([scan, "--evaluator", address, *options], evaluator, log)
        finally:
            evaluator.terminate()
            try:
                evaluator.wait(GRACE)
            except subprocess.TimeoutExpired:
                evaluator.kill()
                evaluator.wait()
            shutil.rmtree(Path(address.removeprefix("unix:")).parent, ignore_errors=True)  # where it was killed


def socket_address() -> str:
    """A socket in a folder that the evaluator makes, and takes away; a socket's path must be short."""
    name = f"lodescan-{secrets.token_hex(8)}/wire"
    for folder in (tempfile.gettempdir(), "/tmp"):  # noqa: S108  # nobody can guess the name
        with contextlib.suppress(AddressError):
            return str(read_address(f"unix:{folder}/{name}"))
    raise SystemExit("there is no folder for temporary files with a short name")


def read(log: BinaryIO) -> str:
    """All that the evaluator has said so far; leaves the place at which it writes."""
    return os.pread(log.fileno(), os.fstat(log.fileno()).st_size, 0).decode(errors="replace")


def propose(arguments: list[str], evaluator: subprocess.Popen[bytes], log: BinaryIO) -> int:
    """Run the proposer to its end; without its evaluator it is stopped."""
    received: list[int] = []
    on_signals(lambda number, _frame: received.append(number))
    ending = False
    proposer = subprocess.Popen([*ends_with_us(), ".envs/proposer/bin/lodescan", "scan", *arguments])
    lost = False
    while proposer.poll() is None:
        while received:
            number, ending = received.pop(), True
            if number not in (signal.SIGINT, signal.SIGQUIT):  # a terminal sends these to the proposer as well
                proposer.send_signal(number)
        # whoever ends a whole job ends the evaluator too, which is no loss
        if not lost and not ending and not received and evaluator.poll() is not None:
            lost = True
            proposer.terminate()
        time.sleep(0.1)
    if lost:
        sys.stderr.writelines(visible(read(log)).splitlines(keepends=True)[-20:])
        sys.stderr.write("the evaluator was lost; the same command goes on where this one stopped\n")
        return 3
    return proposer.returncode if proposer.returncode >= 0 else 128 - proposer.returncode


def on_signals(handler: object) -> None:
    for number in SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup has asked to go on
            signal.signal(number, handler)  # type: ignore[arg-type]


def leave(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)


def ends_with_us() -> list[str]:
    """A prefix with which a program is ended when this process dies, even by SIGKILL; Linux only."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
