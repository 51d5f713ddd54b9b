"""Reads SLHA files (hep-ph/0311123, 0801.0045): blocks, decays, and what SPINFO says.

One regular expression finds where blocks and decays begin; their lines are read when
somebody asks for them, since a point needs a few blocks of many.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from scanspec.document import closest
from scanspec.observables import SlhaAddress

LARGEST_SPECTRUM = 32 * 2**20
"""Bytes: real spectra have some 100 kB."""

FILES_NOT_KEPT = "MiB and were not kept"
"""Ends an evaluator's warning, which the proposer counts."""

SAME_SCALE = 1e-3
"""Two scales are the same when they differ by less than this share: files and people round."""

_HEAD = re.compile(r"\n[ \t]*([BbDdXx]\w+)[ \t]+([^\n]*)")  # begins with a fixed character: four times as fast
_COMMENT = re.compile(r"#[^\n]*")
_KINDS = {"BLOCK", "DECAY", "DECAY1L", "XSECTION"}
_SCALE = re.compile(r"Q[ \t]*=[ \t]*(\S+)", re.IGNORECASE)
_NAME = re.compile(r"\S+?(?=Q[ \t]*=|\s|$)", re.IGNORECASE)
_NO_E = re.compile(r"([+-]?\d*\.?\d+)([+-]\d{2,3})")  # Fortran drops the E before three digits: 1.5-101
_WHOLE = re.compile(r"[+-]?\d+")
_GLUED = re.compile(r"(?<=\d)(?=-)")  # two columns without a blank between: 1-9.9E-01
_TOUCHING = re.compile(r"\d-\d*\.\d")
_TABLES = {"WIDTH": "DECAY", "BR": "DECAY", "WIDTH1L": "DECAY1L", "BR1L": "DECAY1L"}

Entries = dict[tuple[int, ...], str]


class EntryMissing(LookupError):
    """An SLHA file lacks an entry, or has no number there; the message says what there is."""


def to_float(word: str) -> float:
    """A number, also as Fortran writes it (1.0D+02, 1.0-101); raises ValueError."""
    try:
        return float(word)
    except ValueError:
        match = _NO_E.fullmatch(word)
        return float(f"{match[1]}E{match[2]}" if match else word.replace("D", "E").replace("d", "e"))


@dataclass
class Block:
    """One block: its name in upper case, its scale Q in GeV where it has one, its lines without comments, and all
    words of its first line.
    """

    name: str
    scale: float | None
    text: str
    title: str = ""

    def rows(self) -> Iterator[list[str]]:
        """The words of each line."""
        return filter(None, map(str.split, self.text.split("\n")))

    @cached_property
    def entries(self) -> Entries:
        """Values as they are written, by their indices; of an entry that is there twice the later wins."""
        found: Entries = {}
        touching = _TOUCHING.search(self.text) is not None
        for words in self.rows():
            try:
                if touching:
                    raise ValueError
                # nearly all lines are indices and one word
                found[tuple(map(int, words[:-1]))] = words[-1]
            except ValueError:
                _read_entry(words, found)
        return found

    def cell(self, wanted: tuple[int, ...], column: int) -> str | None:
        """The word in a column (from 1) of the last line whose other words begin with the numbers `wanted`.

        Where no line does, of the last one whose other words that are whole numbers do: several values may stand
        before the indices.
        """
        first: str | None = None
        behind: str | None = None
        for words in self.rows():
            others = words[: column - 1] + words[column:]
            if len(words) < column:
                continue
            if _begin(others, wanted):
                first = words[column - 1]
            elif _begin([word for word in others if _WHOLE.fullmatch(word)], wanted):
                behind = words[column - 1]
        return behind if first is None else first


@dataclass
class Decay:
    """Total width in GeV, and branching ratios by sorted daughters (PDG numbers); lines that should be channels, but
    cannot be read.
    """

    width: float
    branching_ratios: dict[tuple[int, ...], float] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)


