"""The section `likelihoods`: terms that are functions of one or more observables."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from pathlib import Path
from statistics import NormalDist

from scanspec import keys
from scanspec.document import Section, closest, plain_name, to_number
from scanspec.likelihoods import Kind, Likelihood
from scanspec.matrix import check_ones, cholesky, read_matrix
from scanspec.observables import ObservableSpec
from scanspec.terms import ASYMMETRIC, ONE_SIDED, Term, TermKind
from scanspec.textfile import Rows, check_width, find, read_rows

MOST_OBSERVABLES = 100
"""The most observables of one joint Gaussian."""

FROM_FILES = ("mean", "covariance", "sigma", "correlation", "limit", "table")
"""Keys that may name a file."""

CONFIDENCE = 0.95
"""The confidence level of a limit for which the file gives none."""


def read_terms(section: Section, observables: Collection[str], others: Collection[str]) -> tuple[ObservableSpec, ...]:
    """Reads the terms. Each term becomes an observable of its own, whose value is the term's -ln L.

    `observables`: names that terms may be functions of; `others`: names of variables, for a better message.
    """
    found = []
    for name in section:
        with section.faults.collect():
            entry = section.section(name, keys.TERM)
            term = read_term(entry, observables, others)
            likelihood = Likelihood(Kind.MINUSEXPUSER)
            found.append(ObservableSpec(name, None, section=entry, likelihood=likelihood, term=term))
    return tuple(found)


def read_term(entry: Section, observables: Collection[str], others: Collection[str]) -> Term:
    """Reads one entry of the section. Raises ScanFileError."""
    entry.require("observables", ": the observables that the likelihood depends on")
    names = tuple(plain_name(text) for text in entry.texts("observables"))
    for name in names:
        if name in others:
            raise entry.error(
                f"{entry.path}: {name!r} is a variable; name an observable that has its value, for example "
                f"`observables: {{{name}_value: {{function: {name}}}}}`",
                "observables",
            )
        if name not in observables:
            raise entry.error(f"{entry.path}: {name!r} is not an observable{closest(name, observables)}", "observables")
    if not names or len(set(names)) < len(names):
        raise entry.wrong("observables", "the names of different observables")
    if "limit" in entry:
        return _limit(entry, names)
    if "table" in entry:
        return _table(entry, names)
    if len(names) > 1 or "covariance" in entry or "correlation" in entry:
        return _joint(entry, names)
    return _single(entry, names)


def named_files(terms: Sequence[ObservableSpec]) -> dict[str, Path]:
    """The paths of the files that terms name, by their names in the scan file."""
    return {
        spec.section.text(key): find(spec.section, key)
        for spec in terms
        for key in FROM_FILES
        if isinstance(value := spec.section.raw(key), str) and to_number(value) is None
    }


def _only(entry: Section, what: str, allowed: str) -> None:
    known = ["observables", *allowed.split()]
    for key in entry:
        if key not in known:
            raise entry.error(f"{entry.path}: {key} has no meaning for {what}, which has {', '.join(known)}", key)


def _kind(entry: Section, allowed: Sequence[TermKind]) -> TermKind:
    name = entry.text("scaling", allowed[0].value)
    words = [kind.value for kind in allowed]
    if name not in words:
        raise entry.error(f"{entry.path}: scaling is {name!r}, but must be one of {', '.join(words)}", "scaling")
    return TermKind(name)


def _single(entry: Section, names: tuple[str, ...]) -> Term:
    """A Gaussian with errors of two sizes, or a one-sided Gaussian."""
    for key in ("mean", "sigma"):
        entry.require(key, "; a likelihood has mean and sigma, or limit, or table")
    mean = _numbers(entry, "mean", 1)
    if isinstance(entry.raw("sigma"), dict):
        _only(entry, "a Gaussian with errors of two sizes", "mean sigma scaling")
        kind = _kind(entry, [TermKind.HALF_GAUSS, TermKind.BARLOW])
        errors = entry.section("sigma", keys.SIGMA)
        return Term(kind, names, mean, plus=errors.positive("plus"), minus=errors.positive("minus"))
    _only(entry, "a one-sided Gaussian", "mean sigma scaling")
    if "scaling" not in entry:
        raise entry.error(
            f"{entry.path}: write mean and sigma of a plain Gaussian at the observable itself; a likelihood here needs "
            f"sigma: {{plus: ..., minus: ...}}, or scaling: {' or '.join(sorted(kind.value for kind in ONE_SIDED))}",
            "sigma",
        )
    if entry.text("scaling") in [kind.value for kind in ASYMMETRIC]:
        raise entry.wrong("sigma", "{plus: ..., minus: ...}, the errors above and below the mean")
    kind = _kind(entry, [TermKind.GAUSS_UPPER, TermKind.GAUSS_LOWER])
    return Term(kind, names, mean, plus=entry.positive("sigma"))


def _joint(entry: Section, names: tuple[str, ...]) -> Term:
    _only(entry, "a joint Gaussian", "mean covariance sigma correlation scaling")
    if "scaling" in entry and entry.text("scaling") in [kind.value for kind in ASYMMETRIC | ONE_SIDED]:
        raise entry.error(
            f"{entry.path}: scaling: {entry.text('scaling')} is for one observable without a covariance; write one "
            "likelihood for each observable",
            "scaling",
        )
    if isinstance(entry.raw("sigma"), dict):
        raise entry.error(
            f"{entry.path}: sigma: {{plus: ..., minus: ...}} is for one observable without a covariance; write one "
            "likelihood for each observable",
            "sigma",
        )
    _kind(entry, [TermKind.JOINT_GAUSS])
    count = len(names)
    if count > MOST_OBSERVABLES:
        raise entry.error(f"{entry.path}: a joint Gaussian has at most {MOST_OBSERVABLES} observables", "observables")
    entry.require("mean", ", one number for each observable; a likelihood has mean, or limit, or table")
    mean = _numbers(entry, "mean", count)
    if ("covariance" in entry) == ("correlation" in entry) or ("sigma" in entry) != ("correlation" in entry):
        raise entry.error(
            f"{entry.path}: a joint Gaussian needs either covariance, or sigma and correlation; without a correlation "
            "each observable has its own mean and sigma"
        )
    if "covariance" in entry:
        matrix = read_matrix(entry, "covariance", count)
        return Term(TermKind.JOINT_GAUSS, names, mean, cholesky(matrix))
    sigma = _numbers(entry, "sigma", count)
    if not all(number > 0 for number in sigma):
        raise entry.wrong("sigma", "numbers above 0")
    matrix = read_matrix(entry, "correlation", count)
    check_ones(matrix)
    root = cholesky(matrix)
    return Term(
        TermKind.JOINT_GAUSS,
        names,
        mean,
        tuple(tuple(s * number for number in row) for s, row in zip(sigma, root, strict=True)),
    )


def _numbers(entry: Section, key: str, count: int) -> tuple[float, ...]:
    """`count` finite numbers, one for each observable: a single number, a list, or the numbers of a file."""
    value = entry.raw(key)
    if isinstance(value, list):
        found = [to_number(number) for number in value]
        if len(found) != count or any(number is None or math.isinf(number) for number in found):
            wanted = "one finite number" if count == 1 else f"{count} finite numbers, one for each observable"
            raise entry.wrong(key, wanted)
        return tuple(number for number in found if number is not None)
    if count == 1:
        return (entry.finite(key),)
    if to_number(value) is not None or isinstance(value, dict):
        raise entry.wrong(key, f"{count} finite numbers, one for each observable")
    rows = read_rows(entry, key)
    numbers = [number for row in rows.rows for number in row]
    if len(numbers) != count:
        raise rows.error(f"{key}: there are {len(numbers)} numbers, but {count} observables")
    return tuple(numbers)


def _limit(entry: Section, names: tuple[str, ...]) -> Term:
    """A bound on the second observable as a function of the first."""
    _only(entry, "a limit", "limit confidence sigma scaling")
    if len(names) != 2:
        raise entry.wrong("observables", "two, [x, y]: the bound on y is a function of x")
    rows = read_rows(entry, "limit")
    check_width(rows, 2, "a limit has two, x and the bound there")
    if low := [row for row, (_, bound) in enumerate(rows.rows) if not bound > 0]:
        raise rows.error(f"the bound is {rows.rows[low[0]][1]:g}, but must be above 0", low[0])
    (knots,), values = _grid(rows, 1)
    if "scaling" not in entry:
        if "sigma" in entry:
            raise entry.error(f"{entry.path}: sigma needs scaling: LIMIT_UPPER or LIMIT_LOWER", "sigma")
        confidence = entry.number("confidence", CONFIDENCE)
        if not 0.5 < confidence < 1.0:
            raise entry.wrong("confidence", "more than 0.5 and less than 1")
        return Term(
            TermKind.LIMIT, names, plus=1.0 / NormalDist().inv_cdf(confidence), knots=(knots,), values=tuple(values)
        )
    kind = _kind(entry, [TermKind.LIMIT_UPPER, TermKind.LIMIT_LOWER])
    if "confidence" in entry:
        raise entry.error(f"{entry.path}: confidence has no meaning beside scaling: {kind.value}", "confidence")
    return Term(kind, names, plus=entry.positive("sigma"), knots=(knots,), values=tuple(values))


def _table(entry: Section, names: tuple[str, ...]) -> Term:
    """-ln L at the knots of one observable, or of a grid of two."""
    _only(entry, "a table", "table")
    if len(names) > 2:
        raise entry.wrong("observables", "one or two, the columns of the table before its last one")
    rows = read_rows(entry, "table")
    count = len(names)
    check_width(rows, count + 1, f"there should be {count + 1}: {', '.join(names)}, and -ln L")
    knots, values = _grid(rows, count)
    return Term(TermKind.TABLE, names, knots=knots, values=values)


def _grid(rows: Rows, count: int) -> tuple[tuple[tuple[float, ...], ...], tuple[float, ...]]:
    """The knots in each of the first `count` columns, and the values of the last column at all their combinations, in
    order.
    """
    knots = tuple(tuple(sorted({row[column] for row in rows.rows})) for column in range(count))
    if any(len(axis) < 2 for axis in knots):
        raise rows.error("there must be at least two different values in each column but the last")
    at: dict[tuple[float, ...], int] = {}
    for number, row in enumerate(rows.rows):
        if (before := at.setdefault(tuple(row[:count]), number)) != number:
            raise rows.error(f"the same values as in line {rows.lines[before]} stand here again", number)
    wanted = [(x,) for x in knots[0]] if count == 1 else [(x, y) for x in knots[0] for y in knots[1]]
    if missing := [knot for knot in wanted if knot not in at]:
        words = ", ".join(f"{value:g}" for value in missing[0])
        many = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
        raise rows.error(f"the table is not a full grid: there is no line for {words}{many}")
    return knots, tuple(rows.rows[at[knot]][-1] for knot in wanted)
