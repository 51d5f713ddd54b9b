"""Reads SLHA files (hep-ph/0311123, 0801.0045): blocks, decays, and the problems that programs report.

One regular expression finds where blocks and decays begin. Their lines are read only when they are needed, since a
point needs a few of many blocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import NamedTuple

from scanspec.blocks import WHOLE, Block, Decay, comparable, to_float
from scanspec.document import closest
from scanspec.doubts import (
    among_analyses,
    among_blocks,
    among_lines,
    among_tables,
    contradiction,
    lines_of,
    remedy,
)
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
_SCALE = re.compile(r"Q[ \t]*=[ \t]*([^\s()\[\]{},;]+)", re.IGNORECASE)  # some programs write (Q= 1.0E+03)
_NAME = re.compile(r"\S+?(?=[(\[{]?[ \t]*Q[ \t]*=|\s|$)", re.IGNORECASE)
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
    one counts (a later code may have written it), unless a scale is asked for.

    `warnings` are those of the entries that were read: each may be found elsewhere in the file with another value.
    """

    def __init__(self, text: str) -> None:
        if "\0" in text:
            text = text.replace("\0", "")
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        self.all_blocks: list[Block] = []
        self.warnings: list[str] = []
        self._tables: dict[str, dict[int, list[tuple[str, str]]]] = {"DECAY": {}, "DECAY1L": {}}
        self._decays: dict[tuple[str, int, int], Decay] = {}
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
            with suppress(ValueError):
                scale = to_float(found[1])
        self.all_blocks.append(Block(name[0].upper(), scale, body, words))

    def _add_decay(self, kind: str, words: list[str], body: str) -> None:
        try:
            tables = self._tables[kind].setdefault(int(words[0]), [])
        except ValueError:
            return
        tables.append((words[1] if len(words) > 1 else "", body))

    @cached_property
    def blocks(self) -> Mapping[str, Block]:
        """The last block of each name, and of each name with the number that follows it, such as QNUMBERS 9000005."""
        found = {block.name: block for block in self.all_blocks}
        return found | {name: block for block in self.all_blocks if (name := block.numbered_name) != block.name}

    def _blocks_named(self, name: str) -> Sequence[Block]:
        """All blocks of this name, in order; a name such as QNUMBERS 9000005 has the number that follows it."""
        return self._by_name.get(name, ())

    @cached_property
    def _by_name(self) -> Mapping[str, list[Block]]:
        found: dict[str, list[Block]] = {}
        for block in self.all_blocks:
            for name in {block.name, block.numbered_name}:
                found.setdefault(name, []).append(block)
        return found

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
                if words and WHOLE.fullmatch(words[0]):
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
        address = SlhaAddress(name.upper(), indices)
        found = self._text(address, indices)
        self._warn(address)
        return found

    def entry(self, address: SlhaAddress) -> float:
        """A block entry, WIDTH (GeV), BR or cross section (pb). Raises EntryMissing if there is no such number."""
        found = self._decay_entry(address) if address.block in _TABLES else self._number(address)
        self._warn(address)
        return found

    def _warn(self, address: SlhaAddress) -> None:
        if (warning := self.other_values(address)) and warning not in self.warnings:
            self.warnings.append(warning)

    def other_values(self, address: SlhaAddress) -> str:
        """A warning if the file has other values of an entry that was read, and the address does not tell which one is
        meant; otherwise empty.
        """
        if address.block in _TABLES:
            return among_tables(address, self._of_each_table(address))
        if address.block == "XSECTION":
            return among_lines(address, self._lines_of(address))
        if address.words:
            return among_analyses(address, self._words_of_analysis(address))
        blocks = self._blocks_named(address.block)
        if len(blocks) > 1 and address.scale is not None:
            chosen = self._block(address).scale
            blocks = [block for block in blocks if block.scale == chosen]
        return among_blocks(address, blocks) if len(blocks) > 1 else ""

    def _of_each_table(self, address: SlhaAddress) -> list[float]:
        """The value of a WIDTH or BR in each decay table of its particle that can be read, if there are several."""
        count = len(self._tables[_TABLES[address.block]].get(_numbers(address)[0], ()))
        values = []
        for number in range(count if count > 1 else 0):
            with suppress(EntryMissing):
                values.append(self._decay_entry(address, number))
        return values

    def _decay_entry(self, address: SlhaAddress, number: int = -1) -> float:
        decay = self._decay(_TABLES[address.block], _numbers(address)[0], number)
        return decay.width if address.block.startswith("WIDTH") else _branching_ratio(decay, address)

    def _number(self, address: SlhaAddress) -> float:
        if address.block == "XSECTION":
            word = self._cross_section(address)
        else:
            word = self._of_analysis(address) if address.words else self._text(address, _numbers(address))
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
        if address.scale is None and block.numbered_name != address.block:
            self._check_numbered(address, indices)
        if len(words) == 1:
            return words[0]
        if words:
            raise EntryMissing(f"the output has {contradiction(address, words)}; {remedy(block, address, words)}")
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
        by_name = {block.numbered_name: block.words_at(indices, column, under) for block in numbered}
        if len({tuple(map(comparable, words)) for words in by_name.values() if words}) > 1:
            found = ", ".join(f"{' or '.join(words)} in {name}" for name, words in by_name.items() if words)
            last = list(by_name)[-1]
            raise EntryMissing(f"the output has {address} in several blocks: {found}; write {last!r} for the block")

    def _cross_section(self, address: SlhaAddress) -> str:
        """The value (pb) of a cross section: in the last line that begins with the numbers of `address.line`, or
        without these in the first line of the last table. The program chooses the order of the lines.
        """
        if found := self._lines_of(address):
            return found[-1][-1 if address.line else 0][6]
        if there := lines_of(self._cross_sections_of(address)):
            raise EntryMissing(f"the output has no line of {address}; there are: {there}")
        raise EntryMissing(f"the output has no entry {address}")

    def _lines_of(self, address: SlhaAddress) -> list[list[list[str]]]:
        """The lines of each table that begin with the numbers of `address.line`, without tables that have none."""
        tables = self._cross_sections_of(address)
        return list(filter(None, ([row for row in rows if _begins(row, address.line)] for rows in tables)))

    def _cross_sections_of(self, address: SlhaAddress) -> list[list[list[str]]]:
        """The lines of all tables of a process, at the energy that is nearest to the asked one.

        The format: XSECTION sqrt(s) IN IN COUNT OUT ..., then lines of six numbers (scale scheme, orders in QCD and EW,
        kappas of the scales, PDF), the value, and the program that computed it.
        """
        if address.scale is None:
            raise EntryMissing("a cross section needs an energy (GeV)")
        pdgs = _numbers(address)
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

    def _of_analysis(self, address: SlhaAddress) -> str:
        """A value in the last block PROCESS or EFFICIENCIES of an analysis that has it."""
        words = next(filter(None, reversed(self._words_of_analysis(address))), [])
        if len(words) == 1:
            return words[0]
        if words:
            raise EntryMissing(f"the output has {contradiction(address, words)}")
        raise EntryMissing(f"the output has no entry {address}")

    def _words_of_analysis(self, address: SlhaAddress) -> list[list[str]]:
        """The different words in the lines that begin with the name of a value, in each block of an analysis."""
        analysis, name, *column = address.words
        position = 1 + int(*column)
        found = []
        for block in self._blocks_named(address.block):
            if block.title.upper().split()[1:2] == [analysis.upper()]:
                rows = [row for row in block.rows() if row[0].upper() == name.upper() and len(row) > position]
                found.append(list(dict.fromkeys(row[position] for row in rows)))
        return found

    def _block(self, address: SlhaAddress) -> Block:
        """The block of an entry: the last one of its name, or the one nearest to the scale. Raises EntryMissing."""
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

    def _decay(self, table: str, pdg: int, number: int = -1) -> Decay:
        if (table, pdg, number) not in self._decays:
            if pdg not in self._tables[table]:
                there = ", ".join(map(str, self._tables[table])) or "none at all"
                raise EntryMissing(f"the output has no {table} of {pdg}; it has those of: {there}")
            width, body = self._tables[table][pdg][number]
            try:
                decay = Decay(to_float(width))
            except ValueError:
                raise EntryMissing(f"the width in {table} {pdg} of the output is {width!r}, not a number") from None
            decay.read(Block(table, None, body), _KINDS)
            self._decays[table, pdg, number] = decay
        return self._decays[table, pdg, number]


def read_spectrum(text: str) -> Spectrum:
    """Reads the text of an SLHA file. Never fails: unreadable lines are left out."""
    return Spectrum(text)


def _numbers(address: SlhaAddress) -> tuple[int, ...]:
    return tuple(index for index in address.indices if isinstance(index, int))


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
