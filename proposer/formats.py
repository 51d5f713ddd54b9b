"""Formats numbers, durations, and errors for people."""

from scanspec import LodescanError, Variable


def show_number(value: float, digits: int = 6) -> str:
    """A number for people: 1,000,000,000 rather than 1e+09."""
    if 10.0 ** (digits - 1) <= abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def show_percent(rate: float | None) -> str:
    """A fraction in percent, for people. Only the whole is 100 %, and only nothing is 0 %."""
    if rate is None:
        return "-"
    percent = 100 * rate
    if 99.5 <= percent < 100:
        return f"{percent:.1f} %" if percent < 99.95 else ">99.9 %"
    digits = f"{percent:.0f}" if percent >= 9.95 else f"{percent:.2g}" if percent >= 1e-3 or not percent else "<0.001"
    return f"{digits} %"


def show_count(count: int, what: str) -> str:
    """A number of things: 1 point, 2 points."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def show_good(good: int, wanted: int) -> str:
    """A number of good points of those that a run wants. A merged run wants none."""
    return f"{good:,} of {wanted:,} good" if wanted else f"{good:,} good"


def show_time(seconds: float) -> str:
    """A duration for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


LONGEST = 40
"""The largest number of letters of a label."""


def plain(name: str, longest: int = LONGEST) -> str:
    """A name without the characters of a formula, shortened to the length of an axis."""
    name = name.replace("$", "").replace("\\", "")
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def show_range(variable: Variable) -> str:
    """The values that a variable can have."""
    if variable.fixed:
        return f"{variable.low:g}"
    if variable.values:
        return "one of " + ", ".join(f"{value:g}" for value in variable.values)
    if variable.prior.symmetric:
        return f"{variable.inner:g} to {variable.high:g}, either sign"
    kind = ", whole numbers" if variable.integer else ", periodic" if variable.periodic else ""
    return f"{variable.low:g} to {variable.high:g}{kind}"


def in_short(error: Exception) -> str:
    """An error in one line: our own messages as they are, others with their kind and at most 200 characters."""
    if isinstance(error, LodescanError):
        return str(error)
    return f"{type(error).__name__}: {' '.join(str(error).split()):.200}"
