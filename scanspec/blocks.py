"""The lines of an SLHA file: numbers as programs write them, the entries of a block, the channels of a decay."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile

_COMMENT = re.compile(r"#[^\n]*")
# 1.#INF is neither a number nor a comment; with few digits Microsoft's library rounds these letters, as in 1.#J
OF_MICROSOFT = re.compile(
    r"(?<!\S)([+-]?)1\.#(?:(?:IND|QNAN|SNAN|INF)\S*|(?:IO|J|QNB|QO|R|SNB|SO|T)(?:e[+-]\d+)?(?!\S))", re.IGNORECASE
)
NO_E = re.compile(r"([+-]?(?:\d+\.\d*|\.\d+))([+-]\d{3})")  # Fortran drops the E before three digits: 1.5-101
_WHOLE = re.compile(r"[+-]?[0-9]+")  # not 1_0 and not other alphabets, as int() takes
_GLUED = re.compile(r"(?<=\d)(?=-)")  # two columns without a blank between: 1-9.9E-01
_TOUCHING = re.compile(r"\d-\d*\.\d")
_HIDDEN_HEAD = re.compile(  # the first line of a block or decay as a comment, and nothing else in it
    r"\n[ \t]*#+[ \t]*"
    r"(?:block[ \t]+[a-z]\w*(?:[ \t]*q[ \t]*=[ \t]*\S+)?|decay(?:1l)?[ \t]+[+-]?\d+[ \t]+[+-]?[.\de+-]+)"
    r"[ \t]*(?:#[^\n]*)?(?=\n|$)",
    re.IGNORECASE,
)
_LIKE_A_NUMBER = re.compile(r"[+-]?(?:\.?\d|\*|nan\b|inf)", re.IGNORECASE)

Entries = dict[tuple[int, ...], str]


def to_float(word: str) -> float:
    """A number, also as Fortran writes it (1.0D+02, 1.0-101); raises ValueError."""
    if "_" in word:  # Python alone takes 1_0 for 10
        raise ValueError(f"could not convert string to float: {word!r}")
    try:
        return float(word)
    except ValueError:
        match = NO_E.fullmatch(word)
        return float(f"{match[1]}E{match[2]}" if match else word.replace("D", "E").replace("d", "e"))


@dataclass
class Block:
    """One block: its name in upper case, its scale Q in GeV where it has one, its lines as they are, and all words of
    its first line.

    A line that begins with a letter heads a table within the block, as in SPheno's cross sections: XS 11 -11 500.0 ...
    """

    name: str
    scale: float | None
    raw: str
    title: str = ""

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
        """The parts before and after a commented line that begins a block or decay."""
        hidden = _HIDDEN_HEAD.search(self.raw) if "#" in self.raw else None
        if hidden is None:
            return self, None
        before, behind = self.raw[: hidden.start()], self.raw[hidden.end() :]
        return Block(self.name, self.scale, before, self.title), Block(hidden[0].strip(), None, behind)

    def comment(self, indices: tuple[int, ...]) -> str:
        """The comment in the last line of an entry; empty where there is none."""
        found = ""
        for line in self.raw.split("\n"):
            words, _, comment = line.partition("#")
            if (entry := _entry(words.split())) is not None and entry[0] == indices:
                found = comment.strip()
        return found

    def headings(self) -> list[str]:
        """The lines that begin a table within the block."""
        return [" ".join(words) for words in self.rows() if words[0][0].isalpha()]

    @cached_property
    def entries(self) -> Entries:
        """The values as they are written, by their indices. The later of two values of the same entry counts."""
        return self._lines[0]

    @cached_property
    def _repeated(self) -> dict[tuple[int, ...], list[str]]:
        """The values of each index that more than one line has."""
        found, lines = self._lines
        return {} if len(found) == lines else _values(self.rows())

    @cached_property
    def _lines(self) -> tuple[Entries, int]:
        """The entries, and how many lines there are."""
        found: Entries = {}
        lines = 0
        odd = "_" in self.text or _TOUCHING.search(self.text) is not None
        for words in self.rows():
            lines += 1
            try:
                if odd:
                    raise ValueError
                # nearly all lines are indices and one word
                found[tuple(map(int, words[:-1]))] = words[-1]
            except ValueError:
                if (entry := _entry(words)) is not None:
                    found[entry[0]] = entry[1]
        return found, lines

    def words_at(self, indices: tuple[int, ...], column: int | None, heading: tuple[str, ...]) -> list[str]:
        """What the lines of an entry say: one word, none, or several where the block contradicts itself.

        With a column (from 1) these are the words there of the lines whose other words are the indices; where no line
        is so, of those whose other words begin with them; and then of those whose other words that are whole numbers
        do: several values may stand before the indices.
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
            elif _begin([word for word in others if _WHOLE.fullmatch(word)], wanted):
                behind.append(words[column - 1])
        return exact or first or behind


