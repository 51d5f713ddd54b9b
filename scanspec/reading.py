"""Turns the text of a scan file into a ScanFile: its variables, codes, observables, and the sections of both sides."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from ruamel.yaml.comments import CommentedMap

from scanspec import keys
from scanspec.bsmart import translate
from scanspec.checking import check_expressions, check_scored
from scanspec.codes import check_code_settings
from scanspec.document import ScanFileError, Section, closest, every_key
from scanspec.faults import Faults
from scanspec.fitting import Fitting, read_fitting
from scanspec.likelihoods import Kind
from scanspec.loading import parse_document, read_document
from scanspec.lookalike import difference, printed
from scanspec.observables import ObservableSpec, read_observable
from scanspec.plotting import read_plotting
from scanspec.reading_terms import read_terms
from scanspec.rows import column_variables
from scanspec.scanfile import CodeSpec, ScanFile
from scanspec.settings import check_settings, reads_rows
from scanspec.tools import check_code, kind_key, kind_of_a_package, misspelt_profile, unknown_key
from scanspec.variables import Variable, read_variable


def read_scan_file(path: Path | str, also: Callable[[ScanFile], object] = lambda _: None) -> ScanFile:
    """Reads and checks a scan file (YAML or JSON, lodescan's or BSMArt's spelling).

    `also` reads the parts that only one side reads, so that all errors are reported together. Raises ScanFileError,
    whose message names file, line and key, and says what to write instead.
    """
    path = Path(path)
    return _read(path, *read_document(path), also)


def read_scan_text(path: Path, text: str) -> ScanFile:
    """Reads and checks a text that is not in a file yet. `path` is its future file; *.json means that the text is JSON.
    Raises ScanFileError.
    """
    return _read(path, parse_document(path, text), text, lambda _: None)


def _read(path: Path, content: CommentedMap, text: str, also: Callable[[ScanFile], object]) -> ScanFile:
    content.lc.line = 0
    translation = translate(path, content)
    document, notes, ignored = translation.document, list(translation.notes), list(translation.ignored)
    faults = Faults(collecting=True)
    root = Section(str(path), "", document, keys=keys.SECTIONS, faults=faults)
    misspelt = faults.any  # a section that seems to be missing may be misspelt
    setup = _section(root, "setup", keys.SETUP)
    _check_setup(setup)
    networks = _section(root, "networks", keys.NETWORKS)
    plotting = _section(root, "plotting", keys.PLOTTING)
    variables_section = _section(root, "variables")
    variables = _read_variables(root, setup, variables_section, ignored, misspelt=misspelt)
    fitting = None
    with faults.collect():
        fitting = read_fitting(root)
    derived_section = _section(root, "derived_variables")
    derived = {}
    for name in derived_section:
        with faults.collect():
            derived[name] = derived_section.expression(name)
    codes = _read_codes(root, notes, misspelt=misspelt)
    with faults.collect():
        if setup.boolean("skip_slha_files", False) and any("command" in code.section for code in codes):
            notes.append(
                f"{setup.path}: {setup.spelling('skip_slha_files')} has no effect: a program always gets files"
            )
    top = _read_top(root, codes, notes)
    terms = _read_terms(root, variables, fitting, derived=derived, codes=codes, top=top)
    blocks, block_lines = _read_blocks(root)
    scan = ScanFile(
        path,
        text,
        document=document,
        setup=setup,
        networks=networks,
        variables=variables,
        derived=derived,
        derived_section=derived_section,
        blocks=blocks,
        codes=codes,
        observables=top,
        terms=terms,
        ignored=tuple(dict.fromkeys(ignored)),
        notes=tuple(notes),
        plotting=plotting,
        fitting=fitting,
        block_lines=block_lines,
        switched_off=_switched_off(root),
        changes=translation.changes,
        in_bsmarts_words=translation.in_bsmarts_words,
    )
    _check_names(root, variables_section, derived_section, scan)
    check_settings(scan, [*(variable.name for variable in variables), *_names(scan)])
    if not faults.any:
        check_scored(root, scan)
    check_expressions(root, scan)
    for read in (read_plotting, also):
        with faults.collect():
            read(scan)
    faults.close()
    return scan


def _section(root: Section, key: str, known: keys.Keys | None = None) -> Section:
    """A section of the file. If the key does not hold a section, the error is kept and the section is empty."""
    with root.faults.collect():
        return root.section(key, known, root.faults)
    return Section(root.file, key, content=CommentedMap(), keys=known, line=root.line(key), faults=root.faults)


def _check_setup(setup: Section) -> None:
    with setup.faults.collect():
        _check_run_name(setup)
    with setup.faults.collect():
        if not re.fullmatch(r"[A-Za-z0-9_-]+", setup.text("environment", "evaluator")):
            raise setup.wrong("environment", "a name of letters, digits, _ and -, as locks/NAME.txt has it")
    variables = Section(setup.file, "", CommentedMap())
    with setup.faults.collect():
        variables = setup.section("environment_variables")
    for name in variables:
        with setup.faults.collect():
            if not name or "=" in name or "\0" in variables.text(name):
                raise variables.error(f"{name!r} cannot be the name of an environment variable", name)


def _check_run_name(setup: Section) -> None:
    """Raises ScanFileError unless the run's name is the name of a folder directly in runs/."""
    name = setup.text("run_name", "") or Path(setup.file).stem
    plain = name.strip() and name not in (".", "..") and "/" not in name and name.isprintable()
    if not plain or len(name.encode(errors="replace")) > 200:
        raise setup.wrong("run_name", "one name of a folder: without /, not . or .., of at most 200 bytes")


