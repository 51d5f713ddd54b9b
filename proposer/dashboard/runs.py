"""Finds the runs in folders, and their states."""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from proposer.formats import show_good, show_time
from proposer.run.dataset import DATASET, Dataset
from proposer.run.folder import is_held
from proposer.run.record import RunRecord
from proposer.show.panel import show_left
from proposer.show.state import State
from proposer.show.tally import Tally, read_tally
from scanspec import LodescanError

EVERY = 2.0
"""Seconds for which a list of folders is used, but at least ten times the duration of the search."""

SILENT = 60.0
"""Seconds without news after which a running run is reported as silent."""


def key_of(folder: Path) -> str:
    """The key of a run in addresses of the dashboard, which contains no path."""
    return hashlib.blake2b(os.fsencode(folder.resolve()), digest_size=6).hexdigest()


def stamp_of(folders: Sequence[Path]) -> str:
    """A text that changes when a dataset changes. It ignores SQLite's empty log, which readers make and remove."""
    seen: list[object] = []
    for path in (folder / f"{DATASET}{end}" for folder in folders for end in ("", "-wal")):
        with suppress(OSError):
            found = path.stat()
            seen.append((str(path), found.st_ino, found.st_size, found.st_mtime_ns) if found.st_size else None)
    return hashlib.blake2b(repr(list(filter(None, seen))).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Look:
    """The state of a run: running, ended, not finished, not started, or unreadable. `words` are the details.

    `hit_rate` is the number of good points per evaluated point, `lowest` the lowest NLL. `counted` says whether the
    numbers are known. `newest` is the time of the newest answer, in seconds since 1970.
    """

    folder: Path
    state: str
    words: str
    method: str = ""
    good: int = 0
    wanted: int = 0
    evaluated: int = 0
    hit_rate: float | None = None
    lowest: float | None = None
    counted: bool = False
    newest: float | None = None

    @property
    def key(self) -> str:
        """The key of the run in addresses of the dashboard."""
        return key_of(self.folder)

    @property
    def age(self) -> str:
        """How long ago the newest answer came, in words; empty if that is unknown."""
        return "" if self.newest is None else f"{show_time(max(time.time() - self.newest, 0.0))} ago"

    @property
    def line(self) -> str:
        """The state of the run in one line."""
        counts = f"{show_good(self.good, self.wanted)} | {self.evaluated:,} evaluated" if self.counted else ""
        return " | ".join(filter(None, [str(self.folder), self.state, counts, self.words]))


class Runs:
    """The runs in some folders, at any depth. The search is repeated when they may have changed. Any number of threads
    may use it.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = roots
        self._found: dict[str, Path] = {}
        self._good_until = 0.0
        self._tallies: dict[Path, tuple[str, Tally]] = {}

    def found(self) -> Mapping[str, Path]:
        """The folders of the runs by their keys, in the order of their names."""
        start = time.monotonic()
        if start >= self._good_until:
            folders = sorted({folder for root in self._roots for folder in _below(root)})
            self._found = {key_of(folder): folder for folder in folders}
            now = time.monotonic()
            self._good_until = now + max(EVERY, 10 * (now - start))
        return self._found

    def look(self, folder: Path) -> Look:
        """The state of a run. A run that was removed or cannot be read is `unreadable`, without an exception."""
        try:
            return self._look(folder)
        except LodescanError as error:
            return Look(folder, "unreadable", error.tell())
        except (OSError, TypeError, ValueError, LookupError) as error:
            return Look(folder, "unreadable", f"{folder}: cannot be read ({error})")

    def _look(self, folder: Path) -> Look:
        stamp, held = stamp_of([folder]), is_held(folder)
        with Dataset(folder, read_only=True) as dataset:
            record = RunRecord.read(dataset.meta())
            if not record.started:
                return Look(folder, "not started", "the run has not started yet")
            state = "ended" if record.stopped else "running" if held else "not finished"
            newest = dataset.last_answer()
            if state == "running" and record.live != {}:
                live = State.from_json(record.live)
                silent = time.time() - live.at
                words = " | ".join(filter(None, [show_left(live), live.doing, live.strategy.partition("; ")[0]]))
                words += f" | no news for {show_time(silent)}" if silent > SILENT else ""
                return _counted(Look(folder, state, words, record.method, newest=newest), live, live.lowest_nll)
            known = self._tallies.get(folder)
            if known is None or known[0] != stamp:
                known = stamp, read_tally(dataset, record.points, record.target, names=record.observables)
                self._tallies[folder] = known
        tally = known[1]
        words = {"running": "", "not finished": "the same scan command continues it"}.get(state, record.stopped or "")
        lowest = tally.best if math.isfinite(tally.best) else None
        return _counted(Look(folder, state, words, record.method, newest=newest), tally, lowest)


def _counted(look: Look, counts: State | Tally, lowest: float | None) -> Look:
    return replace(
        look,
        good=counts.good,
        wanted=counts.wanted,
        evaluated=counts.evaluated,
        hit_rate=counts.hit_rate,
        lowest=lowest,
        counted=True,
    )


def _below(root: Path) -> list[Path]:
    """The folders with a dataset, including `root`. The search does not enter runs, and does not follow links."""
    found = []
    for path, folders, files in os.walk(root):
        if DATASET in files:
            found.append(Path(path))
            folders.clear()
        folders[:] = [name for name in folders if not name.startswith(".")]
    return found
