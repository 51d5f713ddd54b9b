"""`lodescan watch`: shows the display of a scan that runs elsewhere, until the scan ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from rich.live import Live
from rich.text import Text

from proposer.ending import exit_code
from proposer.formats import show_time
from proposer.run.dataset import DATASET, Dataset
from proposer.run.files import DatasetError
from proposer.run.folder import is_held
from proposer.run.record import RunRecord
from proposer.show.panel import LiveDisplay, RoomForKeys, one_line
from proposer.show.state import State
from proposer.show.tally import read_tally
from proposer.show.voice import Voice, tell, voice, warn
from scanspec import LodescanError, visible
from scanspec.logs import stderr_console

EVERY = 1.0
"""Seconds between two looks at the run. A scan writes its state every few seconds."""

SILENT = 60.0
"""Seconds without news after which the silence is reported: a scan that was killed on another machine looks as if it
still ran.
"""

FIRST_SIGN = 5.0
"""Seconds that a scan that was started at the same time may need until its folder names its process."""


class NobodyRuns(LodescanError):
    """No process works on the scan, and the scan has not finished."""

    next_step = "the same scan command continues it, and `lodescan status` shows what there is"


def watch(folder: Path) -> int:
    """Shows the progress of the scan in a folder until the scan stops. Returns 0.

    If there is no sign of a scan for FIRST_SIGN seconds, or if its process is gone, raises NobodyRuns, or DatasetError
    if there is no run at all.
    """
    with _display_of(folder) as display:
        _wait_for_a_sign(folder)
        while True:
            held = is_held(folder)  # before the look: a scan writes why it stopped, and then releases its folder
            state, stopped = _look(folder)
            if state is not None and not held and not stopped:
                state = _left_alone(state)
            display.show(state, _silence(state) if held and not stopped else "", stopped=bool(stopped))
            if stopped:
                break
            if not held:
                raise NobodyRuns(f"{folder}: no process runs this scan, and it has not finished")
            time.sleep(EVERY)
    if voice() is Voice.JSON:
        tell("end", _end(folder))
    else:
        print(f"stopped: {visible(stopped)}")
    return 0


def _wait_for_a_sign(folder: Path) -> None:
    """Waits until a process works in the folder, or the scan in it has stopped, but at most FIRST_SIGN seconds."""
    end = time.monotonic() + FIRST_SIGN
    while not is_held(folder) and time.monotonic() < end:
        if (folder / DATASET).exists() and _look(folder)[1]:
            return
        time.sleep(EVERY / 5)


class _Display(Protocol):
    def show(self, state: State | None, silence: str, *, stopped: bool) -> None:
        """Shows a state, None before the first report. `silence`: why the state may be old; empty if it is not."""


class _OnTerminal:
    def __init__(self, live: Live, folder: Path) -> None:
        self._live, self._folder = live, folder

    def show(self, state: State | None, silence: str, *, stopped: bool) -> None:
        shown: LiveDisplay | Text = Text(f"{visible(str(self._folder))}: nothing to show yet")
        if state is not None:
            shown = LiveDisplay(state, silence)
        self._live.update(RoomForKeys(shown), refresh=True)


class _InLines:
    """Prints each new state, and warns once of a silence."""

    def __init__(self) -> None:
        self._shown: State | None = None
        self._warned = False

    def show(self, state: State | None, silence: str, *, stopped: bool) -> None:
        if state is not None and state != self._shown and not stopped:
            self._shown = state
            _print(state)
        if silence and not self._warned:
            warn(silence)
        self._warned = bool(silence)


@contextmanager
def _display_of(folder: Path) -> Iterator[_Display]:
    console = stderr_console()
    if console.is_terminal and not console.is_dumb_terminal and voice() is Voice.PEOPLE:
        with Live(console=console, auto_refresh=False) as live:
            yield _OnTerminal(live, folder)
    else:
        yield _InLines()


def _left_alone(state: State) -> State:
    """The last state of a scan whose process is gone: no worker is busy for it any more."""
    return replace(state, busy=0, doing="no process runs this scan", strategy="", left=None, remark="not finished")


def _silence(state: State | None) -> str:
    """What to say of a scan that has reported nothing for a long time; empty otherwise."""
    silent = time.time() - state.at if state is not None else 0.0
    if silent <= SILENT:
        return ""
    return f"no news for {show_time(silent)}; was it killed? the same scan command continues it"


def _print(state: State) -> None:
    if voice() is Voice.JSON:
        tell("progress", state.to_json())
    else:
        print(visible(one_line(state)), flush=True)


def _look(folder: Path) -> tuple[State | None, str]:
    """The state of the scan (None before its first report), and the reason of its end (empty during the scan)."""
    with Dataset(folder, read_only=True) as dataset:
        record = RunRecord.read(dataset.meta())
    try:
        state = State.from_json(record.live) if record.live != {} else None
    except TypeError as error:
        raise DatasetError(
            f"{folder}: the scan uses another version of lodescan ({error})", next_step="watch it with that version"
        ) from None
    return state, record.stopped or ""


def _end(folder: Path) -> dict[str, Any]:
    """The event of the end of a scan, as the scan itself tells it."""
    with Dataset(folder, read_only=True) as dataset:
        record = RunRecord.read(dataset.meta())
        tally = read_tally(dataset, record.points, record.target)
    found = {"good": tally.good, "evaluated": tally.evaluated, "seconds": record.seconds}
    return {"stopped": record.stopped, "code": exit_code(tally), "folder": str(folder), **found}
