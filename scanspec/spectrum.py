"""Reads SLHA files (hep-ph/0311123, 0801.0045): blocks, decays, and the problems that programs report.

One regular expression finds where blocks and decays begin. Their lines are read only when they are needed, since a
point needs a few of many blocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

from scanspec.blocks import Block, Decay, comparable, to_float
from scanspec.document import closest
from scanspec.observables import SlhaAddress

__all__ = ["INFORMATION", "LARGEST_SPECTRUM", "EntryMissing", "Problem", "Spectrum", "read_spectrum", "to_float"]

LARGEST_SPECTRUM = 32 * 2**20
"""The most bytes of a spectrum; real ones have some 100 kB."""

FILES_NOT_KEPT = "MiB and were not kept"
"""The end of an evaluator's warning; the proposer counts these warnings."""

SAME_SCALE = 1e-3
"""The relative difference below which two scales are the same, because files and people round."""

INFORMATION = ("SPINFO", "DCINFO", "FCINFO", "RDINFO", "OBSINFO")
"""Blocks in which programs report problems with the spectrum, decays, flavour observables and the relic density: 3 is a
warning, 4 an error. Lines of OBSINFO (FlexibleSUSY) begin with the number of an observable; 3 means that it could not
be computed.
"""

_HEAD = re.compile(r"\n[ \t\f]*([BbDdXx]\w+)(?![^\s#])([^\n]*)")  # the leading \n makes the search four times as fast
_LEADING_NUMBER = re.compile(r"[ \t]+[+-]?\.?\d")
_KINDS = frozenset({"BLOCK", "DECAY", "DECAY1L", "XSECTION"})
_SCALE = re.compile(r"Q[ \t]*=[ \t]*(\S+)", re.IGNORECASE)
_NUMBERED = re.compile(r"\S+[ \t]+[+-]?\d+(?!\S)")  # QNUMBERS 9000005: a block for each particle
_NAME = re.compile(r"\S+?(?=Q[ \t]*=|\s|$)", re.IGNORECASE)
_TABLES = {"WIDTH": "DECAY", "BR": "DECAY", "WIDTH1L": "DECAY1L", "BR1L": "DECAY1L"}


class EntryMissing(LookupError):
    """An SLHA file lacks an entry, has it several times, or has no number there."""


class Problem(NamedTuple):
    """A problem that a program reports: the block, 3 (warning) or 4 (error), and the text."""

    block: str
    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.block} {self.number}: {self.text or 'no reason is given'}"


