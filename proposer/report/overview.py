"""The sections on the settings and results of a run, its best points, and its versions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from proposer.formats import plain, show_count, show_percent, show_range, show_time
from proposer.report.section import Code, Part, Rows
from proposer.report.seen import Seen
from proposer.run.citations import bibtex
from proposer.show.failures import command, is_of_a_notebook, scan_file
from proposer.types import Status
from scanspec import PriorKind, Variable
from scanspec.settings import DEFAULT
from scanspec.tools import call_of

BEST = 10
"""The number of rows in the table of best points."""

MOST_COLUMNS = 24
"""The largest number of columns in the table of best points. The exports have all columns."""

PRIORS = {
    PriorKind.UNIFORM: "uniform",
    PriorKind.LOG_UNIFORM: "uniform in the logarithm",
    PriorKind.SYMMETRIC: "uniform in the magnitude, either sign",
    PriorKind.SYMMETRIC_LOG: "uniform in the logarithm of the magnitude, either sign",
    PriorKind.SINE: "isotropic polar angle",
}


LOSSES = {
    "GAUSS": "(x − m)² / 2s²",
    "UPPER": "ln(1 + exp((x − m)/s)), an upper limit at m that is soft over s",
    "LOWER": "ln(1 + exp((m − x)/s)), a lower limit at m that is soft over s",
    "LOG": "ln(1 + (x − m)² / 2s²)",
    "BIAS": "−s ln(x/m)",
    "USER": "−ln x",
    "SIGUSER": "ln(1 + exp(−x))",
    "EXPUSER": "−x",
    "MINUSEXPUSER": "x",
    "CFUNCTION": "log10(1 + d), where d is the distance of x from the bounds",
    "JOINT_GAUSS": "χ²/2 of several observables with their covariance",
    "HALF_GAUSS": "(x − m)² / 2s², where s is the error on the side of x",
    "BARLOW": "(x − m)² / 2(ab + (a − b)(x − m)), where a and b are the errors above and below m",
    "GAUSS_UPPER": "(x − m)² / 2s² above m, 0 below",
    "GAUSS_LOWER": "(x − m)² / 2s² below m, 0 above",
    "LIMIT": "(z x/B)² / 2 above 0, where B is the bound on x, and z is 1.645 for a bound of 95 % confidence",
    "LIMIT_UPPER": "((x − B)/sB)² / 2 above the bound B, 0 below",
    "LIMIT_LOWER": "((x − B)/sB)² / 2 below the bound B, 0 above",
    "TABLE": "interpolated in a table",
}
"""−ln L of each kind of likelihood, before the cap that keeps it finite. docs/likelihoods.md has more on each."""


def found(runs: Sequence[Seen]) -> Rows:
    """A table with a column for the results of each run."""
    names = [run.name for run in runs]
    names = names if len(set(names)) == len(names) else [str(run.folder) for run in runs]
    rows: list[tuple[str, Callable[[Seen], str]]] = [
        ("good", lambda seen: f"{seen.words}"),
        ("good points", _good),
        ("evaluated points", lambda seen: f"{len(seen.ids):,}"),
        *((status.name, partial(_counted, status=status)) for status in Status),
        ("requested, without an answer", lambda seen: f"{seen.asked:,}"),
        (
            "lowest NLL",
            lambda seen: "none" if seen.best is None else f"{seen.nll[seen.best]:.6g} (point {seen.ids[seen.best]})",
        ),
        ("hit rate over the prior", _prior_rate),
        ("hit rate of all points", lambda seen: show_percent(seen.good.mean())),
        ("ended because", lambda seen: seen.record.stopped or "not finished: the report shows it as it was"),
        ("time", lambda seen: show_time(seen.record.seconds)),
        ("evaluator", lambda seen: f"{seen.record.backend}, {seen.record.backend_version}".strip(", ")),
        ("method", _method),
        ("folder", lambda seen: str(seen.folder)),
    ]
    return Rows(
        "Numbers of the runs" if len(runs) > 1 else "Numbers of the run",
        ["", *names],
        [[name, *(tell(run) for run in runs)] for name, tell in rows],
    )


def _counted(seen: Seen, status: Status) -> str:
    at = seen.status == status
    return f"{int(at.sum()):,} ({show_percent(at.mean())})"


def _prior_rate(seen: Seen) -> str:
    count = int(seen.from_prior.sum())
    return (
        f"{show_percent(seen.good[seen.from_prior].mean())} of {count:,} points spread over it or drawn from it"
        if count
        else "there are none"
    )


def asked(seen: Seen) -> Part:
    """The section on the model: codes, search and stop conditions, variables with priors, observables with likelihoods,
    and the threshold.
    """
    words = [str(seen.scan.setup.text("description", ""))] if "description" in seen.scan.setup else []
    words.append(
        "Every valid point is good, because no observable has a likelihood."
        if seen.target.everything
        else f"A point is good with an {seen.words}. The NLL is −ln L, the sum of the losses: χ²/2 for Gaussian "
        "constraints."
    )
    variables = Rows(
        "Variables",
        ["variable", "range", "prior", "unit"],
        [[variable.name, _range(variable), _prior(variable), plain(variable.unit)] for variable in seen.scan.variables],
    )
    windows = {observable.name: observable.valid for observable in seen.scan.all_observables()}
    rows = []
    for observable in seen.stored.observables:
        valid = windows.get(observable.name)
        window = f"{valid[0]:g} to {valid[1]:g}" if valid is not None else ""
        likelihood = "" if observable.likelihood in ("", "OFF") else observable.likelihood.replace("+-", "±")
        rows.append([observable.name, likelihood, window, observable.code, plain(observable.unit)])
    rows.sort(key=lambda row: (not row[1], not row[2]))
    listed = rows[:60]
    more = f", the first 60 of {len(rows)}" if len(rows) > 60 else ""
    observables = Rows(f"Observables{more}", ["observable", "likelihood", "valid window", "code", "unit"], listed)
    tables = [_of_the_scan(seen), _without_empty(variables), _without_empty(observables)]
    kinds = {str(row[1]).split()[0] for row in rows if row[1]}
    if formulas := [[kind, formula] for kind, formula in LOSSES.items() if kind in kinds]:
        tables.append(Rows("The likelihoods, for an observable x with mean m and sigma s", ["kind", "−ln L"], formulas))
    return Part(words, tables=tables)


def _method(seen: Seen) -> str:
    return seen.record.method or seen.scan.setup.text("type", DEFAULT)


def _good(seen: Seen) -> str:
    good, wanted = int(seen.good.sum()), seen.record.points
    return f"{good:,} of {wanted:,} asked for" if wanted else f"{good:,}"


def _of_the_scan(seen: Seen) -> Rows:
    """A table with the codes, the search, and the conditions that end the scan."""
    setup, record = seen.scan.setup, seen.record
    codes = "; ".join(" ".join([code.name, "by", *call_of(code.section, code.name)]) for code in seen.scan.codes)
    ends = [show_count(record.points, "good point")] if record.points else []
    ends += [f"{setup.number(key):,.10g} {words}" for key, words in _ENDS.items() if key in setup]
    return Rows(
        "The scan",
        ["what", "value"],
        [
            ["codes", codes],
            ["search", _method(seen)],
            ["ends at", " or ".join(ends)],
            ["seed", str(record.seed)],
        ],
    )


_ENDS = {"max_evaluations": "evaluations", "max_hours": "hours"}


def _without_empty(table: Rows) -> Rows:
    """The table without columns that have no text in any row."""
    kept = [k for k in range(len(table.header)) if not table.rows or any(row[k] for row in table.rows)]
    return Rows(table.says, [table.header[k] for k in kept], [[row[k] for k in kept] for row in table.rows])


def _range(variable: Variable) -> str:
    return f"fixed at {show_range(variable)}" if variable.fixed else show_range(variable)


def _prior(variable: Variable) -> str:
    if variable.fixed:
        return ""
    if variable.prior is PriorKind.NORMAL:
        return f"normal, {variable.mean:g} ± {variable.sigma:g}"
    return PRIORS[variable.prior]


def best(seen: Seen) -> Part:
    """The section with a table of the best points, and the commands that run them again."""
    if seen.best is None:
        return Part(["No point has an NLL."])
    ok = np.flatnonzero(seen.ok)
    rows = ok[np.argsort(seen.nll[ok], kind="stable")[:BEST]]
    file, names = scan_file(seen.folder), [variable.name for variable in seen.stored.variables]
    shown = [*(variable.name for variable in seen.variables), *seen.likelihoods]
    shown = list(dict.fromkeys([*shown, *seen.columns]))[:MOST_COLUMNS]
    table: list[list[str | Code]] = [
        [
            f"{seen.ids[row]}",
            f"{seen.nll[row]:.6g}",
            Code(command(file, names, seen.params[row]), f"point {seen.ids[row]}"),
            *(f"{seen.columns[name][row]:.6g}" for name in shown),
        ]
        for row in rows.tolist()
    ]
    words = [
        "Each point has the call that evaluates it again, in Python."
        if is_of_a_notebook(file)
        else "Each point has the command that evaluates it again, in the folder in which the scan was started. Add "
        "--keep DIR to keep its files."
    ]
    left = len(seen.columns) - len(shown)
    if left > 0:
        words.append(f"{left} more columns are in the exports of the run.")
    return Part(words, tables=[Rows(f"The {len(rows)} best points", ["point", "NLL", "run again", *shown], table)])


def made_with(seen: Seen) -> Part:
    """The section with versions, seed, digests, and citations as BibTeX."""
    record = seen.record
    rows = [
        ["seed", str(record.seed)],
        [
            "repeatable",
            "no: parts were asked for eagerly" if record.eager else "yes: the same seed gives the same points",
        ],
        ["threads", str(record.threads)],
        ["digest of the physics", record.physics_digest],
        ["digest of the likelihood", record.likelihood_digest],
        *([f"version of {name}", str(version)] for name, version in record.versions.items()),
        *([f"source: {name}", str(digest)] for name, digest in record.sources.items()),
    ]
    rows += [
        ["said to be the same physics", f"from point {change['from_point']}: {'; '.join(change['changed'])}"]
        for change in record.same_physics
    ]
    return Part(
        ["Cite the works below, and those that the authors of the physics codes ask for."],
        tables=[Rows("Made with", ["what", "value"], rows)],
        text=bibtex(seen.scan),
    )
