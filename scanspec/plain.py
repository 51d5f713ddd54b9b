"""A mapping with the keys in lodescan's spelling that remembers how the file spells them."""

from __future__ import annotations

from typing import Any

from ruamel.yaml.comments import CommentedMap


class PlainMap(CommentedMap):
    """A mapping from lodescan's keys to their values and lines in the file.

    A value that could not be translated is a ScanFileError, which is raised when the mapping is read. `spellings` has
    the file's spelling of a key where the two differ, also of a missing key if the file spells its other keys so.
    `ignored` are keys without meaning, which are left out. `hints` has, for an unknown key, the nearest key of BSMArt,
    if none of lodescan's keys is nearer.
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
        """The key as the file spells it, or would spell it if it is missing."""
        return self.spellings.get(key, str(key))
