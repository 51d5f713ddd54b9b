"""The commands of the evaluator: serve, check, point, new, healthy.

gRPC and numpy are imported by the commands that need them: the fork server imports this
module for every worker.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evaluator.commands.alone import alone
from evaluator.commands.channel import add_client_options, no_answer, open_channel
from evaluator.scan import read_scan
from scanspec import DEFAULT_ADDRESS, LodescanError, ScanFile, read_address, visible
from scanspec.events import TEXT, event, in_json
from scanspec.intermixed import IntermixedParser
from scanspec.logs import logging_to_stderr, set_level
from scanspec.observing import add_watching_options

BAD_INPUT = 2
INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns its exit code: 0, 2 for bad input, 4 and 5 for an evaluator that must end, 6 for one
    that has ended before the scan.
    """
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # gRPC's fork handlers can hang when subprocesses start
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # lodescan has its own messages for what gRPC would log
    try:
        options = make_parser().parse_args(arguments)
        with logging_to_stderr(getattr(options, "log_format", TEXT)):
            if options.run in (_check, _point):
                return alone(lambda: _run(options), options.file)
            return _run(options)
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(options: argparse.Namespace) -> int:
    try:
        code: int = options.run(options)
    except LodescanError as error:
        event("error", logging.ERROR, text=error.message, next_step=error.next_step, code=error.exit_code)
        if not in_json():
            print(f"lodescan-evaluator: {visible(error.tell())}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output, such as head, has gone
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
        return 128 + signal.SIGPIPE
    except ModuleNotFoundError as error:  # both sides install each other's commands
        print(
            f"lodescan-evaluator: {error.name} is missing: run it in the evaluator's environment, "
            ".envs/evaluator/bin/lodescan-evaluator (pip install '.[evaluator]' in the clone makes another)",
            file=sys.stderr,
        )
        return BAD_INPUT
    return code


def make_parser() -> argparse.ArgumentParser:
    """The commands with their arguments and options."""
    parser = argparse.ArgumentParser(
        prog="lodescan-evaluator", description="Wraps physics codes: points in, observables and likelihoods out."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=IntermixedParser)

    serve = commands.add_parser("serve", help="answer a proposer")
    serve.add_argument("file", type=Path, help="the scan file")
    serve.add_argument(
        "--listen",
        default=DEFAULT_ADDRESS,
        metavar="HOST:PORT",
        help="default: %(default)s; port 0 picks a free one; unix:PATH is a socket that this user alone can use",
    )
    serve.add_argument(
        "--workers",
        type=_at_least(0, int),
        help="processes that run points; 0: the server's own, without isolation (default: as many as fit, one a core "
        "where no code asks for more)",
    )
    serve.add_argument(
        "--executor",
        choices=["processes", "dask"],
        default="processes",
        help="where points run: worker processes on this machine, or a Dask cluster (default: %(default)s)",
    )
    serve.add_argument("--scheduler", metavar="ADDRESS", help="of the Dask cluster, for example tcp://10.0.0.1:8786")
    serve.add_argument(
        "--grace",
        type=_at_least(0, float),
        default=8.0,
        metavar="SECONDS",
        help="how long running points may go on after SIGTERM (default: %(default)s)",
    )
    serve.add_argument(
        "--insecure",
        action="store_true",
        help="serve other machines in plain text, or without asking who they are: only on a private network",
    )
    serve.add_argument("--address-file", type=Path, help="write the address to this file once it answers")
    serve.add_argument(
        "--announce",
        type=Path,
        metavar="FOLDER",
        help="keep a file with the address in this shared folder as long as it takes points: `lodescan scan "
        "--evaluator dir:FOLDER` finds it",
    )
    serve.add_argument(
        "--lifetime",
        type=_duration,
        metavar="TIME",
        help="be gone after this time, for example 3h50m: it stops taking points before, and ends with exit code 6",
    )
    serve.add_argument(
        "--until-finished",
        action="store_true",
        help="end with exit code 0 once the proposer says that the scan is finished, with 6 when stopped before, or "
        "when no proposer has asked for 10 minutes",
    )
    serve.add_argument("--tls-cert", type=Path, metavar="FILE", help="speak TLS with this certificate (PEM)")
    serve.add_argument("--tls-key", type=Path, metavar="FILE", help="its key")
    serve.add_argument("--tls-ca", type=Path, metavar="FILE", help="ask for client certificates of this authority")
    serve.add_argument("--token-file", type=Path, metavar="FILE", help="ask for the token in this file (mode 0600)")
    add_watching_options(serve)
    serve.set_defaults(run=_serve)

    check = commands.add_parser("check", help="read the file and run each code once, in the middle of the ranges")
    check.add_argument("file", type=Path, help="the scan file")
    check.set_defaults(run=_check)

    point = commands.add_parser("point", help="run one point and show all that came of it")
    point.add_argument("file", type=Path, help="the scan file")
    point.add_argument(
        "values",
        nargs="*",
        default=[],
        metavar="NAME=VALUE",
        help="a variable that is not given has the middle of its range",
    )
    point.add_argument("--keep", type=Path, metavar="DIR", help="keep the point's scratch folder here")
    point.add_argument(
        "--id",
        type=_at_least(0, int),
        default=0,
        metavar="N",
        help="of a point of a scan, whose random numbers it gets (default: %(default)s)",
    )
    point.add_argument("--json", action="store_true", help="write one JSON object to standard output")
    point.set_defaults(run=_point)

    new = commands.add_parser("new", help="write a folder with a small backend that works, to be changed into yours")
    new.add_argument("name", metavar="NAME", help="of the backend, a name that Python can import")
    new.set_defaults(run=_new)

    healthy = commands.add_parser(
        "healthy", help="exit with 0 when the evaluator at an address answers, with 1 when not"
    )
    healthy.add_argument("address", metavar="HOST:PORT")
    add_client_options(healthy)
    healthy.set_defaults(run=_healthy)
    return parser


def _at_least(low: float, kind: Callable[[str], float]) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = kind(text)
        if not low <= value < math.inf:
            raise argparse.ArgumentTypeError(f"must be at least {low:g}")
        return value

    return number


def _duration(text: str) -> float:
    from evaluator.service.ending import read_duration

    try:
        return read_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _read(file: Path) -> ScanFile:
    """The scan file, by whose `verbose` is logged."""
    scan = read_scan(file)
    set_level(scan)
    return scan


def _serve(options: argparse.Namespace) -> int:
    from evaluator.commands.serve import serve

    return serve(_read(options.file), options)


def _check(options: argparse.Namespace) -> int:
    from evaluator.commands.by_hand import check

    return check(_read(options.file))


def _point(options: argparse.Namespace) -> int:
    from evaluator.commands.by_hand import point

    return point(_read(options.file), options.values, options.keep, point_id=options.id, as_json=options.json)


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
