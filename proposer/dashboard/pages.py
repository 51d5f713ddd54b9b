"""The pages of the dashboard: the list of runs, and reports that are drawn again as the datasets grow."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True)
class Column:
    """A column of the list that can sort it: its key in the address, its title, its value of a run, and whether the
    largest value comes first.
    """

    key: str
    title: str
    value: Callable[[Look], Any]
    largest_first: bool = False


COLUMNS = (
    Column("run", "run", lambda look: str(look.folder)),
    Column("state", "state", lambda look: look.state),
    Column("newest", "newest result", lambda look: look.newest, largest_first=True),
    Column("good", "good", lambda look: look.good if look.counted else None, largest_first=True),
    Column("evaluated", "evaluated", lambda look: look.evaluated if look.counted else None, largest_first=True),
    Column("rate", "hit rate", lambda look: look.hit_rate, largest_first=True),
    Column("lowest", "lowest NLL", lambda look: look.lowest),
    Column("method", "method", lambda look: look.method),
)


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


def list_page(looks: Sequence[Look], roots: Sequence[Path], order: str = "") -> bytes:
    """The page with the list of runs and their states. `order`: the key of a column that sorts the runs, with a minus
    for the other direction; runs without a value there are last.
    """
    key, reverse = order.removeprefix("-"), order.startswith("-")
    column = next((column for column in COLUMNS if column.key == key), COLUMNS[0])
    known = [look for look in looks if column.value(look) is not None]
    known.sort(key=column.value, reverse=column.largest_first != reverse)
    return from_template(
        "list.html",
        looks=known + [look for look in looks if column.value(look) is None],
        roots=[str(root) for root in roots],
        columns=COLUMNS,
        by=column,
        reverse=reverse,
        percent=show_percent,
    ).encode(errors="replace")


def missing_page(words: str) -> bytes:
    """A page with an error message about the address."""
    return from_template("missing.html", words=words).encode(errors="replace")
