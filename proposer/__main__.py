"""The commands of the proposer.

torch is imported by the scan alone, so that the others answer at once.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proposer.commands.arguments import Once, Visible, count, levels, seconds
from proposer.commands.security import add_security_options, read_security
from proposer.commands.signals import Interrupted, interruptible
from proposer.show.voice import Voice, speaking, tell, voice
from scanspec import DEFAULT_ADDRESS, LodescanError, UsageError, visible
from scanspec.logs import logging_to_stderr

if TYPE_CHECKING:
    from proposer.commands.scan import ScanOptions

BAD_INPUT, NO_ROOM = 2, 74
_WHERE = (
    "where evaluators listen, one place or more: HOST:PORT, unix:PATH, dns:///NAME:PORT for every address of a name, "
    f"dir:FOLDER for those that `serve --announce FOLDER` (default: {DEFAULT_ADDRESS})"
)


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns its exit code: 0 done, 2 bad input, 3 no evaluator, 4 every point failed, 5 no point
    was good, 74 no room on the disk, 128 + n on signal n.
    """
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what it logs is said in our own words
    options = _parser().parse_args(arguments)
    how = Voice.JSON if getattr(options, "json", False) else Voice.QUIET if getattr(options, "quiet", False) else None
    with interruptible(), logging_to_stderr(), speaking(how or Voice.PEOPLE):
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    try:
        code: int = options.run(options)
    except LodescanError as error:
        if voice() is Voice.JSON:
            tell("error", {"text": error.message, "next_step": error.next_step, "code": error.exit_code})
        _complain(error.tell())
        return error.exit_code
    except Interrupted as interrupted:
        _complain("interrupted; the same command goes on where this stopped")
        return 128 + interrupted.number
    except ModuleNotFoundError as error:  # both sides install each other's commands
        _complain(
            f"{error.name} is missing: run it in the proposer's environment, .envs/proposer/bin/lodescan "
            "(pip install '.[proposer]' in the clone makes another)"
        )
        return BAD_INPUT
    except BrokenPipeError:  # the reader of our output, such as head, has gone
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:  # a folder that went away, a disk that is full: what was committed is kept
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        _complain(
            f"{error.filename or 'its own output'}: {error.strerror or error}; "
            + ("make room on the disk" if full else "see whether it is there, and whose it is")
            + ", then give the same command again: what was committed is kept"
        )
        return NO_ROOM if full else BAD_INPUT
    return code


