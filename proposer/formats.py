"""Formats numbers and durations for people."""


def show_number(value: float, digits: int = 6) -> str:
    """A number for people: 1,000,000,000 rather than 1e+09."""
    if 10.0 ** (digits - 1) <= abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def show_time(seconds: float) -> str:
    """A duration for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