class Spectrum:
    """The content of an SLHA file. If two blocks have the same name, or one particle has two decay tables, the later
    one counts (a later code wrote it), unless a scale is asked for.
    """

    def __init__(self, text: str) -> None:
        if "\0" in text:
            text = text.replace("\0", "")
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        self.all_blocks: list[Block] = []
        self._tables: dict[str, dict[int, tuple[str, str]]] = {"DECAY": {}, "DECAY1L": {}}
        self._decays: dict[tuple[str, int], Decay] = {}
        self._cross_sections: list[tuple[list[str], str]] = []
        text = "\n" + text.removeprefix("\ufeff")  # the byte order mark of editors on Windows
        heads = []
        for head in _HEAD.finditer(text):
            kind = head[1].upper()
            # a sentence in a comment may begin with "Decay", too
            if kind in _KINDS and (kind == "BLOCK" or _LEADING_NUMBER.match(head[2])):
                heads.append((kind, head[2].partition("#")[0], head.start(), head.end()))
        ends = [start for _, _, start, _ in heads[1:]] + [len(text)]
        for (kind, words, _, start), end in zip(heads, ends, strict=False):
            body = text[start:end]
            if kind == "BLOCK":
                self._add_block(words.strip(), body)
            elif kind == "XSECTION":
                self._cross_sections.append((words.split(), body))
            else:
                self._add_decay(kind, words.split(), body)

    def _add_block(self, words: str, body: str) -> None:
        name = _NAME.match(words)
        if name is None:
            return
        scale = None
        if (found := _SCALE.search(words)) is not None:
            try:
                scale = to_float(found[1])
            except ValueError:
                scale = None
        self.all_blocks.append(Block(name[0].upper(), scale, body, words))

    def _add_decay(self, kind: str, words: list[str], body: str) -> None:
        try:
            self._tables[kind][int(words[0])] = words[1] if len(words) > 1 else "", body
        except ValueError:
            return

    @cached_property
    def blocks(self) -> Mapping[str, Block]:
        """The last block of each name, and of each name with the number that follows it, such as QNUMBERS 9000005."""
        found = {block.name: block for block in self.all_blocks}
        return found | {name: block for block in self.all_blocks if (name := _with_its_number(block)) != block.name}

    @property
    def is_empty(self) -> bool:
        """Whether the file has no block, no decay table that can be read, and no table of cross sections."""
        return not (self.all_blocks or self.decays or self._cross_sections)

    @property
    def decays(self) -> Mapping[int, Decay]:
        """All decay tables that can be read, by the PDG number of the decaying particle."""
        found = {}
        for pdg in self._tables["DECAY"]:
            try:
                found[pdg] = self._decay("DECAY", pdg)
            except EntryMissing:
                continue
        return found

    @cached_property
    def spinfo(self) -> list[tuple[int, str]]:
        """The lines of the blocks SPINFO in order: number and text, which some programs write as a comment."""
        return [(number, text) for block, number, text in self._information if block == "SPINFO"]

    @property
    def problems(self) -> list[Problem]:
        """Warnings and errors of the programs that wrote the file, in order."""
        return [problem for problem in self._information if problem.number in (3, 4)]

    @cached_property
    def _information(self) -> list[Problem]:
        lines: list[Problem] = []
        for block in self.all_blocks:
            if block.name not in INFORMATION:
                continue
            for line in block.raw.split("\n"):
                entry, _, comment = line.partition("#")
                words = entry.split()
                if block.name == "OBSINFO" and len(words) > 1 and words[1].isdecimal():
                    del words[0]
                if words and words[0].isdecimal():
                    lines.append(Problem(block.name, int(words[0]), " ".join(words[1:]) or comment.strip()))
        return lines

    def __getitem__(self, address: tuple[str, *tuple[int, ...]]) -> float:
        """An entry such as spectrum["MASS", 25] in the file's units (GeV for masses). Raises EntryMissing if there is
        none.

        For XSECTION the first number is the energy (GeV), and the value is in pb.
        """
        name, *numbers = address
        if name.upper() == "XSECTION" and numbers:
            return self.entry(SlhaAddress("XSECTION", tuple(numbers[1:]), numbers[0]))
        return self.entry(SlhaAddress(name.upper(), tuple(numbers)))

    def text(self, name: str, *indices: int) -> str:
        """An entry as it is written, which need not be a number. Raises EntryMissing if there is none."""
        return self._text(SlhaAddress(name.upper(), indices), indices)

    def entry(self, address: SlhaAddress) -> float:
        """A block entry, WIDTH (GeV), BR or cross section (pb). Raises EntryMissing if there is no such number."""
        flat = tuple(index for index in address.indices if isinstance(index, int))
        if address.block in _TABLES:
            decay = self._decay(_TABLES[address.block], flat[0])
            if address.block.startswith("WIDTH"):
                return decay.width
            return _branching_ratio(decay, address)
        if address.block == "XSECTION":
            word = self._cross_section(address, flat)
        else:
            word = self._of_analysis(address) if address.words else self._text(address, flat)
        try:
            return to_float(word)
        except ValueError:
            hint = "; `column` says where the value stands in its line" if " " in word else ""
            raise EntryMissing(f"the entry {address} of the output is {word!r}, not a number{hint}") from None

    def _text(self, address: SlhaAddress, indices: tuple[int, ...]) -> str:
        block = self._block(address)
        words = block.words_at(indices, address.column, address.under)
        before, behind = block.halves()
        if words and behind is not None and not before.words_at(indices, address.column, address.under):
            hidden = f"{behind.name!r}, the first line of another block, written as a comment"
            raise EntryMissing(f"the output has {address} behind {hidden}")
        if address.scale is None and _with_its_number(block) != address.block:
            self._check_numbered(address, indices)
        if len(words) == 1:
            return words[0]
        if words:
            raise EntryMissing(f"the output has {_contradiction(address, words)}; {_remedy(block, address, words)}")
        if address.under and not any(True for _ in block.rows_under(address.under)):
            there = "; ".join(block.headings()) or "none at all"
            what = f"{address.block} has no table under {' '.join(address.under)!r}"
            raise EntryMissing(f"the block {what}; lines that head one: {there}")
        there = ", ".join(" ".join(map(str, entry)) for entry in block.entries) or "none at all"
        raise EntryMissing(f"the output has no entry {address}; entries of {address.block}: {there}")

    def _check_numbered(self, address: SlhaAddress, indices: tuple[int, ...]) -> None:
        """Raises EntryMissing if an entry has different values in blocks of one name that differ in a number."""
        numbered = [block for block in self.all_blocks if block.name == address.block]
        column, under = address.column, address.under
        by_name = {_with_its_number(block): block.words_at(indices, column, under) for block in numbered}
        if len({tuple(map(comparable, words)) for words in by_name.values() if words}) > 1:
            found = ", ".join(f"{' or '.join(words)} in {name}" for name, words in by_name.items() if words)
            last = list(by_name)[-1]
            raise EntryMissing(f"the output has {address} in several blocks: {found}; write {last!r} for the block")

    def other_scales(self, address: SlhaAddress) -> str:
        """A warning if the block of an entry stands at several scales with different values, and none was asked for;
        otherwise empty.
        """
        scales = self._scales.get(address.block, ())
        if address.scale is not None or len(scales) < 2:
            return ""
        values: dict[float, float] = {}
        for scale in scales:
            with suppress(EntryMissing):
                values[scale] = self.entry(replace(address, scale=scale))
        if len(set(values.values())) < 2:
            return ""
        there = ", ".join(f"{scale:g}" for scale in values)
        return f"the output has {address} with different values at Q = {there}; without `scale` the last block counts"

    @cached_property
    def _scales(self) -> Mapping[str, list[float]]:
        """The scales (GeV) of the blocks of each name, in order."""
        scales: dict[str, list[float]] = {}
        for block in self.all_blocks:
            if block.scale is not None:
                scales.setdefault(block.name, []).append(block.scale)
        return scales

    def _cross_section(self, address: SlhaAddress, pdgs: tuple[int, ...]) -> str:
        """The value (pb) of a cross section: in the last line that begins with the numbers of `address.line`, or
        without these in the first line of the last table. The program chooses the order of the lines.
        """
        tables = self._tables_of(address, pdgs)
        if not tables:
            raise EntryMissing(f"the output has no entry {address}")
        if not address.line:
            return tables[-1][0][6]
        found = [row for rows in tables for row in rows if _begins(row, address.line)]
        if not found:
            raise EntryMissing(f"the output has no line of {address}; there are: {_lines(tables)}")
        return found[-1][6]

    def _tables_of(self, address: SlhaAddress, pdgs: tuple[int, ...]) -> list[list[list[str]]]:
        """The lines of all tables of a process, at the energy that is nearest to the asked one.

        The format: XSECTION sqrt(s) IN IN COUNT OUT ..., then lines of six numbers (scale scheme, orders in QCD and EW,
        kappas of the scales, PDF), the value, and the program that computed it.
        """
        if address.scale is None:
            raise EntryMissing("a cross section needs an energy (GeV)")
        found: list[tuple[float, list[list[str]]]] = []
        for words, body in self._cross_sections:
            try:
                energy, count = to_float(words[0]), int(words[3])
                incoming, outgoing = _sorted(map(int, words[1:3])), _sorted(map(int, words[4 : 4 + count]))
            except (ValueError, IndexError):
                continue
            rows = [row for row in Block("XSECTION", None, body).rows() if len(row) > 6]
            same = _same(energy, address.scale) and incoming == _sorted(pdgs[:2]) and outgoing == _sorted(pdgs[2:])
            if same and rows:
                found.append((abs(energy - address.scale), rows))
        nearest = min((away for away, _ in found), default=0.0)
        return [rows for away, rows in found if away == nearest]

    def other_lines(self, address: SlhaAddress) -> str:
        """A warning if the lines of a cross section have different values, and none was asked for; otherwise empty."""
        if address.block != "XSECTION" or address.line:
            return ""
        tables = self._tables_of(address, tuple(index for index in address.indices if isinstance(index, int)))
        if len({row[6] for rows in tables for row in rows}) < 2:
            return ""
        return (
            f"the output has {address} in several lines with different values: {_lines(tables)}; without `line`, the "
            "first line of the last table counts"
        )

    def _of_analysis(self, address: SlhaAddress) -> str:
        """A value in the last block PROCESS or EFFICIENCIES of an analysis, from the line that begins with the value's
        name.
        """
        analysis, name, *column = address.words
        for block in reversed(self.all_blocks):
            if block.name == address.block and block.title.upper().split()[1:2] == [analysis.upper()]:
                position = 1 + int(*column)
                rows = [row for row in block.rows() if row[0].upper() == name.upper() and len(row) > position]
                words = list(dict.fromkeys(row[position] for row in rows))
                if len(words) == 1:
                    return words[0]
                if words:
                    raise EntryMissing(f"the output has {_contradiction(address, words)}")
        raise EntryMissing(f"the output has no entry {address}")

    def _block(self, address: SlhaAddress) -> Block:
        if address.block not in self.blocks:
            raise EntryMissing(f"the output has no block {address.block}{closest(address.block, self.blocks)}")
        if address.scale is None:
            return self.blocks[address.block]
        scale = address.scale
        named = [block for block in self.all_blocks if block.name == address.block]
        near = [block for block in named if block.scale is not None and _same(block.scale, scale)]
        if not near:
            scales = ", ".join(f"{block.scale:g}" for block in named if block.scale is not None) or "none at all"
            what = f"{address.block} at Q = {scale:g}"
            raise EntryMissing(f"the output has no block {what}; its scales: {scales}")
        return min(reversed(near), key=lambda block: abs((block.scale or 0.0) - scale))

    def _decay(self, table: str, pdg: int) -> Decay:
        if (table, pdg) not in self._decays:
            if pdg not in self._tables[table]:
                there = ", ".join(map(str, self._tables[table])) or "none at all"
                raise EntryMissing(f"the output has no {table} of {pdg}; it has those of: {there}")
            width, body = self._tables[table][pdg]
            try:
                decay = Decay(to_float(width))
            except ValueError:
                raise EntryMissing(f"the width in {table} {pdg} of the output is {width!r}, not a number") from None
            decay.read(Block(table, None, body), _KINDS)
            self._decays[table, pdg] = decay
        return self._decays[table, pdg]


