"""`init_csv` (BSMArt's InitCSV): starts a scan from a table of points, with or without their NLL."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from proposer.run.tables import from_text
from proposer.space import Space
from proposer.types import Batch, Floats, Outcome, Status
from scanspec import Kind, Likelihood, ScanFile, ScanFileError, losses_and_nll, read_scan_file
from scanspec.csvfile import NotCsv, open_csv
from scanspec.document import nearest, to_number
from scanspec.numbers import not_finite
from scanspec.origins import canonical_origin, origins_of
from scanspec.parquet import is_parquet, open_parquet
from scanspec.settings import reads_rows
from scanspec.terms import Term, work_out
from scanspec.tools import call_of

if TYPE_CHECKING:
    import pandas as pd

_EMPTY = ("", "nan", "na", "n/a", "null", "none")
"""Texts in tables that stand for a missing number."""


_LIKE_NLL = ("nll", "-lnl", "lnl", "loglike", "result", "chi2", "chisq")
"""Names of other programs for the column of an NLL, in lower case."""


class InitPoints(NamedTuple):
    """n points to start from: their values (n, d), their NLLs (n,), NaN where there is none, and `notes` for the user.

    `rescored`, shape (n,): points whose NLL was computed from their `observables` (by name, shape (n,) each) with the
    likelihoods of this scan. `fault`: why the table's NLLs cannot be right; empty if they can.
    """

    batch: Batch
    values: Floats
    nll: Floats
    rescored: NDArray[np.bool_]
    observables: dict[str, Floats]
    notes: list[str]
    fault: str = ""

    def check(self) -> None:
        """Raises ScanFileError for impossible NLLs. A run that has begun does not call this, because it uses them
        already.
        """
        if self.fault:
            raise ScanFileError(self.fault)

    def outcomes(self, scan: ScanFile, names: Sequence[str]) -> list[Outcome | None]:
        """The known result of each point, None for points without an NLL. `names`: the observables in the evaluator's
        order.
        """
        table = np.column_stack([self.observables.get(name, np.full(len(self.nll), np.nan)) for name in names])
        likelihoods = {observable.name: observable.likelihood for observable in scan.all_observables()}
        losses = losses_and_nll([likelihoods.get(name, Likelihood()) for name in names], table)[0]
        return [
            None
            if math.isnan(nll)
            else Outcome(0, Status.OK, nll, table[row].tolist(), losses[row].tolist())
            if self.rescored[row]
            else Outcome(0, Status.OK, nll)
            for row, nll in enumerate(self.nll.tolist())
        ]


def init_path(scan: ScanFile) -> Path | None:
    """The path of the table that a scan starts from; None without one."""
    name = scan.setup.text("init_csv", "")
    return scan.folder / name if name else None


def init_digest(scan: ScanFile) -> str:
    """The SHA-256 of this table, in hex; "" without one. Raises ScanFileError if it cannot be read."""
    path = init_path(scan)
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() if path is not None else ""
    except OSError as error:
        raise scan.setup.error(f"init_csv: {path} cannot be read ({error.strerror})", "init_csv") from error


def read_init_csv(scan: ScanFile, space: Space) -> InitPoints | None:
    """Reads the points of the table; None if the scan has no table.

    Columns may be in any order, among others. Raises ScanFileError, with the line of the table, for a missing column, a
    value that is not a number, or a point outside a range.
    """
    path = init_path(scan)
    if path is None:
        return None
    try:
        header, table = _read_table(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise scan.setup.error(f"init_csv: {path} cannot be read as CSV ({reason})", "init_csv") from None
    _check_header(scan, path, header)
    x = np.column_stack([_numbers(path, table, variable.name, required=True) for variable in scan.variables])
    _check_ranges(scan, path, table, x, space)
    nll = _numbers(path, table, "NLL", required=False) if "NLL" in table.columns else np.full(len(table), np.nan)
    repeated = _repeated(path, table, x, nll)  # before `_rescore` changes the NLLs
    rescored, observables = _rescore(scan, table, nll)
    believed = np.isfinite(nll) & ~rescored
    notes = [*_notes_on_table(scan, path, header, table), *repeated]
    if rescored.any():
        notes.append(
            f"init_csv: the NLLs of {rescored.sum():,} points are computed anew from the table's observables"
            f"{_other_codes(scan, path)}"
        )
    if believed.any() and not reads_rows(scan.setup):
        notes.append(
            f"init_csv: the NLLs of {believed.sum():,} points are taken unchanged from {path}; without the column "
            f"NLL the points are evaluated{_other_likelihood(scan, path)}"
        )
    return InitPoints(
        Batch(space.to_unit(x), ["init"] * len(table), 0),
        x,
        nll=nll,
        rescored=rescored,
        observables=observables,
        notes=notes,
        fault="" if reads_rows(scan.setup) else _fault_of(scan, path, table, np.where(believed, nll, np.inf)),
    )


def _check_header(scan: ScanFile, path: Path, header: Sequence[str]) -> None:
    """Raises ScanFileError unless the table has one column for each variable, and at most one for the NLL."""
    names = [variable.name for variable in scan.variables]
    missing = [name for name in names if name not in header]
    if missing and all(to_number(name) is not None for name in header):
        raise scan.setup.error(
            f"init_csv: {path} begins with a line of numbers; put a line with the names of the columns above it, such "
            f"as {','.join(names)}",
            "init_csv",
        )
    if missing:
        raise scan.setup.error(
            f"init_csv: {path} has no column {', '.join(map(repr, missing))}; it has "
            f"{', '.join(map(repr, header[:40]))}{nearest(missing[0], header)}",
            "init_csv",
        )
    if twice := [name for name in [*names, "NLL"] if header.count(name) > 1]:
        raise scan.setup.error(f"init_csv: {path} has the column {twice[0]!r} twice", "init_csv")


def _check_ranges(scan: ScanFile, path: Path, table: pd.DataFrame, x: Floats, space: Space) -> None:
    """Raises ScanFileError if a point, a row of `x` of shape (n, d), is outside a range or is none of its values."""
    in_space = space.inside(x)
    for column, variable in enumerate(scan.variables):
        outside = (x[:, column] < variable.low) | (x[:, column] > variable.high)
        if outside.any():
            row = int(np.argmax(outside))
            raise ScanFileError(
                f"{path}, line {table.index[row]}: {variable.name} = {x[row, column]:.12g} is outside its range "
                f"[{variable.low:.12g}, {variable.high:.12g}] of {scan.path}; widen the range or remove the row"
            )
        if not in_space[:, column].all():
            row = int(np.argmin(in_space[:, column]))
            gap = f"closer to 0 than its smallest magnitude, {variable.inner:g},"
            why = "none of its values" if variable.cardinality else gap
            raise ScanFileError(
                f"{path}, line {table.index[row]}: {variable.name} = {x[row, column]:g} is {why} in "
                f"{scan.path}; remove the row"
            )


def _notes_on_table(scan: ScanFile, path: Path, header: Sequence[str], table: pd.DataFrame) -> list[str]:
    """Notes on a column that looks like the NLL but is not read, and on a table without rows."""
    notes = [
        f"init_csv: {path} has a column {name!r}, which is not read: an NLL stands in a column `NLL`"
        for name in header
        if name != "NLL" and name.lower() in _LIKE_NLL and not reads_rows(scan.setup)
    ]
    if not len(table):
        notes.append(f"init_csv: {path} has no rows below its first line")
    return notes


def _fault_of(scan: ScanFile, path: Path, table: pd.DataFrame, nll: Floats) -> str:
    """What is wrong with an impossible NLL, such as -999 for a point that was not computed, which would be the best
    point. Empty if all NLLs are possible.
    """
    least = sum(
        min((0.0, *observable.term.values)) if observable.term is not None else observable.likelihood.least
        for observable in scan.all_observables()
    )
    if not len(nll) or nll.min() >= least - 1e-9 * max(1.0, abs(least)):  # with a tolerance for rounding
        return ""
    row = int(np.argmin(nll))
    return (
        f"{path}, line {table.index[row]}: NLL is {nll[row]:g}, but the likelihoods of {scan.path} give none below "
        f"{least:g}; remove the row, or the column NLL, and the points are evaluated"
    )


def _rescore(scan: ScanFile, table: pd.DataFrame, nll: Floats) -> tuple[NDArray[np.bool_], dict[str, Floats]]:
    """Replaces entries of `nll` by NLLs of this scan's likelihoods, if the table was written by lodescan and has all
    observables.

    Returns a mask of these points, and the observables. A point outside a window gets no NLL, so that it is evaluated.
    So does a point whose observables are not all finite, because its old NLL was made without them.
    """
    specs = scan.all_observables()
    scored = [
        observable
        for observable in specs
        if observable.likelihood.kind is not Kind.OFF or observable.valid or scan.terms_of(observable.name)
    ]
    names = [observable.name for observable in scored if observable.term is None]
    none = np.zeros(len(table), dtype=np.bool_)
    ours = {"id", "iteration", "origin", "NLL", *names} <= set(table.columns)
    if not ours or not scored or any(observable.measurement is not None for observable in specs):
        return none, {}
    every = [observable.name for observable in specs if observable.name in table.columns and observable.term is None]
    # infinite values are kept, and texts become NaN: only the NLL depends on them
    observables = {name: np.array([_number(text) for text in table[name]], dtype=float) for name in every}
    absent = np.full(len(table), np.nan)
    values = np.column_stack([observables.get(observable.name, absent) for observable in scored])
    values = work_out([observable.name for observable in scored], [observable.term for observable in scored], values)
    observables |= {observable.name: values[:, j] for j, observable in enumerate(scored) if observable.term is not None}
    nll[~np.isfinite(values).all(axis=1)] = np.nan
    rescored = np.isfinite(nll)
    nll[rescored] = losses_and_nll([observable.likelihood for observable in scored], values[rescored])[1]
    for observable in scored:
        if observable.valid is not None:
            low, high = observable.valid
            outside = (observables[observable.name] < low) | (observables[observable.name] > high)
            nll[rescored & outside] = np.nan
    return rescored & np.isfinite(nll), observables


def _repeated(path: Path, table: pd.DataFrame, x: Floats, nll: Floats) -> list[str]:
    """A note if a point is in several rows with different NLLs; the first row counts."""
    first: dict[bytes, int] = {}
    for row, point in enumerate(x):
        before = first.setdefault(point.tobytes(), row)
        if nll[row] != nll[before] and np.isfinite([nll[row], nll[before]]).any():
            one, other = table.index[before], table.index[row]
            both = f"with the NLL {nll[before]:g} and {nll[row]:g}"
            return [f"init_csv: {path}, lines {one} and {other} are one point {both}; the first row of a point counts"]
    return []


def _other_likelihood(scan: ScanFile, path: Path) -> str:
    """A note if the run that wrote the table had another likelihood, as far as its folder still shows it."""
    if (made_by := _scan_beside(path)) is None:
        return ""
    before, now = _likelihoods(made_by), _likelihoods(scan)
    changed = [name for name in before if name in now and before[name] != now[name]]
    if before and (changed or set(before) != set(now)):
        changed_columns = f" of {', '.join(changed)}" if changed else ""
        return f". They were made with another likelihood{changed_columns}: see {made_by.path}"
    return ""


def _other_codes(scan: ScanFile, path: Path) -> str:
    """The same for the codes that have given the observables."""
    if (made_by := _scan_beside(path)) is None:
        return ""
    (calls, before), (our_calls, now) = _codes(made_by), _codes(scan)
    if calls == our_calls and all(now[name] == before[name] for name in set(now) & set(before)):
        return ""
    return (
        f", which were made by other codes: see {made_by.path}. If they give other numbers, remove the column NLL, and "
        "the points are evaluated"
    )


def _scan_beside(table: Path) -> ScanFile | None:
    """The scan file of the run that wrote a table; None if its folder is not there."""
    files = [file for file in sorted(table.parent.glob("scan.*")) if file.suffix in (".yaml", ".yml", ".json")]
    try:
        return read_scan_file(files[0]) if files else None
    except ScanFileError:
        return None


def _codes(scan: ScanFile) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """What runs, and where each observable comes from."""
    origins = {what: canonical_origin(what, text) for what, text in origins_of(scan).items()}
    observables = {what: origin for what, origin in origins.items() if what.startswith("observable ")}
    return [call_of(code.section, code.name) for code in scan.codes], observables


def _likelihoods(scan: ScanFile) -> dict[str, tuple[Likelihood, Term | None]]:
    return {observable.name: (observable.likelihood, observable.term) for observable in scan.all_observables()}


def _read_table(path: Path) -> tuple[list[str], pd.DataFrame]:
    """The names in the first line, and the non-empty rows as texts. The index of the table has their line numbers."""
    import pandas as pd  # imported here, because most scans have no table

    with (open_parquet if is_parquet(path) else open_csv)(path) as (names, rows):
        found = list(rows)
    header = [from_text(name) for name in names]
    if not any(header):
        raise NotCsv("its first line names no column")
    table = pd.DataFrame([row for _, row in found], index=[line for line, _ in found], columns=header, dtype=str)
    return header, table


def _numbers(path: Path, table: pd.DataFrame, name: str, *, required: bool) -> Floats:
    values = np.array([_number(text) for text in table[name]], dtype=float)
    empty = np.array([text.strip().lower() in _EMPTY for text in table[name]], dtype=bool)
    wrong = ~np.isfinite(values) & (required | ~empty)
    if wrong.any():
        row, others = int(np.argmax(wrong)), [str(line) for line in table.index[wrong][1:]]
        also = f" (nor in line {', '.join(others[:5])}{', ...' if len(others) > 5 else ''})" if others else ""
        raise ScanFileError(f"{path}, line {table.index[row]}: {not_finite(name, table[name].iloc[row])}{also}")
    return values


def _number(text: object) -> float:
    """The nearest double, so that a table of a run is read back exactly; NaN for anything but a number."""
    number = to_number(text)
    return math.nan if number is None else number