@dataclass
class Decay:
    """Total width in GeV, and branching ratios by sorted daughters (PDG numbers); `doubtful` are channels of which the
    table says two things, with a line that does, and `unread` lines that should be channels, but cannot be read.
    """

    width: float
    branching_ratios: dict[tuple[int, ...], float] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    doubtful: dict[tuple[int, ...], str] = field(default_factory=dict)

    def read(self, table: Block, heads: Collection[str]) -> None:
        """Adds the channels of a table; `heads` are words that begin a block or a decay.

        Prose is passed over. Behind prose that follows the channels, and behind a first line of another table that is a
        comment, a line may be anything: what looks like a channel there is not one, and not nothing either.
        """
        before, behind = table.halves()
        self._read_rows(before, heads, prose=False)
        if behind is not None:
            self._read_rows(behind, heads, prose=True)
        for daughters in self.doubtful:
            self.branching_ratios.pop(daughters, None)

    def _read_rows(self, table: Block, heads: Collection[str], *, prose: bool) -> None:
        ratios = self.branching_ratios
        odd = "_" in table.text
        for words in table.rows():
            try:
                if odd:
                    raise ValueError
                daughters = tuple(sorted(map(int, words[2:])))
                # nearly all lines are a ratio, a count and so many numbers
                plain = not prose and int(words[1]) == len(daughters) > 0 and daughters not in ratios
                if plain:
                    ratios[daughters] = to_float(words[0])
                    continue
            except (ValueError, IndexError):
                pass
            if not _LIKE_A_NUMBER.match(words[0]):
                prose = prose or bool(ratios or self.unread) or words[0].upper() in heads
            elif not self._read_odd(words, prose=prose) and not prose:
                self.unread.append(" ".join(words))

    def _read_odd(self, words: list[str], *, prose: bool) -> bool:
        """Whether a line whose columns touch, that has further words, that stands behind prose, or that repeats a
        channel is one.
        """
        ratio, *rest = words
        pieces = [piece for word in rest for piece in _GLUED.split(word)]  # 2-5 5, 1000022-1000024
        try:
            count = int(pieces[0]) if _WHOLE.fullmatch(pieces[0]) else 0
            numbers = [int(piece) for piece in takewhile(_WHOLE.fullmatch, pieces[1:])]
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
    """All values of each index."""
    found: dict[tuple[int, ...], list[str]] = {}
    for words in rows:
        if (entry := _entry(words)) is not None:
            found.setdefault(entry[0], []).append(entry[1])
    return found


def _distinct(words: list[str]) -> list[str]:
    """The values without repetitions. A text of several words counts as prose where there is only one value."""
    found: dict[float | str, str] = {}
    for word in [candidate for candidate in words if " " not in candidate] or words:
        found.setdefault(_key(word), word)
    return list(found.values())


def _key(word: str) -> float | str:
    try:
        number = to_float(word)
    except ValueError:
        return word
    return number if number == number else "NaN"


def _same_word(found: str, wanted: str) -> bool:
    return _key(found) == _key(wanted) or found.upper() == wanted.upper()


def _begin(words: list[str], wanted: tuple[int, ...]) -> bool:
    if len(words) < len(wanted):
        return False
    try:
        return all(to_float(word) == number for word, number in zip(words, wanted, strict=False))
    except ValueError:
        return False


def _entry(words: list[str]) -> tuple[tuple[int, ...], str] | None:
    """Indices and value of a line whose value may be a text of several words, and whose columns may touch."""
    indices: list[int] = []
    last = len(words) - 1
    for position, word in enumerate(words):
        if position == last and isinstance(_key(word), float):
            return tuple(indices), word
        for number, piece in enumerate(pieces := _GLUED.split(word)):
            if not _WHOLE.fullmatch(piece):
                return tuple(indices), " ".join(["".join(pieces[number:]), *words[position + 1 :]])
            indices.append(int(piece))
    return None
