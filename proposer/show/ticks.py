"""Ticks of axes whose labels never overlap."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from matplotlib.ticker import LogFormatterMathtext, LogLocator, MaxNLocator, NullFormatter, ScalarFormatter

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 5
"""The most labels along one axis."""


def set_ticks(ax: Axes, most: int = MOST) -> None:
    """Sets a few round numbers on each axis. A logarithmic axis has powers of ten, or round numbers within
    two decades.
    """
    for axis, limits, scale in ((ax.xaxis, ax.get_xlim(), ax.get_xscale()), (ax.yaxis, ax.get_ylim(), ax.get_yscale())):
        if scale not in ("linear", "log"):
            continue
        decades = math.log10(limits[1] / limits[0]) if scale == "log" and 0 < limits[0] < limits[1] else 0.0
        if decades > 2.0:
            axis.set_major_locator(LogLocator(numticks=most))
            axis.set_major_formatter(LogFormatterMathtext())
        elif decades > 1.0:
            axis.set_major_locator(LogLocator(subs=(1.0, 3.0) if decades > 1.4 else (1.0, 2.0, 5.0), numticks=20))
            axis.set_major_formatter(_Plain(-4, 6))  # with a common power, 1000 would become 0.1 × 10⁴
        else:
            axis.set_major_locator(MaxNLocator(nbins=most - 1, steps=[1, 2, 2.5, 5, 10], min_n_ticks=2))
            axis.set_major_formatter(_Plain())
        axis.set_minor_formatter(NullFormatter())


class _Plain(ScalarFormatter):
    """Formats numbers with a common power of ten as plain text, which is drawn ten times as fast as formulas."""

    def __init__(self, low: int = -3, high: int = 4) -> None:
        super().__init__(useOffset=True, useMathText=False)
        self.set_powerlimits((low, high))

    def get_offset(self) -> str:
        """The common power and the offset, for the end of the axis."""
        return _POWER.sub(lambda found: f"×10{found[1].translate(_RAISED)}", super().get_offset())


_POWER = re.compile(r"1e(.?\d+)")
_RAISED = str.maketrans("0123456789-\u2212+", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻⁺")
