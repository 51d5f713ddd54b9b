"""What a physics code is: one step of a point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from evaluator.codes.point import Point


class Code(Protocol):
    """A physics code: one step of a point."""

    timeout: float
    """Seconds that one point may take."""
    first_timeout: float
    """The same for the first point of a process, where some codes compile."""

    def load(self) -> None:
        """Prepares a process for points (imports, data); raises ConfigurationError when it cannot work."""

    def run(self, point: Point) -> Mapping[str, float]:
        """Works on a point: returns observables by name, or sets `point.spectrum`.

        Raises InvalidPoint, CodeFailed, CodeTimedOut or CodeKilled.
        """

    def sources(self) -> Mapping[str, str]:
        """What decides the results, each by name with a hash or a version; for the physics digest."""
