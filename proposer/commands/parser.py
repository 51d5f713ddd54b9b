"""The commands of `lodescan` with their arguments and options."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from proposer.commands.arguments import Once, count, levels, seconds
from proposer.commands.security import add_security_options
from scanspec import DEFAULT_ADDRESS, VERSION
from scanspec.intermixed import IntermixedParser, Parser
from scanspec.observing import add_watching_options

_WHERE = (
    "addresses of evaluators: HOST:PORT, unix:PATH, dns:///NAME:PORT for all addresses of a name, dir:FOLDER for all "
    f"evaluators that were started with `serve --announce FOLDER` (default: {DEFAULT_ADDRESS})"
)


def make_parser() -> argparse.ArgumentParser:
    """The parser. It stores the name of the command as `chosen`."""
    parser = Parser(
        prog="lodescan",
        description="Finds the good regions of a parameter space with few evaluations of a physics code.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="chosen", parser_class=IntermixedParser)

    def add(name: str, does: str, parents: Sequence[IntermixedParser] = ()) -> IntermixedParser:
        return commands.add_parser(name, parents=parents, help=does, description=f"{does[0].upper()}{does[1:]}.")

    json = IntermixedParser(add_help=False)
    json.add_argument("--json", action="store_true", help="write JSON to standard output, one object per line")
    evaluator = IntermixedParser(add_help=False)
    add_security_options(evaluator)

    run = IntermixedParser(add_help=False)
    run.add_argument("file", type=Path, help="the scan file")
    run.add_argument("--quiet", action="store_true", help="print only warnings and errors")
    run.add_argument("--run", type=Path, dest="folder", metavar="DIR", help="the run's folder (default: runs/RUN_NAME)")
    run.add_argument(
        "--seed", type=count, help="the random seed (default: that of the file, else a random one, which is stored)"
    )
    run.add_argument(
        "--wait",
        type=seconds,
        metavar="SECONDS",
        help="time to wait for an evaluator (default: 60 at the start, 600 later)",
    )
    run.add_argument(
        "--eager",
        action="store_true",
        help="propose new points before all results have come, so that no worker waits; then the seed does not "
        "reproduce the points",
    )
    run.add_argument(
        "--same-physics",
        action="store_true",
        help="continue although files of the codes have changed; you confirm that they compute the same, for example "
        "because only a comment was changed (the manifest records this)",
    )
    run.add_argument(
        "--no-report", action="store_true", help="write no report.html at the end; `lodescan report` writes it later"
    )
    add_watching_options(run)
    scan = add("scan", "run or continue a scan", [run, evaluator, json])
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

    both = add("run", "run or continue a scan with its own evaluator on this machine", [run, json])
    both.add_argument("--workers", type=count, metavar="N", help="number of points at once (default: one per core)")

    check = add("check", "read a scan file, and compare it with an evaluator", [evaluator, json])
    check.add_argument("file", type=Path, help="the scan file")
    check.add_argument("--evaluator", action="extend", nargs="+", metavar="PLACE", help="where evaluators listen")

    watch = add("watch", "show the display of a scan that runs elsewhere", [json])
    watch.add_argument("folder", type=Path, metavar="DIR", help="the run's folder")

    status = add("status", "show the results of a run so far, also during the scan", [json])
    status.add_argument("folder", type=Path, metavar="DIR", help="the run's folder")

    point = add("point", "show a stored point in full, and the command that runs it again", [json])
    point.add_argument("folder", type=Path, metavar="RUN", help="the run's folder")
    point.add_argument("number", type=count, metavar="ID", help="the point's id, as in good_points.csv")

    retry = add("retry", "evaluate stored points again", [evaluator, json])
    retry.add_argument("folder", type=Path, metavar="DIR", help="the run's folder")
    retry.add_argument(
        "--status",
        choices=["OK", "INVALID", "FAILED", "TIMED_OUT"],
        action="append",
        dest="statuses",
        help="evaluate points with this status; may be given several times (default: FAILED and TIMED_OUT)",
    )
    retry.add_argument("--evaluator", action="extend", nargs="+", metavar="PLACE", help=_WHERE)
    retry.add_argument(
        "--wait", type=seconds, default=60.0, metavar="SECONDS", help="time to wait for an evaluator (default: 60)"
    )
    retry.add_argument(
        "--same-physics",
        action="store_true",
        help="continue although files of the codes have changed, for example to correct an error",
    )

    rescore = add("rescore", "compute the NLL of stored points with the constants of another scan file", [json])
    rescore.add_argument("folder", type=Path, metavar="DIR", help="the folder of the run with the points")
    rescore.add_argument("--scan", type=Path, required=True, dest="file", metavar="NEW", help="the new scan file")
    rescore.add_argument("--run", type=Path, dest="into", metavar="DIR", help="the new folder (default: runs/RUN_NAME)")

    compare = add("compare", "compare two runs", [json])
    compare.add_argument("folders", nargs=2, type=Path, metavar="DIR", help="the runs' folders")

    merge = add("merge", "put the points of several runs into one folder", [json])
    merge.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="folders of runs of one scan file")
    merge.add_argument("--run", type=Path, required=True, dest="into", metavar="NEW", help="the new folder")

    export = add("export", "write the points of a run for other programs", [evaluator])
    export.add_argument("folder", type=Path, metavar="DIR", help="the run's folder")
    export.add_argument(
        "--format",
        choices=["csv", "parquet", "hdf5", "getdist", "anesthetic", "arviz", "slha"],
        default="csv",
        dest="kind",
        help="all points as a table: csv (default), parquet, hdf5; only good points: getdist, anesthetic, arviz, slha",
    )
    export.add_argument(
        "--evaluator",
        action="extend",
        nargs="+",
        default=[],
        metavar="PLACE",
        help="slha: run good points without files again",
    )
    export.add_argument(
        "--wait", type=seconds, default=60.0, metavar="SECONDS", help="time to wait for an evaluator (default: 60)"
    )

    plot = add("plot", "draw two columns of a run, the pictures of its scan file, or all variables")
    plot.add_argument("folder", type=Path, metavar="DIR", help="the run's folder")
    plot.add_argument("x", nargs="?", help="a variable, an observable, or NLL")
    plot.add_argument("y", nargs="?", help="another variable or observable, or NLL")
    plot.add_argument(
        "--file", type=Path, help="the picture, as .pdf, .png, .svg, or .jpg (default: plots/ in the run's folder)"
    )
    plot.add_argument("--zoom", choices=["good"], help="show only the region of the good points")
    plot.add_argument("--xlog", action="store_true", help="a logarithmic x axis")
    plot.add_argument("--ylog", action="store_true", help="a logarithmic y axis")
    plot.add_argument("--colour", metavar="NAME", help="colour the points by NLL, a variable, or an observable")
    plot.add_argument(
        "--profile", action="store_true", help="draw the profile NLL of x and y, with its regions and the best point"
    )
    plot.add_argument(
        "--levels",
        type=levels,
        metavar="68,95",
        help="levels of the regions of --profile in %% (default: 68,95)",
    )

    init = add("init", "write a commented scan file, and ask for everything without a flag")
    init.add_argument("file", type=Path, help="the scan file to write")
    init.add_argument(
        "--name", default="", help="name of the run (default: the name of the file, or of its folder for scan.yaml)"
    )
    source = init.add_mutually_exclusive_group()
    source.add_argument("--function", default="", metavar="MODULE:NAME", help="a Python function in the file's folder")
    source.add_argument("--command", default="", help="a program: a command line with {input} and {output}")
    init.add_argument(
        "--slha", type=Path, metavar="FILE", help="an input file of the program, whose numbers become variables"
    )
    init.add_argument(
        "--entry",
        action="append",
        default=[],
        metavar="BLOCK,NUMBER",
        help="an entry of this file that becomes a variable, such as MINPAR,5; may be repeated (default: the numbers "
        "of MINPAR and EXTPAR, but not signs, scales, and zeros)",
    )
    init.add_argument(
        "--variable", action="append", default=[], metavar="NAME=LOW,HIGH", help="a variable; may be repeated"
    )
    init.add_argument(
        "--observable", action="append", default=[], metavar="NAME=MEAN,SIGMA", help="an observable; may be repeated"
    )
    init.add_argument("--points", type=count, default=0, help="stop at this number of good points (default: 1000)")
    init.add_argument(
        "--threshold", type=float, default=math.nan, metavar="NLL", help="a point is good below this NLL (default: 3)"
    )

    completion = add("completion", "print a script for the completion of these commands in a shell")
    completion.add_argument("shell", choices=["bash", "zsh", "tcsh", "fish"])

    doctor = add("doctor", "check versions, disk, locks, and an evaluator", [evaluator])
    doctor.add_argument("--evaluator", action=Once, metavar="HOST:PORT", help="the address of an evaluator")

    report = add("report", "write report.html with the settings and results of runs, also during the scan")
    report.add_argument(
        "folders", type=Path, nargs="+", metavar="DIR", help="the run's folder; several runs are shown side by side"
    )
    report.add_argument("--file", type=Path, help="the report (default: report.html in the first run's folder)")

    serve = add("serve", "show a list of runs in a browser, with reports that follow the scans")
    serve.add_argument("folders", type=Path, nargs="+", metavar="DIR", help="a folder with runs at any depth")
    serve.add_argument(
        "--listen",
        default="127.0.0.1:5080",
        metavar="HOST:PORT",
        help="the address; a PORT alone is on loopback, 0 picks a free port (default: %(default)s)",
    )
    serve.add_argument(
        "--insecure", action="store_true", help="serve other machines, too, in plain text: only on a private network"
    )

    certificates = add("certificates", "make a private authority, and a certificate and a token for each side")
    certificates.add_argument(
        "folder", type=Path, metavar="DIR", help="the folder; an authority and a token in it are kept"
    )
    certificates.add_argument(
        "--host", action="append", default=[], dest="hosts", metavar="NAME", help="another host name of the evaluator"
    )
    certificates.add_argument(
        "--days", type=count, default=365, help="how long the certificates are valid (default: %(default)s)"
    )

    convert = add("convert", "print a scan file of BSMArt in the plain spelling, as YAML")
    convert.add_argument("file", type=Path, help="the scan file")
    return parser
