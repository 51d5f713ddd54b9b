"""A mapping of a scan file, with the line of each key."""

from __future__ import annotations

import difflib
import math
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from scanspec.faults import Faults, ScanFileError
from scanspec.keys import MAY_BE_EMPTY, Keys
from scanspec.lookalike import difference, odd_sign, twin
from scanspec.numbers import to_number

__all__ = ["ScanFileError", "Section", "closest", "describe_range", "nearest", "plain_name", "to_number"]


class Section:
    """One mapping of a scan file. Its keys have lodescan's spelling; messages name them as the file spells them.

    `keys` lists the allowed keys; without it, the keys are names that the user chose. `faults` collects the errors of
    the keys, so that reading goes on; without it, they are raised.
    """

    def __init__(
        self,
        file: str,
        path: str,
        content: CommentedMap,
        *,
        keys: Keys | None = None,
        line: int | None = None,
        faults: Faults | None = None,
    ) -> None:
        self.file = file
        self.path = path
        self.faults = Faults() if faults is None else faults
        self._content = content
        self._line = line
        self._found: dict[str, Any] = {}
        of_keys = Faults(collecting=True) if faults is None else faults
        for key in content:
            with of_keys.collect():
                self._accept(key, keys)
        if faults is None:
            of_keys.close()

    def _accept(self, key: Any, keys: Keys | None) -> None:
        if isinstance(self._content[key], ScanFileError):
            raise self._content[key]
        if not isinstance(key, (str, int, float)):
            raise self.error(f"{self._at(_show(key))} cannot be a name; write a text", key)
        if keys is None:
            self._accept_name(plain_name(str(key)), key)
            return
        if key not in keys.known:
            hint = keys.elsewhere.get(key) or getattr(self._content, "hints", {}).get(key) or closest(key, keys.known)
            if self._content[key] is None and str(key).endswith(")"):  # {function: log(x, 10)}
                hint = "; within { } a text with a comma needs quotes"
            elif self._content[key] is None and str(key).isdigit():  # {points: 1,000}
                hint = "; is it a part of the number before it? write that without a comma"
            elif (empty := self._empty_before(key)) and not self.path:
                hint = f"; {empty} above it is empty: is this one of its entries? indent it then"
            elif sign := odd_sign(str(key)):
                hint = f"; {sign}"
            where = f" in {self.path}" if self.path else ""
            raise self.error(f"unknown key {key!r}{where}{hint}", key)
        self._found[str(key)] = key
        if self._content[key] is None and key not in MAY_BE_EMPTY:
            raise self.error(f"{self._label(str(key))} is empty; give it a value, or leave the line out", key)

    def _empty_before(self, key: Any) -> str:
        """The spelling of the last known key before this one if that key has no value, else empty."""
        before = [other for other in list(self._content)[: list(self._content).index(key)] if other in MAY_BE_EMPTY]
        return self.spelling(before[-1]) if before and self._content[before[-1]] is None else ""

    def _accept_name(self, name: str, key: Any) -> None:
        if name in self._found:
            first = self.line(name)
            self._found[name] = key  # the error is at the second
            raise self.error(f"{self._at(name)} is there twice, first in line {first}; keep one", key)
        if name != name.strip():
            raise self.error(f"{self._at(repr(name[:40]))}: a name must not begin or end with a blank", key)
        if not name.isprintable() or len(name) > LONGEST_NAME:
            what = self._at(repr(name[:40]))
            sign = odd_sign(name)
            why = sign or f"a name has at most {LONGEST_NAME} characters, all of which print"
            raise self.error(f"{what}: {why}", key)
        self._found[name] = key

    def __contains__(self, key: str) -> bool:
        return key in self._found and self._content[self._found[key]] is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def raw(self, key: str) -> Any:
        """The value in the file; None for a missing key."""
        return self._content[self._found[key]] if key in self._found else None

    def spelling(self, key: str) -> str:
        """The key as the file spells it; a missing key as the file spells its other keys."""
        return str(getattr(self._content, "spellings", {}).get(key, key))

    def line(self, key: Any = None) -> int:
        """The line of a key, from 1. Without a key, or for a missing key, the line of the mapping."""
        try:
            return int(self._content.lc.key(self._found.get(key, key))[0]) + 1
        except (KeyError, TypeError, AttributeError):
            return self._line if self._line is not None else int(self._content.lc.line or 0) + 1

    def error(self, message: str, key: Any = None) -> ScanFileError:
        """An error that names the file and the line."""
        line = self.line(key)
        message = message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]} ..."
        return ScanFileError(f"{self.file}, line {line}: {message}", line)

    def wrong(self, key: str, wanted: str) -> ScanFileError:
        """An error that says what a key holds and what it should hold."""
        sign = odd_sign(str(self.raw(key))[:_LONGEST_MESSAGE])
        hint = f": {sign}" if sign else ""
        return self.error(f"{self._label(key)} is {_show(self.raw(key))}, but must be {wanted}{hint}", key)

    def _label(self, key: str) -> str:
        return self._at(self.spelling(key))

    def _at(self, what: str) -> str:
        return f"{self.path}: {what}" if self.path else what

    def require(self, key: str, why: str = "") -> None:
        """Raises ScanFileError unless the key has a value."""
        if key not in self:
            raise self.error(f"{self.path or 'the file'} has no {self.spelling(key)!r}{why}", key)

    def section(self, key: str, keys: Keys | None = None, faults: Faults | None = None) -> Section:
        """The mapping under a key; an empty mapping if the key is missing.

        Errors of its keys go to `faults`; without `faults` they are raised, because the values of a mapping with wrong
        keys mean little. Errors of its values go where those of this section go.
        """
        value = self.raw(key)
        if value is None:
            value = CommentedMap()
        if not isinstance(value, CommentedMap):
            raise self.wrong(key, f"a mapping (name: value){self._example(key)}")
        found = Section(self.file, self._label(key), content=value, keys=keys, line=self.line(key), faults=faults)
        found.faults = self.faults
        return found

    def _example(self, key: str) -> str:
        """An example of the mapping, for a message about a value that is not one."""
        entry = _ENTRIES.get(self.path.rpartition(": ")[2].lower(), "")
        example = entry or (f"{self.spelling(key)}: {{NAME: {_ENTRIES[key]}}}" if key in _ENTRIES else "")
        return f", for example {example}" if example else ""

    def number(self, key: str, default: float | None = None) -> float:
        """A number, perhaps infinite; raises ScanFileError for anything else, NaN included."""
        if key not in self and default is not None:
            return default
        self.require(key)
        value = to_number(self.raw(key))
        if value is None:
            raise self.wrong(key, "a number")
        return value

    def finite(self, key: str, default: float | None = None) -> float:
        """A number that is not infinite."""
        value = self.number(key, default)
        if not math.isfinite(value):
            raise self.wrong(key, "a finite number")
        return value

    def positive(self, key: str) -> float:
        """A number above 0 that is not infinite."""
        value = self.number(key)
        if not 0.0 < value < math.inf:
            raise self.wrong(key, "a finite number above 0")
        return value

    def number_in(self, key: str, default: float, low: float, high: float, *, open_low: bool = False) -> float:
        """A number from `low` (excluded with `open_low`) to `high`."""
        value = self.number(key, default)
        if not (low < value if open_low else low <= value) or value > high:
            raise self.wrong(key, describe_range(low, high, open_low))
        return value

    def integer(self, key: str, default: int | None = None, low: int = 0) -> int:
        """A whole number of at least `low`."""
        if key not in self and default is not None:
            return default
        self.require(key)
        value = to_number(self.raw(key))
        if value is None or not math.isfinite(value) or value != int(value):
            raise self.wrong(key, "a whole number")
        if value < low:
            raise self.wrong(key, f"at least {low}")
        if value > LARGEST_WHOLE:
            raise self.wrong(key, f"at most {LARGEST_WHOLE:,}")
        return int(value)

    def boolean(self, key: str, default: bool) -> bool:
        """True or false."""
        if key not in self:
            return default
        value = self.raw(key)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """A piece of text; a number is taken as it is written."""
        if key not in self and default is not None:
            return default
        self.require(key)
        value = self.raw(key)
        if isinstance(value, (CommentedMap, CommentedSeq)):
            raise self.wrong(key, "text")
        return _written(value)

    def expression(self, key: str) -> str:
        """An expression. A number is spelled as Python prints it, because physics digests contain this spelling."""
        self.text(key)
        return str(self.raw(key))

    def path_text(self, key: str) -> str:
        """The path of a file as the scan file has it; empty if there is none, or an empty text as in BSMArt's files."""
        if key not in self or self.raw(key) == "":
            return ""
        text = self.text(key)
        if not text.isprintable() or any(len(part.encode()) > _LONGEST_FILE for part in text.split("/")):
            raise self.wrong(key, "the name of a file")
        return text

    def numbers(self, key: str, count: int | None = None) -> list[float]:
        """A list of numbers, at least one; of length `count` if that is given."""
        value = self.raw(key)
        wanted = "a list of numbers" if count is None else f"a list of {count} numbers"
        if not isinstance(value, (CommentedSeq, list)) or (count is not None and len(value) != count):
            raise self.wrong(key, wanted)
        found = [to_number(entry) for entry in value]
        if not found or any(number is None for number in found):
            raise self.wrong(key, wanted)
        return [number for number in found if number is not None]

    def texts(self, key: str) -> list[str]:
        """A list of texts; a single text counts as a list with one entry."""
        value = self.raw(key)
        if value is None:
            return []
        if not isinstance(value, (CommentedSeq, list)):
            return [self.text(key)]
        if any(isinstance(entry, (CommentedMap, CommentedSeq)) or entry is None for entry in value):
            raise self.wrong(key, "a list of texts")
        return [_written(entry) for entry in value]


