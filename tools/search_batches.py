"""The second picture of docs/search.md, from real searches: `.envs/proposer/bin/python -m tools.search_batches`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch

from benchmarks.search.problems import PROBLEMS
from proposer.drive import drive
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.lode.strategy import Lode
from proposer.target import Target
from proposer.types import Status, Told

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

FILE = Path(__file__).parent.parent / "docs" / "pictures" / "search_batches.png"
PROBLEM, SEED, BATCH, EVALUATIONS = PROBLEMS["toy3d"], 0, 100, 1600
COLOURS = {
    "start": "0.7",
    "random": "0.45",
    "explore": "tab:orange",
    "probe": "tab:purple",
    "fill": "tab:green",
    "plane": "tab:red",
    "solve": "tab:cyan",
    "bowl": "tab:pink",
    "basin": "tab:olive",
    "exploit": "tab:blue",
}


def main() -> None:
    torch.set_num_threads(1)
    uniform = PROBLEM.evaluate(np.random.default_rng(SEED).random((EVALUATIONS, PROBLEM.dim)))[1]
    figure, axes = plt.subplots(1, 2, figsize=(9.6, 3.6), layout="constrained")
    by_observables, by_nll = _searched(nll_only=False), _searched(nll_only=True)
    for told, label, style in ((by_observables, "LODE", "-"), (by_nll, "LODE, the NLL alone", "--")):
        good = np.concatenate([(batch.status == Status.OK) & (batch.nll < PROBLEM.threshold) for batch in told])
        axes[0].plot(np.arange(1, len(good) + 1), good.cumsum(), style, color="tab:blue", label=label)
    axes[0].plot(np.arange(1, EVALUATIONS + 1), (uniform < PROBLEM.threshold).cumsum(), color="0.5", label="uniform")
    axes[0].set(xlabel="evaluations", ylabel="good points", xlim=(0, EVALUATIONS), ylim=(0, None))
    axes[0].legend(frameon=False)
    _parts(axes[1], by_observables)
    FILE.parent.mkdir(exist_ok=True)
    figure.savefig(FILE, dpi=90, metadata={"Software": None})


def _searched(*, nll_only: bool) -> list[Told]:
    """The batches of a search, up to EVALUATIONS points."""
    scored = [] if nll_only else PROBLEM.scored()
    search = Lode(PROBLEM.space(), LodeSettings(Target(PROBLEM.threshold), BATCH), SEED, scored)
    told = list[Told]()
    for step in drive(search, PROBLEM.backend(nll_only=nll_only), PROBLEM.space()):
        told.append(step.told)
        if sum(map(len, told)) >= EVALUATIONS:
            break
    return told


def _parts(axis: Axes, told: list[Told]) -> None:
    """Draws which parts filled each batch, as bars whose width is the size of the batch."""
    left = 0
    for batch in told:
        counts, below = Counter(batch.origins), 0.0
        for part, colour in COLOURS.items():
            height = counts[part] / len(batch)
            axis.bar(left, height, len(batch), below, align="edge", color=colour, edgecolor="white", linewidth=0.3)
            below += height
        left += len(batch)
    seen = {part for batch in told for part in batch.origins}
    for part in COLOURS.keys() & seen:
        axis.bar(0, 0, color=COLOURS[part], label=part)
    handles = dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
    shown = [part for part in reversed(COLOURS) if part in seen]
    axis.legend([handles[part] for part in shown], shown, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    axis.set(xlabel="evaluations", ylabel="share of the batch", xlim=(0, EVALUATIONS), ylim=(0, 1))


if __name__ == "__main__":
    main()
