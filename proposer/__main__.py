"""The commands of the proposer: scan, check, status, export, plot, convert.

torch is imported by the scan alone, so that the others answer at once.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from scanspec import DEFAULT_ADDRESS, ScanFileError, visible
from scanspec.document import to_number

try:
    from proposer.evaluation.backend import EvaluatorRefused, NoEvaluator
    from proposer.run.files import NO_ROOM_LEFT, DatasetError, NoRoom
    from proposer.run.tables import MissingPackage
    from proposer.types import CheckpointError
except ModuleNotFoundError as error:  # both sides install each other's commands
    sys.exit(
        f"lodescan: {error.name} is missing: run it in the proposer's environment, .envs/proposer/bin/lodescan "
        "(pip install '.[proposer]' in the clone makes another)"
    )

BAD_INPUT, NO_EVALUATOR = 2, 3
NO_ROOM = 74
"""As sysexits.h has it for errors of the disk."""

ENDS = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGXCPU,
)
"""Signals by which people, terminals and batch systems ask for an end: a closed terminal sends SIGHUP, a batch system
SIGUSR1, SIGUSR2 or SIGXCPU before its limit."""

ONE_END = 5.0
"""Seconds in which further signals are taken for the same wish to end."""


class Interrupted(BaseException):
    """A signal asked the scan to end; everything that was read is on the disk."""

    def __init__(self, number: int) -> None:
        self.number = number


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns its exit code: 0 done, 2 bad input, 3 no evaluator, 4 every point failed, 5 no point
    was good, 74 no room on the disk, 128 + n on signal n.
    """
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what it logs is said in our own words
    options = _parser().parse_args(arguments)
    with _interruptible():
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    try:
        code: int = options.run(options)
    except NoRoom as error:
        print(f"lodescan: {visible(str(error))}", file=sys.stderr)
        return NO_ROOM
    except (ScanFileError, DatasetError, CheckpointError, EvaluatorRefused, MissingPackage) as error:
        print(f"lodescan: {visible(str(error))}", file=sys.stderr)
        return BAD_INPUT
    except NoEvaluator as error:
        print(f"lodescan: {visible(str(error))}", file=sys.stderr)
        return NO_EVALUATOR
    except Interrupted as interrupted:
        print("lodescan: interrupted; the same command goes on where this stopped", file=sys.stderr)
        return 128 + interrupted.number
    except BrokenPipeError:  # the reader of our output, such as head, has gone
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:  # a folder that went away, a disk that is full: what was committed is kept
        print(f"lodescan: {error.filename or 'its own output'}: {error.strerror or error}", file=sys.stderr)
        return NO_ROOM if error.errno in NO_ROOM_LEFT else BAD_INPUT
    return code