def _complain(text: str) -> None:
    print(f"lodescan: {visible(text)}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lodescan",
        description="Finds the good regions of a parameter space with few evaluations of a physics code.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    json = argparse.ArgumentParser(add_help=False)
    json.add_argument("--json", action="store_true", help="write JSON to standard output, one object a line")
    evaluator = argparse.ArgumentParser(add_help=False)
    add_security_options(evaluator)

    run = argparse.ArgumentParser(add_help=False)
    run.add_argument("file", type=Path, help="the scan file")
    run.add_argument("--quiet", action="store_true", help="say nothing but warnings and errors")
    run.add_argument("--run", type=Path, dest="folder", metavar="DIR", help="the run's folder (default: runs/RUN_NAME)")
    run.add_argument("--seed", type=count, help="of all random draws (default: the file's, else drawn and recorded)")
    run.add_argument(
        "--wait",
        type=seconds,
        metavar="SECONDS",
        help="how long to wait for an evaluator (default: 60 at the start, 600 later)",
    )
    run.add_argument(
        "--eager",
        action="store_true",
        help="ask for points before the evaluator has nothing left to do, by the results that have come: no worker "
        "waits, but the seed does not give the same points again",
    )
    run.add_argument(
        "--same-physics",
        action="store_true",
        help="go on although files of the codes have changed: your word, kept in the manifest, that they still compute "
        "the same (only a comment was changed, say)",
    )
    run.add_argument(
        "--no-report", action="store_true", help="write no report.html at the end; `lodescan report` writes it later"
    )
    scan = commands.add_parser("scan", parents=[run, evaluator, json], help="run a scan, or go on with one")
    scan.add_argument(
        "--evaluator",
        action="extend",
        nargs="+",
        metavar="PLACE",
        help=_WHERE,
    )
    scan.add_argument(
        "--no-race",
        action="store_false",
        dest="race",
        help="never send a slow point to a second evaluator whose workers are idle",
    )
    scan.set_defaults(run=_scan)

    both = commands.add_parser(
        "run", parents=[run, json], help="the same, with an evaluator of its own on this machine"
    )
    both.add_argument("--workers", type=count, metavar="N", help="points at once (default: one a core)")
    both.set_defaults(run=_both)

    check = commands.add_parser(
        "check", parents=[evaluator, json], help="read a scan file, and compare it with an evaluator"
    )
    check.add_argument("file", type=Path, help="the scan file")
    check.add_argument("--evaluator", action="extend", nargs="+", metavar="PLACE", help="where evaluators listen")
    check.set_defaults(run=_check)

    watch = commands.add_parser("watch", parents=[json], help="the display of a scan that runs elsewhere")
    watch.add_argument("folder", type=Path, metavar="DIR", help="the run's folder")
    watch.set_defaults(run=_watch)

    status = commands.add_parser("status", parents=[json], help="what a run has found so far; also while it runs")
    status.add_argument("folder", type=Path, metavar="DIR", help="the run's folder")
    status.set_defaults(run=_status)

    point = commands.add_parser("point", parents=[json], help="a stored point in full, and how to run it again")
    point.add_argument("folder", type=Path, metavar="RUN", help="the run's folder")
    point.add_argument("number", type=count, metavar="ID", help="the point's id, as in good_points.csv")
    point.set_defaults(run=_point)

    retry = commands.add_parser("retry", parents=[evaluator, json], help="evaluate stored points again")
    retry.add_argument("folder", type=Path, metavar="DIR", help="the run's folder")
    retry.add_argument(
        "--status",
        choices=["OK", "INVALID", "FAILED", "TIMED_OUT"],
        action="append",
        dest="statuses",
        help="of the points to evaluate; may be given several times (default: FAILED and TIMED_OUT)",
    )
    retry.add_argument("--evaluator", action="extend", nargs="+", metavar="PLACE", help=_WHERE)
    retry.add_argument("--wait", type=seconds, default=60.0, metavar="SECONDS", help="for an evaluator, default: 60")
    retry.add_argument(
        "--same-physics", action="store_true", help="go on although files of the codes have changed: a fault was mended"
    )
    retry.set_defaults(run=_retry)

    rescore = commands.add_parser("rescore", parents=[json], help="stored points by the constants of another scan file")
    rescore.add_argument("folder", type=Path, metavar="DIR", help="the folder of the run whose points are taken")
    rescore.add_argument("--scan", type=Path, required=True, dest="file", metavar="NEW", help="the new scan file")
    rescore.add_argument("--run", type=Path, dest="into", metavar="DIR", help="the new folder (default: runs/RUN_NAME)")
    rescore.set_defaults(run=_rescore)

    compare = commands.add_parser("compare", parents=[json], help="two runs side by side")
    compare.add_argument("folders", nargs=2, type=Path, metavar="DIR", help="the runs' folders")
    compare.set_defaults(run=_compare)

    merge = commands.add_parser("merge", parents=[json], help="the points of several runs in one folder")
    merge.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="folders of runs of one scan file")
    merge.add_argument("--run", type=Path, required=True, dest="into", metavar="NEW", help="the new folder")
    merge.set_defaults(run=_merge)

    export = commands.add_parser("export", help="write all points of a run to one table")
    export.add_argument("folder", type=Path, metavar="DIR", help="the run's folder")
    formats = ["csv", "parquet", "hdf5", "getdist"]
    export.add_argument("--format", choices=formats, default="csv", dest="kind", help="default: %(default)s")
    export.set_defaults(run=_export)

    plot = commands.add_parser("plot", help="draw a run: two columns, what its scan file asks for, or all variables")
    plot.add_argument("folder", type=Path, metavar="DIR", help="the run's folder")
    plot.add_argument("x", nargs="?", help="a variable, an observable or NLL")
    plot.add_argument("y", nargs="?", help="another one")
    plot.add_argument("--file", type=Path, help="where to, as .pdf, .png or .svg (default: plots/ in the run's folder)")
    plot.add_argument("--zoom", choices=["good"], help="only where the good points are")
    plot.add_argument("--xlog", action="store_true", help="a logarithmic x axis")
    plot.add_argument("--ylog", action="store_true", help="a logarithmic y axis")
    plot.add_argument("--colour", metavar="NAME", help="colour the points by NLL, a variable or an observable")
    plot.add_argument("--profile", action="store_true", help="the profile NLL of x and y: regions, and the best point")
    plot.add_argument(
        "--levels", type=levels, default=(0.68, 0.95), metavar="68,95", help="of the regions, in %% (default: 68,95)"
    )
    plot.set_defaults(run=_plot)

    init = commands.add_parser("init", help="write a commented scan file; asks for what the flags do not say")
    init.add_argument("file", type=Path, help="the scan file to write")
    init.add_argument("--name", default="", help="of the run (default: that of the file)")
    source = init.add_mutually_exclusive_group()
    source.add_argument("--function", default="", metavar="MODULE:NAME", help="a Python function beside the file")
    source.add_argument("--command", default="", help="a program: a command line with {input} and {output}")
    init.add_argument("--slha", type=Path, metavar="FILE", help="inputs of the program: their numbers become variables")
    init.add_argument("--variable", action="append", default=[], metavar="NAME=LOW,HIGH", help="may be repeated")
    init.add_argument("--observable", action="append", default=[], metavar="NAME=MEAN,SIGMA", help="may be repeated")
    init.add_argument("--points", type=count, default=0, help="good points to stop at (default: 1000)")
    init.set_defaults(run=_init)

    completion = commands.add_parser("completion", help="print a script that completes these commands in a shell")
    completion.add_argument("shell", choices=["bash", "zsh", "tcsh"])
    completion.set_defaults(run=_completion)

    doctor = commands.add_parser("doctor", parents=[evaluator], help="look at versions, disk, locks and an evaluator")
    doctor.add_argument("--evaluator", action=Once, metavar="HOST:PORT", help="where an evaluator listens")
    doctor.set_defaults(run=_doctor)

    report = commands.add_parser("report", help="write report.html: what was asked and found; also while it runs")
    report.add_argument("folders", type=Path, nargs="+", metavar="DIR", help="a run's folder; several side by side")
    report.add_argument("--file", type=Path, help="where to (default: report.html in the first run's folder)")
    report.set_defaults(run=_report)

    certificates = commands.add_parser(
        "certificates", help="make a private authority, and a certificate and a token for each side"
    )
    certificates.add_argument("folder", type=Path, metavar="DIR", help="for all of it; what is there is kept")
    certificates.add_argument(
        "--host", action="append", default=[], dest="hosts", metavar="NAME", help="a further name of the evaluator"
    )
    certificates.add_argument(
        "--days", type=count, default=365, help="how long the certificates are valid (default: %(default)s)"
    )
    certificates.set_defaults(run=_certificates)

    convert = commands.add_parser("convert", help="print a scan file of BSMArt in the plain spelling, as YAML")
    convert.add_argument("file", type=Path, help="the scan file")
    convert.set_defaults(run=_convert)
    return parser


