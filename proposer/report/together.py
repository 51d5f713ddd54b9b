"""The section that shows the regions of several runs in common pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from proposer.formats import plain, show_count
from proposer.report.axes import side
from proposer.report.pairs import MOST_PAIRS, narrowest
from proposer.report.profile_nll import region_of
from proposer.report.section import Part
from proposer.report.seen import Seen
from proposer.show.picture import Outline, Panel, Picture, Side
from proposer.target import height

LETTERS = 36
"""The letters of all labels in a legend."""


def together(runs: Sequence[Seen]) -> Part:
    """The section with the 95 % regions of all runs, in pairs of variables that all of them vary."""
    known = [run for run in runs if not run.no_levels]
    if len(known) < 2:
        return Part(["There are no two runs with a profile NLL."])
    common = set.intersection(*({variable.name for variable in run.variables} for run in known))
    every = narrowest(known[0], most=len(known[0].variables) ** 2)
    pairs = [pair for pair in every if common.issuperset(pair)][:MOST_PAIRS]
    short = [_short(number) for number in range(len(known))]
    most = LETTERS // len(known)
    labels = [f"{key} {run.name}"[: max(most, len(key))] for key, run in zip(short, known, strict=True)]
    panels = [panel for pair in pairs if (panel := _panel(known, labels, pair)) is not None]
    if not panels:
        return Part(["The runs have no two variables in common."])
    who = "; ".join(f"{key} is {run.folder}" for key, run in zip(short, known, strict=True))
    words = [f"{who}. Each region is that of 95 % around the best point of its run, by its own NLL."]
    if len({run.record.likelihood_digest for run in known}) > 1:
        words.append("The runs have different likelihoods, so their NLLs differ at the same point.")
    lowest = ", ".join(f"{key} {run.nll[run.best]:.4g}" for key, run in zip(short, known, strict=True))
    words.append(f"Lowest NLL: {lowest}.")
    caption = "The 95 % regions of the profile NLL of all runs, and their best points (stars). "
    caption += "Where few points lie together, the points themselves are drawn."
    return Part(
        words,
        pictures=[Picture("together", f"95 % regions in {show_count(len(panels), 'pair')}. {who}.", panels, caption)],
    )


def _short(number: int) -> str:
    """The name of a run in a legend: A to Z, then AA to AZ, BA and so on."""
    more, last = divmod(number, 26)
    return (_short(more - 1) if more else "") + chr(ord("A") + last)


def _panel(runs: Sequence[Seen], labels: Sequence[str], pair: tuple[str, str]) -> Panel | None:
    """The regions of all runs in one pair of variables, on axes that hold all of them."""
    level, x, y = height(0.95, 2), *pair
    own = [region_of(run, pair, (side(run, x, zoom=True), side(run, y, zoom=True)), level) for run in runs]
    regions = [region for region in own if region is not None]
    if len(regions) < 2:
        return None
    sides = _common([region.across for region in regions]), _common([region.up for region in regions])
    outlines = []
    for number, (run, label) in enumerate(zip(runs, labels, strict=True)):
        if (region := region_of(run, pair, sides, level)) is not None:
            lone = np.array([run.columns[name][region.lone] for name in pair])
            best = float(run.columns[x][run.best]), float(run.columns[y][run.best])
            z = region.surface
            outlines.append(Outline(z.x, z.y, z.z, level, label=plain(label), number=number, lone=lone, best=best))
    return Panel(*sides, outlines)


def _common(sides: Sequence[Side]) -> Side:
    """The first axis with the limits of all, logarithmic if all are."""
    ends = [side.limits for side in sides if side.limits is not None]
    limits = min(low for low, _ in ends), max(high for _, high in ends)
    return replace(sides[0], limits=limits, scale="log" if all(side.scale == "log" for side in sides) else "linear")