class Spectrum:
    """What an SLHA file holds. Of two blocks of one name the later wins, unless a scale is asked for."""

    def __init__(self, text: str) -> None:
        if "\0" in text:
            text = text.replace("\0", "")
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        self.all_blocks: list[Block] = []
        self._tables: dict[str, dict[int, tuple[str, str]]] = {"DECAY": {}, "DECAY1L": {}}
        self._decays: dict[tuple[str, int], Decay] = {}
        self._cross_sections: list[tuple[str, str]] = []
        text = "\n" + _COMMENT.sub("", text.removeprefix("\ufeff"))  # a mark that editors on Windows leave
        heads = [head for head in _HEAD.finditer(text) if head[1].upper() in _KINDS]
        ends = [head.start() for head in heads[1:]] + [len(text)]
        for head, end in zip(heads, ends, strict=False):
            kind, words, body = head[1].upper(), head[2], text[head.end() : end]
            if kind == "BLOCK":
                self._add_block(words, body)
            elif kind == "XSECTION":
                self._cross_sections.append((words, body))
            else:
                self._add_decay(kind, words, body)

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

    def _add_decay(self, kind: str, words: str, body: str) -> None:
        parts = words.split()
        try:
            self._tables[kind][int(parts[0])] = parts[1], body
        except (ValueError, IndexError):
            return

    @cached_property
    def blocks(self) -> Mapping[str, Block]:
        """The last block of each name."""
        return {block.name: block for block in self.all_blocks}

    @property
    def decays(self) -> Mapping[int, Decay]:
        """All decay tables that can be read, by the PDG number of what decays."""
        found = {}
        for pdg in self._tables["DECAY"]:
            try:
                found[pdg] = self._decay("DECAY", pdg)
            except EntryMissing:
                continue
        return found

    @cached_property
    def spinfo(self) -> list[tuple[int, str]]:
        """What the blocks SPINFO say, in order: number and text."""
        lines: list[tuple[int, str]] = []
        for block in self.all_blocks:
            if block.name == "SPINFO":
                lines += [(int(row[0]), " ".join(row[1:])) for row in block.rows() if row[0].isdecimal()]
        return lines

    def __getitem__(self, address: tuple[str, *tuple[int, ...]]) -> float:
        """spectrum["MASS", 25] in the file's units (GeV for masses); raises EntryMissing when it is not there.

        Of XSECTION the first number is the energy (GeV), and the value is in pb.
        """
        name, *numbers = address
        if name.upper() == "XSECTION" and numbers:
            return self.entry(SlhaAddress("XSECTION", tuple(numbers[1:]), numbers[0]))
        return self.entry(SlhaAddress(name.upper(), tuple(numbers)))

    def text(self, name: str, *indices: int) -> str:
        """An entry as it is written, also where it is no number; raises EntryMissing when it is not there."""
        return self._text(SlhaAddress(name.upper(), indices), indices)

    def entry(self, address: SlhaAddress) -> float:
        """A block entry, a WIDTH, a BR or a cross section; raises EntryMissing when it is missing or no number."""
        flat = tuple(index for index in address.indices if isinstance(index, int))
        if address.block in _TABLES:
            decay = self._decay(_TABLES[address.block], flat[0])
            if address.block.startswith("WIDTH"):
                return decay.width
            daughters = [
                each for index in address.indices[1:] for each in ((index,) if isinstance(index, int) else index)
            ]
            ratio = decay.branching_ratios.get(tuple(sorted(daughters)))
            if ratio is None and decay.unread:
                table, line = _TABLES[address.block], decay.unread[0]
                raise EntryMissing(f"the {table} of {flat[0]} has a line that cannot be read: {line!r:.80}")
            # a channel that a decay table leaves out is closed: its branching ratio is 0
            return ratio or 0.0
        if address.block == "XSECTION":
            word = self._cross_section(address, flat)
        else:
            word = self._of_analysis(address) if address.words else self._text(address, flat)
        try:
            return to_float(word)
        except ValueError:
            raise EntryMissing(f"the entry {address} of the output is {word!r}, not a number") from None

    def _text(self, address: SlhaAddress, indices: tuple[int, ...]) -> str:
        block = self._block(address)
        word = block.entries.get(indices) if address.column is None else block.cell(indices, address.column)
        if word is None:
            there = ", ".join(" ".join(map(str, each)) for each in block.entries) or "none at all"
            raise EntryMissing(f"the output has no entry {address}; entries of {address.block}: {there}")
        return word

    def _cross_section(self, address: SlhaAddress, pdgs: tuple[int, ...]) -> str:
        """The value (pb) of the first line of the last table of this process: order by order is the program's choice.

        The format: XSECTION sqrt(s) IN IN COUNT OUT ..., then lines of six numbers (scale scheme, orders in QCD and
        EW, kappas of the scales, PDF), the value, and what computed it.
        """
        if address.scale is None:
            raise EntryMissing("a cross section needs an energy (GeV)")
        for words, body in reversed(self._cross_sections):
            parts = words.split()
            try:
                incoming, outgoing = [int(each) for each in parts[1:3]], [int(each) for each in parts[4:]]
                same = _same(to_float(parts[0]), address.scale)
            except (ValueError, IndexError):
                continue
            rows = [row for row in Block("XSECTION", None, body).rows() if len(row) > 6]
            if same and rows and _sorted(incoming) == _sorted(pdgs[:2]) and _sorted(outgoing) == _sorted(pdgs[2:]):
                return rows[0][6]
        raise EntryMissing(f"the output has no entry {address}")

    def _of_analysis(self, address: SlhaAddress) -> str:
        """A value of the last block PROCESS or EFFICIENCIES of an analysis: its line begins with a name."""
        analysis, name, *column = address.words
        for block in reversed(self.all_blocks):
            if block.name == address.block and block.title.upper().split()[1:2] == [analysis.upper()]:
                for row in block.rows():
                    position = 1 + int(*column)
                    if row[0].upper() == name.upper() and len(row) > position:
                        return row[position]
        raise EntryMissing(f"the output has no entry {address}")

    def _block(self, address: SlhaAddress) -> Block:
        if address.block not in self.blocks:
            raise EntryMissing(f"the output has no block {address.block}{closest(address.block, self.blocks)}")
        if address.scale is None:
            return self.blocks[address.block]
        named = [block for block in self.all_blocks if block.name == address.block]
        near = [block for block in named if block.scale is not None and _same(block.scale, address.scale)]
        if not near:
            scales = ", ".join(f"{block.scale:g}" for block in named if block.scale is not None) or "none at all"
            what = f"{address.block} at Q = {address.scale:g}"
            raise EntryMissing(f"the output has no block {what}; its scales: {scales}")
        return near[-1]

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
            for words in Block(table, None, body).rows():
                _read_channel(decay, words)
            self._decays[table, pdg] = decay
        return self._decays[table, pdg]


def read_spectrum(text: str) -> Spectrum:
    """Reads the text of an SLHA file. Never fails: what cannot be read is not in the result."""
    return Spectrum(text)


def _same(found: float, wanted: float) -> bool:
    return abs(found - wanted) <= SAME_SCALE * abs(wanted)


def _sorted(pdgs: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(pdgs))


def _begin(words: list[str], wanted: tuple[int, ...]) -> bool:
    if len(words) < len(wanted):
        return False
    try:
        return all(to_float(word) == number for word, number in zip(words, wanted, strict=False))
    except ValueError:
        return False


def _read_entry(words: list[str], found: Entries) -> None:
    """A line whose value is a text of several words, or whose columns touch."""
    indices: list[int] = []
    for position, word in enumerate(words):
        pieces = _GLUED.split(word) if position < len(words) - 1 or not _is_number(word) else [word]
        for number, piece in enumerate(pieces):
            try:
                indices.append(int(piece))
            except ValueError:
                rest = "".join(pieces[number:])
                found[tuple(indices)] = " ".join([rest, *words[position + 1 :]])
                return


def _is_number(word: str) -> bool:
    try:
        to_float(word)
    except ValueError:
        return False
    return True


def _read_channel(decay: Decay, words: list[str]) -> None:
    try:
        ratio, *rest = words
        count, *daughters = [piece for word in rest for piece in _GLUED.split(word)]  # 2-5 5, 1000022-1000024
        number = int(count)
        if len(daughters) < number:
            raise ValueError("fewer daughters than it says")
        decay.branching_ratios[tuple(sorted(map(int, daughters[:number])))] = to_float(ratio)
    except ValueError:
        if any(char.isdigit() for word in words for char in word):  # else it is prose
            decay.unread.append(" ".join(words))