@contextmanager
def _interruptible() -> Iterator[None]:
    """Signals that ask for an end raise Interrupted; handlers are as before afterwards.

    SIGHUP stays ignored where nohup has said so. Only the main thread may have handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupt, before = _interrupter(), {}
    for number in ENDS:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupter() -> Callable[[int, object], None]:
    first = -math.inf

    def interrupt(number: int, _frame: object) -> None:
        # A second signal must not break the orderly end. Python loses the first where it falls into a destructor,
        # so a later one counts again.
        nonlocal first
        if time.monotonic() - first > ONE_END:
            first = time.monotonic()
            raise Interrupted(number)

    return interrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lodescan",
        description="Finds the good regions of a parameter space with few evaluations of a physics code.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    evaluator = argparse.ArgumentParser(add_help=False)
    evaluator.add_argument(
        "--insecure", action="store_true", help="talk in plain text to another machine: only on a private network"
    )

    scan = commands.add_parser("scan", parents=[evaluator], help="run a scan, or go on with one")
    scan.add_argument("file", type=Path, help="the scan file")
    scan.add_argument(
        "--evaluator",
        action="extend",
        nargs="+",
        metavar="PLACE",
        help="where evaluators listen, one place or more: HOST:PORT, unix:PATH, dns:///NAME:PORT for every address of "
        f"that name, dir:FOLDER for those that `serve --announce FOLDER` (default: {DEFAULT_ADDRESS})",
    )
    scan.add_argument(
        "--no-race",
        action="store_false",
        dest="race",
        help="never send a slow point to a second evaluator whose workers are idle",
    )
    scan.add_argument(
        "--run", type=Path, dest="folder", metavar="DIR", help="the run's folder (default: runs/RUN_NAME)"
    )
    scan.add_argument("--seed", type=_seed, help="of all random draws (default: the file's, else drawn and recorded)")
    scan.add_argument(
        "--wait",
        type=_seconds,
        metavar="SECONDS",
        help="how long to wait for an evaluator (default: 60 at the start, 600 later)",
    )
    scan.add_argument(
        "--eager",
        action="store_true",
        help="ask for points before the evaluator has nothing left to do, by the results that have come: no worker "
        "waits, but the seed does not give the same points again",
    )
    scan.add_argument(
        "--same-physics",
        action="store_true",
        help="go on although files of the codes have changed: your word, kept in the manifest, that they still compute "
        "the same (only a comment was changed, say)",
    )
    scan.set_defaults(run=_scan)

    check = commands.add_parser("check", parents=[evaluator], help="read a scan file, and compare it with an evaluator")
    check.add_argument("file", type=Path, help="the scan file")
    check.add_argument("--evaluator", action="extend", nargs="+", metavar="PLACE", help="where evaluators listen")
    check.set_defaults(run=_check)

    status = commands.add_parser("status", help="what a run has found so far; also while it runs")
    status.add_argument("folder", type=Path, metavar="DIR", help="the run's folder")
    status.set_defaults(run=_status)

    export = commands.add_parser("export", help="write all points of a run to one table")
    export.add_argument("folder", type=Path, metavar="DIR", help="the run's folder")
    export.add_argument("--format", choices=["csv", "parquet"], default="csv", dest="kind", help="default: %(default)s")
    export.set_defaults(run=_export)

    plot = commands.add_parser("plot", help="draw a run: two columns, what its scan file asks for, or all variables")
    plot.add_argument("folder", type=Path, metavar="DIR", help="the run's folder")
    plot.add_argument("x", nargs="?", help="a variable, an observable or NLL")
    plot.add_argument("y", nargs="?", help="another one")
    plot.add_argument("--file", type=Path, help="where to, as .pdf, .png or .svg (default: plots/ in the run's folder)")
    plot.set_defaults(run=_plot)

    convert = commands.add_parser("convert", help="print a scan file of BSMArt in the plain spelling, as YAML")
    convert.add_argument("file", type=Path, help="the scan file")
    convert.set_defaults(run=_convert)
    return parser


class _Visible(io.TextIOBase):
    """Names and texts of scan files and runs, which may be anybody's: nothing that a terminal would obey."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, text: str) -> int:
        return self._out.write(visible(text))

    def flush(self) -> None:
        self._out.flush()


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 0")
    return int(text)


def _seconds(text: str) -> float:
    seconds = to_number(text)
    if seconds is None or not 0.0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds, at least 0")
    return seconds


def _scan(options: argparse.Namespace) -> int:
    from proposer.commands.scan import scan

    return scan(
        options.file,
        options.evaluator or [DEFAULT_ADDRESS],
        options.folder,
        options.seed,
        insecure=options.insecure,
        wait=options.wait,
        eager=options.eager,
        same_physics=options.same_physics,
        race=options.race,
    )


def _check(options: argparse.Namespace) -> int:
    from proposer.commands.scan import check

    with contextlib.redirect_stdout(_Visible(sys.stdout)):
        return check(options.file, options.evaluator or [], insecure=options.insecure)


def _status(options: argparse.Namespace) -> int:
    from proposer.commands.reading import status

    with contextlib.redirect_stdout(_Visible(sys.stdout)):
        return status(options.folder)


def _export(options: argparse.Namespace) -> int:
    from proposer.commands.reading import export

    return export(options.folder, options.kind)


def _plot(options: argparse.Namespace) -> int:
    from proposer.show.plots import plot

    if options.x is not None and options.y is None:
        raise ScanFileError("name two columns to draw, or none")
    return plot(options.folder, [each for each in (options.x, options.y) if each is not None], options.file)


def _convert(options: argparse.Namespace) -> int:
    from proposer.commands.convert import convert

    return convert(options.file)


if __name__ == "__main__":
    sys.exit(main())
