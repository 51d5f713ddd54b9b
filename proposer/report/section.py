"""The elements of a report: sections with text, tables, and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from proposer.show.picture import Picture


@dataclass(frozen=True)
class Code:
    """A cell of a table with a command, its name, and a button that copies the command."""

    text: str
    what: str


@dataclass(frozen=True)
class Rows:
    """A table. Cells are texts, numbers as texts, or commands. `says`: its caption."""

    says: str
    header: Sequence[str]
    rows: Sequence[Sequence[str | Code]]

    @property
    def commands(self) -> list[Code]:
        """The commands of the table, which paper and a page without scripts show below it."""
        return [cell for row in self.rows for cell in row if isinstance(cell, Code)]


@dataclass(frozen=True)
class Part:
    """The part of a section about one run. `warnings` come first, `words` are paragraphs, `text` is for copying."""

    words: Sequence[str] = ()
    warnings: Sequence[str] = ()
    tables: Sequence[Rows] = ()
    pictures: Sequence[Picture] = ()
    text: str = ""


@dataclass(frozen=True)
class Section:
    """A section of the page, which answers one question. `parts`: one for each run, in the order of the runs."""

    name: str
    title: str
    parts: Sequence[Part] = field(default=())
