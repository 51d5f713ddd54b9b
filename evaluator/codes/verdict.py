"""What a run of a program means: OK, INVALID or FAILED, never by its exit code alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluator import InvalidPoint
from evaluator.codes.profiles import Profile
from evaluator.codes.programs import Finished, last_line
from evaluator.errors import CodeFailed
from evaluator.files import NotAFile, read_regular
from scanspec import CodeSpec, ObservableSpec, SlhaAddress
from scanspec import keys as known_keys
from scanspec.codes import read_exit_codes, read_pattern
from scanspec.observables import read_address
from scanspec.spectrum import LARGEST_SPECTRUM, EntryMissing, Spectrum, read_spectrum

_ERROR = 4


@dataclass(frozen=True)
class Verdict:
    """The rules of one code.

    `exit_codes` of a good run (None: any), `blocks` that must be there; exit codes, a
    pattern on standard error and SPINFO 4 make a point INVALID; a flag that is 0 gives a
    warning, unless it is among `judged`: a window on it says already what its 0 means.
    `asked` are the entries that observables are read from: one that is 0 was not computed where OBSINFO says so.
    """

    exit_codes: frozenset[int] | None
    blocks: tuple[str, ...]
    invalid_exit_codes: frozenset[int]
    invalid_stderr: re.Pattern[str] | None
    spinfo: bool
    flags: Mapping[str, SlhaAddress]
    judged: frozenset[SlhaAddress]
    asked: tuple[SlhaAddress, ...]

    @classmethod
    def read(cls, spec: CodeSpec, profile: Profile, others: Sequence[ObservableSpec]) -> Verdict:
        """Reads `success` (exit_codes: a list or `any`, blocks), `invalid_when` (exit_codes, stderr, spinfo), `flags`.

        What the file does not say comes from the profile. `others` are observables that belong to no code.
        """
        success = spec.section.section("success", known_keys.SUCCESS)
        invalid = spec.section.section("invalid_when", known_keys.INVALID_WHEN)
        exit_codes = profile.exit_codes
        if "exit_codes" in success:
            any_code = str(success.raw("exit_codes")).lower() == "any"
            exit_codes = None if any_code else read_exit_codes(success)
        pattern = read_pattern(invalid)
        invalid_codes = read_exit_codes(invalid) if "exit_codes" in invalid else frozenset()
        blocks = tuple(each.upper() for each in success.texts("blocks")) if "blocks" in success else profile.blocks
        flags = spec.section.section("flags")
        named = {name: read_address(flags, name) for name in flags} if "flags" in spec.section else profile.flags
        judged = frozenset(each.slha for each in spec.observables if each.valid is not None and each.slha is not None)
        asked = tuple(each.slha for each in (*spec.observables, *others) if each.slha is not None)
        return cls(exit_codes, blocks, invalid_codes, pattern, invalid.boolean("spinfo", True), named, judged, asked)

    def sources(self) -> dict[str, str]:
        """For the physics digest."""
        pattern = self.invalid_stderr.pattern if self.invalid_stderr else ""
        codes = "any" if self.exit_codes is None else str(sorted(self.exit_codes))
        found = {"verdict": f"{codes} {self.blocks} {sorted(self.invalid_exit_codes)} {pattern!r} {self.spinfo}"}
        return found | {f"flag {name}": str(address) for name, address in self.flags.items()}

    def judge(self, finished: Finished, output: Path, warnings: list[str]) -> Spectrum:
        """The spectrum of a good run; adds to `warnings`. Raises InvalidPoint or CodeFailed."""
        spectrum = read_output(output)
        said = last_line(finished.stderr) or last_line(finished.stdout)
        if self.spinfo and spectrum is not None:
            raise_errors(spectrum)
            _warn(warnings, [str(each) for each in spectrum.problems])
        if finished.exit_code in self.invalid_exit_codes:
            raise InvalidPoint(f"exit code {finished.exit_code}: {said}")
        if self.invalid_stderr is not None and self.invalid_stderr.search(finished.stderr):
            raise InvalidPoint(said)
        if self.exit_codes is not None and finished.exit_code not in self.exit_codes:
            how = (
                f"exit code {finished.exit_code}"
                if finished.exit_code >= 0
                else f"ended by signal {-finished.exit_code}"
            )
            raise CodeFailed(f"{how}: {said}")
        if spectrum is None:
            raise CodeFailed(f"there is no output {output.name} (exit code {finished.exit_code}): {said}")
        missing = [block for block in self.blocks if block not in spectrum.blocks]
        if missing:
            raise CodeFailed(f"the output has no block {', '.join(missing)}: {said}")
        if not spectrum.blocks and not spectrum.decays:
            words = f"; the program's last words: {said}" if said else ""
            raise CodeFailed(f"the output {output.name} holds no SLHA block{words}")
        if self.spinfo:
            self._refuse_zeros(spectrum)
        off = [
            f"{name}: {address} is 0"
            for name, address in self.flags.items()
            if address not in self.judged and _is_off(spectrum, address)
        ]
        _warn(warnings, off)
        return spectrum

    def _refuse_zeros(self, spectrum: Spectrum) -> None:
        """FlexibleSUSY writes 0 for an observable that it could not compute, and says so in OBSINFO alone."""
        problems = [each for each in spectrum.problems if each.block == "OBSINFO"]
        asked = [each for each in self.asked if each.block in spectrum.blocks] if problems else []
        if zeros := [str(each) for each in asked if _is_off(spectrum, each)]:
            raise CodeFailed(f"{', '.join(zeros)} was not computed: it is 0, and the output says {problems[0]}")


def raise_errors(spectrum: Spectrum) -> None:
    """Raises InvalidPoint where a program says that the point is in error (SPINFO 4, or that of another block)."""
    errors = [each for each in spectrum.problems if each.number == _ERROR]
    if errors:
        first, *others = errors
        raise InvalidPoint("; ".join([str(first), *(each.text for each in others if each.text)]))


def read_output(path: Path) -> Spectrum | None:
    """The spectrum in a file, None when there is no file; raises CodeFailed when it is too large to be one."""
    try:
        content = read_regular(path, LARGEST_SPECTRUM)
        if len(content) > LARGEST_SPECTRUM:
            raise CodeFailed(f"the output {path.name} is larger than {LARGEST_SPECTRUM >> 20} MiB")
        return read_spectrum(content.decode("utf-8", errors="replace"))
    except NotAFile as error:
        raise CodeFailed(f"the output cannot be read: {error}") from error
    except OSError:
        return None


def _warn(warnings: list[str], new: list[str]) -> None:
    # programs that work on the same file say the same again
    warnings += [each for each in new if each not in warnings]


def _is_off(spectrum: Spectrum, address: SlhaAddress) -> bool:
    try:
        return spectrum.entry(address) == 0.0
    except EntryMissing:
        return False
