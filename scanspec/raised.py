"""Puts what a user's code raises or returns into words, for datasets, logs, tables and terminals."""

from __future__ import annotations

import inspect

LONGEST_TEXT = 500
"""The most characters of a message or a warning."""


def words_of(error: BaseException) -> str:
    """The text of an exception. A user's exception may fail even when it is turned into text."""
    try:
        return str(error)
    except Exception as another:  # noqa: BLE001
        return f"its text cannot be printed: {type(another).__name__}"


def what_was_raised(error: BaseException) -> str:
    """The type and text of an exception. `sys.exit` raises one, too."""
    if isinstance(error, SystemExit):
        code = 0 if error.code is None else error.code
        return f"it called sys.exit with exit code {code}" if isinstance(code, int) else f"it called sys.exit: {code}"
    return f"{type(error).__name__}: {words_of(error)}"


def shown(value: object) -> str:
    """The first 100 characters of a user's value, as Python prints it."""
    try:
        return f"{value!r:.100}"
    except Exception as error:  # noqa: BLE001
        return f"a {type(value).__name__} that cannot be shown ({type(error).__name__})"


def returned(value: object) -> str:
    """What a function returned instead of a mapping, and why, if its kind tells."""
    if inspect.iscoroutine(value):
        value.close()  # without this Python warns that nothing waits for it
        return "a coroutine, because it is async: write `def` without `async`, and asyncio.run(...) within"
    if inspect.isgenerator(value) or inspect.isasyncgen(value):
        return "a generator, because it has `yield`: write `return`"
    return shown(value)


def printable(text: str) -> str:
    """One line of at most LONGEST_TEXT characters, without control characters and lone surrogates."""
    words = " ".join(text[: 4 * LONGEST_TEXT].split())
    return "".join(char for char in words if char.isprintable())[:LONGEST_TEXT]
