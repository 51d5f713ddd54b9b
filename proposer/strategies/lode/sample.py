"""Subset simulation: points drawn uniformly from the region where an energy is below 1.

The region may be a millionth of the cube, in many pieces. Levels of falling energy lead to it, and each level contains
a fixed fraction of the previous one (Au and Beck, Probabilistic Engineering Mechanics 16, 263 (2001)). In a level,
points move by differences of other points (differential evolution, ter Braak, Statistics and Computing 16, 239 (2006)),
so that the steps fit the shape of the level.
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
"""The fraction of the particles below the next level."""
FEW_MOVES, MOVES, LAST_MOVES = 5, 10, 12
"""The number of steps of each particle in a level while hardly any good point is known, later, and in the last level.

Particles of a level begin as copies of a third of those of the level before. With 5 steps instead of 10, too many stay
close together, and parts of thin regions remain empty: on multi10d, 0.61 of the parts were found after 767 evaluations,
instead of 0.78 (with particles kept at random, and far apart). Before the first good points, the model is wrong, and
more steps gather the particles in its lowest basin: on singlet2d, one of five searches then stayed in a basin without
good points.
"""
MOST_LEVELS = 40
"""The largest number of levels. They reach a fraction KEEP^40, about 1e-18, of the cube."""
ROUGH_ABOVE = 4.0
"""The energy above which a cheaper, less exact energy is used, unless the model says another one."""


@dataclass(frozen=True)
class Particles:
    """The result of a subset simulation."""

    inside: Tensor
    """Points, shape (n, d), that are uniform where the energy is below `level`."""
    level: float
    """1, or the lowest level that was reached."""
    volume: float
    """The fraction of the cube below the level."""
    levels: list[tuple[Tensor, float]]
    """Points, shape (k, d), that are uniform between two levels, and the volume between these levels. The first entry
    is that between the whole cube and the first level.
    """


@torch.no_grad()
def subset_simulation(
    energy: Energy,
    dim: int,
    n: int,
    random: torch.Generator,
    *,
    rough: Energy | None = None,
    rough_above: float = ROUGH_ABOVE,
    before: Tensor | None = None,
    moves: int = MOVES,
) -> Particles:
    """Draws n particles. Some of them may be copies of others.

    `energy` maps points in the unit cube, shape (k, d), to finite values, shape (k,). `rough` is a cheaper energy for
    the levels above `rough_above`. `before` are particles of an earlier call, shape (k, d), with a similar energy.
    Those that are still inside continue to move with the new particles, so that chains become long if the region does
    not change. `moves`: the number of steps in each level but the last.
    """
    p = torch.rand(n, dim, generator=random, dtype=torch.float64)
    now = rough or energy
    e = now(p)
    levels: list[tuple[Tensor, float]] = []
    last, volume = math.inf, 1.0
    for number in range(MOST_LEVELS):
        level = float(torch.quantile(e, KEEP))
        if now is not energy and level < rough_above:
            now = energy
            e = now(p)
            level, last = float(torch.quantile(e, KEEP)), math.inf
        level = max(1.0, level)
        done = level == 1.0 or level >= 0.999 * last or number == MOST_LEVELS - 1
        inside = e < level if level == 1.0 else e <= level
        if not bool(inside.any()):  # all have the energy of the last level
            break
        last = level
        share = float(inside.double().mean())
        levels.append((p[~inside], volume * (1.0 - share)))
        volume *= share
        rows = torch.nonzero(inside)[:, 0]
        if len(rows) < n:
            rows = rows[torch.randint(len(rows), (n,), generator=random)]
        p, e = p[rows], e[rows]
        if done:
            break
        for _ in range(moves):
            p, e = move(now, p, e, level, random)
    if now is not energy:
        e = energy(p)
    if before is not None and last == 1.0:
        e_before = energy(before)
        still = e_before < 1.0
        p, e = torch.cat([p, before[still]]), torch.cat([e, e_before[still]])
    for _ in range(LAST_MOVES):
        p, e = move(energy, p, e, last, random)
    return Particles(p, last, volume, levels)


def move(energy: Energy, p: Tensor, e: Tensor, level: float, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Moves each particle p, shape (n, d), with the energy e, shape (n,), by the difference of two others. Returns the
    points and energies afterwards.

    A step is accepted if it ends below the level and inside the cube. Steps are not reflected at the walls: if
    variables are correlated, reflected steps are not symmetric, and would drive the particles away from the walls.
    """
    n, dim = p.shape
    a, b = torch.randint(n, (2, n), generator=random)
    size = torch.tensor([0.1, 0.3, 0.7, 1.0])[torch.randint(4, (n, 1), generator=random)] * 2.38 / math.sqrt(2 * dim)
    share = torch.tensor([0.15, 0.4, 1.0])[torch.randint(3, (n, 1), generator=random)]
    step = size * (p[a] - p[b]) + 0.003 * torch.randn(n, dim, generator=random, dtype=torch.float64)
    new = p + step * (torch.rand(n, dim, generator=random) < share)
    within = ((new >= 0) & (new <= 1)).all(dim=1)
    e_new = torch.full_like(e, math.inf)
    if bool(within.any()):
        e_new[within] = energy(new[within])
    moved = within & (e_new < level if level == 1.0 else e_new <= level)
    return torch.where(moved[:, None], new, p), torch.where(moved, e_new, e)