def _read_variables(
    root: Section, setup: Section, section: Section, ignored: list[str], *, misspelt: bool
) -> tuple[Variable, ...]:
    if not root.raw("variables") and not misspelt:
        root.faults.add(root.error("there are no variables; name at least one, with a range", "variables"))
    rows = reads_rows(setup)
    if rows:
        with root.faults.collect():
            return column_variables(setup, section, ignored)
        return ()
    found = []
    for name in section:
        with root.faults.collect():
            found.append(read_variable(section, name))
    if found and len(found) == len(list(section)) and all(variable.fixed for variable in found):
        root.faults.add(root.error("every variable is fixed (low = high): there is nothing to scan", "variables"))
    return tuple(found)


def _names(scan: ScanFile) -> list[str]:
    return [observable.name for observable in scan.all_observables()]


def _read_codes(root: Section, notes: list[str], *, misspelt: bool) -> tuple[CodeSpec, ...]:
    section = _section(root, "codes")
    codes, off = [], 0
    for name in section:
        with root.faults.collect():
            if _runs(section.section(name)):
                codes.append(_read_one(section, name, notes))
            else:  # it may have keys that only its own tool knows
                off += 1
    described = root.raw("codes") or {}
    if isinstance(described, dict) and off == len(described) and not misspelt:
        root.faults.add(root.error("no code runs; describe one under codes", "codes"))
    return tuple(codes)


def _read_one(section: Section, name: str, notes: list[str]) -> CodeSpec:
    code = _read_code(section, name)
    check_code_settings(code, name)
    if note := misspelt_profile(code, name):
        notes.append(note)
    observables = _read_observables(code.section("observables"), name, notes)
    return CodeSpec(name, code, observables, tuple(code.texts("conditions")))


def _switched_off(root: Section) -> frozenset[str]:
    """Names of the observables of codes that do not run."""
    section, off = _section(root, "codes"), []
    for name in section:
        with root.faults.collect():
            if not _runs(section.section(name)):
                off.append(section.raw(name))
    named = [code.get("observables") for code in off]
    names = (name for part in named if isinstance(part, (dict, list)) for name in part)
    return frozenset(name for name in names if isinstance(name, str))


def _runs(code: Section) -> bool:
    """Whether a code is switched on."""
    return code.boolean("run", True)


def _read_code(section: Section, name: str) -> Section:
    """A code's section. For a tool that lodescan does not have, the error says so, before it names unknown keys."""
    of_keys = Faults(collecting=True)
    kind = kind_of_a_package(section.section(name), name)
    code = section.section(name, keys.CODE.with_name(kind) if kind else keys.CODE, of_keys)
    try:
        of_keys.close()
    except ScanFileError as error:
        section.faults.add(unknown_key(error, section, name))
        if not kind_key(code):  # the error says that nothing is to be run
            raise unknown_key(error, section, name) from error
    check_code(code, name)
    return code


def _read_observables(
    section: Section,
    code: str | None,
    notes: list[str],
    of_codes: Mapping[str, ObservableSpec] = MappingProxyType({}),
) -> tuple[ObservableSpec, ...]:
    """`of_codes` are the codes' observables by name; entries of the same name need no source of their own."""
    found = []
    for name in section:
        if section.raw(name) is None and code is not None:  # a bare `name:` is an observable that the code returns
            found.append(ObservableSpec(name, code, section=section))
            continue
        with section.faults.collect():
            entry = section.section(name, keys.OBSERVABLE)
            found.append(read_observable(entry, name, of_codes[name].code if name in of_codes else code, notes))
    return tuple(found)


def _read_top(root: Section, codes: tuple[CodeSpec, ...], notes: list[str]) -> tuple[ObservableSpec, ...]:
    """The observables at the top of the file, without those that a code has under the same name.

    For such a name BSMArt takes the code's settings and ignores those at the top of the file. An error is kept if the
    latter would add anything.
    """
    section = _section(root, "observables")
    of_codes = {observable.name: observable for code in codes for observable in code.observables}
    found = []
    for spec in _read_observables(section, None, notes, of_codes):
        twin = of_codes.get(spec.name)
        if twin is None:
            found.append(spec)
            continue
        lost = [
            what
            for what, has, same in (
                ("slha or function", spec.slha or spec.function, _source(spec) == _source(twin)),
                ("likelihood", spec.likelihood.kind is not Kind.OFF, spec.likelihood == twin.likelihood),
                ("window", spec.valid is not None, spec.valid == twin.valid),
            )
            if has and not same
        ]
        if lost:
            root.faults.add(
                section.error(
                    f"{spec.name!r} is an observable of the code {twin.code!r} too, with another {lost[0]}; BSMArt "
                    "would take the code's settings and forget these: move what holds there, or rename one",
                    spec.name,
                )
            )
        notes.append(f"{section.path}: {spec.name} is the same as that of the code {twin.code}")
    return tuple(found)


