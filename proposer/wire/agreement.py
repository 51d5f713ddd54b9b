"""Checks that an evaluator computes what the scan file asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath

from proposer.evaluation.backend import Description
from proposer.types import Observable
from proposer.wire.messages import clean
from scanspec import Kind, ObservableSpec, ScanFile, keys
from scanspec.origins import canonical_origin, origins_of
from scanspec.terms import TermKind
from scanspec.tools import call_of

Call = tuple[str, str, str]


def disagreements(scan: ScanFile, description: Description) -> list[str]:
    """The differences between a scan file and an evaluator, one sentence each; empty if they agree."""
    ours = {variable.name: variable for variable in scan.variables}
    unknown = [name for name in ours if name not in description.parameters]
    found = [f"the evaluator does not know the variable {name!r}" for name in unknown]
    for name, (low, high) in description.parameters.items():
        if name not in ours:
            found.append(f"the evaluator needs the variable {name!r}, which the scan file does not have")
        elif not (low <= ours[name].low and ours[name].high <= high):  # NaN fails every comparison
            found.append(
                f"the range of {name!r} is [{ours[name].low:g}, {ours[name].high:g}] in the scan file, but the "
                f"evaluator takes [{low:g}, {high:g}]"
            )
    if description.calls:
        calls = [(code.name, *call_of(code.section, code.name)) for code in scan.codes]
        found += _other_calls(calls, description.calls)
    found += _other_origins(scan, description)
    found += _clashes(description)
    found += _other_observables(scan, description)
    return found


def not_compared(description: Description) -> list[str]:
    """One sentence for each likelihood of the evaluator whose kind this lodescan does not know."""
    return [
        f"the likelihood {observable.name!r} is of a kind that this lodescan does not know, so its numbers are not "
        "compared, and LODE learns its -ln L alone; a newer lodescan knows more"
        for observable in description.observables
        if observable.term is not None and observable.term.kind is TermKind.UNKNOWN
    ]


def _other_observables(scan: ScanFile, description: Description) -> Iterator[str]:
    """Observables that only one side has, and those with another window or likelihood."""
    theirs = {observable.name: observable for observable in description.observables}
    for spec in scan.all_observables():
        if spec.name not in theirs:
            yield f"the evaluator does not give the observable {spec.name!r}"
            continue
        other = theirs.pop(spec.name)
        if spec.valid != other.valid:
            yield (
                f"the window of {spec.name!r} is {_window(spec.valid)} in the scan file, {_window(other.valid)} at the "
                "evaluator"
            )
        if spec.measurement is not None:  # the evaluator has its constants
            if other.likelihood.kind is Kind.OFF:
                yield f"the scan file asks for a measurement of {spec.name!r}, but the evaluator has none"
        elif clash := _other_likelihood(spec, other):
            yield clash
    for name, other in theirs.items():
        if other.likelihood.kind is not Kind.OFF:
            yield f"the evaluator scores the observable {name!r}, which the scan file does not have"


def _window(valid: tuple[float, float] | None) -> str:
    return "open" if valid is None else f"[{valid[0]!r}, {valid[1]!r}]"


def _other_likelihood(spec: ObservableSpec, other: Observable) -> str:
    """Says in words that the evaluator has another likelihood for an observable; empty if both are the same.

    The evaluator may describe as a term what the file simply calls a -ln L. A term whose kind is not known here cannot
    be compared further.
    """
    theirs = other.term if spec.term is not None else None
    if spec.term is not None and theirs is not None and theirs.kind is TermKind.UNKNOWN:
        return ""
    mine, at = (spec.term or spec.likelihood).describe(), (theirs or other.likelihood).describe()
    if mine != at:
        return f"the likelihood of {spec.name!r} is {mine} in the scan file, {at} at the evaluator"
    if spec.term != theirs:
        return f"the likelihood {spec.name!r} has other numbers at the evaluator than in the scan file or its tables"
    return ""


def _clashes(description: Description) -> list[str]:
    """Names of the evaluator that clash: two columns of the results would have the name, or it is a reserved column."""
    reserved = {column.lower() for column in keys.RESERVED_COLUMNS}
    seen, found = set[str](), []
    for kind, names in (
        ("variable", list(description.parameters)),
        ("observable", [observable.name for observable in description.observables]),
    ):
        for name in names:
            if name.lower() in reserved:
                found.append(f"the evaluator's {kind} {name!r} is a column of the results; rename it there")
            elif name in seen:
                found.append(f"the evaluator gives two things the name {name!r}; rename one there")
            seen.add(name)
    return found


def _other_calls(ours: Sequence[Call], theirs: Sequence[Call]) -> Iterator[str]:
    """Differences between the codes of both sides: what they call, and their order."""
    if [call[0] for call in ours] != [call[0] for call in theirs]:
        codes = [", ".join(call[0] for call in calls) for calls in (ours, theirs)]
        yield f"the codes are {codes[0]} in the scan file, {codes[1]} at the evaluator"
        return
    for (name, *mine), (_, *other) in zip(ours, theirs, strict=True):
        if [clean(own_name) for own_name in mine] != other:
            yield f"the code {name!r} is `{': '.join(mine)}` in the scan file, `{': '.join(other)}` at the evaluator"


def _other_origins(scan: ScanFile, description: Description) -> Iterator[str]:
    """Observables, conditions, blocks and templates that differ, as far as the evaluator tells them."""
    for what, mine in origins_of(scan).items():
        other = description.sources.get(clean(what), clean(mine))
        if other != clean(mine) and canonical_origin(what, other) != canonical_origin(what, mine):
            yield f"the {what} is `{mine}` in the scan file, `{other}` at the evaluator"
    for code in scan.codes:
        prefix = f"{code.name}: template "
        templates = [name.removeprefix(prefix) for name in description.sources if name.startswith(prefix)]
        named = PurePath(code.section.text("input_file", "")).name
        if named and templates and named not in templates:
            yield f"the template of {code.name!r} is {named} in the scan file, {templates[0]} at the evaluator"
