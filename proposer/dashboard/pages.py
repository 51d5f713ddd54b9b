"""The pages of the dashboard: the list of runs, and reports that are drawn again as the datasets grow."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from proposer.dashboard.runs import Look, stamp_of
from proposer.formats import show_percent
from proposer.report.page import from_template
from proposer.report.write import served_page

LEAST, SHARE = 5.0, 5.0
"""The earliest time after which a report is drawn again: LEAST seconds, and SHARE times the duration of the last
drawing, because a scan on the same machine needs the processor.
"""

KEPT = 8
"""The largest number of reports in memory."""


@dataclass(frozen=True)
class Made:
    """A report: the stamp of its datasets, the earliest time to draw it again (monotonic seconds), and its page."""

    stamp: str
    until: float
    page: bytes


class Reports:
    """The reports of runs. Only one is drawn at a time, for any number of readers and threads."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[Path, ...], Made] = OrderedDict()
        self._drawing = threading.Lock()

    def stamp(self, folders: Sequence[Path]) -> str:
        """The stamp of the report that `page` would return now."""
        made = self._made.get(tuple(folders))
        return made.stamp if made is not None and time.monotonic() < made.until else stamp_of(folders)

    def page(self, folders: Sequence[Path]) -> bytes:
        """The report of one run, or of several runs side by side."""
        key = tuple(folders)
        with self._drawing:
            made = self._made.get(key)
            stamp = self.stamp(folders)
            if made is None or made.stamp != stamp:
                start = time.monotonic()
                text = served_page(folders, stamp).encode(errors="replace")
                end = time.monotonic()
                made = Made(stamp, end + max(LEAST, SHARE * (end - start)), text)
            self._made[key] = made
            self._made.move_to_end(key)
            while len(self._made) > KEPT:
                self._made.popitem(last=False)
            return made.page

    def close(self) -> None:
        """Waits for the report that is being drawn, and prevents others."""
        self._drawing.acquire()


def list_page(looks: Sequence[Look], roots: Sequence[Path]) -> bytes:
    """The page with the list of runs and their states."""
    return from_template("list.html", looks=looks, roots=[str(root) for root in roots], percent=show_percent).encode(
        errors="replace"
    )


def missing_page(words: str) -> bytes:
    """A page with an error message about the address."""
    return from_template("missing.html", words=words).encode(errors="replace")
