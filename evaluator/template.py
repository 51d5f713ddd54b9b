"""SLHA input files whose values are expressions in the variables.

The lines and the spacing of the template stay as they are: some programs read by column.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from evaluator.errors import ConfigurationError
from evaluator.expressions import Expression

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([DdEe][+-]?\d+)?$")
_QUOTED = re.compile(r"(['\"])(.*)\1$")

Entry = tuple[str, tuple[int, ...]]


class Template:
    """A template with its expressions found and checked.

    The value of a line is its last word before `#`. A number stays as it is written; a
    quoted word is written without its quotes; anything else is an expression. `blocks`
    maps block and indices to expressions that replace, or add, an entry. Raises
    ConfigurationError, with file and line, for a name that is not known.
    """

    def __init__(self, path: Path, known: Collection[str], blocks: Mapping[str, Mapping[tuple[int, ...], str]]) -> None:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"the template {path} cannot be read: {error}") from error
        self._path, self._known = path, known
        self._pieces: list[str | Expression] = []
        wanted: dict[Entry, str] = {
            (name, index): value for name, entries in blocks.items() for index, value in entries.items()
        }
        block = ""
        for number, line in enumerate(text.splitlines(), start=1):
            words = line.partition("#")[0].split()
            if words and words[0].upper() in ("BLOCK", "DECAY"):
                self._add_new_entries(wanted, block)
                block = words[1].upper() if len(words) > 1 and words[0].upper() == "BLOCK" else ""
            if not words or words[0].upper() == "BLOCK":
                self._pieces.append(line + "\n")
            else:
                self._add_line(line, words, number, self._override(wanted, block, words))
        self._add_new_entries(wanted, block)
        for name in dict.fromkeys(name for name, _ in wanted):
            self._pieces.append(f"BLOCK {name}\n")
            self._add_new_entries(wanted, name)

    def render(self, names: Mapping[str, float], variables: Sequence[float]) -> str:
        """The input file of one point, with numbers as %.8E (some programs misread -1e4)."""
        return "".join(each if isinstance(each, str) else _format(each(names, variables)) for each in self._pieces)

    def _override(self, wanted: dict[Entry, str], block: str, words: list[str]) -> str | None:
        try:
            return wanted.pop((block, tuple(int(word) for word in words[:-1])), None)
        except ValueError:
            return None

    def _add_line(self, line: str, words: list[str], number: int, override: str | None) -> None:
        value = words[-1]
        start = line.partition("#")[0].rindex(value)
        quoted = _QUOTED.match(value)
        self._pieces.append(line[:start])
        if override is not None:
            self._add_value(override, f"blocks, for line {number} of {self._path}")
        elif quoted:
            self._pieces.append(quoted.group(2))
        else:
            self._add_value(value, f"{self._path}, line {number}")
        self._pieces.append(line[start + len(value) :] + "\n")

    def _add_value(self, value: str, where: str) -> None:
        if _NUMBER.match(value):
            self._pieces.append(value)
            return
        try:
            self._pieces.append(Expression(value, self._known, where))
        except ConfigurationError as error:
            raise ConfigurationError(
                f"{error} (a text that the program wants is written in quotes: '{value}')"
            ) from None

    def _add_new_entries(self, wanted: dict[Entry, str], block: str) -> None:
        for name, index in [entry for entry in wanted if entry[0] == block]:
            self._pieces.append("".join(f"{each:6d}" for each in index) + "   ")
            self._add_value(wanted.pop((name, index)), f"blocks: {name} {index}")
            self._pieces.append("\n")


def _format(value: float | int) -> str:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else f"{float(value):.8E}"
