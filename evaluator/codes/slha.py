"""A physics code that is a program: an SLHA file in, an SLHA file out."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from evaluator.deadline import DEFAULT_TIMEOUT
from evaluator.errors import CodeFailed, ConfigurationError, InvalidPoint
from evaluator.programs import Command, Finished, last_line, run_program
from evaluator.sources import file_hash, script_sources
from evaluator.spectrum import LARGEST_SPECTRUM, Spectrum, read_spectrum
from evaluator.template import Template
from scanspec import CodeSpec, ScanFile
from scanspec import keys as known_keys

if TYPE_CHECKING:
    from evaluator.point import Point

_SPINFO_WARNING, _SPINFO_ERROR = 3, 4


class SlhaProgram:
    """A program with its template.

    `{input}` and `{output}` in the command stand for the two files; without them both are
    appended. `input_file` is the template, beside the scan file. A later program without
    one works on the spectrum that is there, under the name `input_file` if that is given.
    A word of the command that names a file beside the scan file stands for that file.
    """

    def __init__(self, spec: CodeSpec, scan: ScanFile, known: Collection[str]) -> None:
        section = spec.section
        where = f"{section.file}, line {section.line('command')}"
        self._name = re.sub(r"\W", "_", spec.name)
        self._command = Command.read(section.text("command"), where)
        self._program = self._command.executable(scan.folder, where)
        self._files = {
            word: scan.folder / word
            for word in (*self._command.words[1:], self._command.stdin or "")
            if ("." in word or "/" in word) and (scan.folder / word).is_file()
        }
        self._template: Template | None = None
        self._sources = script_sources(self._program) | {"command": section.text("command")}
        self._sources |= {f"file {word}": file_hash(path) for word, path in self._files.items()}
        first = next(each.name for each in scan.codes if "command" in each.section) == spec.name
        path = scan.folder / section.text("input_file", "")
        if path.is_file() or (first and "input_file" in section):
            self._template = Template(path, known, scan.blocks if first else {}, len(scan.variables))
            self._sources[f"template {path.name}"] = file_hash(path)
        elif first:
            raise ConfigurationError(
                str(section.error(f"code {spec.name!r} needs an input_file: its SLHA template", "command"))
            )
        self._input = (
            f"{self._name}.in.slha" if self._template is not None else path.name if "input_file" in section else ""
        )
        default_output = scan.setup.text("spectrum_file", "") or "output.slha"
        self._output = Path(section.text("output_file", default_output)).name
        self.timeout = section.number_in("timeout", DEFAULT_TIMEOUT, 0.0, 1e7, open_low=True)
        self.first_timeout = section.number_in("first_timeout", self.timeout, 0.0, 1e7, open_low=True)
        self._verdict = Verdict.read(spec)
        self._ran = False

    def load(self) -> None:
        """Nothing to prepare: the program is a process of its own."""

    def run(self, point: Point) -> Mapping[str, float]:
        folder = point.folder
        source, target = folder / (self._input or f"{self._name}.in.slha"), folder / self._output
        if self._template is not None:
            source.write_text(self._template.render(point.names, point.variables))
        elif point.spectrum_path is not None:
            source.write_bytes(point.spectrum_path.read_bytes())
        target.unlink(missing_ok=True)  # what an earlier code left must not pass for this one's
        timeout = self.timeout if self._ran else self.first_timeout
        finished = run_program(
            self._words(source, target), folder, self._name, timeout,
            self._file(self._command.stdin, source, target), self._file(self._command.stdout, source, target),
        )  # fmt: skip
        self._ran = True
        point.spectrum = self._verdict.judge(finished, target, point.warnings)
        point.spectra = [each for each in point.spectra if each != target] + [target]
        return {}

    def sources(self) -> Mapping[str, str]:
        return self._sources | self._verdict.sources()

    def _words(self, source: Path, target: Path) -> list[str]:
        words = [str(self._program)]
        placed = any("{input}" in word or "{output}" in word for word in self._command.words)
        words += [self._fill(word, source, target) for word in self._command.words[1:]]
        if not placed and self._command.stdin is None and self._command.stdout is None:
            words += [source.name, target.name]
        return words

    def _file(self, name: str | None, source: Path, target: Path) -> Path | None:
        return None if name is None else source.parent / self._fill(name, source, target)

    def _fill(self, word: str, source: Path, target: Path) -> str:
        if word in self._files:
            return str(self._files[word])
        return word.replace("{input}", source.name).replace("{output}", target.name)


class Verdict:
    """What a run of a program means: OK, INVALID or FAILED, never by its exit code alone."""

    def __init__(
        self,
        exit_codes: frozenset[int] | None,
        blocks: tuple[str, ...],
        invalid_exit_codes: frozenset[int],
        invalid_stderr: re.Pattern[str] | None,
        spinfo: bool,
    ) -> None:
        self._exit_codes, self._blocks = exit_codes, blocks
        self._invalid_exit_codes, self._invalid_stderr, self._spinfo = invalid_exit_codes, invalid_stderr, spinfo

    @classmethod
    def read(cls, spec: CodeSpec) -> Verdict:
        """Reads `success` (exit_codes: a list or `any`, blocks) and `invalid_when` (exit_codes, stderr, spinfo)."""
        success = spec.section.section("success", known_keys.SUCCESS)
        invalid = spec.section.section("invalid_when", known_keys.INVALID_WHEN)
        exit_codes: frozenset[int] | None = frozenset({0})
        if "exit_codes" in success:
            any_code = str(success.raw("exit_codes")).lower() == "any"
            exit_codes = None if any_code else frozenset(int(each) for each in success.numbers("exit_codes"))
        pattern = None
        if "stderr" in invalid:
            try:
                pattern = re.compile(invalid.text("stderr"))
            except re.error as error:
                raise invalid.error(f"stderr is no regular expression: {error}", "stderr") from None
        invalid_codes = (
            frozenset(int(each) for each in invalid.numbers("exit_codes")) if "exit_codes" in invalid else frozenset()
        )
        blocks = tuple(each.upper() for each in success.texts("blocks"))
        return cls(exit_codes, blocks, invalid_codes, pattern, invalid.boolean("spinfo", True))

    def sources(self) -> dict[str, str]:
        """For the physics digest."""
        pattern = self._invalid_stderr.pattern if self._invalid_stderr else ""
        codes = "any" if self._exit_codes is None else str(sorted(self._exit_codes))
        return {"verdict": f"{codes} {self._blocks} {sorted(self._invalid_exit_codes)} {pattern!r} {self._spinfo}"}

    def judge(self, finished: Finished, output: Path, warnings: list[str]) -> Spectrum:
        """The spectrum of a good run; adds to `warnings`. Raises InvalidPoint or CodeFailed."""
        spectrum = _read(output)
        said = last_line(finished.stderr) or last_line(finished.stdout)
        if self._spinfo and spectrum is not None:
            errors = [text for number, text in spectrum.spinfo if number == _SPINFO_ERROR]
            if errors:
                raise InvalidPoint(f"SPINFO 4: {'; '.join(errors)}")
            warnings += [f"SPINFO 3: {text}" for number, text in spectrum.spinfo if number == _SPINFO_WARNING]
        if finished.exit_code in self._invalid_exit_codes:
            raise InvalidPoint(f"exit code {finished.exit_code}: {said}")
        if self._invalid_stderr is not None and self._invalid_stderr.search(finished.stderr):
            raise InvalidPoint(said)
        if self._exit_codes is not None and finished.exit_code not in self._exit_codes:
            how = (
                f"exit code {finished.exit_code}"
                if finished.exit_code >= 0
                else f"ended by signal {-finished.exit_code}"
            )
            raise CodeFailed(f"{how}: {said}")
        if spectrum is None:
            raise CodeFailed(f"there is no output {output.name} (exit code {finished.exit_code}): {said}")
        missing = [block for block in self._blocks if block not in spectrum.blocks]
        if missing:
            raise CodeFailed(f"the output has no block {', '.join(missing)}: {said}")
        if not spectrum.blocks and not spectrum.decays:
            raise CodeFailed(f"the output {output.name} holds no SLHA block: {said}")
        return spectrum


def _read(path: Path) -> Spectrum | None:
    try:
        if path.stat().st_size > LARGEST_SPECTRUM:
            raise CodeFailed(f"the output {path.name} is larger than {LARGEST_SPECTRUM >> 20} MiB")
        return read_spectrum(path.read_bytes().decode("utf-8", errors="replace"))
    except OSError:
        return None
