"""Reading SLHA files: lodescan's reader compared with pyslha and xslha, in one run.

usage: tools/environment.sh slha && .envs/slha/bin/python -m benchmarks.slha

Each reads the same files into numbers, with all blocks and decays. The last column is the
cost of a point that needs SPINFO and two masses. All values that pyslha also reads must
agree.
"""

from __future__ import annotations

import functools
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyslha
import xslha

from scanspec.spectrum import Spectrum, read_spectrum, to_float

DATA = Path(__file__).parent.parent / "tests" / "data"
FILES = (
    *("softsusy_ok.out.slha", "softsusy_tachyon.out.slha", "simsusy_ok.out.slha"),
    *(f"slha/{name}_style.slha" for name in ("spheno", "flexiblesusy", "susyhit")),
)
REPEATS, ROUNDS = 20, 7


def everything(text: str) -> Spectrum:
    """All entries and decays of a file, as numbers where possible."""
    spectrum = read_spectrum(text)
    for block in spectrum.all_blocks:
        for word in block.entries.values():
            try:
                to_float(word)
            except ValueError:
                continue
    assert spectrum.decays is not None
    return spectrum


def masses(text: str) -> list[float]:
    """The entries that a typical point needs."""
    spectrum = read_spectrum(text)
    assert spectrum.spinfo is not None
    return [spectrum["MASS", 25], spectrum["MASS", 25]] if "MASS" in spectrum.blocks else []


def seconds(read: Callable[[], object]) -> float:
    """Seconds of CPU for a read, the best of some rounds."""
    best = math.inf
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(REPEATS):
            read()
        best = min(best, (time.process_time() - start) / REPEATS)
    return best


def differences(text: str) -> tuple[int, int]:
    """The number of values that pyslha reads, and how many of them differ here. Raises ValueError if pyslha cannot read
    the file.
    """
    count = differing = 0
    ours, theirs = read_spectrum(text), pyslha.readSLHA(text, ignorenomass=True)
    for name, block in theirs.blocks.items():
        for key, value in block.entries.items():
            if not isinstance(value, (int, float)):
                continue
            indices = key if isinstance(key, tuple) else () if key is None else (key,)
            count += 1
            differing += to_float(ours.blocks[name.upper()].entries[indices]) != value
    for pdg, particle in theirs.decays.items():
        if not particle.totalwidth:  # the particle is known only from MASS
            continue
        count += 1
        differing += ours.decays[pdg].width != particle.totalwidth
        for channel in particle.decays:
            count += 1
            differing += ours.decays[pdg].branching_ratios[tuple(sorted(channel.ids))] != channel.br
    return count, differing


def main() -> int:
    """Prints the table; 1 when a value differs or pyslha is less than three times slower."""
    print(f"{'file':32}{'numbers':>8}{'pyslha':>10}{'xslha':>10}{'lodescan':>10}{'times':>7}{'two masses':>12}")
    bad = False
    for name in FILES:
        text = (DATA / name).read_text()
        ours, few = (seconds(functools.partial(read, text)) for read in (everything, masses))
        other = _try(functools.partial(xslha.read, str(DATA / name)))
        theirs = _try(functools.partial(pyslha.readSLHA, text, ignorenomass=True))
        count, differing = differences(text) if theirs is not None else (0, 0)
        cells = "".join(
            f"{'fails':>10}" if cost is None else f"{cost * 1e6:>7.0f} us" for cost in (theirs, other, ours)
        )
        ratio = f"{theirs / ours:>7.1f}" if theirs is not None else f"{'':7}"
        print(f"{name:32}{count or '':>8}{cells}{ratio}{few * 1e6:>9.0f} us")
        bad = bad or differing > 0 or (theirs is not None and theirs < 3 * ours)
        if differing:
            print(f"  {differing} values differ from pyslha's")
    return int(bad)


def _try(read: Callable[[], object]) -> float | None:
    try:
        return seconds(read)
    except Exception:  # noqa: BLE001  # another reader may raise anything
        return None


if __name__ == "__main__":
    sys.exit(main())