def _scan(options: argparse.Namespace) -> int:
    from proposer.commands.scan import scan

    own = _scan_options(options, security=read_security(options), race=options.race)
    return scan(options.file, options.evaluator or [DEFAULT_ADDRESS], own)


def _both(options: argparse.Namespace) -> int:
    from proposer.commands.run import run

    return run(options.file, options.workers, _scan_options(options))


def _scan_options(options: argparse.Namespace, **others: Any) -> ScanOptions:
    from proposer.commands.scan import ScanOptions

    return ScanOptions(
        folder=options.folder,
        seed=options.seed,
        wait=options.wait,
        eager=options.eager,
        same_physics=options.same_physics,
        report=not options.no_report,
        **others,
    )


def _check(options: argparse.Namespace) -> int:
    from proposer.commands.check import check

    with contextlib.redirect_stdout(Visible(sys.stdout)):
        return check(options.file, options.evaluator or [], security=read_security(options), as_json=options.json)


def _status(options: argparse.Namespace) -> int:
    from proposer.commands.status import status

    with contextlib.redirect_stdout(Visible(sys.stdout)):
        return status(options.folder, as_json=options.json)


def _watch(options: argparse.Namespace) -> int:
    from proposer.commands.watch import watch

    return watch(options.folder)


def _point(options: argparse.Namespace) -> int:
    from proposer.commands.point import point

    with contextlib.redirect_stdout(Visible(sys.stdout)):
        return point(options.folder, options.number, as_json=options.json)


