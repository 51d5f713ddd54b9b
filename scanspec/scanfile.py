"""The scan file as both sides see it: variables, codes, observables, and the sections of each side."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from ruamel.yaml.comments import CommentedMap

from scanspec import keys
from scanspec.document import ScanFileError, Section, closest, read_document
from scanspec.fitting import Fitting, read_fitting
from scanspec.likelihoods import Kind, Likelihood
from scanspec.observables import ObservableSpec, read_observable
from scanspec.plotting import Plotting, read_plotting
from scanspec.rows import column_variables
from scanspec.tools import check_code, unknown_key
from scanspec.types import check_type, only_tabulates, reads_rows
from scanspec.variables import Variable, read_variable


@dataclass(frozen=True)
class CodeSpec:
    """One physics code of the chain, as the file describes it."""

    name: str
    section: Section
    observables: tuple[ObservableSpec, ...]
    conditions: tuple[str, ...]


@dataclass(frozen=True)
class ScanFile:
    """A scan file that has been checked as far as it can be without running anything.

    `codes` are those that run, in order; `observables` are those found after the last
    one; `derived` maps names to expressions; `blocks` maps an SLHA block to its entries,
    each an expression, and `block_places` each entry to its file and line. `ignored` lists
    keys without meaning here, `notes` what else the user should hear before a scan starts.
    `switched_off` are the observables of codes that do not run; `first_input` is the input file of the first code of
    the file, also of one that does not run: BSMArt's template.
    """

    path: Path
    text: str
    document: CommentedMap
    setup: Section
    networks: Section
    variables: tuple[Variable, ...]
    derived: dict[str, str]
    derived_section: Section
    blocks: dict[str, dict[tuple[int, ...], str]]
    codes: tuple[CodeSpec, ...]
    observables: tuple[ObservableSpec, ...]
    ignored: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())
    first_input: str = ""
    fitting: Fitting | None = None
    plotting: Plotting | None = None
    block_places: Mapping[tuple[str, tuple[int, ...]], str] = field(default_factory=dict)
    switched_off: frozenset[str] = frozenset()

    @property
    def folder(self) -> Path:
        """Where relative paths of the file start."""
        return self.path.resolve().parent

    @property
    def run_name(self) -> str:
        """The run's name; the file's own where it gives none."""
        return self.setup.text("run_name", "") or self.path.stem

    @property
    def environment(self) -> str:
        """The physics environment (a lock file's name) that the codes need; `evaluator` when the base is enough."""
        return self.setup.text("environment", "evaluator")

    def all_observables(self) -> list[ObservableSpec]:
        """All that a point gives, in the order in which it is found: what is solved for, derived variables, the
        codes' observables in turn, the file's own.
        """
        fitted = [
            ObservableSpec(each.name, None, self.setup, None, None, None, Likelihood(), each.unit, each.label)
            for each in (self.fitting.variables if self.fitting is not None else ())
        ]
        derived = [
            ObservableSpec(name, None, self.derived_section, None, text, None, Likelihood())
            for name, text in self.derived.items()
        ]
        return fitted + derived + [each for code in self.codes for each in code.observables] + list(self.observables)


def read_scan_file(path: Path | str) -> ScanFile:
    """Reads and checks a scan file (YAML or JSON, lodescan's or BSMArt's spelling).

    Raises ScanFileError, whose message names file, line, key and what to write instead.
    """
    path = Path(path)
    document, text = read_document(path)
    document.lc.line = 0
    root = Section(str(path), "", document, keys.SECTIONS)
    setup = root.section("setup", keys.SETUP)
    _check_folder_names(setup, path)
    check_type(setup)
    environment_variables = setup.section("environment_variables")
    for key in environment_variables:
        environment_variables.text(key)
    networks = root.section("networks", keys.NETWORKS)
    ignored = [each.removeprefix(": ") for section in (root, setup, networks) for each in section.ignored]
    notes = _in_another_way(root, setup, ignored)

    variables_section = root.section("variables")
    if not list(variables_section):
        raise root.error("there are no variables; name at least one, with a range", "variables")
    if rows := reads_rows(setup):
        variables = column_variables(setup, variables_section, ignored)
    else:
        variables = tuple(read_variable(variables_section, name, ignored) for name in variables_section)
    if not rows and all(each.fixed for each in variables):
        raise root.error("every variable is fixed (low = high): there is nothing to scan", "variables")

    fitting = read_fitting(root, ignored)
    derived_section = root.section("derived_variables")
    derived = {name: derived_section.text(name) for name in derived_section}
    codes = _read_codes(root, ignored, notes)
    if setup.boolean("skip_slha_files", False) and any("command" in code.section for code in codes):
        notes.append(f"{setup.path}: {setup.spelling('skip_slha_files')} has no effect: a program always gets files")
    top = _read_top(root, codes, ignored, notes)
    columns: list[Variable | ObservableSpec] = [*variables, *(fitting.variables if fitting is not None else ()), *top]
    columns += [each for code in codes for each in code.observables]
    off = _switched_off(root)
    plotting = read_plotting(root, {each.name for each in columns} | set(derived), off, ignored, notes)
    blocks, places = _read_blocks(root)
    scan = ScanFile(
        path, text, document, setup, networks, variables, derived, derived_section, blocks, codes, top,
        tuple(dict.fromkeys(ignored)), tuple(notes), _first_input(root), fitting, plotting, places, off,
    )  # fmt: skip
    _check_names(root, variables_section, derived_section, scan)
    every = scan.all_observables()
    scored = any(each.measurement is not None or each.likelihood.kind is not Kind.OFF for each in every)
    if not scored and not only_tabulates(setup):
        raise root.error(
            "no observable enters the likelihood, so every point would be good; give one a mean and a sigma, "
            "or another scaling",
            "codes" if "codes" in root else "observables",
        )
    return scan


def _check_folder_names(setup: Section, path: Path) -> None:
    """A run's name is a folder in runs/, and an environment is one in .envs/: neither leads anywhere else."""
    name = setup.text("run_name", "") or path.stem
    plain = name.strip() and name not in (".", "..") and "/" not in name and name.isprintable()
    if not plain or len(name.encode(errors="replace")) > 200:
        raise setup.wrong("run_name", "one name of a folder: without /, not . or .., of at most 200 bytes")
    if not re.fullmatch(r"[A-Za-z0-9_-]+", setup.text("environment", "evaluator")):
        raise setup.wrong("environment", "a name of letters, digits, _ and -, as locks/NAME.txt has it")


def _in_another_way(root: Section, setup: Section, ignored: list[str]) -> list[str]:
    """What is said of switches that are on; they are no longer among the ignored keys then."""
    content, notes = root.raw("setup") or {}, []
    for key, said in keys.IN_ANOTHER_WAY.items():
        if str(content.get(key)).lower() in ("true", "1", "yes"):
            notes.append(f"{setup.path}: {key} {said}")
            ignored.remove(f"{setup.path}: {key}")
    return notes


def _read_codes(root: Section, ignored: list[str], notes: list[str]) -> tuple[CodeSpec, ...]:
    section = root.section("codes")
    codes = []
    for name in section:
        if not _runs(section.section(name)):
            with contextlib.suppress(ScanFileError):  # it may hold what only its own tool knows
                ignored += section.section(name, keys.CODE).ignored
            continue
        code = _read_code(section, name)
        for each in code.ignored:
            if each.removeprefix(f"{code.path}: ") in keys.PHYSICS_OF_TOOLS:
                notes.append(f"{each} is not read: what it did is for the command's arguments, or for conditions")
            else:
                ignored.append(each)
        observables = _read_observables(code.section("observables"), name, ignored, notes)
        codes.append(CodeSpec(name, code, observables, tuple(code.texts("conditions"))))
    if not codes:
        raise root.error("no code runs; describe one under codes", "codes")
    return tuple(codes)


def _switched_off(root: Section) -> frozenset[str]:
    """Names of the observables of codes that do not run."""
    section = root.section("codes")
    off = [section.raw(name) for name in section if not _runs(section.section(name))]
    named = [code.get(key) for code in off for key in ("observables", "Observables")]
    names = (name for each in named if isinstance(each, (dict, list)) for name in each)
    return frozenset(name for name in names if isinstance(name, str))


def _runs(code: Section) -> bool:
    """Whether a code, in any spelling, is switched on."""
    return code.boolean("run", True) and code.boolean("Run", True)


def _read_code(section: Section, name: str) -> Section:
    """A code's section; of a tool that is not here the error says so, before it says which of its keys is unknown."""
    try:
        code = section.section(name, keys.CODE)
    except ScanFileError as error:
        raise unknown_key(error, section, name) from error
    check_code(code, name)
    return code


def _first_input(root: Section) -> str:
    section = root.section("codes")
    codes = [section.section(name) for name in section]
    return next((each.text("input_file", each.text("InputFile", "")) for each in codes), "")


def _read_observables(
    section: Section,
    code: str | None,
    ignored: list[str],
    notes: list[str],
    of_codes: Mapping[str, ObservableSpec] = MappingProxyType({}),
) -> tuple[ObservableSpec, ...]:
    """`of_codes`: by their names, observables that need not say where they come from."""
    found = []
    for name in section:
        if section.raw(name) is None and code is not None:  # a bare `name:` is an observable that the code returns
            found.append(ObservableSpec(name, code, section, None, None, None, Likelihood()))
            continue
        entry = section.section(name, keys.OBSERVABLE)
        ignored += entry.ignored
        found.append(read_observable(entry, name, of_codes[name].code if name in of_codes else code, notes))
    return tuple(found)


def _read_top(
    root: Section, codes: tuple[CodeSpec, ...], ignored: list[str], notes: list[str]
) -> tuple[ObservableSpec, ...]:
    """The file's own observables, without those that a code has under the same name.

    There BSMArt takes the code's settings and forgets the file's own, which is all the same as long as the latter add
    nothing. Raises ScanFileError where they do.
    """
    section = root.section("observables")
    of_codes = {each.name: each for code in codes for each in code.observables}
    found = []
    for spec in _read_observables(section, None, ignored, notes, of_codes):
        twin = of_codes.get(spec.name)
        if twin is None:
            found.append(spec)
            continue
        lost = [
            what
            for what, has, same in (
                ("slha or function", spec.slha or spec.function, _source(spec) == _source(twin)),
                ("likelihood", spec.likelihood.kind is not Kind.OFF, repr(spec.likelihood) == repr(twin.likelihood)),
                ("window", spec.valid is not None, spec.valid == twin.valid),
            )
            if has and not same
        ]
        if lost:
            raise section.error(
                f"{spec.name!r} is an observable of the code {twin.code!r} too, with another {lost[0]}; BSMArt would "
                "take the code's settings and forget these: move what holds there, or rename one",
                spec.name,
            )
        notes.append(f"{section.path}: {spec.name} is the same as that of the code {twin.code}")
    return tuple(found)


def _source(spec: ObservableSpec) -> tuple[object, str | None]:
    return spec.slha, spec.function


def _read_blocks(root: Section) -> tuple[dict[str, dict[tuple[int, ...], str]], dict[tuple[str, tuple[int, ...]], str]]:
    """The entries of each block, and where each stands in the file."""
    blocks: dict[str, dict[tuple[int, ...], str]] = {}
    places = {}
    section = root.section("blocks")
    for block in section:
        entries = section.section(block)
        if block.upper() == "DECAY":
            raise section.error("a DECAY table is no block: write its width as an expression in the template", block)
        for index in entries:
            try:
                position = tuple(int(each) for each in index.split(",")) if index.strip() else ()
            except ValueError:
                raise entries.error(
                    f"{index!r} is no SLHA index; write whole numbers, joined by commas", index
                ) from None
            known = blocks.setdefault(block.upper(), {})
            if position in known:
                raise entries.error(f"the entry {index!r} of block {block.upper()} is there twice", index)
            if index not in entries:
                raise entries.error(f"the entry {index!r} of block {block.upper()} has no value", index)
            known[position] = entries.text(index)
            places[block.upper(), position] = f"{entries.file}, line {entries.line(index)}"
    return blocks, places


def _check_names(root: Section, variables: Section, derived: Section, scan: ScanFile) -> None:
    """Every name stands for one thing: a column of the results must not be ambiguous."""
    seen = dict.fromkeys(keys.RESERVED_COLUMNS, "a column of the results") | {"VARIABLE": "the list of all variables"}

    def add(section: Section, name: str, what: str) -> None:
        if name in seen:
            raise section.error(f"{name!r} is already the name of {seen[name]}; rename {what}", name)
        seen[name] = what

    for variable in scan.variables:
        add(variables, variable.name, "the variable")
    if scan.fitting is not None:
        section = root.section("fitting", keys.FITTING)
        for variable in scan.fitting.variables:
            add(section.section("variables"), variable.name, "the variable")
        found = [each.name for each in scan.all_observables() if each.name not in scan.derived]
        for target in scan.fitting.targets:
            if target.name not in found or target.name in seen:
                targets = section.section("observables")
                raise targets.error(f"{target.name!r} is no observable{closest(target.name, found)}", target.name)
    for name in derived:
        add(derived, name, "the derived variable")
    for spec in (*(each for code in scan.codes for each in code.observables), *scan.observables):
        add(spec.section, spec.name, "the observable")
