"""Probes: minima of the surrogate that nobody has looked at, because a good region may begin there.

Sampling follows the deepest basins of the surrogate; one that it takes for just not good
would never be visited, though a single evaluation at its bottom may say otherwise.
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
"""Descents, steps of each, and points tried in a step: random ones, in a box that shrinks by 0.6 a step."""
NEIGHBOURS = 8
MOST = 0.15
"""Share of a batch for minima that are not good yet."""
RANDOM = 800
"""Uniform points among which descents start, beside the candidates outside."""
WORTH = 0.7
"""A minimum is worth a probe where it is predicted lower than so much of the energies that are known around it."""


@torch.no_grad()
def minima(energy: Callable[[Tensor], Tensor], starts: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Minima, shape (n, d), and their energies (n,), lowest first: one descent from each of the lowest places among
    `starts`, shape (k, d), that are lower than their 8 neighbours."""
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
        few[:, : TRIES // 2] = True  # half of the steps in all variables, half in about two
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
    """At most `most` minima that are not good, shape (n, d), each well below the energies e_known (k,) at u_known
    (k, d) around it."""
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
    """A part: minima that may be good; what is out counts with the energy that is predicted there."""
    rng, known = context.generator("probe"), context.known
    energy = np.concatenate([known.energy, context.surrogate(torch.from_numpy(context.pending)).numpy()])
    energy[~np.isfinite(energy)] = FAR
    starts = np.concatenate([rng.random((RANDOM, context.dim)), context.outside])
    most = min(n, max(1, round(context.left * MOST * context.n)))
    return probes(context.surrogate, starts, u_known=context.busy, e_known=energy, most=most, rng=rng)


PROBE = Part("probe", probe)
