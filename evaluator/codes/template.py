"""SLHA templates: input files whose values are expressions in the variables.

The lines and the spacing of the template do not change, because some programs read by column.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from evaluator import InvalidPoint
from evaluator.errors import ConfigurationError
from evaluator.expressions import Expression
from evaluator.files import write_new
from scanspec.blocks import NO_E
from scanspec.files import read_text
from scanspec.lookalike import odd_sign
from scanspec.numbers import to_number

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([DdEe][+-]?\d+)?$", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+$", re.ASCII)
_AMBIGUOUS = ("e", "inf", "nan", "tau")  # constants of expressions that may also be texts for a program
_SCALE = re.compile(r"(?P<head>.*?\bQ\s*=\s*)(?P<value>\S+)(?P<rest>.*)", re.IGNORECASE)
_OPENED = {")": "(", "]": "[", "}": "{"}
_GOES_ON = re.compile(r"\s*(?:[-+*/%<>=!&|]|(?:if|and|or)\b)")
_QUOTED = re.compile(r"(?P<quote>['\"])(?P<text>[^'\"]*)(?P=quote)\s*$")

_QUOTED_ANYWHERE = re.compile(r"'[^']*'|\"[^\"]*\"")
_HEADS = ("BLOCK", "DECAY", "DECAY1L", "XSECTION")
_NOT_TEXT = re.compile("[\x00-\x08\x0e-\x1f\x7f\udc80-\udcff]")
_AS_BYTES = "surrogateescape"  # bytes that are not UTF-8, for example in comments, are written as they were read

Entry = tuple[str, tuple[int, ...]]


class Template:
    """A template with checked expressions.

    The value of a line is its last word before `#`. In the first line of a block, it is the scale Q. In a table
    XSECTION, it is the energy in the first line and the seventh word of the other lines; in a table DECAY, the first
    word of a line with several words. A number stays as it is written, a quoted text is written without its quotes, and
    any other value is an expression, without blanks. `blocks` maps block and indices to expressions that replace an
    entry, or add it to the last block of that name; `block_lines` has their lines in the scan file. `variables` is the
    number of variables, `where` the line of the scan file that names the template. The variables `integers` are written
    as whole numbers. Raises one ConfigurationError with all errors, each with its file and line.
    """

    def __init__(
        self,
        path: Path,
        known: Collection[str],
        *,
        variables: int,
        where: str,
        blocks: Mapping[str, Mapping[tuple[int, ...], str]] = MappingProxyType({}),
        block_lines: Mapping[Entry, str] = MappingProxyType({}),
        integers: Collection[str] = (),
    ) -> None:
        text = _read(path, where)
        self._path, self._known, self._variables, self._block_lines = path, known, variables, block_lines
        self._integers = integers
        self._pieces: list[str | Expression] = []
        self._wanted = {(name, index): value for name, entries in blocks.items() for index, value in entries.items()}
        self._placed: set[Entry] = set()
        self._faults: list[str] = []
        self._seen: dict[tuple[int, tuple[int, ...]], tuple[int, bool]] = {}
        lines = text.removesuffix("\n").split("\n")
        last = {_block(line): number for number, line in enumerate(lines, start=1)}
        block, begins, table = "", 0, ""
        for number, line in enumerate(lines, start=1):
            words = _body(line).split()
            head = words[0].upper() if words else ""
            if head in _HEADS:
                if begins == last.get(block):
                    self._add_new_entries(block)
                block, begins, table = _block(line), number, head
            with self._collect():
                if sign := odd_sign(unquoted := _QUOTED_ANYWHERE.sub("", _body(line)), " "):
                    raise ConfigurationError(f"{path}, line {number}: {sign}")
                if byte := _NOT_TEXT.search(unquoted):
                    raise ConfigurationError(
                        f"{path}, line {number}: the byte 0x{ord(byte[0]) & 0xFF:02X} stands here, which is not a "
                        "character of a text in UTF-8; outside of comments and quotes, remove it, or save the file "
                        "as UTF-8"
                    )
                before = len(self._pieces)
                self._add_line(line, number, block, table)
                index = _index(words) if head not in _HEADS and table == "BLOCK" else None
                if index is not None and (block, index) not in self._wanted:  # of `blocks`, each gets the same value
                    varies = any(isinstance(piece, Expression) for piece in self._pieces[before:])
                    self._check_once((begins, index), number, varies=varies)
        self._add_new_entries(block)
        for name in dict.fromkeys(name for name, _ in self._wanted):
            if any(entry not in self._placed for entry in self._wanted if entry[0] == name):
                self._pieces.append(f"BLOCK {name}\n")
                self._add_new_entries(name)
        if self._faults:
            raise ConfigurationError("\n".join(self._faults))

    @contextlib.contextmanager
    def _collect(self) -> Iterator[None]:
        """Stores the error of a line, so that one message has all errors of a template."""
        try:
            yield
        except ConfigurationError as error:
            self._faults.append(str(error))

    @property
    def varies(self) -> bool:
        """Whether the template contains an expression."""
        return any(isinstance(piece, Expression) for piece in self._pieces)

    def render(self, names: Mapping[str, float], variables: Sequence[float]) -> str:
        """The input file of one point.

        Raises InvalidPoint if a value is not finite, because some programs accept "nan".
        """
        if self._integers:
            integers = {name: int(names[name]) for name in self._integers if float(names[name]).is_integer()}
            names = {**names, **integers}
        return "".join(
            piece if isinstance(piece, str) else _format(piece(names, variables), piece.text) for piece in self._pieces
        )

    def write(self, path: Path, names: Mapping[str, float], variables: Sequence[float]) -> str:
        """Writes the input file of one point, and returns its text. Raises InvalidPoint if a value is not finite."""
        text = self.render(names, variables)
        write_new(path, text.encode(errors=_AS_BYTES))
        return text

    def _check_once(self, entry: tuple[int, tuple[int, ...]], number: int, *, varies: bool) -> None:
        """Raises ConfigurationError if an entry of one block is there twice, and one of them is an expression: programs
        differ in which one counts. `entry` is the line of the block and the index.
        """
        first, varied = self._seen.setdefault(entry, (number, varies))
        if first != number and (varied or varies):
            index = " ".join(map(str, entry[1]))
            raise ConfigurationError(
                f"{self._path}, line {number}: the entry {index} of this block is also in line {first}; remove one"
            )

    def _add_line(self, line: str, number: int, block: str, table: str) -> None:
        words = _body(line).split()
        if not words:
            self._pieces.append(line + "\n")
            return
        index = _index(words)
        if words[0].upper() == "BLOCK":
            self._add_head(line, number)
        elif index is not None and (block, index) in self._wanted:
            self._placed.add((block, index))
            self._add_entry(line, words, number, (block, index))
        elif (position := _value_of_table(table, words)) is not None:
            self._add_table_line(line, position, f"{self._path}, line {number}")
        else:
            self._add_entry(line, words, number)

    def _add_head(self, line: str, number: int) -> None:
        scale = _SCALE.fullmatch(_body(line))
        if scale is None:
            self._pieces.append(line + "\n")
            return
        where = f"{self._path}, line {number}"
        if _GOES_ON.match(scale["rest"]):
            raise ConfigurationError(f"{where}: an expression must have no blanks: {_body(line).strip()!r:.100}")
        value = scale["value"]
        while value[-1:] in _OPENED and value.count(value[-1]) > value.count(_OPENED[value[-1]]):
            value = value[:-1]  # some programs write (Q= 1.0E+03)
        self._pieces.append(scale["head"])
        self._add_value(value, where)
        self._pieces.append(line[scale.start("value") + len(value) :] + "\n")

    def _add_entry(self, line: str, words: list[str], number: int, replaced: Entry | None = None) -> None:
        """Adds a line with its own value, or with the value from the scan file's blocks that replaces it."""
        body = _body(line)
        where = f"{self._path}, line {number}"
        quoted = _QUOTED.search(body)
        start, end = body.rindex(words[-1]), body.rindex(words[-1]) + len(words[-1])
        if quoted:
            start, end = quoted.start(), quoted.end("quote") + len(quoted["text"]) + 1
        self._pieces.append(line[:start])
        if replaced is not None:
            self._add_override(self._wanted[replaced], replaced)
        else:
            before = [word for word in body[:start].split() if not _NUMBER.match(word) and word.upper() not in _HEADS]
            if before:
                raise ConfigurationError(
                    f"{where}: {' '.join(before)!r} is neither an index nor the value: an expression must have no "
                    "blanks, and a text must stand in quotes"
                )
            if quoted:
                self._pieces.append(quoted["text"])
            else:
                self._add_value(words[-1], where)
        self._pieces.append(line[end:] + "\n")

    def _add_table_line(self, line: str, position: int, where: str) -> None:
        """A line of a table of decays or cross sections, with the value at the word of that number."""
        word = list(re.finditer(r"\S+", _body(line)))[position]
        self._pieces.append(line[: word.start()])
        self._add_value(word[0], where)
        self._pieces.append(line[word.end() :] + "\n")

    def _add_value(self, value: str, where: str) -> None:
        if _NUMBER.match(value):
            self._pieces.append(value)
            return
        if fortran := NO_E.fullmatch(value):
            raise ConfigurationError(
                f"{where}: {value} may be a difference or, as Fortran writes it, {fortran[1]}E{fortran[2]}; write it so"
            )
        if value in _AMBIGUOUS and value not in self._known:
            raise ConfigurationError(
                f"{where}: {value} may be a number or a text; write '{value}', in quotes, for the text, "
                f"and an expression, 1*{value}, for the number"
            )
        try:
            self._pieces.append(Expression(value, self._known, where, self._variables))
        except ConfigurationError as error:
            raise ConfigurationError(
                f"{error} (a text that the program wants is written in quotes: '{value}')"
            ) from None

    def _add_override(self, value: str, entry: Entry) -> None:
        quoted = _QUOTED.match(value)
        if quoted:
            self._pieces.append(quoted["text"])
            return
        where = self._block_lines.get(entry, f"blocks: {entry[0]} {entry[1]}")
        if not _NUMBER.match(value) or _INTEGER.match(value):
            self._add_value(value, where)
            return
        if (number := to_number(value)) is None:
            raise ConfigurationError(f"{where}: {value} is larger than any number")
        self._pieces.append(_format(number, value))

    def _add_new_entries(self, block: str) -> None:
        for entry, value in self._wanted.items():
            if entry[0] == block and entry not in self._placed:
                self._placed.add(entry)
                self._pieces.append("".join(f"{index:6d}" for index in entry[1]) + "   ")
                with self._collect():
                    self._add_override(value, entry)
                self._pieces.append("\n")


