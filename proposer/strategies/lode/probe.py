"""Probes: unvisited minima of the surrogate, where a good region may begin.

Sampling follows the deepest basins of the surrogate. It would never visit a basin whose predicted energy is just not
good, although a single evaluation at its bottom may be good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.spatial import cKDTree

from proposer.strategies.lode.acquire import Part
from proposer.strategies.lode.energy import FAR
from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from proposer.strategies.lode.acquire import Context

STARTS, ROUNDS, TRIES = 48, 8, 12
"""The numbers of descents, of steps per descent, and of random points per step. These points are in a box around the
present point, which shrinks by the factor 0.6 if none of them is lower.
"""
NEIGHBOURS = 8
"""The number of neighbours that are higher than a start of a descent."""
MOST = 0.15
"""The fraction of a batch for minima that are not predicted to be good."""
RANDOM = 800
"""The number of uniform points among which descents start, in addition to the candidates of the sampler."""
WORTH = 0.7
"""A minimum gets a probe if its predicted energy is below this fraction of the known energies around it."""


@torch.no_grad()
def minima(energy: Callable[[Tensor], Tensor], starts: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Minima, shape (n, d), and their energies (n,), lowest first, by descents from the lowest of the `starts`, shape
    (k, d), that are lower than their 8 neighbours.
    """
    e = energy(torch.from_numpy(starts)).numpy()
    near = cKDTree(starts).query(starts, k=min(NEIGHBOURS + 1, len(starts)))
    spacing = np.asarray(near[0]).reshape(len(starts), -1)[:, -1]
    of = np.asarray(near[1]).reshape(len(starts), -1)
    lowest = np.flatnonzero(e <= e[of].min(axis=1))
    lowest = lowest[np.argsort(e[lowest], kind="stable")][:STARTS]
    u, e, width = starts[lowest], e[lowest], spacing[lowest]
    dim = starts.shape[1]
    for _ in range(ROUNDS):
        step = rng.uniform(-1.0, 1.0, (len(u), TRIES, dim))
        few = rng.random(step.shape) < 2.0 / dim
        few[:, : TRIES // 2] = True  # half of the steps change all variables, half about two
        tried = np.clip(u[:, None, :] + width[:, None, None] * step * few, 0.0, 1.0)
        e_tried = energy(torch.from_numpy(tried.reshape(-1, dim))).numpy().reshape(len(u), TRIES)
        best = e_tried.argmin(axis=1)
        rows = np.arange(len(u))
        lower = e_tried[rows, best] < e
        u = np.where(lower[:, None], tried[rows, best], u)
        e = np.where(lower, e_tried[rows, best], e)
        width = np.where(lower, width, 0.6 * width)
    order = np.argsort(e, kind="stable")
    return u[order], e[order]


def probes(
    energy: Callable[[Tensor], Tensor],
    starts: Floats,
    u_known: Floats,
    *,
    e_known: Floats,
    most: int,
    rng: np.random.Generator,
) -> Floats:
    """At most `most` minima that are not good, shape (n, d), and well below the energies e_known (k,) of the points
    u_known (k, d) around them.
    """
    if most < 1 or not len(u_known):
        return np.empty((0, starts.shape[1]))
    found, e = minima(energy, starts, rng)
    found, e = found[e >= 1.0], e[e >= 1.0]
    chosen: list[int] = []
    u_all, e_all = u_known, e_known
    for number in range(len(found)):
        near = cKDTree(u_all).query(found[number], k=min(2 * u_all.shape[1], len(u_all)))[1]
        if e[number] < WORTH * e_all[near].min():
            chosen.append(number)
            u_all, e_all = np.concatenate([u_all, found[number : number + 1]]), np.append(e_all, e[number])
        if len(chosen) == most:
            break
    return found[chosen]


def probe(context: Context, n: int) -> Floats:
    """A part: minima that may be good. Points without a result count with their predicted energy."""
    rng, known = context.generator("probe"), context.known
    energy = np.concatenate([known.energy, context.surrogate(torch.from_numpy(context.pending)).numpy()])
    energy[~np.isfinite(energy)] = FAR
    starts = np.concatenate([rng.random((RANDOM, context.dim)), context.outside])
    most = min(n, max(1, round(context.left * MOST * context.n)))
    return probes(context.surrogate, starts, u_known=context.busy, e_known=energy, most=most, rng=rng)


PROBE = Part("probe", probe)
