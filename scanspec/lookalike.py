"""Letters and signs that look like others: Cyrillic a, a no-break space, a minus sign that is not `-`."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

_LETTERS = str.maketrans(
    "аеорсухіјѕһԁԛԝАВЕКМНОРСТХІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧο",  # noqa: RUF001
    "aeopcyxijshdqwABEKMHOPCTXIJSABEZHIKMNOPTYXo",
)
"""Cyrillic and Greek letters whose printed form is that of a Latin letter."""

_SIGNS = {
    "\u2212": "-",
    "\u2010": "-",
    "\u2011": "-",
    "\u2013": "-",
    "\u2014": "-",
    "\u00d7": "*",
    "\u00b7": "*",
    "\u22c5": "*",
    "\u2217": "*",
    "\u00f7": "/",
    "\u2215": "/",
    "\u00b2": "**2",
    "\u00b3": "**3",
    "\u221a": "sqrt(...)",
    "\u2264": "<=",
    "\u2265": ">=",
    "\u2260": "!=",
    "\u2018": "'",
    "\u2019": "'",
    "\u201c": '"',
    "\u201d": '"',
    "\uff1a": ":",
    "\uff0c": ",",
    "\uff08": "(",
    "\uff09": ")",
}
"""Signs that word processors and web pages write in place of those of a keyboard."""


def printed(word: str) -> str:
    """A word that is the same for all words that look alike in print."""
    return word if word.isascii() else word.translate(_LETTERS)


def twin(word: str, known: Iterable[str]) -> str | None:
    """The first other name that looks like this one in print; None if there is none."""
    look = printed(word)
    return next((name for name in known if name != word and printed(name) == look), None)


def difference(word: str, other: str) -> str:
    """Says which letters two names of the same look differ in."""
    pairs = [(a, b) for a, b in zip(word, other, strict=False) if a != b]
    named = [f"{char!r} is {unicodedata.name(char)}" for pair in pairs[:1] for char in pair if not char.isascii()]
    return f"which looks the same, but {' and '.join(named)}"


def odd_sign(text: str, instead_of: str = "") -> str:
    """Names the first sign of a text that a keyboard would have written in another way; empty if there is none.

    With `instead_of`, only the signs that stand for one of these, and blanks.
    """
    for char in text:
        name = f"{unicodedata.name(char, 'no name')}, U+{ord(char):04X}"
        if char in _SIGNS and (not instead_of or _SIGNS[char] in instead_of):
            return f"{char!r} ({name}) stands here; write {_SIGNS[char]}"
        if not char.isascii() and (char.isspace() or unicodedata.category(char) == "Cf"):
            return f"the invisible sign {char!a} ({name}) stands here; write a plain blank, or remove it"
    return ""
