"""The commands of the proposer.

Only the scan imports torch, so that other commands answer at once.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import logging
import os
import shlex
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from proposer.commands.arguments import Visible
from proposer.commands.parser import make_parser
from proposer.commands.security import read_security
from proposer.commands.unwatched import Unwatched
from proposer.show.voice import Voice, speaking, tell
from proposer.signals import Interrupted, interruptible
from scanspec import DEFAULT_ADDRESS, LodescanError, UsageError
from scanspec.events import TEXT, in_json
from scanspec.events import say as log_or_print
from scanspec.logs import logging_to_stderr
from scanspec.text import quoted, show_any_letter

if TYPE_CHECKING:
    from proposer.scanning import ScanOptions

BAD_INPUT, NO_ROOM = 2, 74

ON_TERMINAL = ("init", "watch")
"""The commands that need the terminal itself, to ask questions or to draw on it. They make their texts safe."""
INTO_FILES = ("convert", "completion")
"""The commands whose output is usually redirected into a file, which must get each sign as it is."""

INTERRUPTED = {"watch": "this ended only the display, not the scan"}
"""What an interrupt means for the commands that it does not simply pause."""


def main(arguments: list[str] | None = None) -> int:
    """Runs one command, and returns its exit code: 0 done, 2 bad input, 3 no evaluator, 4 all points failed, 5 no good
    point, 74 disk full, 128 + n on signal n.
    """
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # lodescan has its own messages for what gRPC would log
    show_any_letter()
    options = make_parser().parse_args(arguments)
    voice = Voice.JSON if getattr(options, "json", False) else Voice.QUIET if getattr(options, "quiet", False) else None
    log = logging_to_stderr(getattr(options, "log_format", TEXT))
    open_end = contextlib.redirect_stderr(Unwatched(sys.stderr))
    with interruptible(), open_end, log, speaking(voice or Voice.PEOPLE):
        try:
            return _run(options)
        except Interrupted as interrupted:
            then = INTERRUPTED.get(options.chosen, "give the same command again to continue")
            return _ended_by(LodescanError("interrupted", next_step=then), 128 + interrupted.number)


def _run(options: argparse.Namespace) -> int:
    try:
        with contextlib.ExitStack() as opened:
            if options.chosen not in ON_TERMINAL:
                shown = sys.stdout.isatty() or options.chosen not in INTO_FILES
                out = Unwatched(sys.stdout)
                opened.enter_context(contextlib.redirect_stdout(Visible(out) if shown else out))
            code = COMMANDS[options.chosen](options)
    except LodescanError as error:
        return _ended_by(error, error.exit_code)
    except ModuleNotFoundError as error:  # both sides install each other's commands
        text = f"{error.name} is missing: run it in the proposer's environment, .envs/proposer/bin/lodescan"
        then = "`pip install '.[proposer]'` in the clone makes another one"
        return _ended_by(LodescanError(text, next_step=then), BAD_INPUT)
    except BrokenPipeError:  # the reader of our output, such as `head`, has ended
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:  # for example a removed folder or a full disk; committed results are kept
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        then = "make room on the disk" if full else "check that it exists and that you may use it"
        then += ", then give the same command again: all stored results are kept"
        fault = LodescanError(f"{error.filename or 'its own output'}: {error.strerror or error}", next_step=then)
        return _ended_by(fault, NO_ROOM if full else BAD_INPUT)
    return code


def _ended_by(error: LodescanError, code: int) -> int:
    """Says why the command ends, for people and for programs. Returns the exit code."""
    with contextlib.suppress(OSError):  # perhaps nobody reads the output any more, or there is no room for it
        tell("error", {"text": error.message, "next_step": error.next_step, "code": code}, logging.ERROR)
    if not in_json():
        log_or_print("lodescan", error.tell(), logging.ERROR)
    return code


def _scan(options: argparse.Namespace) -> int:
    from proposer.commands.scan import scan
    from proposer.commands.watching import Wanted

    return scan(
        options.file,
        options.evaluator or [DEFAULT_ADDRESS],
        _scan_options(options),
        security=read_security(options),
        race=options.race,
        wanted=Wanted.of(options),
    )


def _both(options: argparse.Namespace) -> int:
    from proposer.commands.run import run
    from proposer.commands.watching import Wanted

    return run(options.file, options.workers, _scan_options(options), Wanted.of(options))


def _scan_options(options: argparse.Namespace) -> ScanOptions:
    from proposer.scanning import ScanOptions

    return ScanOptions(
        folder=options.folder,
        seed=options.seed,
        wait=options.wait,
        eager=options.eager,
        same_physics=options.same_physics,
        report=not options.no_report,
    )


def _check(options: argparse.Namespace) -> int:
    from proposer.commands.check import check

    return check(options.file, options.evaluator or [], security=read_security(options), as_json=options.json)


def _status(options: argparse.Namespace) -> int:
    from proposer.commands.status import status

    return status(options.folder, as_json=options.json)


def _watch(options: argparse.Namespace) -> int:
    from proposer.commands.watch import watch

    return watch(options.folder)


def _point(options: argparse.Namespace) -> int:
    from proposer.commands.point import point

    return point(options.folder, options.number, as_json=options.json)


def _retry(options: argparse.Namespace) -> int:
    from proposer.commands.retry import Retry, retry
    from proposer.types import Status

    statuses = [Status[name] for name in options.statuses or ("FAILED", "TIMED_OUT")]
    options_of_retry = Retry(
        statuses=statuses,
        places=options.evaluator or [DEFAULT_ADDRESS],
        security=read_security(options),
        wait=options.wait,
        same_physics=options.same_physics,
    )
    return retry(options.folder, options_of_retry)


def _rescore(options: argparse.Namespace) -> int:
    from proposer.commands.rescore import rescore

    return rescore(options.folder, options.file, options.into)


def _compare(options: argparse.Namespace) -> int:
    from proposer.commands.compare import compare

    return compare(options.folders, as_json=options.json)


def _merge(options: argparse.Namespace) -> int:
    from proposer.commands.merge import merge

    return merge(options.into, options.folders)


def _export(options: argparse.Namespace) -> int:
    if options.kind == "slha":
        from proposer.commands.spectra import Makers, export_spectra

        makers = Makers(places=options.evaluator, security=read_security(options), wait=options.wait)
        return export_spectra(options.folder, makers)
    from proposer.commands.export import export

    return export(options.folder, options.kind)


def _plot(options: argparse.Namespace) -> int:
    from proposer.show.plots import View, and_png, plot

    if options.x is not None and options.y is None:
        example = f"`lodescan plot {quoted(options.folder)} {shlex.quote(options.x)} NLL`"
        raise UsageError(
            "a picture needs two columns", next_step=f"name two columns to draw, or none, such as {example}"
        )
    names = [column for column in (options.x, options.y) if column is not None]
    view = View(options.zoom is not None, options.xlog, options.ylog, options.colour)
    if options.profile:
        from proposer.report.profile_picture import draw_profile
        from proposer.show.profiles import LEVELS

        if not names:
            raise UsageError("a profile needs two columns", next_step="name a variable for x and one for y")
        if options.colour is not None:
            raise UsageError("a profile has the colours of its levels", next_step="leave out --colour or --profile")
        levels = options.levels or LEVELS
        path = draw_profile(options.folder, names, levels, options.file, view, say=print)
        print(f"drawn: {path if options.file is not None else and_png(path)}")
        return 0
    if options.levels is not None:
        raise UsageError("--levels are those of the regions of a profile", next_step="add --profile")
    return plot(options.folder, names, options.file, view)


def _report(options: argparse.Namespace) -> int:
    from proposer.commands.report import report

    return report(options.folders, options.file)


def _serve(options: argparse.Namespace) -> int:
    from proposer.commands.serve import serve

    return serve(options.folders, options.listen, insecure=options.insecure)


def _init(options: argparse.Namespace) -> int:
    from proposer.commands.drafting.draft import Draft
    from proposer.commands.init import Given, init

    draft = Draft(
        name=options.name,
        function=options.function,
        command=options.command,
        points=options.points,
        threshold=options.threshold,
    )
    return init(options.file, draft, Given(options.variable, options.observable, options.slha, options.entry))


def _completion(options: argparse.Namespace) -> int:
    import shtab

    print(shtab.complete(make_parser(), options.shell))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from proposer.commands.doctor import doctor

    return doctor(options.evaluator, security=read_security(options))


def _certificates(options: argparse.Namespace) -> int:
    from proposer.commands.certificates import certificates

    return certificates(options.folder, options.hosts, options.days)


def _convert(options: argparse.Namespace) -> int:
    from proposer.commands.convert import convert

    return convert(options.file)


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "scan": _scan,
    "run": _both,
    "check": _check,
    "watch": _watch,
    "status": _status,
    "point": _point,
    "retry": _retry,
    "rescore": _rescore,
    "compare": _compare,
    "merge": _merge,
    "export": _export,
    "plot": _plot,
    "init": _init,
    "completion": _completion,
    "doctor": _doctor,
    "report": _report,
    "serve": _serve,
    "certificates": _certificates,
    "convert": _convert,
}
"""The function of each command of the parser."""
