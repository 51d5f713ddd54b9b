"""Refuses levels, aliases, tags and texts of YAML that a scan file cannot have, before the values are built."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml.events import (
    AliasEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from scanspec.faults import ScanFileError

DEEPEST = 30
"""The most levels of sections within sections."""

LONGEST_LIST = 10_000
"""The most values of one list; a section has at most half as many keys."""

MOST_VALUES = 200_000
"""The most values of a file; values that aliases repeat count each time."""


def check_events(path: Path, events: Iterator[Event]) -> None:
    """Refuses levels, aliases, tags and texts that a scan file cannot have, before the values are built.

    A file of a few lines whose aliases repeat each other would have billions of values. Raises ScanFileError.
    """
    file = _Nested([_Open(None, is_mapping=False, values=0)])
    for event in events:
        try:
            file.take(event)
        except _Refused as refused:
            line = event.start_mark.line + 1
            raise ScanFileError(f"{path}, line {line}: {refused}", line) from None


class _Refused(Exception):
    """Why a scan file cannot have what an event of the parser brings."""


@dataclass
class _Open:
    """A list or mapping that is not closed yet. `values`: those within it, with what aliases repeat; `members`: the
    direct ones, keys among them.
    """

    anchor: str | None
    is_mapping: bool
    values: int = 1
    members: int = 0


@dataclass
class _Nested:
    """The lists and mappings around an event, the whole file first, and the anchors before it with the numbers of
    values that their aliases repeat.
    """

    around: list[_Open]
    anchors: set[str] = field(default_factory=set)
    sizes: dict[str, int] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Counts the values of an event. Raises _Refused."""
        if isinstance(event, (AliasEvent, ScalarEvent, MappingStartEvent, SequenceStartEvent)):
            self._add_member(event)
        if isinstance(event, AliasEvent):
            if event.anchor in [one.anchor for one in self.around]:
                raise _Refused(f"the alias *{event.anchor} stands within what it repeats; write the values out")
            self.around[-1].values += self.sizes.get(str(event.anchor), 0)
        elif isinstance(event, (ScalarEvent, MappingStartEvent, SequenceStartEvent)):
            self._check_anchor_and_tag(event)
            if isinstance(event, ScalarEvent):
                _check_text(event)
                self._count(event.anchor, 1)
            else:
                self.around.append(_Open(event.anchor, isinstance(event, MappingStartEvent)))
                if len(self.around) > DEEPEST:
                    raise _Refused(
                        f"sections within sections, more than {DEEPEST} levels deep; is a bracket not closed?"
                    )
        elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            closed = self.around.pop()
            self._count(closed.anchor, closed.values)
        if self.around[-1].values > MOST_VALUES:
            raise _Refused(f"with what its aliases repeat the file has more than {MOST_VALUES:,} values")

    def _add_member(self, event: Event) -> None:
        """Counts a direct member of the innermost list or mapping, in which every other member is a key."""
        inner = self.around[-1]
        inner.members += 1
        if inner.members > LONGEST_LIST:
            raise _Refused(f"a list or a section has more than {LONGEST_LIST:,} values here")
        if inner.is_mapping and inner.members % 2 == 1 and not isinstance(event, ScalarEvent):
            raise _Refused("a list, a mapping or an alias stands where a key should; is a value without its key?")

    def _check_anchor_and_tag(self, event: ScalarEvent | MappingStartEvent | SequenceStartEvent) -> None:
        if event.anchor is not None:
            if event.anchor in self.anchors:
                raise _Refused(f"the anchor &{event.anchor} is there twice; give one of them another name")
            self.anchors.add(event.anchor)
        if event.tag is not None and str(event.tag) not in _USUAL_TAGS:
            raise _Refused(f"the tag {_short(event.tag)} has no meaning here; write the value alone")

    def _count(self, anchor: str | None, values: int) -> None:
        """Adds values to the innermost list or mapping, and remembers them for aliases."""
        self.around[-1].values += values
        if anchor is not None:
            self.sizes[anchor] = values


_USUAL_TAGS = frozenset({"!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})


def _short(tag: object) -> str:
    return str(tag).replace("tag:yaml.org,2002:", "!!")[:60]


def _check_text(event: ScalarEvent) -> None:
    """Refuses escapes in double quotes that nobody means: "$\tau$" in LaTeX would be a tab followed by "au"."""
    text = event.value
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise _Refused("a text holds half of a character (\\ud800 to \\udfff alone); write the character itself")
    if event.style != '"':
        return
    found = next((char for char in text if unicodedata.category(char) == "Cc" and char != "\n"), "")
    if not found and "$" in text and re.search(r"\n(?=[a-z]{1,20}\b)", text):
        found = "\n"
    if found:
        raise _Refused(
            f"{found!r:.12} in double quotes is one control character, not a backslash and a letter; write the text in "
            "single quotes (in JSON: two backslashes)"
        )