def _read(path: Path, where: str) -> str:
    try:
        text = read_text(path, errors=_AS_BYTES)
    except OSError as error:
        raise ConfigurationError(f"{where}: the template {path} cannot be read: {error.strerror or error}") from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        message = f"line {line} has a zero byte, as files in UTF-16 have; save it as plain text (ASCII or UTF-8)"
        raise ConfigurationError(f"{where}: the template {path} cannot be read: {message}")
    return text


_BODY = re.compile(r"(?:[^#'\"]|'[^']*'|\"[^\"]*\")*")


def _body(line: str) -> str:
    """A line without its comment, which begins at the first # outside quotes."""
    if "#" not in line:
        return line
    found = _BODY.match(line)
    end = found.end() if found else 0
    return line[:end] if line[end : end + 1] in ("#", "") else line.partition("#")[0]


def _block(line: str) -> str:
    """The name of the block that begins in this line, in upper case; empty for any other line."""
    words = _body(line).upper().split()
    return words[1] if len(words) > 1 and words[0] == "BLOCK" else ""


def _index(words: list[str]) -> tuple[int, ...] | None:
    try:
        return tuple(int(word) for word in words[:-1])
    except ValueError:
        return None


def _value_of_table(table: str, words: list[str]) -> int | None:
    """The position of the value among the words of a line of XSECTION or DECAY; None if it is the last word."""
    first = words[0].upper()
    if first == "XSECTION" and len(words) > 1:
        return 1
    if table == "XSECTION" and first not in _HEADS and len(words) > 6:
        return 6
    return 0 if table.startswith("DECAY") and first not in _HEADS and len(words) > 1 else None


def _format(value: float, text: str) -> str:
    """A number as text, with 9 digits if these give exactly the same number, else with 17.

    The form is that of SLHA, with E and two digits of the exponent, because some programs read -1e4 as a text.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not math.isfinite(value):
        raise InvalidPoint(f"the input {text} has no finite value here")
    value = float(value)
    short = f"{value:.8E}"
    return short if float(short) == value else f"{value:.16E}"
