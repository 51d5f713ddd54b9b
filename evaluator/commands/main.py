"""The commands of the evaluator: serve, check, point, new, healthy.

gRPC and numpy are imported by the commands that need them: the fork server imports this
module for every worker.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import math
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evaluator.commands.channel import add_client_options, no_answer, open_channel
from evaluator.files import FULL
from evaluator.scan import read_scan
from scanspec import DEFAULT_ADDRESS, VERSION, LodescanError, ScanFile, UsageError, read_address, visible
from scanspec.events import TEXT, event, in_json
from scanspec.intermixed import IntermixedParser, Parser
from scanspec.logs import logging_to_stderr, set_level
from scanspec.observing import add_watching_options
from scanspec.text import show_any_letter

BAD_INPUT = 2
NO_ROOM = 74
"""As EX_IOERR of sysexits.h."""
INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Runs one command, and returns its exit code: 0; 2 for bad input; 4 and 5 for an evaluator that must end; 6 for an
    evaluator that ended before the scan; 74 for a full disk.
    """
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # gRPC's fork handlers can hang when subprocesses start
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # lodescan has its own messages for what gRPC would log
    show_any_letter()
    try:
        options = make_parser().parse_args(arguments)
        with logging_to_stderr(getattr(options, "log_format", TEXT)):
            return _run(options)
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(options: argparse.Namespace) -> int:
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except LodescanError as error:
        event("error", logging.ERROR, text=error.message, next_step=error.next_step, code=error.exit_code)
        if not in_json():
            print(f"lodescan-evaluator: {visible(error.tell())}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output, such as `head`, has ended
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:  # for example a full disk
        full = error.errno in FULL
        print(
            f"lodescan-evaluator: {visible(str(error.filename or 'its own output'))}: {error.strerror or error}\n"
            f"next: {'make room on the disk' if full else 'check that it exists and that you may use it'}, then give "
            "the same command again",
            file=sys.stderr,
        )
        return NO_ROOM if full else BAD_INPUT
    except ModuleNotFoundError as error:  # both sides install each other's commands
        print(
            f"lodescan-evaluator: {error.name} is missing: run it in the evaluator's environment, "
            ".envs/evaluator/bin/lodescan-evaluator; `pip install '.[evaluator]'` in the clone makes another one",
            file=sys.stderr,
        )
        return BAD_INPUT
    return code


def make_parser() -> argparse.ArgumentParser:
    """The commands with their arguments and options."""
    parser = Parser(
        prog="lodescan-evaluator", description="Wraps physics codes: points in, observables and likelihoods out."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=IntermixedParser)

    serve = commands.add_parser("serve", help="answer a proposer")
    serve.add_argument("file", type=Path, help="the scan file")
    serve.add_argument(
        "--listen",
        default=DEFAULT_ADDRESS,
        metavar="HOST:PORT",
        help="the address (default: %(default)s); port 0 picks a free port; unix:PATH is a socket for this user only",
    )
    serve.add_argument(
        "--workers",
        type=_at_least(0, int, MOST_WORKERS),
        help="number of worker processes; 0: the server runs points itself, without isolation (default: as many "
        "as fit, one per core unless a code needs more)",
    )
    serve.add_argument(
        "--executor",
        choices=["processes", "dask"],
        default="processes",
        help="where points run: worker processes on this machine, or a Dask cluster (default: %(default)s)",
    )
    serve.add_argument(
        "--scheduler", metavar="ADDRESS", help="the address of the Dask cluster, for example tcp://10.0.0.1:8786"
    )
    serve.add_argument(
        "--grace",
        type=_at_least(0, float),
        default=8.0,
        metavar="SECONDS",
        help="the time that running points have to end after SIGTERM (default: %(default)s)",
    )
    serve.add_argument(
        "--insecure",
        action="store_true",
        help="serve other machines without encryption, or any client: only on a private network",
    )
    serve.add_argument("--address-file", type=Path, help="write the address to this file once the evaluator answers")
    serve.add_argument(
        "--announce",
        type=Path,
        metavar="FOLDER",
        help="keep a file with the address in this shared folder while the evaluator accepts points, so that `lodescan "
        "scan --evaluator dir:FOLDER` finds it",
    )
    serve.add_argument(
        "--lifetime",
        type=_duration,
        metavar="TIME",
        help="end before this time is over, for example 3h50m: accept no more points in time, and end with exit code 6",
    )
    serve.add_argument(
        "--until-finished",
        action="store_true",
        help="end with exit code 0 once the proposer has finished the scan; with 6 if stopped before that, or after 10 "
        "minutes without a proposer",
    )
    serve.add_argument("--tls-cert", type=Path, metavar="FILE", help="speak TLS with this certificate (PEM)")
    serve.add_argument("--tls-key", type=Path, metavar="FILE", help="the key of the certificate")
    serve.add_argument("--tls-ca", type=Path, metavar="FILE", help="require client certificates of this authority")
    serve.add_argument("--token-file", type=Path, metavar="FILE", help="require the token in this file (mode 0600)")
    add_watching_options(serve)
    serve.set_defaults(run=_serve)

    check = commands.add_parser("check", help="read the file and run each code once, in the middle of the ranges")
    check.add_argument("file", type=Path, help="the scan file")
    check.set_defaults(run=_check)

    point = commands.add_parser("point", help="run one point and show all its results")
    point.add_argument("file", type=Path, help="the scan file")
    point.add_argument(
        "values",
        nargs="*",
        default=[],
        metavar="NAME=VALUE",
        help="the value of a variable (default: the middle of its range)",
    )
    point.add_argument("--keep", type=Path, metavar="DIR", help="keep the point's scratch folder here")
    point.add_argument(
        "--id",
        type=_at_least(0, int),
        default=0,
        metavar="N",
        help="use the random numbers of the scan's point with this id (default: %(default)s)",
    )
    point.add_argument("--json", action="store_true", help="write one JSON object to standard output")
    point.set_defaults(run=_point)

    new = commands.add_parser("new", help="write a folder with a small working backend, as a start for your own")
    new.add_argument("name", metavar="NAME", help="the name of the backend, which Python must be able to import")
    new.set_defaults(run=_new)

    healthy = commands.add_parser("healthy", help="exit with 0 if the evaluator at an address answers, else with 1")
    healthy.add_argument("address", metavar="HOST:PORT")
    add_client_options(healthy)
    healthy.set_defaults(run=_healthy)
    completion = commands.add_parser(
        "completion", help="print a script for the completion of these commands in a shell"
    )
    completion.add_argument("shell", choices=["bash", "zsh", "tcsh", "fish"])
    completion.set_defaults(run=_completion)
    return parser


MOST_WORKERS = 4096
"""The most worker processes, each of which takes some 50 MB; more is a slip of the keyboard."""


def _at_least(low: float, kind: Callable[[str], float], most: float = math.inf) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = kind(text)
        if not low <= value < math.inf:
            raise argparse.ArgumentTypeError(f"must be at least {low:g}")
        if value > most:
            raise argparse.ArgumentTypeError(f"must be at most {most:,}")
        return value

    return number


def _duration(text: str) -> float:
    from evaluator.service.ending import read_duration

    try:
        return read_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _read(file: Path) -> ScanFile:
    """The scan file. Its `verbose` sets the level of the log."""
    scan = read_scan(file)
    set_level(scan)
    return scan


def _serve(options: argparse.Namespace) -> int:
    from evaluator.commands.serve import serve

    return serve(_read(options.file), options)


def _check(options: argparse.Namespace) -> int:
    from evaluator.commands.check import check

    return check(_read(options.file))


def _point(options: argparse.Namespace) -> int:
    from evaluator.commands.point import point

    return point(_read(options.file), options.values, options.keep, point_id=options.id, as_json=options.json)


def _completion(options: argparse.Namespace) -> int:
    try:
        shtab = importlib.import_module("shtab")  # a package of the proposer
    except ModuleNotFoundError:
        raise UsageError(
            "completion needs the package shtab, which the proposer's environment has",
            next_step=f"give .envs/proposer/bin/lodescan-evaluator completion {options.shell}",
        ) from None
    print(shtab.complete(make_parser(), options.shell))
    return 0


def _new(options: argparse.Namespace) -> int:
    from evaluator.commands.new import new

    return new(options.name, Path())


def _healthy(options: argparse.Namespace) -> int:
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    address = read_address(options.address)
    with open_channel(address, options) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=5.0)
        except grpc.RpcError as error:
            why = no_answer(address, options, error)
            print(f"lodescan-evaluator: {address} does not answer {why}", file=sys.stderr)
            return 1
    return 0 if answer.status == health_pb2.HealthCheckResponse.SERVING else 1