def closest(word: Any, known: Iterable[str]) -> str:
    """A hint that names the closest known word, or lists the known words if none is close."""
    known = list(known)
    return nearest(word, known) or (f"; known are: {', '.join(sorted(known)[:40])}" if known else "")


def nearest(word: Any, known: Iterable[str]) -> str:
    """A hint that names the closest known word; empty if none is close."""
    known = list(known)
    if (same := twin(str(word)[:200], known)) is not None:
        return f"; did you mean {same!r}, {difference(str(word), same)}?"
    near = difflib.get_close_matches(str(word)[:200].lower(), [name.lower() for name in known], n=1, cutoff=0.5)
    return f"; did you mean {next(name for name in known if name.lower() == near[0])!r}?" if near else ""


def describe_range(low: float, high: float, open_low: bool) -> str:
    """The range in words."""
    below = f"more than {low:g}" if open_low else f"at least {low:g}"
    return below if math.isinf(high) else f"{below} and at most {high:g}"


_ENTRIES = {
    "variables": "[100, 1000]",
    "codes": "{function: module:name}",
    "observables": "{mean: 125, sigma: 3}",
}
"""An example of an entry of each of these sections."""

LONGEST_NAME = 200
_LONGEST_MESSAGE = 1000
_LONGEST_FILE = 255  # bytes, of file systems
LARGEST_WHOLE = 2**53  # larger whole numbers are rounded when they are read


def plain_name(name: str) -> str:
    """The name in Unicode's normal form NFKC; Unicode has two characters for µ, for example."""
    return unicodedata.normalize("NFKC", name)


def every_key(content: object) -> set[str]:
    """The keys of a mapping and of all mappings in it, as names."""
    if not isinstance(content, dict):
        return set()
    return {plain_name(str(key)) for key in content}.union(*map(every_key, content.values()))


def _written(value: Any) -> str:
    """The text of a value; of a number, the digits that the file has (1.10, not 1.1)."""
    return str(getattr(value, "written", value))


def _show(value: Any) -> str:
    if isinstance(value, (CommentedMap, dict)):
        return "a mapping"
    return f"{str(value)!r:.100}" if isinstance(value, str) else f"{value!s:.100}"