def _retry(options: argparse.Namespace) -> int:
    from proposer.commands.retry import Retry, retry
    from proposer.types import Status

    statuses = [Status[name] for name in options.statuses or ("FAILED", "TIMED_OUT")]
    how = Retry(
        statuses=statuses,
        places=options.evaluator or [DEFAULT_ADDRESS],
        security=read_security(options),
        wait=options.wait,
        same_physics=options.same_physics,
    )
    return retry(options.folder, how)


def _rescore(options: argparse.Namespace) -> int:
    from proposer.commands.rescore import rescore

    return rescore(options.folder, options.file, options.into)


def _compare(options: argparse.Namespace) -> int:
    from proposer.commands.compare import compare

    with contextlib.redirect_stdout(Visible(sys.stdout)):
        return compare(options.folders, as_json=options.json)


def _merge(options: argparse.Namespace) -> int:
    from proposer.commands.merge import merge

    return merge(options.into, options.folders)


def _export(options: argparse.Namespace) -> int:
    from proposer.commands.export import export

    return export(options.folder, options.kind)


def _plot(options: argparse.Namespace) -> int:
    from proposer.show.plots import View, plot

    if options.x is not None and options.y is None:
        raise UsageError("one column makes no picture", next_step="name two columns to draw, or none")
    names = [each for each in (options.x, options.y) if each is not None]
    view = View(options.zoom is not None, options.xlog, options.ylog, options.colour)
    if options.profile:
        from proposer.commands.profile import draw_profile

        if not names:
            raise UsageError("a profile needs two columns", next_step="name a variable for x and one for y")
        return draw_profile(options.folder, names, options.levels, options.file, view)
    return plot(options.folder, names, options.file, view)


def _report(options: argparse.Namespace) -> int:
    from proposer.commands.report import report

    return report(options.folders, options.file)


def _init(options: argparse.Namespace) -> int:
    from proposer.commands.init import Draft, init, read_range

    draft = Draft(
        name=options.name,
        function=options.function,
        command=options.command,
        variables=dict(map(read_range, options.variable)),
        observables=dict(map(read_range, options.observable)),
        points=options.points,
    )
    return init(options.file, draft, options.slha)


def _completion(options: argparse.Namespace) -> int:
    import shtab

    print(shtab.complete(_parser(), options.shell))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from proposer.commands.doctor import doctor

    with contextlib.redirect_stdout(Visible(sys.stdout)):
        return doctor(options.evaluator, security=read_security(options))


def _certificates(options: argparse.Namespace) -> int:
    from proposer.commands.certificates import certificates

    return certificates(options.folder, options.hosts, options.days)


def _convert(options: argparse.Namespace) -> int:
    from proposer.commands.convert import convert

    return convert(options.file)


if __name__ == "__main__":
    sys.exit(main())
