"""The commands of `lodescan` with their arguments and options."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from proposer.commands.arguments import Once, count, levels, seconds
from proposer.commands.security import add_security_options
from scanspec import DEFAULT_ADDRESS
from scanspec.intermixed import IntermixedParser
from scanspec.observing import add_watching_options

_WHERE = (
    "where evaluators listen, one place or more: HOST:PORT, unix:PATH, dns:///NAME:PORT for every address of a name, "
    f"dir:FOLDER for those that `serve --announce FOLDER` (default: {DEFAULT_ADDRESS})"
)


def make_parser() -> argparse.ArgumentParser:
    """The parser. It stores the name of the command as `chosen`."""
    parser = argparse.ArgumentParser(
        prog="lodescan",
        description="Finds the good regions of a parameter space with few evaluations of a physics code.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="chosen", parser_class=IntermixedParser)

    def add(name: str, does: str, parents: Sequence[IntermixedParser] = ()) -> IntermixedParser:
        return commands.add_parser(name, parents=parents, help=does, description=f"{does[0].upper()}{does[1:]}.")

    json = IntermixedParser(add_help=False)
    json.add_argument("--json", action="store_true", help="write JSON to standard output, one object on each line")
    evaluator = IntermixedParser(add_help=False)
    add_security_options(evaluator)

    run = IntermixedParser(add_help=False)
    run.add_argument("file", type=Path, help="the scan file")
    run.add_argument("--quiet", action="store_true", help="write only warnings and errors")
    run.add_argument("--run", type=Path, dest="folder", metavar="DIR", help="the run's folder (default: runs/RUN_NAME)")
    run.add_argument(
        "--seed",
        type=count,
        help="the seed of all random numbers (default: that of the file, or a random one, which is recorded)",
    )
    run.add_argument(
        "--wait",
        type=seconds,
        metavar="SECONDS",
        help="how long to wait for an evaluator (default: 60 at the start, 600 later)",
    )
    run.add_argument(
        "--eager",
        action="store_true",
        help="choose new points before all results of the last ones have come: no worker waits, but the same seed does "
        "not give the same points again",
    )
    run.add_argument(
        "--same-physics",
        action="store_true",
        help="continue although files of the codes have changed. You state that they still compute the same, for "
        "example because only a comment has changed; the manifest records this",
    )
    run.add_argument(
        "--no-report", action="store_true", help="write no report.html at the end; `lodescan report` writes it later"
    )
    add_watching_options(run)
    scan = add("scan", "run a scan, or continue one that has stopped", [run, evaluator, json])
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

    both = add("run", "run or continue a scan, and start an evaluator for it on this machine", [run, json])
    both.add_argument(
        "--workers", type=count, metavar="N", help="how many points run at once (default: one for each core)"
    )

    check = add(
        "check",
        "read a scan file and report its errors; with --evaluator, compare it with an evaluator",
        [evaluator, json],
    )
    check.add_argument("file", type=Path, help="the scan file")
    check.add_argument("--evaluator", action="extend", nargs="+", metavar="PLACE", help="where evaluators listen")

    watch = add("watch", "show the live display of a scan that runs elsewhere", [json])
    watch.add_argument("folder", type=Path, metavar="DIR", help="the run's folder")

    status = add("status", "show what a run has found so far, also while it is running", [json])
    status.add_argument("folder", type=Path, metavar="DIR", help="the run's folder")

    point = add("point", "show a stored point in full, and the command that evaluates it again", [json])
    point.add_argument("folder", type=Path, metavar="RUN", help="the run's folder")
    point.add_argument("number", type=count, metavar="ID", help="the point's id, as in good_points.csv")

    retry = add("retry", "evaluate stored points again, for example those that have failed", [evaluator, json])
    retry.add_argument("folder", type=Path, metavar="DIR", help="the run's folder")
    retry.add_argument(
        "--status",
        choices=["OK", "INVALID", "FAILED", "TIMED_OUT"],
        action="append",
        dest="statuses",
        help="which points are evaluated again; may be given several times (default: FAILED and TIMED_OUT)",
    )
    retry.add_argument("--evaluator", action="extend", nargs="+", metavar="PLACE", help=_WHERE)
    retry.add_argument(
        "--wait", type=seconds, default=60.0, metavar="SECONDS", help="how long to wait for an evaluator (default: 60)"
    )
    retry.add_argument(
        "--same-physics",
        action="store_true",
        help="accept that files of the codes have changed, for example because you repaired a code",
    )

    rescore = add(
        "rescore",
        "make a new run from stored points, with the means, windows or threshold of another scan file",
        [json],
    )
    rescore.add_argument("folder", type=Path, metavar="DIR", help="the folder of the run with the points")
    rescore.add_argument("--scan", type=Path, required=True, dest="file", metavar="NEW", help="the new scan file")
    rescore.add_argument("--run", type=Path, dest="into", metavar="DIR", help="the new folder (default: runs/RUN_NAME)")

    compare = add("compare", "compare two runs point by point", [json])
    compare.add_argument("folders", nargs=2, type=Path, metavar="DIR", help="the runs' folders")

    merge = add("merge", "put the points of several runs into one new run", [json])
    merge.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="folders of runs of one scan file")
    merge.add_argument("--run", type=Path, required=True, dest="into", metavar="NEW", help="the new folder")

    export = add("export", "write the points of a run for other programs", [evaluator])
    export.add_argument("folder", type=Path, metavar="DIR", help="the run's folder")
    export.add_argument(
        "--format",
        choices=["csv", "parquet", "hdf5", "getdist", "anesthetic", "arviz", "slha"],
        default="csv",
        dest="kind",
        help="all points as a table: csv (the default), parquet, hdf5; the good ones: getdist, anesthetic, arviz, slha",
    )
    export.add_argument(
        "--evaluator",
        action="extend",
        nargs="+",
        default=[],
        metavar="PLACE",
        help="with slha: evaluators that make missing files again",
    )
    export.add_argument(
        "--wait", type=seconds, default=60.0, metavar="SECONDS", help="how long to wait for an evaluator (default: 60)"
    )

    plot = add(
        "plot", "draw two columns of a run; without columns, the pictures of its scan file or every pair of variables"
    )
    plot.add_argument("folder", type=Path, metavar="DIR", help="the run's folder")
    plot.add_argument("x", nargs="?", help="a variable, an observable or NLL")
    plot.add_argument("y", nargs="?", help="another of these")
    plot.add_argument(
        "--file", type=Path, help="the picture to write: .pdf, .png, .svg or .jpg (default: a PDF in the run's plots/)"
    )
    plot.add_argument("--zoom", choices=["good"], help="show only the part where the good points are")
    plot.add_argument("--xlog", action="store_true", help="a logarithmic x axis")
    plot.add_argument("--ylog", action="store_true", help="a logarithmic y axis")
    plot.add_argument("--colour", metavar="NAME", help="colour the points by NLL, a variable or an observable")
    plot.add_argument(
        "--profile", action="store_true", help="draw the regions of the profile NLL of x and y, and the best point"
    )
    plot.add_argument(
        "--levels",
        type=levels,
        default=(0.68, 0.95),
        metavar="68,95",
        help="levels of the regions in %% (default: 68,95)",
    )

    init = add("init", "write a commented scan file; it asks for what the flags do not say")
    init.add_argument("file", type=Path, help="the scan file to write")
    init.add_argument("--name", default="", help="name of the run (default: that of the file)")
    source = init.add_mutually_exclusive_group()
    source.add_argument("--function", default="", metavar="MODULE:NAME", help="a Python function beside the file")
    source.add_argument("--command", default="", help="a program, as a command line with {input} and {output}")
    init.add_argument(
        "--slha", type=Path, metavar="FILE", help="an input file of the program; its numbers become variables"
    )
    init.add_argument(
        "--variable", action="append", default=[], metavar="NAME=LOW,HIGH", help="a variable; may be repeated"
    )
    init.add_argument(
        "--observable", action="append", default=[], metavar="NAME=MEAN,SIGMA", help="an observable; may be repeated"
    )
    init.add_argument("--points", type=count, default=0, help="good points to stop at (default: 1000)")
    init.add_argument(
        "--threshold", type=float, default=math.nan, metavar="NLL", help="a point is good below this NLL (default: 3)"
    )

    completion = add("completion", "print a script that completes these commands in a shell")
    completion.add_argument("shell", choices=["bash", "zsh", "tcsh"])

    doctor = add(
        "doctor",
        "check versions, disk, locks and environments; with --evaluator, whether an evaluator can be reached",
        [evaluator],
    )
    doctor.add_argument("--evaluator", action=Once, metavar="HOST:PORT", help="where an evaluator listens")

    report = add(
        "report", "write report.html, which shows what was asked and what was found; also while the scan is running"
    )
    report.add_argument(
        "folders", type=Path, nargs="+", metavar="DIR", help="a run's folder; several are shown side by side"
    )
    report.add_argument("--file", type=Path, help="the page to write (default: report.html in the first run's folder)")

    serve = add("serve", "show runs in a browser: a list, and reports that follow the scans")
    serve.add_argument("folders", type=Path, nargs="+", metavar="DIR", help="a folder with runs, at any depth below it")
    serve.add_argument(
        "--listen",
        default="127.0.0.1:5080",
        metavar="HOST:PORT",
        help="the address of the page; a PORT alone is on this machine, and 0 is any free port (default: %(default)s)",
    )
    serve.add_argument(
        "--insecure",
        action="store_true",
        help="allow an address that other machines can reach; pages are sent in plain text",
    )

    certificates = add(
        "certificates", "make a private certificate authority, and a certificate and a token for each side"
    )
    certificates.add_argument(
        "folder", type=Path, metavar="DIR", help="the folder for these files; files that exist are kept"
    )
    certificates.add_argument(
        "--host",
        action="append",
        default=[],
        dest="hosts",
        metavar="NAME",
        help="another name of the evaluator's machine; may be repeated",
    )
    certificates.add_argument(
        "--days", type=count, default=365, help="how long the certificates are valid (default: %(default)s)"
    )

    convert = add("convert", "print a scan file of BSMArt in lodescan's own spelling, as YAML")
    convert.add_argument("file", type=Path, help="the scan file")
    return parser
