"""`lodescan watch`: shows the display of a scan that runs elsewhere, until the scan ends."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.live import Live
from rich.table import Table
from rich.text import Text

from proposer.ending import exit_code
from proposer.formats import show_time
from proposer.run.dataset import Dataset
from proposer.run.files import DatasetError
from proposer.run.record import RunRecord
from proposer.show.panel import one_line, panel
from proposer.show.state import State
from proposer.show.tally import read_tally
from proposer.show.voice import Voice, tell, voice
from scanspec import visible
from scanspec.logs import stderr_console

EVERY = 1.0
"""Seconds between two looks at the run. A scan writes its state every few seconds."""

SILENT = 60.0
"""Seconds without news after which the display reports the silence, because a killed scan cannot report its end."""


def watch(folder: Path) -> int:
    """Shows the progress of the scan in a folder until the scan stops. Returns 0. Raises DatasetError if there is no
    run.
    """
    console, shown = stderr_console(), None
    with ExitStack() as opened:
        live: Live | None = None
        if console.is_terminal and not console.is_dumb_terminal and voice() is Voice.PEOPLE:
            live = opened.enter_context(Live(console=console, auto_refresh=False))
        while True:
            state, stopped = _look(folder)
            if live is not None:
                live.update(_display(folder, state, stopped), refresh=True)
            elif state is not None and state != shown and not stopped:
                shown = state
                _print(state)
            if stopped:
                break
            time.sleep(EVERY)
    if voice() is Voice.JSON:
        tell("end", _end(folder))
    else:
        print(f"stopped: {visible(stopped)}")
    return 0


def _print(state: State) -> None:
    if voice() is Voice.JSON:
        tell("progress", state.to_json())
    else:
        print(visible(one_line(state)), flush=True)


def _look(folder: Path) -> tuple[State | None, str]:
    """The state of the scan (None before its first report), and the reason of its end (empty during the scan)."""
    with Dataset(folder, read_only=True) as dataset:
        meta: dict[str, Any] = dataset.meta()
    try:
        state = State.from_json(meta["live"]) if "live" in meta else None
    except TypeError as error:
        raise DatasetError(
            f"{folder}: the scan uses another version of lodescan ({error})", next_step="watch it with that version"
        ) from None
    return state, str(meta.get("stopped") or "")


def _end(folder: Path) -> dict[str, Any]:
    """The event of the end of a scan, as the scan itself tells it."""
    with Dataset(folder, read_only=True) as dataset:
        record = RunRecord.read(dataset.meta())
        tally = read_tally(dataset, record.points, record.target)
    found = {"good": tally.good, "evaluated": tally.evaluated, "seconds": record.seconds}
    return {"stopped": record.stopped, "code": exit_code(tally), "folder": str(folder), **found}


def _display(folder: Path, state: State | None, stopped: str) -> Table | Text:
    if state is None:
        return Text(f"{visible(str(folder))}: nothing to show yet")
    silent = time.time() - state.at
    table = panel(state)
    if silent > SILENT and not stopped:
        table.add_row("silent", f"no news for {show_time(silent)}; was it killed? the same scan command continues it")
    return table
