"""The error of several pictures; it is apart from the drawing, which loads matplotlib."""

from __future__ import annotations

from collections.abc import Sequence

from scanspec import LodescanError, ScanFileError


class NotDrawn(ScanFileError):
    """Several pictures cannot be drawn, each for one of the `faults`. All others are drawn."""

    def __init__(self, faults: Sequence[LodescanError]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults
