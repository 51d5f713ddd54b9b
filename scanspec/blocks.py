"""The lines of an SLHA file: numbers as programs write them, the entries of a block, the channels of a decay."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile

_COMMENT = re.compile(r"#[^\n]*")
# Microsoft's library prints infinity and NaN as 1.#INF and 1.#IND; with few digits it rounds the letters: 1.#J
OF_MICROSOFT = re.compile(
    r"(?<!\S)([+-]?)1\.#(?:(?:IND|QNAN|SNAN|INF)\S*|(?:IO|J|QNB|QO|R|SNB|SO|T)(?:e[+-]\d+)?(?!\S))", re.IGNORECASE
)
NO_E = re.compile(r"([+-]?(?:\d+\.\d*|\.\d+))([+-]\d{3})")  # Fortran drops the E before three digits: 1.5-101
_NAN = re.compile(r"[+-]?nan\(\w*\)", re.IGNORECASE)  # C may add what kind of NaN it is: nan(0x8000), -nan(ind)
WHOLE = re.compile(r"[+-]?[0-9]{1,100}")
"""A whole number: int() also accepts 1_0 and digits of other alphabets, and refuses thousands of digits."""

_GLUED = re.compile(r"(?<=\d)(?=-)")  # two columns without a blank between them: 1-9.9E-01
_TOUCHING = re.compile(r"\d-\d*\.\d")
_HIDDEN_HEAD = re.compile(  # a comment that is exactly the first line of a block or decay
    r"\n[ \t]*#+[ \t]*"
    r"(?:block[ \t]+[a-z]\w*(?:[ \t]*q[ \t]*=[ \t]*\S+)?|decay(?:1l)?[ \t]+[+-]?\d+[ \t]+[+-]?[.\de+-]+)"
    r"[ \t]*(?:#[^\n]*)?(?=\n|$)",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"\S+[ \t]+[+-]?\d+(?!\S)")
_LIKE_A_NUMBER = re.compile(r"[+-]?(?:\.?\d|\*|nan\b|inf)", re.IGNORECASE)

Entries = dict[tuple[int, ...], str]


def to_float(word: str) -> float:
    """The number in a word, which may be in Fortran's notation (1.0D+02, 1.0-101). Raises ValueError."""
    if "_" in word:  # Python alone takes 1_0 for 10
        raise ValueError(f"could not convert string to float: {word!r}")
    try:
        return float(word)
    except ValueError:
        if _NAN.fullmatch(word):
            return math.nan
        match = NO_E.fullmatch(word)
        return float(f"{match[1]}E{match[2]}" if match else word.replace("D", "E").replace("d", "e"))


