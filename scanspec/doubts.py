"""Words about an entry that an SLHA file has in several places with different values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scanspec.blocks import Block, comparable
from scanspec.observables import SlhaAddress

_MOST = 10
"""The most values or lines that a warning shows."""


def among_blocks(address: SlhaAddress, blocks: Iterable[Block]) -> str:
    """A warning if an entry differs between these blocks of one name, of which the last counts; otherwise empty."""
    indices = tuple(index for index in address.indices if isinstance(index, int))
    found = [(block, block.words_at(indices, address.column, address.under)) for block in blocks]
    found = [(block, words) for block, words in found if words]
    scales = dict.fromkeys("none" if block.scale is None else f"{block.scale:g}" for block, _ in found)
    words = [words for _, words in found]
    if len(scales) > 1:
        return _warning(address, words, "without `scale` the last block counts", f" at Q = {', '.join(scales)}")
    return _warning(address, words, "the last block counts")


def among_analyses(address: SlhaAddress, words: Iterable[Sequence[str]]) -> str:
    """A warning if the words of a value differ between the blocks of an analysis; otherwise empty."""
    return _warning(address, filter(None, words), f"the last block of {address.words[0]} counts")


def among_tables(address: SlhaAddress, values: Iterable[float]) -> str:
    """A warning if these values of the decay tables of one particle differ; otherwise empty."""
    return _warning(address, [[f"{value:.9g}"] for value in values], "the last table of the particle counts")


def among_lines(address: SlhaAddress, tables: Iterable[Iterable[Sequence[str]]]) -> str:
    """A warning if these lines of a cross section differ, all of which the address may mean; otherwise empty."""
    tables = [list(rows) for rows in tables]
    if len({comparable(row[6]) for rows in tables for row in rows}) < 2:
        return ""
    which = "the last one counts" if address.line else "without `line`, the first line of the last table counts"
    return f"the output has {address} in several lines with different values: {lines_of(tables)}; {which}"


def lines_of(tables: Iterable[Iterable[Sequence[str]]]) -> str:
    """The lines of cross sections, each with its six numbers and its value."""
    lines = [f"{' '.join(row[:6])} = {row[6]}" for rows in tables for row in rows]
    return ", ".join(lines[:_MOST]) + (", ..." if len(lines) > _MOST else "")


def _warning(address: SlhaAddress, found: Iterable[Sequence[str]], which_counts: str, where: str = "") -> str:
    different = {tuple(map(comparable, words)): " or ".join(words) for words in found}
    if len(different) < 2:
        return ""
    shown = [*different.values()]
    where = where or f": {', '.join(shown[:_MOST])}{', ...' if len(shown) > _MOST else ''}"
    return f"the output has {address} with different values{where}; {which_counts}"


def contradiction(address: SlhaAddress, words: Sequence[str]) -> str:
    """What is wrong with an entry that one block has several times."""
    return f"{address} more than once, and not the same: {', '.join(words[:5])}{', ...' if len(words) > 5 else ''}"


def remedy(block: Block, address: SlhaAddress, words: list[str]) -> str:
    """How the user can tell apart the several entries of a block."""
    if headings := block.headings():
        shown = "; ".join(headings[:5]) + ("; ..." if len(headings) > 5 else "")
        return f"`under` selects a table by the words of its first line: {shown}"
    if address.column is not None:
        return "give more of the numbers that stand in its line"
    if " " in words[0]:
        return "`column` says where the value stands in a line of several numbers"
    return "a block's first line may be missing, or be written as a comment"
