"""The replaceable steps of LODE: its models, its sampler, and the parts that fill a batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from proposer.strategies.lode.acquire import EXPLOIT, EXPLORE, Acquisition
from proposer.strategies.lode.basins import BASINS, BOWLS
from proposer.strategies.lode.collect import GATHER, REGIONS, UNIFORM, beside_good_points
from proposer.strategies.lode.descend import ALONG_TREND, DOWNHILL
from proposer.strategies.lode.energy import EnergyOfObservables
from proposer.strategies.lode.even import EvenIn
from proposer.strategies.lode.fill import FILL
from proposer.strategies.lode.leap import LEAP
from proposer.strategies.lode.lower import with_lower
from proposer.strategies.lode.nll import OfNll
from proposer.strategies.lode.observables import OfObservables
from proposer.strategies.lode.plane import PLANE
from proposer.strategies.lode.probe import PROBE
from proposer.strategies.lode.sample import Particles, subset_simulation
from proposer.strategies.lode.solve import SOLVE
from proposer.strategies.lode.spread import OTHER_BASINS, SPREAD
from proposer.strategies.lode.surrogate import Surrogate
from proposer.types import Floats

Inputs = Callable[[Floats], Floats]

PARTICLES = 800
"""The number of particles of the sampler, and the largest number that is kept for the next batch.

Those that are farthest apart are kept. The sampler leaves few particles, or none, in some parts of a thin region, and
so reaches more of them from batch to batch. With random ones, half of the parts of multi10d without a good point had no
candidate either, although the model knew them.
"""


def _sample(surrogate: Surrogate, dim: int, random: torch.Generator, before: Tensor | None, moves: int) -> Particles:
    return subset_simulation(
        surrogate,
        dim,
        n=PARTICLES,
        random=random,
        rough=surrogate.rough,
        rough_above=surrogate.rough_above,
        before=before,
        moves=moves,
    )


MAP = Acquisition((SOLVE, PROBE, BOWLS, BASINS, FILL, PLANE, EXPLORE, EXPLOIT))
STUCK = Acquisition((SOLVE, PROBE, FILL, OTHER_BASINS, SPREAD, EXPLORE, EXPLOIT))
DESCEND = Acquisition((ALONG_TREND, SOLVE, DOWNHILL, PROBE, EXPLORE, EXPLOIT))
COLLECT = Acquisition((REGIONS, BASINS, LEAP, GATHER), (beside_good_points,), UNIFORM)


@dataclass(frozen=True)
class Method:
    """The replaceable steps of LODE."""

    by_observables: Callable[[int, EnergyOfObservables, Inputs], Surrogate] = OfObservables
    """Makes a model of the observables, from the number of its inputs, the energy, and the map from u to the inputs."""
    by_nll: Callable[[int, EnergyOfObservables, Inputs], Surrogate] = OfNll
    """Makes a model of the NLL, from the same."""
    contest: bool = True
    """Whether a model of the NLL is tried, too, if observables are predicted badly."""
    sample: Callable[[Surrogate, int, torch.Generator, Tensor | None, int], Particles] = _sample
    """Draws particles from the region that the model takes for good."""
    map: Acquisition = MAP
    """Chooses a batch for a map."""
    stuck: Acquisition = STUCK
    """Chooses a batch while no new point is good and the lowest energy has stopped falling."""
    descend: Acquisition = DESCEND
    """Chooses a batch before the tenth good point, if only an NLL is known."""
    collect: Acquisition = COLLECT
    """Chooses a batch for `goal: collect` from the tenth good point on, and for a map while few points are good."""

    def even_in(self, even_in: EvenIn) -> Method:
        """The method with a map that is even in chosen coordinates."""
        parts = tuple(part._replace(choose=even_in.exploit) if part is EXPLOIT else part for part in self.map.parts)
        return replace(self, map=replace(self.map, parts=parts, sources=(*self.map.sources, even_in.source)))

    def following(self) -> Method:
        """The method for a target that follows the best NLL."""
        return replace(
            self,
            map=with_lower(self.map),
            stuck=with_lower(self.stuck),
            descend=with_lower(self.descend),
            collect=with_lower(self.collect),
        )


METHOD = Method()
