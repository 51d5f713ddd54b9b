"""A YAML or JSON file whose every key knows its line."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from scanspec.keys import MAY_BE_EMPTY, Keys


class ScanFileError(ValueError):
    """A scan file, or a file that it names, cannot be used; the message says what to do."""


class Section:
    """One mapping of a scan file.

    Keys are looked up by their plain spelling; `keys` says which others are accepted.
    Without `keys` the mapping's keys are names that the user chose.
    """

    def __init__(
        self, file: str, path: str, content: CommentedMap, keys: Keys | None = None, line: int | None = None
    ) -> None:
        self.file = file
        self.path = path
        self._content = content
        self._line = line
        self._spelled: dict[str, str] = {}
        self.ignored: list[str] = []
        for spelling in content:
            self._accept(spelling, keys)

    def _accept(self, spelling: Any, keys: Keys | None) -> None:
        if keys is None:
            if str(spelling) in self._spelled:
                raise self.error(f"{self.path}: {spelling} is there twice", spelling)
            self._spelled[str(spelling)] = spelling
            return
        name = keys.plain(spelling)
        if name is not None:
            if name in self._spelled:
                first = self._spelled[name]
                if name not in (first, spelling) and self._content[first] == self._content[spelling]:
                    return  # BSMArt has two names for some keys, and files both
                raise self.error(f"{spelling!r} and {self._spelled[name]!r} are the same key; keep one", spelling)
            self._spelled[name] = spelling
            # In JSON a null is written, not forgotten.
            if self._content[spelling] is None and name not in MAY_BE_EMPTY and not self.file.lower().endswith(".json"):
                raise self.error(f"{self._label(name)} is empty; give it a value, or leave the line out", name)
        elif spelling in keys.without_meaning:
            self.ignored.append(f"{self.path}: {spelling}")
        else:
            where = f" in {self.path}" if self.path else ""
            raise self.error(f"unknown key {spelling!r}{where}{closest(spelling, keys.spellings())}", spelling)

    def __contains__(self, key: str) -> bool:
        return key in self._spelled and self._content[self._spelled[key]] is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._spelled)

    def raw(self, key: str) -> Any:
        """The value as the file gives it; None where it gives none."""
        return self._content[self._spelled[key]] if key in self._spelled else None

    def raw_spelled(self, spelling: str) -> Any:
        """The value under a key as the file spells it, also one without meaning."""
        return self._content.get(spelling)

    def spelling(self, key: str) -> str:
        """The key as the file spells it; empty where it is not there."""
        return self._spelled.get(key, "")

    def line(self, key: str | None = None) -> int:
        """Line of a key, from 1; of the mapping itself without a key or for a key that is not there."""
        spelling = self._spelled.get(key, key) if key is not None else None
        try:
            return int(self._content.lc.key(spelling)[0]) + 1
        except (KeyError, TypeError, AttributeError):
            return self._line if self._line is not None else int(self._content.lc.line or 0) + 1

    def error(self, message: str, key: str | None = None) -> ScanFileError:
        """An error that names the file and the line."""
        return ScanFileError(f"{self.file}, line {self.line(key)}: {message}")

    def wrong(self, key: str, wanted: str) -> ScanFileError:
        """An error that says what a key holds and what it should hold."""
        return self.error(f"{self._label(key)} is {_show(self.raw(key))}, but must be {wanted}", key)

    def _label(self, key: str) -> str:
        return f"{self.path}: {self._spelled.get(key, key)}"

    def require(self, key: str, why: str = "") -> None:
        """Raises ScanFileError unless the key has a value."""
        if key not in self:
            raise self.error(f"{self.path} has no {key!r}{why}", key)

    def section(self, key: str, keys: Keys | None = None) -> Section:
        """The mapping under a key; an empty one where there is none."""
        value = self.raw(key)
        if value is None:
            value = CommentedMap()
        if not isinstance(value, CommentedMap):
            raise self.wrong(key, "a mapping (name: value)")
        path = f"{self.path}: {self._spelled.get(key, key)}" if self.path else str(self._spelled.get(key, key))
        return Section(self.file, path, value, keys, self.line(key))

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
        return int(value)

    def boolean(self, key: str, default: bool) -> bool:
        """True or false, also as a string in any case, as BSMArt writes it."""
        if key not in self:
            return default
        value = str(self.raw(key)).strip().lower()
        if value in ("true", "1", "yes"):
            return True
        if value in ("false", "0", "no"):
            return False
        raise self.wrong(key, "true or false")

    def text(self, key: str, default: str | None = None) -> str:
        """A piece of text; a number is taken as it is written."""
        if key not in self and default is not None:
            return default
        self.require(key)
        value = self.raw(key)
        if isinstance(value, (CommentedMap, CommentedSeq)):
            raise self.wrong(key, "text")
        return str(value)

    def numbers(self, key: str, count: int | None = None) -> list[float]:
        """A list of numbers, of the given length if there is one."""
        value = self.raw(key)
        wanted = "a list of numbers" if count is None else f"a list of {count} numbers"
        if not isinstance(value, (CommentedSeq, list)) or (count is not None and len(value) != count):
            raise self.wrong(key, wanted)
        found = [to_number(each) for each in value]
        if not found or any(each is None for each in found):
            raise self.wrong(key, wanted)
        return [each for each in found if each is not None]

    def texts(self, key: str) -> list[str]:
        """A list of texts; one text alone is a list of one."""
        value = self.raw(key)
        if value is None:
            return []
        if not isinstance(value, (CommentedSeq, list)):
            return [self.text(key)]
        if any(isinstance(each, (CommentedMap, CommentedSeq)) or each is None for each in value):
            raise self.wrong(key, "a list of texts")
        return [str(each) for each in value]


def to_number(value: Any) -> float | None:
    """The number that a value or a numeric string such as "1e3" or "inf" stands for; None for others and NaN."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return None if math.isnan(number) else number


