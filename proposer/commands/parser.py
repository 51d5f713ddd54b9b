"""The commands of `lodescan` with their arguments and options."""

from __future__ import annotations

import argparse
import math
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
    json = IntermixedParser(add_help=False)
    json.add_argument("--json", action="store_true", help="write JSON to standard output, one object a line")
    evaluator = IntermixedParser(add_help=False)
    add_security_options(evaluator)

    run = IntermixedParser(add_help=False)
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
    add_watching_options(run)
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

    both = commands.add_parser(
        "run", parents=[run, json], help="the same, with an evaluator of its own on this machine"
    )
    both.add_argument("--workers", type=count, metavar="N", help="points at once (default: one a core)")

    check = commands.add_parser(
        "check", parents=[evaluator, json], help="read a scan file, and compare it with an evaluator"
    )
    check.add_argument("file", type=Path, help="the scan file")
    check.add_argument("--evaluator", action="extend", nargs="+", metavar="PLACE", help="where evaluators listen")

    watch = commands.add_parser("watch", parents=[json], help="the display of a scan that runs elsewhere")
    watch.add_argument("folder", type=Path, metavar="DIR", help="the run's folder")

    status = commands.add_parser("status", parents=[json], help="what a run has found so far; also while it runs")
    status.add_argument("folder", type=Path, metavar="DIR", help="the run's folder")

    point = commands.add_parser("point", parents=[json], help="a stored point in full, and how to run it again")
    point.add_argument("folder", type=Path, metavar="RUN", help="the run's folder")
    point.add_argument("number", type=count, metavar="ID", help="the point's id, as in good_points.csv")

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

    rescore = commands.add_parser("rescore", parents=[json], help="stored points by the constants of another scan file")
    rescore.add_argument("folder", type=Path, metavar="DIR", help="the folder of the run whose points are taken")
    rescore.add_argument("--scan", type=Path, required=True, dest="file", metavar="NEW", help="the new scan file")
    rescore.add_argument("--run", type=Path, dest="into", metavar="DIR", help="the new folder (default: runs/RUN_NAME)")

    compare = commands.add_parser("compare", parents=[json], help="two runs side by side")
    compare.add_argument("folders", nargs=2, type=Path, metavar="DIR", help="the runs' folders")

    merge = commands.add_parser("merge", parents=[json], help="the points of several runs in one folder")
    merge.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="folders of runs of one scan file")
    merge.add_argument("--run", type=Path, required=True, dest="into", metavar="NEW", help="the new folder")

    export = commands.add_parser("export", parents=[evaluator], help="write the points of a run for other programs")
    export.add_argument("folder", type=Path, metavar="DIR", help="the run's folder")
    export.add_argument(
        "--format",
        choices=["csv", "parquet", "hdf5", "getdist", "anesthetic", "arviz", "slha"],
        default="csv",
        dest="kind",
        help="all points as a table: csv (the default), parquet, hdf5; the good ones: getdist, anesthetic, arviz, slha",
    )
    export.add_argument(
        "--evaluator", action="extend", nargs="+", default=[], metavar="PLACE", help="slha: runs points without files"
    )
    export.add_argument("--wait", type=seconds, default=60.0, metavar="SECONDS", help="for an evaluator, default: 60")

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
        "--levels",
        type=levels,
        default=(0.68, 0.95),
        metavar="68,95",
        help="levels of the regions in %% (default: 68,95)",
    )

    init = commands.add_parser("init", help="write a commented scan file; asks for what the flags do not say")
    init.add_argument("file", type=Path, help="the scan file to write")
    init.add_argument("--name", default="", help="name of the run (default: that of the file)")
    source = init.add_mutually_exclusive_group()
    source.add_argument("--function", default="", metavar="MODULE:NAME", help="a Python function beside the file")
    source.add_argument("--command", default="", help="a program: a command line with {input} and {output}")
    init.add_argument("--slha", type=Path, metavar="FILE", help="inputs of the program: their numbers become variables")
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

    completion = commands.add_parser("completion", help="print a script that completes these commands in a shell")
    completion.add_argument("shell", choices=["bash", "zsh", "tcsh"])

    doctor = commands.add_parser("doctor", parents=[evaluator], help="look at versions, disk, locks and an evaluator")
    doctor.add_argument("--evaluator", action=Once, metavar="HOST:PORT", help="where an evaluator listens")

    report = commands.add_parser("report", help="write report.html: what was asked and found; also while it runs")
    report.add_argument("folders", type=Path, nargs="+", metavar="DIR", help="a run's folder; several side by side")
    report.add_argument("--file", type=Path, help="where to (default: report.html in the first run's folder)")

    serve = commands.add_parser("serve", help="show runs in a browser: a list, and reports that follow the scans")
    serve.add_argument("folders", type=Path, nargs="+", metavar="DIR", help="a folder with runs, at any depth below it")
    serve.add_argument(
        "--listen",
        default="127.0.0.1:5080",
        metavar="HOST:PORT",
        help="where to; a PORT alone is one of loopback, 0 is any free one (default: %(default)s)",
    )
    serve.add_argument(
        "--insecure", action="store_true", help="also to other machines, in plain text: only on a private network"
    )

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

    convert = commands.add_parser("convert", help="print a scan file of BSMArt in the plain spelling, as YAML")
    convert.add_argument("file", type=Path, help="the scan file")
    return parser