def _read_terms(
    root: Section,
    variables: Sequence[Variable],
    fitting: Fitting | None,
    *,
    derived: Collection[str],
    codes: Sequence[CodeSpec],
    top: Sequence[ObservableSpec],
) -> tuple[ObservableSpec, ...]:
    """The terms. If the file has other errors, names that those errors may have hidden are accepted."""
    section = _section(root, "likelihoods")
    fitted = [variable.name for variable in (fitting.variables if fitting is not None else ())]
    observables = [observable.name for code in codes for observable in code.observables] + [
        observable.name for observable in top
    ]
    known = [*fitted, *derived, *observables]
    if root.faults.any:
        known += sorted(every_key(root.raw("codes"))) + sorted(every_key(root.raw("observables")))
    return read_terms(section, known, [variable.name for variable in variables])


def _source(spec: ObservableSpec) -> tuple[object, str | None]:
    return spec.slha, spec.function


def _read_blocks(root: Section) -> tuple[dict[str, dict[tuple[int, ...], str]], dict[tuple[str, tuple[int, ...]], str]]:
    """The entries of each block, and the file and line of each entry."""
    blocks: dict[str, dict[tuple[int, ...], str]] = {}
    block_lines = {}
    section = _section(root, "blocks")
    for block in section:
        with root.faults.collect():
            if block.upper() == "DECAY":
                raise section.error(
                    "a DECAY table is not a block: write its width as an expression in the template", block
                )
            entries = section.section(block)
            for index in entries:
                with root.faults.collect():
                    position = _read_index(entries, index)
                    known = blocks.setdefault(block.upper(), {})
                    if position in known:
                        raise entries.error(f"the entry {index!r} of block {block.upper()} is there twice", index)
                    if index not in entries or not str(entries.raw(index)).strip():
                        raise entries.error(f"the entry {index!r} of block {block.upper()} has no value", index)
                    known[position] = entries.expression(index)
                    block_lines[block.upper(), position] = f"{entries.file}, line {entries.line(index)}"
    return blocks, block_lines


def _read_index(entries: Section, index: str) -> tuple[int, ...]:
    words = [part.strip() for part in index.split(",")] if index.strip() else []
    if not all(re.fullmatch(r"[+-]?\d{1,15}", word, re.ASCII) for word in words):
        raise entries.error(f"{index!r} is not an SLHA index; write whole numbers, joined by commas", index)
    return tuple(int(word) for word in words)


def _check_names(root: Section, variables: Section, derived: Section, scan: ScanFile) -> None:
    """Adds an error for a name with two meanings, because the columns of the results must be unambiguous."""
    seen: dict[str, str] = {"VARIABLE": "the list of all variables"}
    looks: dict[str, str] = {}

    def add(section: Section, name: str, what: str) -> None:
        column = next((reserved for reserved in keys.RESERVED_COLUMNS if reserved.lower() == name.lower()), None)
        if not name.strip():
            root.faults.add(section.error(f"the name of {what} is empty", name))
        taken = seen.get(name) or (f"a column of the results, {column}" if column else None)
        if taken:
            root.faults.add(section.error(f"{name!r} is already the name of {taken}; rename {what}", name))
        elif (same := looks.setdefault(printed(name), name)) != name:
            why = f"{name!r} is {what}, and {same!r} {seen[same]}, {difference(name, same)}"
            root.faults.add(section.error(f"{why}; rename one", name))
        seen.setdefault(name, what.replace("the o", "an o").replace("the ", "a "))

    for variable in scan.variables:
        add(variables, variable.name, "the variable")
    if scan.fitting is not None:
        section = root.section("fitting", keys.FITTING)
        for variable in scan.fitting.variables:
            add(section.section("variables"), variable.name, "the variable")
        _check_targets(section.section("observables"), scan, seen)
    for name in derived:
        add(derived, name, "the derived variable")
    for spec in (*(observable for code in scan.codes for observable in code.observables), *scan.observables):
        add(spec.section, spec.name, "the observable")
    for spec in scan.terms:
        add(spec.section, spec.name, "the likelihood")


def _check_targets(section: Section, scan: ScanFile, variables: Collection[str]) -> None:
    """Adds an error for a target of the section `fitting` that is no observable of a code or of the file."""
    assert scan.fitting is not None
    others = {*scan.derived, *(term.name for term in scan.terms)}
    observables = [observable.name for observable in scan.all_observables() if observable.name not in others]
    for target in scan.fitting.targets:
        if target.name not in observables or target.name in variables:
            fault = f"{target.name!r} is not an observable{closest(target.name, observables)}"
            section.faults.add(section.error(fault, target.name))
