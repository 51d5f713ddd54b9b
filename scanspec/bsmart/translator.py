"""Translates keys and values from BSMArt's spelling to the plain one, for all sections of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from scanspec.bsmart.spellings import Spelling, home_of
from scanspec.document import Section, nearest
from scanspec.faults import Faults
from scanspec.keys import MAY_BE_EMPTY
from scanspec.numbers import to_number
from scanspec.plain import PlainMap

Convert = Callable[[Any, str], Any]
"""Converts a value, given its path in the file, such as "Variables: m0: PRIOR", to the plain value."""

TRUE, FALSE = ("true", "1", "yes"), ("false", "0", "no")
"""Booleans as texts. BSMArt's files may have any of these."""


class Translator:
    """Translates mappings into the plain spelling, and collects descriptions of the changes and notes for the user.

    It never raises: a ScanFileError takes the place of a value that cannot be translated.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.renamed: dict[str, str] = {}
        self.changes: list[str] = []
        self.notes: list[str] = []

    def say(self, change: str) -> None:
        """Keeps a description of a change, once."""
        if change not in self.changes:
            self.changes.append(change)

    def section(self, content: CommentedMap, path: str) -> Section:
        """The untranslated mapping, for messages that name keys and lines of the file."""
        return Section(self.file, path, content, faults=Faults(collecting=True))

    def mapping(self, content: Any, spelling: Spelling, path: str, special: Mapping[str, Convert] | None = None) -> Any:
        """Translates the keys and values of a mapping; anything else is returned unchanged. `special` converts the
        values of some keys.

        Unknown keys stay, and the reader refuses them.
        """
        if not isinstance(content, CommentedMap):
            return content
        found = PlainMap(content)
        for key, value in content.items():
            where = f"{path}: {key}".removeprefix(": ")
            name = spelling.plain(key)
            if name is None:
                self._keep_unknown(found, key, value, spelling, where)
            elif value is None and name not in MAY_BE_EMPTY and self.file.lower().endswith(".json"):
                self.say(f"left out {where}, which is empty")  # in JSON a null is written, not forgotten
            elif name in found:
                first = found.spelling(name)
                # BSMArt has two names for some keys, and files may have both
                if name in (first, key) or content[first] != value:
                    fault = self.section(content, path).error(f"{key!r} and {first!r} are the same key; keep one", key)
                    found.put(name, fault, first)
            else:
                if name != key:
                    self.renamed[str(key)] = name
                plain = special[name](value, where) if special and name in special else value
                found.put(name, self.value(spelling, name, plain, where), key)
        if found.spellings:
            found.spellings |= {name: other for name, other in spelling.first.items() if name not in found}
        return found

    def _keep_unknown(self, found: PlainMap, key: Any, value: Any, spelling: Spelling, where: str) -> None:
        if key in spelling.without_meaning:
            found.ignored.append(key)
            self.say(f"left out {where}, which has no meaning here")
            return
        found.put(key, value, key)
        if hint := home_of(key, spelling) or hint_of_bsmart(key, spelling.keys.known, spelling.others):
            found.hints[key] = hint

    def value(self, spelling: Spelling, name: str, value: Any, where: str) -> Any:
        """The value, with texts converted where the key holds booleans or numbers."""
        plain: Any = value
        if isinstance(value, (list, CommentedSeq)) and name in spelling.keys.numbers:
            plain = CommentedSeq([self.value(spelling, name, entry, where) for entry in value])
            plain.fa.set_flow_style()
            return plain
        if name in spelling.keys.booleans and not isinstance(value, bool):
            word = str(value).strip().lower()
            plain = True if word in TRUE else False if word in FALSE else value
        elif isinstance(value, str) and name in spelling.keys.numbers and (number := to_number(value)) is not None:
            plain = int(number) if number.is_integer() else number
        if plain is not value and name != "run":
            self.say(f"{where}: {str(value)!r} is now {plain}")
        return plain

    def entries(self, one: Convert) -> Convert:
        """A conversion that applies `one` to every entry of a mapping whose keys the user chose."""

        def all_of(content: Any, path: str) -> Any:
            if not isinstance(content, CommentedMap):
                return content
            found = PlainMap(content)
            for name, value in content.items():
                found.put(name, one(value, f"{path}: {name}"), name)
            return found

        return all_of


def hint_of_bsmart(word: Any, plain: Iterable[str], others: Iterable[str]) -> str:
    """A hint that names the nearest known key if that is BSMArt's; empty if a plain key is nearer or none is near."""
    own = list(plain)
    return "" if (hint := nearest(word, [*own, *others])) == nearest(word, own) else hint