@dataclass
class Block:
    """One block: its name in upper case, its scale Q in GeV if it has one, its raw lines, and all words of its first
    line.

    A line that begins with a letter is the heading of a table within the block, as in SPheno's cross sections: XS 11
    -11 500.0 ...
    """

    name: str
    scale: float | None
    raw: str
    title: str = ""

    @cached_property
    def numbered_name(self) -> str:
        """The name with the number behind it, if there is one: QNUMBERS 9000005, a block for each particle."""
        found = _NUMBERED.match(self.title)
        return " ".join(found[0].upper().split()) if found else self.name

    @cached_property
    def text(self) -> str:
        """The lines without comments."""
        if ".#" in self.raw:
            return _COMMENT.sub("", OF_MICROSOFT.sub(r"\1nan", self.raw))
        return _COMMENT.sub("", self.raw) if "#" in self.raw else self.raw

    def rows(self) -> Iterator[list[str]]:
        """The words of each line."""
        return filter(None, map(str.split, self.text.split("\n")))

    def rows_under(self, heading: tuple[str, ...]) -> Iterator[list[str]]:
        """The words of each line of the tables whose heading begins with these words."""
        within = not heading
        for words in self.rows():
            if words[0][0].isalpha() and heading:
                within = all(map(_same_word, words, heading)) and len(words) >= len(heading)
            elif within:
                yield words

    def halves(self) -> tuple[Block, Block | None]:
        """The parts before and after a commented-out first line of another block or decay."""
        hidden = _HIDDEN_HEAD.search(self.raw) if "#" in self.raw else None
        if hidden is None:
            return self, None
        before, behind = self.raw[: hidden.start()], self.raw[hidden.end() :]
        return Block(self.name, self.scale, before, self.title), Block(hidden[0].strip(), None, behind)

    def comment(self, indices: tuple[int, ...]) -> str:
        """The comment in the last line of an entry; empty if there is none."""
        found = ""
        for line in self.raw.split("\n"):
            words, _, comment = line.partition("#")
            if (entry := _entry(words.split())) is not None and entry[0] == indices:
                found = comment.strip()
        return found

    def headings(self) -> list[str]:
        """The headings of the tables within the block."""
        return [" ".join(words) for words in self.rows() if words[0][0].isalpha()]

    @cached_property
    def entries(self) -> Entries:
        """The values as they are written, by their indices. If an entry occurs twice, the later value counts."""
        return self._lines[0]

    @cached_property
    def _repeated(self) -> dict[tuple[int, ...], list[str]]:
        """All values of each entry, if any entry occurs more than once; otherwise empty."""
        found, lines = self._lines
        return {} if len(found) == lines else _values(self.rows())

    @cached_property
    def _lines(self) -> tuple[Entries, int]:
        """The entries, and the number of lines."""
        found: Entries = {}
        lines = 0
        unusual = "_" in self.text or _TOUCHING.search(self.text) is not None
        for words in self.rows():
            lines += 1
            try:
                if unusual:
                    raise ValueError
                # nearly all lines are indices and one value
                found[tuple(map(int, words[:-1]))] = words[-1]
            except ValueError:
                if (entry := _entry(words)) is not None:
                    found[entry[0]] = entry[1]
        return found, lines

    def words_at(self, indices: tuple[int, ...], column: int | None, heading: tuple[str, ...]) -> list[str]:
        """The values of an entry: one word, none, or several if the block contradicts itself.

        With a column (from 1) these are the words in this column of the lines whose other words are exactly the
        indices. If there is no such line, the other words need only begin with the indices. If there is still none,
        only the whole numbers among the other words must begin with them, because several values may stand before the
        indices.
        """
        if column is not None:
            return _distinct(self._cells(indices, column, heading))
        if heading:
            return _distinct(_values(self.rows_under(heading)).get(indices, []))
        if indices in self._repeated:
            return _distinct(self._repeated[indices])
        return [self.entries[indices]] if indices in self.entries else []

    def _cells(self, wanted: tuple[int, ...], column: int, heading: tuple[str, ...]) -> list[str]:
        exact: list[str] = []
        first: list[str] = []
        behind: list[str] = []
        for words in self.rows_under(heading):
            if len(words) < column:
                continue
            others = words[: column - 1] + words[column:]
            if _begin(others, wanted):
                (exact if len(others) == len(wanted) else first).append(words[column - 1])
            elif _begin([word for word in others if WHOLE.fullmatch(word)], wanted):
                behind.append(words[column - 1])
        return exact or first or behind


