"""LODE with one part removed or replaced by a common method: `python -m benchmarks.search.run --without PART`."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from benchmarks.search.models import Classifier, Ensemble, OneMember, Sure, WithoutPlanes
from proposer.strategies.balance import between_good_points
from proposer.strategies.lode.acquire import EXPLOIT, EXPLORE, NEAR, Acquisition, Context, Part
from proposer.strategies.lode.basins import BASINS, BOWLS
from proposer.strategies.lode.fill import FILL
from proposer.strategies.lode.method import METHOD, PARTICLES, Method
from proposer.strategies.lode.probe import PROBE
from proposer.strategies.lode.sample import Particles
from proposer.strategies.lode.select import not_yet
from proposer.strategies.lode.solve import SOLVE
from proposer.strategies.lode.surrogate import Surrogate
from proposer.types import Floats

CANDIDATES, SMOTE, NEIGHBOURS, LEAST = 20_000, 2_000, 5, 50
"""The number of uniform candidates, of candidates between a good point and one of its 5 nearest, and the least number
that is used.
"""


def no_sampling(surrogate: Surrogate, dim: int, random: torch.Generator, _: Tensor | None, __: int) -> Particles:
    """Uniform points that the model takes for good replace the particles that move there."""
    every = torch.rand(CANDIDATES, dim, generator=random, dtype=torch.float64)
    energy = surrogate(every)
    level = max(1.0, float(energy.kthvalue(LEAST).values))
    volume = float((energy <= level).double().mean())
    outside = every[energy > level][:PARTICLES]
    nothing = (every[:0], 0.0)  # no levels outside of the region, whose points would also be candidates
    return Particles(every[energy <= level], level, volume, [(outside, 1.0 - volume), *[nothing] * NEAR])


def between(context: Context) -> Floats:
    """Points between good ones, as SMOTE makes them."""
    known = context.known
    return between_good_points(known.u, known.good, NEIGHBOURS, SMOTE, context.generator("smote"))


def any_inside(context: Context, n: int) -> Floats:
    """Random candidates that the model takes for good, instead of those farthest from all other points."""
    inside = context.inside[not_yet(context.inside, context.busy)]
    return context.generator("uneven").permutation(inside)[:n]


def without(*parts: Part) -> Method:
    """LODE's method without these parts."""
    map_, stuck = (
        replace(acquisition, parts=tuple(other for other in acquisition.parts if other not in parts))
        for acquisition in (METHOD.map, METHOD.stuck)
    )
    return replace(METHOD, map=map_, stuck=stuck)


UNEVEN = Acquisition((PROBE, EXPLORE, EXPLOIT._replace(choose=any_inside)))

PARTS = {
    "observables": METHOD,
    "members": replace(METHOD, by_nll=OneMember),
    "regression": replace(METHOD, by_observables=Classifier),
    "processes": replace(METHOD, by_observables=partial(Ensemble, members=4)),
    "ensemble": replace(METHOD, by_observables=partial(Ensemble, members=1)),
    "doubt": replace(METHOD, by_observables=Sure),
    "sampling": replace(METHOD, sample=no_sampling, map=replace(METHOD.map, sources=(between,))),
    "evenness": replace(METHOD, map=UNEVEN),
    "exploration": replace(without(EXPLORE), stuck=without(EXPLORE).map),  # a search that is stuck explores most
    "probes": without(PROBE),
    "squares": without(SOLVE),
    "filling": without(FILL),
    "basins": replace(METHOD, stuck=METHOD.map),
    "bottoms": without(BOWLS, BASINS),
    "contest": replace(METHOD, contest=False),
    "planes": replace(METHOD, by_observables=WithoutPlanes),
}
"""LODE without each part: `observables` learns from the NLL alone and `members` from it by one network, `regression`
learns good and bad, `processes` regresses by four networks and `ensemble` by one, `doubt` takes the best prediction
for the truth, `bottoms` follows no basins, `contest` never tries the NLL where there are observables, `planes` looks
for no planes."""
NLL_ALONE = {"observables", "members", "squares", "bottoms"}
"""Those that see no observables: `members`, `squares` and `bottoms` are to be compared with `observables`."""
