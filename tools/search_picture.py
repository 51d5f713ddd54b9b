"""The picture of docs/search.md, from a real search: `.envs/proposer/bin/python -m tools.search_picture`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch

from benchmarks.search.problems import PROBLEMS
from proposer.drive import drive
from proposer.strategies.lode.method import METHOD
from proposer.strategies.lode.sample import Particles
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.lode.strategy import Lode
from proposer.strategies.lode.surrogate import Surrogate
from proposer.target import Target
from proposer.types import Floats, Told

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

FILE = Path(__file__).parent.parent / "docs" / "pictures" / "search.png"
PROBLEM, SEED, BATCH, EVALUATIONS, SHOWN = PROBLEMS["himmelblau2d"], 1, 40, 500, 4
GRID = 200
PARTS = {
    "random": "0.45",
    "explore": "tab:orange",
    "probe": "tab:purple",
    "fill": "tab:green",
    "plane": "tab:red",
    "exploit": "tab:blue",
}


class Seen:
    """Keeps what the search sees at each choice of a batch: the energies of its model, and the particles of its
    sampler.
    """

    def __init__(self) -> None:
        self.models: list[tuple[Floats, Particles]] = []

    def sample(
        self, surrogate: Surrogate, dim: int, random: torch.Generator, before: torch.Tensor | None, moves: int
    ) -> Particles:
        particles = METHOD.sample(surrogate, dim, random, before, moves)
        side = (np.arange(GRID) + 0.5) / GRID
        u = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
        self.models.append((surrogate(torch.from_numpy(u)).numpy().reshape(GRID, GRID), particles))
        return particles


def main() -> None:
    torch.set_num_threads(1)
    seen, told = Seen(), list[Told]()
    settings = LodeSettings(Target(PROBLEM.threshold), BATCH)
    search = Lode(PROBLEM.space(), settings, SEED, PROBLEM.scored(), replace(METHOD, sample=seen.sample))
    for step in drive(search, PROBLEM.backend(), PROBLEM.space()):
        told.append(step.told)
        if sum(map(len, told)) >= EVALUATIONS:
            break
    starts = [number for number, batch in enumerate(told) if set(batch.origins) == {"start"}]
    first = np.concatenate([told[number].u for number in starts])
    chosen = told[len(starts) + SHOWN]
    energy, particles = seen.models[SHOWN]
    known = np.concatenate([batch.u for batch in told[: len(starts) + SHOWN - 1]])
    figure, axes = plt.subplots(2, 3, figsize=(9.6, 6.6), sharex=True, sharey=True, layout="constrained")
    _points(axes[0, 0], first, f"1. Start: {len(first)} points, evenly")
    _learned(axes[0, 1], energy, known, f"2. Learn from {len(known)} points: predicted energy")
    _sampled(axes[0, 2], particles, "3. Sample, level by level")
    _chosen(axes[1, 0], chosen, f"4. Choose {len(chosen)} points")
    every = np.concatenate([batch.u for batch in told])[:EVALUATIONS]
    _points(axes[1, 1], every, f"After {EVALUATIONS} evaluations")
    _points(axes[1, 2], np.random.default_rng(SEED).random((EVALUATIONS, 2)), f"{EVALUATIONS} uniform points")
    for axis in axes.flat:
        _region(axis)
        axis.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[], aspect="equal")
    FILE.parent.mkdir(exist_ok=True)
    figure.savefig(FILE, dpi=90, metadata={"Software": None})


def _energy(u: Floats) -> Floats:
    return np.asarray(PROBLEM.evaluate(u)[1] / PROBLEM.threshold)


def _region(axis: Axes) -> None:
    """Draws the border of the true region."""
    side = (np.arange(GRID) + 0.5) / GRID
    u = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    axis.contour(side, side, _energy(u).reshape(GRID, GRID), levels=[1.0], colors="black", linewidths=0.8)


def _scatter(
    axis: Axes, u: Floats, *, size: float, color: object, zorder: float | None = None, label: str | None = None
) -> None:
    """Draws the points u, shape (n, 2)."""
    axis.scatter(u[:, 0], u[:, 1], s=size, color=color, linewidths=0, zorder=zorder, label=label)


def _points(axis: Axes, u: Floats, title: str) -> None:
    good = _energy(u) < 1.0
    _scatter(axis, u[~good], size=7, color="0.6")
    _scatter(axis, u[good], size=7, color="tab:red")
    axis.set_title(f"{title}\n{int(good.sum())} good (red)", fontsize=9)


def _learned(axis: Axes, energy: Floats, known: Floats, title: str) -> None:
    axis.imshow(np.log10(energy + 0.1), origin="lower", extent=(0, 1, 0, 1), cmap="viridis_r", vmax=2.5)
    _scatter(axis, known, size=4, color="white")
    axis.set_title(f"{title}\n(dark: high; line: the true region)", fontsize=9)


def _sampled(axis: Axes, particles: Particles, title: str) -> None:
    colours = plt.get_cmap("viridis_r")(np.linspace(0.95, 0.15, len(particles.levels)))
    for (u, _), colour in zip(particles.levels, colours, strict=True):
        _scatter(axis, u.numpy(), size=3, color=colour)
    _scatter(axis, particles.inside.numpy(), size=3, color="tab:red")
    axis.set_title(f"{title}\n(red: below energy 1)", fontsize=9)


def _chosen(axis: Axes, batch: Told, title: str) -> None:
    origins = np.array(batch.origins)
    for part, colour in PARTS.items():
        of = origins == part
        if of.any():
            front = 2 if part == "exploit" else 3
            _scatter(axis, batch.u[of], size=16, color=colour, zorder=front, label=f"{part} ({int(of.sum())})")
    axis.legend(fontsize=7, loc="center")
    good = int((_energy(batch.u) < 1.0).sum())
    axis.set_title(f"{title}\n{good} of them are good", fontsize=9)


if __name__ == "__main__":
    main()