@dataclass
class Decay:
    """Total width in GeV, and branching ratios by sorted daughters (PDG numbers). `doubtful` are channels with
    contradictory lines, each with one of these lines. `unread` are lines that should be channels but cannot be read.
    """

    width: float
    branching_ratios: dict[tuple[int, ...], float] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    doubtful: dict[tuple[int, ...], str] = field(default_factory=dict)

    def read(self, table: Block, heads: Collection[str]) -> None:
        """Adds the channels of a table; `heads` are words that begin a block or a decay.

        Prose is skipped. After prose that follows the channels, and after a commented-out first line of another table,
        a line that looks like a channel may not be one; such a channel becomes doubtful.
        """
        before, behind = table.halves()
        self._read_rows(before, heads, prose=False)
        if behind is not None:
            self._read_rows(behind, heads, prose=True)
        for daughters in self.doubtful:
            self.branching_ratios.pop(daughters, None)

    def _read_rows(self, table: Block, heads: Collection[str], *, prose: bool) -> None:
        ratios = self.branching_ratios
        unusual = "_" in table.text
        for words in table.rows():
            try:
                if unusual:
                    raise ValueError
                daughters = tuple(sorted(map(int, words[2:])))
                # nearly all lines are a ratio, a count and as many PDG numbers
                plain = not prose and int(words[1]) == len(daughters) > 0 and daughters not in ratios
                if plain:
                    ratios[daughters] = to_float(words[0])
                    continue
            except (ValueError, IndexError):
                pass
            if not _LIKE_A_NUMBER.match(words[0]):
                prose = prose or bool(ratios or self.unread) or words[0].upper() in heads
            elif not self._read_unusual(words, prose=prose) and not prose:
                self.unread.append(" ".join(words))

    def _read_unusual(self, words: list[str], *, prose: bool) -> bool:
        """Reads an unusual line: its columns touch, it has further words, it follows prose, or it repeats a channel.
        Returns whether it is a channel.
        """
        ratio, *rest = words
        pieces = [piece for word in rest for piece in _GLUED.split(word)]  # 2-5 5, 1000022-1000024
        try:
            count = int(pieces[0]) if WHOLE.fullmatch(pieces[0]) else 0
            numbers = [int(piece) for piece in takewhile(WHOLE.fullmatch, pieces[1:])]
            value = to_float(ratio)
        except (ValueError, IndexError):
            return False
        if not 0 < count <= len(numbers):
            return False
        daughters = tuple(sorted(numbers[:count]))
        if prose or len(numbers) > count or self.branching_ratios.get(daughters, value) != value:
            self.doubtful |= dict.fromkeys([daughters, tuple(sorted(numbers))], " ".join(words))
        self.branching_ratios.setdefault(daughters, value)
        return True


def _values(rows: Iterable[list[str]]) -> dict[tuple[int, ...], list[str]]:
    """All values of each entry."""
    found: dict[tuple[int, ...], list[str]] = {}
    for words in rows:
        if (entry := _entry(words)) is not None:
            found.setdefault(entry[0], []).append(entry[1])
    return found


def _distinct(words: list[str]) -> list[str]:
    """The different values. Texts of several words are taken for prose if there are also single words."""
    found: dict[float | str, str] = {}
    for word in [candidate for candidate in words if " " not in candidate] or words:
        found.setdefault(comparable(word), word)
    return list(found.values())


def comparable(word: str) -> float | str:
    """The number in a word, or else the word: equal for two spellings of a number."""
    try:
        number = to_float(word)
    except ValueError:
        return word
    return number if number == number else "NaN"


def _same_word(found: str, wanted: str) -> bool:
    return comparable(found) == comparable(wanted) or found.upper() == wanted.upper()


def _begin(words: list[str], wanted: tuple[int, ...]) -> bool:
    if len(words) < len(wanted):
        return False
    try:
        return all(to_float(word) == number for word, number in zip(words, wanted, strict=False))
    except ValueError:
        return False


def _entry(words: list[str]) -> tuple[tuple[int, ...], str] | None:
    """The indices and the value of a line. The value may be a text of several words, and columns may touch."""
    indices: list[int] = []
    last = len(words) - 1
    for position, word in enumerate(words):
        if position == last and isinstance(comparable(word), float):
            return tuple(indices), word
        for number, piece in enumerate(pieces := _GLUED.split(word)):
            if not WHOLE.fullmatch(piece):
                return tuple(indices), " ".join(["".join(pieces[number:]), *words[position + 1 :]])
            indices.append(int(piece))
    return None
