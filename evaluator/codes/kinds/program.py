"""A physics code that is a program: it reads one SLHA file and writes another."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from evaluator import InvalidPoint
from evaluator.codes.launchers import threads_of_each
from evaluator.codes.outputs import has_entries, rewrite, split_headless
from evaluator.codes.profiles import PROFILES, Profile, profile_of
from evaluator.codes.programs import Command, run_program
from evaluator.codes.protocol import Code
from evaluator.codes.sources import add_imported, file_hash, module_sources, script_sources, written_hash
from evaluator.codes.template import Template
from evaluator.codes.verdict import Verdict, read_output
from evaluator.errors import CodeFailed, ConfigurationError
from evaluator.files import write_new
from scanspec import CodeSpec, ScanFile, SlhaAddress
from scanspec.canonical import canonical_command, canonical_path
from scanspec.codes import read_output_name
from scanspec.files import read_bytes
from scanspec.keys import OF_PROGRAMS
from scanspec.spectrum import LARGEST_SPECTRUM, EntryMissing, Spectrum
from scanspec.tools import appends, writes_spectrum

if TYPE_CHECKING:
    from evaluator.codes.point import Point


PLACEHOLDERS = ("input", "output", "folder", "cores")
"""The words in braces that a command may have."""

MISTAKEN = ("in", "out", "infile", "outfile", "input_file", "output_file", "inputfile", "outputfile", "dir")
"""Words that people write for them."""

_RUNS_MODULE = re.compile(r"-[bBdEiIOPqsSuvx]*m(.*)")
"""`-m model`, `-mmodel`, and `-um model` with options of Python that have no values."""


class SlhaProgram(Code):
    """A program with its template.

    `{input}` and `{output}` in the command stand for the two files, `{cores}` for the number of cores. A command
    without the files is completed by its profile, or both are appended. `input_file` is the template, in the scan
    file's folder. A later program without a template works on the present spectrum, under the name `input_file` if that
    is given. The program's output becomes the present spectrum; with `append`, it is added to the present spectrum. A
    program whose output has the name of its input works in place. A word of the command that names a file in the scan
    file's folder stands for that file.
    """

    key = "command"
    other_keys = OF_PROGRAMS
    changes_process = False
    sees_every_variable = False

    def __init__(self, spec: CodeSpec, scan: ScanFile, known: Collection[str]) -> None:
        super().__init__(spec, scan, known)
        section = spec.section
        where = f"{section.file}, line {section.line('command')}"
        self.profile, self._profile = profile_of(spec)
        self._name = re.sub(r"\W", "_", spec.name)
        self._command = _complete(Command.read(section.text("command"), where), self._profile)
        _check_placeholders(self._command, known, where)
        self._program = self._command.executable(scan.folder, where)
        words = [*self._command.words[1:], self._command.stdin or ""]
        words = [word for word in words if "." in word or "/" in word]
        self._files = _existing(words, scan.folder)
        self._variables = tuple(scan.setup.section("environment_variables"))
        self._companions = [self._program.parent / name for name in self._profile.companions]
        self._companions = [path for path in self._companions if path.is_file()]
        self._sources = self._command_sources(scan.folder)
        first = next(code.name for code in scan.codes if writes_spectrum(code.section, code.name))
        self.fills_a_template = first == spec.name
        named = section.path_text("input_file")
        self._template = self._read_template(scan, named, known)
        if self.fills_a_template and self._template is not None and not self._template.varies:
            self.remark = (
                f"the template {named} has no variable, so {spec.name} gets the same input at every point; write "
                "expressions in place of its values"
            )
        by_name = section.path_text("input_name") or (Path(named).name if named and self._template is None else "")
        self._input = self._profile.input_name or by_name or f"{self._name}.in.slha"
        self._append = section.boolean("append", appends(section, spec.name))
        self._output = self._output_name(spec, scan)
        self.deadline = self._profile.deadline.read(section)
        self._verdict = Verdict.read(spec, self._profile, scan.observables)

    def _command_sources(self, folder: Path) -> dict[str, str]:
        """The command, and the files that it names, with what scripts among them run or import."""
        script_folder = PurePath(canonical_path(self._command.words[0], folder)).parent
        if script_folder.is_absolute() or "/" not in self._command.words[0]:
            script_folder = PurePath("$PATH")  # for the digest it does not matter where a program is installed
        files = self._files | _existing(_set_by_options(self._command), folder)
        files = {canonical_path(word, folder): path for word, path in files.items()}
        files = {word: path for word, path in files.items() if path.suffix != ".log"}  # logs do not change results
        followed = script_sources(self._program, script_folder)
        for word, path in files.items():
            add_imported(path, PurePath(word).parent, followed)  # of a script: python3 model.py
        found = {"command": canonical_command(self.section.text("command"), folder)}
        found |= {f"file {word}": written_hash(path) for word, path in files.items()}
        found |= followed
        found |= self._module_sources(folder)
        return found | {f"file {script_folder / path.name}": file_hash(path) for path in self._companions}

    def _module_sources(self, folder: Path) -> Mapping[str, str]:
        """Those of the modules in `python3 -m model` and `python3 -m cProfile -m model`."""
        found: dict[str, str] = {}
        is_python = False
        for word, following in itertools.pairwise((*self._command.words, "")):
            option = _RUNS_MODULE.fullmatch(word)
            module = (option[1] or following) if option and is_python else ""
            if module and all(part.isidentifier() for part in module.split(".")):
                found |= module_sources(module, folder)
            is_python = is_python or Path(word).name.startswith("python")
        return found

    def _read_template(self, scan: ScanFile, named: str, known: Collection[str]) -> Template | None:
        """The template; None for a later program that works on the present spectrum."""
        section, first, path = self.section, self.fills_a_template, scan.folder / named
        if first and not named:
            raise section.error(f"{section.path}: a program needs an input_file: its SLHA template", "command")
        if not first and not path.is_file():
            return None
        where = f"{section.file}, line {section.line('input_file')}"
        template = Template(
            path,
            known,
            variables=len(scan.variables),
            where=where,
            blocks=scan.blocks if first else {},
            block_lines=scan.block_lines,
            integers=[variable.name for variable in scan.variables if variable.integer],
        )
        if not first and not template.varies:
            raise section.error(
                f"{section.path} works on the spectrum of the previous code, as {named!r}, but the scan file's folder "
                f"has a file of that name without a variable ({path}). Remove or rename it if it comes from a run by "
                "hand; name a file of the program itself in its command",
                "input_file",
            )
        self._sources[f"template {path.name}"] = file_hash(path)
        return template

    def _output_name(self, spec: CodeSpec, scan: ScanFile) -> str:
        default = f"{self._name}.out.slha" if self._append else scan.setup.text("spectrum_file", "") or "output.slha"
        name = read_output_name(spec.section, Path(self._profile.output_name or default).name)
        return name.replace("{input}", self._input)

    def run(self, point: Point) -> Mapping[str, float]:
        folder = point.folder
        source, target = folder / self._input, folder / self._output
        before = _read(point.spectrum_path) if point.spectrum_path is not None else b""
        self._check_candidate(point.spectrum if before else None, SlhaAddress("LSP", (1,)))
        self._clear(folder)
        if self._template is not None:
            self._template.write(source, point.names, point.variables)
        elif point.spectrum_path is not None:
            write_new(source, before)
        there = set(os.listdir(folder))
        finished = run_program(
            self._words(source, target),
            folder,
            log=self._name,
            timeout=self.next_timeout(),
            stdin=self._file(self._command.stdin, source, target),
            stdout=self._file(self._command.stdout, source, target),
            variables=self._variables,
            threads=threads_of_each(self._command.words, self.cores) if "cores" in self.section else 0,
            memory=self.memory,
        )
        spectrum = self._verdict.judge(finished, target, point.warnings, self._as_slha, there)
        self._check_candidate(spectrum, SlhaAddress("DARKMATTER", (2,)))
        if self._append and point.spectrum_path is not None:
            target = point.spectrum_path
            write_new(target, before + b"\n" + self._blocks(folder / self._output, point.warnings))
            spectrum = read_output(target) or spectrum
        point.wrote(spectrum, target)
        return {}

    def _as_slha(self, output: Path) -> bool:
        return rewrite(output, self._profile.heading, self._profile.table)

    def _blocks(self, output: Path, warnings: list[str]) -> bytes:
        """The output from its first block on. Text before it would become a part of the last block of the spectrum."""
        content = _read(output)
        before, rest = split_headless(content.decode("utf-8", errors="replace"))
        if has_entries(before):
            warnings.append(f"the first entries of {output.name} are in no block and were left out")
        return rest.encode() if before.strip() else content

    def _check_candidate(self, spectrum: Spectrum | None, address: SlhaAddress) -> None:
        """Raises InvalidPoint if the dark matter candidate is not among the PDG numbers of `lsp`."""
        allowed = self._profile.candidates
        if not allowed or spectrum is None:
            return
        try:
            found = int(spectrum.entry(address))
        except (EntryMissing, ValueError, OverflowError):
            return
        if found not in allowed:
            raise InvalidPoint(f"the dark matter candidate has the PDG number {found}, which LSP does not allow")

    def _clear(self, folder: Path) -> None:
        """Removes the files of an earlier code or point, so that they are not mistaken for output of this run, and
        copies the program's companions.
        """
        for name in (self._output, *self._profile.remove):
            (folder / name).unlink(missing_ok=True)
        for name, text in self._profile.files.items():
            write_new(folder / name, text.encode())
        for path in self._companions:
            (folder / path.name).unlink(missing_ok=True)  # because a link would be followed
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(path, folder)

    def sources(self) -> Mapping[str, str]:
        profile = {"profile": self.profile} if self.profile else {}
        if self._profile.candidates:
            profile["lsp"] = str(sorted(self._profile.candidates))
        if self._profile != PROFILES.get(self.profile, self._profile):
            profile["call"] = f"{self._profile.words} {self._profile.files}"
        return self._sources | self._verdict.sources() | profile | ({"append": "true"} if self._append else {})

    def _words(self, source: Path, target: Path) -> list[str]:
        return [str(self._program), *(self._fill(word, source, target) for word in self._command.words[1:])]

    def _file(self, name: str | None, source: Path, target: Path) -> Path | None:
        return None if name is None else source.parent / self._fill(name, source, target)

    def _fill(self, word: str, source: Path, target: Path) -> str:
        if word in self._files:
            return str(self._files[word])
        word = word.replace("{input}", source.name).replace("{output}", target.name)
        return word.replace("{folder}", str(source.parent)).replace("{cores}", str(self.cores))


def _check_placeholders(command: Command, known: Collection[str], where: str) -> None:
    """Raises ConfigurationError for a word such as {in} or {m0}, which the program would get as it is."""
    for word in (*command.words[1:], command.stdin or "", command.stdout or ""):
        found = re.fullmatch(r"\{(\w+)\}", word)
        if found is None or found[1] in PLACEHOLDERS:
            continue
        if found[1] in known:
            remedy = f"{found[1]} stands in the template, which becomes {{input}}"
        elif found[1].lower() in (*PLACEHOLDERS, *MISTAKEN):
            remedy = f"write {', '.join(f'{{{name}}}' for name in PLACEHOLDERS)} in lower case"
        else:
            continue  # it may mean something to the program, as in awk
        raise ConfigurationError(f"{where}: {word} in the command stands for nothing; {remedy}")


def _set_by_options(command: Command) -> list[str]:
    """What stands behind each `=` of the words: /x and b=/x in `--a=b=/x`."""
    return [word[at + 1 :] for word in command.words[1:] for at, letter in enumerate(word) if letter == "="]


def _existing(words: Iterable[str], folder: Path) -> dict[str, Path]:
    """The words that name files, and these files."""
    return {word: folder / word for word in words if os.path.isfile(folder / word)}


def _read(path: Path) -> bytes:
    """The spectrum of this point. Raises CodeFailed if the file does not exist or has become too large."""
    try:
        return read_bytes(path, LARGEST_SPECTRUM)
    except OSError as error:
        raise CodeFailed(f"the spectrum {path.name} cannot be read: {error.strerror}") from error


def _complete(command: Command, profile: Profile) -> Command:
    """Completes a command that does not name its files from its profile."""
    placed = any(mark in word for word in command.words for mark in ("{input}", "{output}", "{folder}"))
    if placed or command.stdin is not None or command.stdout is not None:
        return command
    fixed = [word for word in profile.words if "{" not in word]
    given = all(word in command.words for word in fixed)  # the scan file already has these words
    words = tuple(word for word in profile.words if not (given and word in fixed))
    return Command(command.words + words, profile.stdin, profile.stdout)
