"""Subset simulation: points drawn uniformly from the region where an energy is below 1.

The region may be a millionth of the cube and in many pieces: levels of falling energy lead
there, each holding a fixed share of the one before (Au and Beck, Probabilistic Engineering
Mechanics 16, 263 (2001)). In a level, points move by differences of others (differential
evolution, ter Braak, Statistics and Computing 16, 239 (2006)), which fits steps to its shape.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    Energy = Callable[[Tensor], Tensor]

KEEP = 0.35
"""Share of the particles below the next level."""
MOVES, LAST_MOVES = 5, 14
MOST_LEVELS = 40


@dataclass(frozen=True)
class Particles:
    """`inside`: shape (n, d), uniform in {energy < 1}, or at the lowest level reached. `levels`: the populations
    of the levels above, highest first, each uniform in {energy < its level}. `level`: 1, or the lowest reached.
    `volume`: share of the cube that is below it."""

    inside: Tensor
    levels: list[Tensor]
    level: float
    volume: float


@torch.no_grad()
def subset_simulation(energy: Energy, dim: int, n: int, random: torch.Generator) -> Particles:
    """Draws n particles; `energy` maps (k, d) in [0, 1] to (k,), finite. Some particles may be copies."""
    p = torch.rand(n, dim, generator=random)
    e = energy(p)
    levels: list[Tensor] = []
    last, volume = math.inf, 1.0
    for number in range(MOST_LEVELS):
        level = max(1.0, float(torch.quantile(e, KEEP)))
        done = level == 1.0 or level >= 0.999 * last or number == MOST_LEVELS - 1
        inside = e < level if level == 1.0 else e <= level
        if not bool(inside.any()):  # all at the level that the last one had
            break
        last = level
        volume *= float(inside.float().mean())
        rows = torch.nonzero(inside)[:, 0]
        rows = rows[torch.randint(len(rows), (n,), generator=random)] if len(rows) < n else rows
        p, e = p[rows], e[rows]
        for _ in range(LAST_MOVES if done else MOVES):
            p, e = _move(energy, p, e, level, random)
        if done:
            break
        levels.append(p)
    return Particles(p, levels, last, volume)


def _move(energy: Energy, p: Tensor, e: Tensor, level: float, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """One step of every particle along the difference of two others, reflected at the walls; kept if below the level."""
    n, dim = p.shape
    a, b = torch.randint(n, (2, n), generator=random)
    size = torch.tensor([0.1, 0.3, 0.7, 1.0])[torch.randint(4, (n, 1), generator=random)] * 2.38 / math.sqrt(2 * dim)
    share = torch.tensor([0.15, 0.4, 1.0])[torch.randint(3, (n, 1), generator=random)]
    step = size * (p[a] - p[b]) + 0.003 * torch.randn(n, dim, generator=random)
    new = p + step * (torch.rand(n, dim, generator=random) < share)
    new = new.abs()
    new = torch.where(new > 1, 2 - new, new).clamp(0, 1)
    e_new = energy(new)
    moved = e_new < level if level == 1.0 else e_new <= level
    return torch.where(moved[:, None], new, p), torch.where(moved, e_new, e)
