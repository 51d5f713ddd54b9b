"""Judges the run of a program: OK, INVALID, or FAILED. The exit code alone never decides."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluator import InvalidPoint
from evaluator.codes.outputs import SAYS_UNPHYSICAL, UNPHYSICAL
from evaluator.codes.profiles import Profile
from evaluator.codes.programs import Finished, last_line
from evaluator.errors import CodeFailed
from scanspec import CodeSpec, ObservableSpec, SlhaAddress
from scanspec import keys as known_keys
from scanspec.canonical import canonical_address
from scanspec.codes import read_exit_codes, read_pattern
from scanspec.files import NotAFile, read_bytes
from scanspec.observables import read_address
from scanspec.raised import printable
from scanspec.spectrum import LARGEST_SPECTRUM, EntryMissing, Problem, Spectrum, read_spectrum
from scanspec.tools import WITHOUT_EXIT_CODES, profile_name

_ERROR = 4

MOST_READ = 20
"""The most files in which a missing output is looked for."""


@dataclass(frozen=True)
class Verdict:
    """The rules for the runs of one program.

    A good run has one of the `exit_codes` (None: any) and all `blocks`. The exit codes `invalid_exit_codes`, the
    pattern `invalid_stderr` on standard error, and SPINFO 4 (if `spinfo`) make a point INVALID. A flag that is 0 gives
    a warning, unless it is among `judged`, the observables with a window. `asked` are the entries of the observables.
    If such an entry is 0 and OBSINFO reports a problem, it was not computed.
    """

    exit_codes: frozenset[int] | None
    blocks: tuple[str, ...]
    invalid_exit_codes: frozenset[int]
    invalid_stderr: re.Pattern[str] | None
    spinfo: bool
    flags: Mapping[str, SlhaAddress]
    judged: frozenset[SlhaAddress]
    asked: tuple[SlhaAddress, ...]
    unphysical: SlhaAddress | None

    @classmethod
    def read(cls, spec: CodeSpec, profile: Profile, others: Sequence[ObservableSpec]) -> Verdict:
        """Reads `success` (exit_codes: a list or `any`, blocks), `invalid_when` (exit_codes, stderr, spinfo), `flags`.

        The profile gives the defaults. `others` are observables that belong to no code.
        """
        success = spec.section.section("success", known_keys.SUCCESS)
        invalid = spec.section.section("invalid_when", known_keys.INVALID_WHEN)
        exit_codes = None if profile_name(spec.section, spec.name) in WITHOUT_EXIT_CODES else frozenset({0})
        if "exit_codes" in success:
            any_code = str(success.raw("exit_codes")).lower() == "any"
            exit_codes = None if any_code else read_exit_codes(success)
        pattern = read_pattern(invalid)
        invalid_codes = read_exit_codes(invalid) if "exit_codes" in invalid else frozenset()
        blocks = tuple(text.upper() for text in success.texts("blocks")) if "blocks" in success else profile.blocks
        flags = spec.section.section("flags")
        named = {name: read_address(flags, name) for name in flags} if "flags" in spec.section else profile.flags
        judged = frozenset(
            observable.slha
            for observable in spec.observables
            if observable.valid is not None and observable.slha is not None
        )
        asked = tuple(observable.slha for observable in (*spec.observables, *others) if observable.slha is not None)
        return cls(
            exit_codes,
            blocks,
            invalid_exit_codes=invalid_codes,
            invalid_stderr=pattern,
            spinfo=invalid.boolean("spinfo", True),
            flags=named,
            judged=judged,
            asked=asked,
            unphysical=profile.unphysical,
        )

    def sources(self) -> dict[str, str]:
        """The rules as text, for the physics digest."""
        pattern = self.invalid_stderr.pattern if self.invalid_stderr else ""
        codes = "any" if self.exit_codes is None else str(sorted(self.exit_codes))
        blocks, invalid = tuple(sorted({*self.blocks})), sorted(self.invalid_exit_codes)
        found = {"verdict": f"{codes} {blocks} {invalid} {pattern!r} {self.spinfo}"}
        return found | {f"flag {name}": str(canonical_address(address)) for name, address in self.flags.items()}

    def judge(
        self,
        finished: Finished,
        output: Path,
        warnings: list[str],
        rewrite: Callable[[Path], bool],
        before: Collection[str],
    ) -> Spectrum:
        """The spectrum of a good run. Warnings are appended to `warnings`. Raises InvalidPoint or CodeFailed.

        The program's own reports have precedence. `before` are the names of the files that were there before the run.
        `rewrite` converts another kind of output to SLHA in place, and returns whether that was necessary; it may raise
        CodeFailed.
        """
        spectrum, fault = None, None
        try:
            spectrum = read_output(output)
        except CodeFailed as error:  # raised below, only for a successful run
            fault = error
        self._judge_run(finished, spectrum, warnings)
        if fault is not None:
            raise fault
        if rewrite(output):
            spectrum = read_output(output)
        if spectrum is None:
            there_is_none = f"there is no output {output.name} (exit code {finished.exit_code}){_words(finished)}"
            raise CodeFailed(there_is_none + _where_else(finished, output, before))
        self._judge_spectrum(finished, output, spectrum, warnings)
        return spectrum

    def _judge_run(self, finished: Finished, spectrum: Spectrum | None, warnings: list[str]) -> None:
        """Judges the program's reports: SPINFO 4 and similar entries, the exit code, and standard error."""
        if self.spinfo and spectrum is not None:
            raise_errors(spectrum)
            _warn(warnings, [str(problem) for problem in spectrum.problems])
        if finished.exit_code in self.invalid_exit_codes:
            raise InvalidPoint(f"exit code {finished.exit_code}{_words(finished)}")
        if self.invalid_stderr is not None and self.invalid_stderr.search(finished.stderr):
            raise InvalidPoint(_said(finished))
        if self.exit_codes is not None and finished.exit_code not in self.exit_codes:
            code = finished.exit_code
            ending = f"exit code {code}" if code >= 0 else f"ended by signal {-code}"
            raise CodeFailed(f"{ending}{_words(finished)}")

    def _judge_spectrum(self, finished: Finished, output: Path, spectrum: Spectrum, warnings: list[str]) -> None:
        """Judges the output: its required blocks, and flags that are 0."""
        missing = [block for block in self.blocks if block not in spectrum.blocks]
        if missing:
            raise CodeFailed(f"the output has no block {', '.join(missing)}{_words(finished)}")
        if spectrum.is_empty:
            last = _said(finished)
            words = f"; the program's last words: {last}" if last else ""
            raise CodeFailed(f"the output {output.name} holds no SLHA block{words}")
        if self.unphysical is not None and _is(spectrum, self.unphysical, UNPHYSICAL):
            raise InvalidPoint(SAYS_UNPHYSICAL)
        if self.spinfo:
            self._refuse_zeros(spectrum)
        off = [
            f"{name}: {address} is 0"
            for name, address in self.flags.items()
            if address not in self.judged and _is_off(spectrum, address)
        ]
        _warn(warnings, off)

    def _refuse_zeros(self, spectrum: Spectrum) -> None:
        """Raises CodeFailed for an observable that FlexibleSUSY could not compute: it writes 0, and the reason only in
        OBSINFO.
        """
        for problem in spectrum.problems:
            if problem.block != "OBSINFO":
                continue
            zeros = [
                address
                for address in self.asked
                if _is_off(spectrum, address) and _is_meant(spectrum, address, problem)
            ]
            if zeros:
                missing_entries = ", ".join(map(str, zeros))
                raise CodeFailed(f"{missing_entries} was not computed: it is 0, and the output reports {problem}")