def closest(word: Any, known: Iterable[str]) -> str:
    """A hint that names the closest known word, or lists what is known."""
    known = list(known)
    near = difflib.get_close_matches(str(word).lower(), [each.lower() for each in known], n=1, cutoff=0.5)
    if near:
        return f"; did you mean {next(each for each in known if each.lower() == near[0])!r}?"
    return f"; known are: {', '.join(sorted(known)[:40])}" if known else ""


def describe_range(low: float, high: float, open_low: bool) -> str:
    """The range in words."""
    below = f"more than {low:g}" if open_low else f"at least {low:g}"
    return below if math.isinf(high) else f"{below} and at most {high:g}"


def read_document(path: Path) -> tuple[CommentedMap, str]:
    """The content of a YAML or JSON file, and its text.

    Raises ScanFileError when it cannot be read, is not valid, or is not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ScanFileError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ScanFileError(f"{path}: is not UTF-8 text ({error.reason} at byte {error.start})") from error
    source = text
    if path.suffix.lower() == ".json":
        _check_json(path, text)
        source = text.replace("\t", " ")  # JSON may indent by tabs, YAML may not; strings cannot hold a raw tab
    try:
        content = YAML(typ="rt").load(source)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark is not None else ""
        problem = (error.problem or error.context or "not valid YAML").splitlines()[0]
        raise ScanFileError(f"{path}{line}: {problem}") from error
    except YAMLError as error:
        raise ScanFileError(f"{path}: {error}") from error
    if not isinstance(content, CommentedMap):
        raise ScanFileError(f"{path}: must be a mapping of sections (setup, variables, codes ...)")
    return content, text


def _check_json(path: Path, text: str) -> None:
    def refuse(constant: str) -> float:
        outside = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)  # strings hold no raw line breaks, so lines stay
        line = outside[: outside.index(constant)].count("\n") + 1
        raise ScanFileError(
            f"{path}, line {line}: {constant} is no JSON; infinities are written as strings, NaN has no meaning"
        )

    try:
        json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise ScanFileError(f"{path}, line {error.lineno}: not valid JSON ({error.msg})") from error
    except RecursionError as error:
        raise ScanFileError(f"{path}: nested too deeply") from error


def _show(value: Any) -> str:
    return repr(str(value)) if isinstance(value, str) else str(value)
