"""A mapping in the plain spelling that remembers how the file spells it."""

from __future__ import annotations

from typing import Any

from ruamel.yaml.comments import CommentedMap


class PlainMap(CommentedMap):
    """Plain keys with their values; each keeps its line in the file.

    A value may be a ScanFileError, of what could not be put in the plain spelling: it is raised where the mapping is
    read. `spellings`: how the file spells a key, where that is another way; `ignored`: keys without meaning, which
    are left out; `hints`: of an unknown key, the nearest of BSMArt's, where that is the nearest of all.
    """

    def __init__(self, of: CommentedMap | None = None) -> None:
        """`of`: the mapping as the file has it, with its lines."""
        super().__init__()
        of = CommentedMap() if of is None else of
        self.spellings: dict[Any, str] = {}
        self.ignored: list[str] = []
        self.hints: dict[Any, str] = {}
        self.lc.line, self.lc.col = of.lc.line, of.lc.col
        self._lines: dict[Any, Any] = of.lc.data or {}

    def put(self, key: Any, value: Any, spelling: Any) -> None:
        """Sets a key. Its line is that of the file's `spelling`; if that is missing, the line of the mapping."""
        self[key] = value
        if spelling != key:
            self.spellings[key] = str(spelling)
        if spelling in self._lines:
            self.lc.add_kv_line_col(key, self._lines[spelling])

    def spelling(self, key: Any) -> str:
        """The key as the file spells it."""
        return self.spellings.get(key, str(key))
