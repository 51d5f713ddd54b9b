"""`lodescan scan`: runs or continues a scan with evaluators at given addresses."""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from proposer.asked import read_asked
from proposer.commands.watching import NOTHING, Wanted, Watching
from proposer.evaluation.backend import Description
from proposer.scanning import ScanOptions, open_pool, scan_with
from proposer.show.tally import Tally
from proposer.show.voice import say
from proposer.show.watcher import Watcher
from proposer.wire.security import PLAIN, Security
from scanspec.events import know
from scanspec.logs import set_level


def scan(
    file: Path,
    places: Sequence[str],
    options: ScanOptions,
    *,
    security: Security = PLAIN,
    race: bool = True,
    wanted: Wanted = NOTHING,
) -> int:
    """Runs a scan, or continues the scan in its folder. Returns the exit code of `scan_with`."""
    asked = read_asked(file)
    set_level(asked.spec)
    know(run=asked.spec.run_name)
    with ExitStack() as opened:
        watching = Watching(opened, wanted, security, asked.spec.run_name)
        pool = open_pool(asked, places, security=security, race=race, trace=watching.trace)

        def follow(tally: Tally, description: Description, dataset: Path) -> Sequence[Watcher]:
            gc.collect()
            gc.freeze()  # loaded objects stay; to scan them again takes a tenth of the time of a quick point
            return watching.watchers(pool, tally, description, dataset)

        code = scan_with(pool, asked, options, follow)
    if hint := os.environ.get("LODESCAN_DONE_HINT"):
        say(hint)
    return code