def read_spectrum(text: str) -> Spectrum:
    """Reads the text of an SLHA file. Never fails: unreadable lines are left out."""
    return Spectrum(text)


def _with_its_number(block: Block) -> str:
    """The name of a block, with the number behind it if there is one."""
    found = _NUMBERED.match(block.title)
    return " ".join(found[0].upper().split()) if found else block.name


def _same(found: float, wanted: float) -> bool:
    return abs(found - wanted) <= SAME_SCALE * abs(wanted)


def _sorted(pdgs: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(pdgs))


def _begins(row: Sequence[str], numbers: Sequence[float]) -> bool:
    """Whether a line begins with these numbers."""
    try:
        return tuple(map(to_float, row[: len(numbers)])) == tuple(numbers)
    except ValueError:
        return False


def _lines(tables: Iterable[Iterable[Sequence[str]]]) -> str:
    """The lines of cross sections, each with its six numbers and its value."""
    lines = [f"{' '.join(row[:6])} = {row[6]}" for rows in tables for row in rows]
    return ", ".join(lines[:10]) + (", ..." if len(lines) > 10 else "")


def _branching_ratio(decay: Decay, address: SlhaAddress) -> float:
    parent, *rest = address.indices
    daughters = tuple(sorted(pdg for index in rest for pdg in ((index,) if isinstance(index, int) else index)))
    table = _TABLES[address.block]
    if daughters in decay.doubtful:
        line = decay.doubtful[daughters]
        raise EntryMissing(f"the {table} of {parent} is ambiguous for {address}: see its line {line!r:.80}")
    if daughters not in decay.branching_ratios and decay.unread:
        raise EntryMissing(f"the {table} of {parent} has a line that cannot be read: {decay.unread[0]!r:.80}")
    # a channel that a decay table leaves out is closed: its branching ratio is 0
    return decay.branching_ratios.get(daughters, 0.0)


def _contradiction(address: SlhaAddress, words: list[str]) -> str:
    return f"{address} more than once, and not the same: {', '.join(words[:5])}{', ...' if len(words) > 5 else ''}"


def _remedy(block: Block, address: SlhaAddress, words: list[str]) -> str:
    """How the user can tell apart the several entries of a block."""
    if headings := block.headings():
        shown = "; ".join(headings[:5]) + ("; ..." if len(headings) > 5 else "")
        return f"`under` selects a table by the words of its first line: {shown}"
    if address.column is not None:
        return "give more of the numbers that stand in its line"
    if " " in words[0]:
        return "`column` says where the value stands in a line of several numbers"
    return "a block's first line may be missing, or be written as a comment"
