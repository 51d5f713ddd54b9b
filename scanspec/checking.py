"""Checks a scan file as a whole, after its sections are read."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from scanspec.document import ScanFileError, Section, every_key
from scanspec.expressions import ExpressionError, parse
from scanspec.numbers import to_number
from scanspec.observables import ObservableSpec
from scanspec.settings import only_tabulates
from scanspec.tools import OF_ONE_VARIABLE, TOY_NAMES, TOYS, WAYS, kind_key, writes_spectrum

if TYPE_CHECKING:
    from scanspec.scanfile import CodeSpec, ScanFile


def check_scored(root: Section, scan: ScanFile) -> None:
    """Adds an error if no observable enters the likelihood, unless the scan only tabulates."""
    if not scan.is_scored and not only_tabulates(scan.setup):
        where = "codes" if "codes" in root else "observables"
        root.faults.add(
            root.error(
                "no observable enters the likelihood, so every point would be good; give one a mean and a sigma, "
                "or another scaling",
                where,
            )
        )


def check_expressions(root: Section, scan: ScanFile) -> None:
    """Checks the expressions of derived variables, observables and conditions. Each may use the values computed before
    it.

    If the file has other errors, any name is accepted, because an error may have hidden its definition.
    """
    fitted = scan.fitting.variables if scan.fitting is not None else ()
    known = [*(variable.name for variable in scan.variables), *(variable.name for variable in fitted)]
    others = scan.out_of_reach()
    if root.faults.any:
        known += sorted(every_key(scan.document))

    of_a_package = False  # only the evaluator knows this kind of code, so from here on any name may exist

    def check(text: str, section: Section, key: str, name: str = "") -> None:
        names = [*known, *(_words(text) if of_a_package else [])]
        try:
            parse(text, names, len(scan.variables), others)
        except ExpressionError:
            try:
                parse(text, names, len(scan.variables), others | _circle(scan, name))
            except ExpressionError as error:
                root.faults.add(section.error(str(error), key))

    def check_all(specs: Sequence[ObservableSpec]) -> None:
        for spec in specs:
            if spec.function is not None:
                key = spec.name if spec.name in scan.derived else "function"
                check(spec.function, spec.section, key, spec.name)
            known.append(spec.name)

    check_all([observable for observable in scan.all_observables() if observable.name in scan.derived])
    for code in scan.codes:
        known += _defined_names(code, scan)
        of_a_package = of_a_package or _is_of_a_package(code)
        check_all(code.observables)
        for condition in code.conditions:
            check(condition, code.section, "conditions")
    check_all(scan.observables)


def check_blocks(scan: ScanFile) -> None:
    """Adds an error for each value of `blocks` that no template can hold. The evaluator finds these errors itself, with
    those of its template. A value may use the observables of the codes before the one that fills the template.
    """
    faults = scan.setup.faults
    fitted = scan.fitting.variables if scan.fitting is not None else ()
    known = [*(variable.name for variable in (*scan.variables, *fitted)), *scan.derived]
    if faults.any:  # an error may have hidden the definition of a name
        known += sorted(every_key(scan.document))
    before = list(itertools.takewhile(lambda code: not writes_spectrum(code.section, code.name), scan.codes))
    for code in before:
        known += [*_defined_names(code, scan), *(observable.name for observable in code.observables)]
    of_a_package = any(map(_is_of_a_package, before))  # only the evaluator knows which names it defines
    for (block, index), where in scan.block_lines.items():
        text = scan.blocks[block][index]
        with faults.collect():
            _check_entry(text, where, [*known, *(_words(text) if of_a_package else [])], len(scan.variables))


def _defined_names(code: CodeSpec, scan: ScanFile) -> Sequence[str]:
    """The names that a code defines besides its observables."""
    if code.name != TOYS:
        return ()
    return TOY_NAMES if len(scan.variables) > 1 else OF_ONE_VARIABLE


def _is_of_a_package(code: CodeSpec) -> bool:
    return kind_key(code.section) not in ("", *WAYS)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d]\w*", text)


def _check_entry(text: str, where: str, known: Sequence[str], variables: int) -> None:
    """Raises ScanFileError if an entry of a block is neither a number, nor a quoted text, nor an expression."""
    if to_number(text) is not None or re.fullmatch(r"\s*(['\"]).*\1\s*", text):
        return
    try:
        parse(text, known, variables)
    except ExpressionError as error:
        line = int(where.rpartition(" ")[2])
        quoted = f"a text that the program wants is written in quotes: '{text}'"
        raise ScanFileError(f"{where}: {error} ({quoted})", line) from None


def _circle(scan: ScanFile, name: str) -> dict[str, str]:
    """The names that the expression `name` cannot use because they depend on it, and the reason."""
    if not name:
        return {}
    word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    users = [spec.name for spec in scan.all_observables() if spec.function is not None and word.search(spec.function)]
    return dict.fromkeys(users, f"is computed from {name!r}: a circle") | {name: "is this one itself"}