OBSERVABLES_OF_FLEXIBLESUSY = frozenset({"FLEXIBLESUSYLOWENERGY", "EFFHIGGSCOUPLINGS", "FWCOEF", "IMFWCOEF"})
"""The blocks of FlexibleSUSY's observables."""

_MOMENT = re.compile(r"g\s*-\s*2|\ba_?mu", re.IGNORECASE)


def _is_meant(spectrum: Spectrum, address: SlhaAddress, problem: Problem) -> bool:
    """Whether a problem in OBSINFO can concern an entry. A problem of a_muon concerns neither decays nor Higgs
    couplings.
    """
    if address.block not in OBSERVABLES_OF_FLEXIBLESUSY:
        return False
    if not _MOMENT.search(problem.text):
        return True
    comment = spectrum.blocks[address.block].comment(
        tuple(index for index in address.indices if isinstance(index, int))
    )
    return address.block == "FLEXIBLESUSYLOWENERGY" and (not comment or _MOMENT.search(comment) is not None)


def raise_errors(spectrum: Spectrum) -> None:
    """Raises InvalidPoint if a program reports an error of the point (entry 4 of SPINFO or of a similar block)."""
    errors = [problem for problem in spectrum.problems if problem.number == _ERROR]
    if errors:
        first, *others = errors
        raise InvalidPoint("; ".join([str(first), *(other.text for other in others if other.text)]))


def read_output(path: Path) -> Spectrum | None:
    """The spectrum in a file, or None if there is no file. Raises CodeFailed if the file is too large or
    not regular.
    """
    try:
        return read_spectrum(read_bytes(path, LARGEST_SPECTRUM).decode("utf-8", errors="replace"))
    except NotAFile as error:
        raise CodeFailed(f"the output {path.name} cannot be read: {error.strerror}") from error
    except OSError:
        return None


def _where_else(finished: Finished, output: Path, before: Collection[str]) -> str:
    """Where a program that did not write its output file has written SLHA blocks; empty if nowhere."""
    if not read_spectrum(finished.stdout).is_empty:
        return "; its standard output has SLHA blocks: write > {output} at the end of the command"
    for name in sorted(set(os.listdir(output.parent)) - set(before))[:MOST_READ]:
        with contextlib.suppress(CodeFailed):
            spectrum = read_output(output.parent / name)
            if spectrum is not None and not spectrum.is_empty:
                return f"; its file {printable(name)} has SLHA blocks: if that is the output, name it by output_file"
    return ""


def _said(finished: Finished) -> str:
    """The last line that the program wrote."""
    return last_line(finished.stderr) or last_line(finished.stdout)


def _words(finished: Finished) -> str:
    """The last line that the program wrote, as the end of a sentence; empty if it wrote nothing."""
    last = _said(finished)
    return f": {last}" if last else ""


def _warn(warnings: list[str], new: list[str]) -> None:
    # programs that work on the same file repeat its entries
    warnings += [warning for warning in new if warning not in warnings]


def _is_off(spectrum: Spectrum, address: SlhaAddress) -> bool:
    return _is(spectrum, address, 0.0)


def _is(spectrum: Spectrum, address: SlhaAddress, value: float) -> bool:
    try:
        return spectrum.entry(address) == value
    except EntryMissing:
        return False
