"""The runs below some folders, and what each has come to."""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from proposer.formats import show_time
from proposer.run.dataset import DATASET, Dataset
from proposer.run.folder import is_held
from proposer.run.record import RunRecord
from proposer.show.panel import show_left
from proposer.show.state import State
from proposer.show.tally import Tally, read_tally
from scanspec import LodescanError

EVERY = 2.0
"""Seconds for which a list of folders is good; ten times as long as it took to make it, where that is more."""

SILENT = 60.0
"""Seconds without news after which a run that goes on is said to be silent."""


def key_of(folder: Path) -> str:
    """What an address names a run by: nothing in it is a path."""
    return hashlib.blake2b(os.fsencode(folder.resolve()), digest_size=6).hexdigest()


def stamp_of(folders: Sequence[Path]) -> str:
    """Changes when a dataset does. An empty log of SQLite's comes and goes as people read."""
    seen: list[object] = []
    for path in (folder / f"{DATASET}{end}" for folder in folders for end in ("", "-wal")):
        with suppress(OSError):
            found = path.stat()
            seen.append((str(path), found.st_ino, found.st_size, found.st_mtime_ns) if found.st_size else None)
    return hashlib.blake2b(repr(list(filter(None, seen))).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Look:
    """What a run has come to. `state`: running, ended, not finished, not started, unreadable; `words` say more.

    `hit_rate`: good points per evaluated point. `lowest`: the lowest NLL. `counted`: whether there are numbers.
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

    @property
    def key(self) -> str:
        """What an address names the run by."""
        return key_of(self.folder)

    @property
    def line(self) -> str:
        """All of it in a line."""
        counts = f"{self.good:,} of {self.wanted:,} good | {self.evaluated:,} evaluated" if self.counted else ""
        return " | ".join(filter(None, [str(self.folder), self.state, counts, self.words]))


class Runs:
    """Finds the runs below some folders anew when they may have changed; for any number of threads."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = roots
        self._found: dict[str, Path] = {}
        self._good_until = 0.0
        self._tallies: dict[Path, tuple[str, Tally]] = {}

    def found(self) -> Mapping[str, Path]:
        """The folder of each run by its key, in the order of their names."""
        start = time.monotonic()
        if start >= self._good_until:
            folders = sorted({folder for root in self._roots for folder in _below(root)})
            self._found = {key_of(folder): folder for folder in folders}
            now = time.monotonic()
            self._good_until = now + max(EVERY, 10 * (now - start))
        return self._found

    def look(self, folder: Path) -> Look:
        """What a run has come to; raises nothing for a run that has gone or cannot be read."""
        try:
            return self._look(folder)
        except LodescanError as error:
            return Look(folder, "unreadable", error.tell())
        except (OSError, TypeError, ValueError, LookupError) as error:
            return Look(folder, "unreadable", f"{folder}: cannot be read ({error})")

    def _look(self, folder: Path) -> Look:
        stamp, held = stamp_of([folder]), is_held(folder)
        with Dataset(folder, read_only=True) as dataset:
            meta = dataset.meta()
            record = RunRecord.read(meta)
            if not record.started:
                return Look(folder, "not started", "the run has not started yet")
            state = "ended" if record.stopped else "running" if held else "not finished"
            method = str(meta.get("meaning", {}).get("setup: type", ""))
            if state == "running" and "live" in meta:
                live = State.from_json(meta["live"])
                silent = time.time() - live.at
                words = " | ".join(filter(None, [show_left(live), live.doing, live.strategy.partition("; ")[0]]))
                words += f" | no news for {show_time(silent)}" if silent > SILENT else ""
                return _counted(Look(folder, state, words, method), live, live.lowest_nll)
            known = self._tallies.get(folder)
            if known is None or known[0] != stamp:
                known = stamp, read_tally(dataset, record.points, record.target, names=record.observables)
                self._tallies[folder] = known
        tally = known[1]
        words = {"running": "", "not finished": "the same scan command continues it"}.get(state, record.stopped or "")
        return _counted(Look(folder, state, words, method), tally, tally.best if math.isfinite(tally.best) else None)


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
    """The folders with a dataset, `root` too. There is no run within a run, and links are not followed."""
    found = []
    for path, folders, files in os.walk(root):
        if DATASET in files:
            found.append(Path(path))
            folders.clear()
        folders[:] = [name for name in folders if not name.startswith(".")]
    return found
