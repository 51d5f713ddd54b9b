"""LODE with one part taken out or replaced by what others have: `python -m benchmarks.search.run --without PART`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from benchmarks.search.models import Classifier, Ensemble, OneMember, Sure
from proposer.strategies.balance import between_good_points
from proposer.strategies.lode.model import Surrogate
from proposer.strategies.lode.points import Known
from proposer.strategies.lode.sample import Particles
from proposer.strategies.lode.select import not_yet
from proposer.strategies.lode.strategy import NEAR, Lode
from proposer.types import Batch, Floats

CANDIDATES, SMOTE, NEIGHBOURS, LEAST = 20_000, 2_000, 5, 50
"""Uniform candidates, those between good points (each and one of its 5 nearest), and how many are taken at least."""


class Classified(Lode):
    """A process learns good and bad, not the observables."""

    def _new_surrogate(self, *, by_observables: bool) -> Surrogate:
        return Classifier(len(self._seen), self._scored if by_observables else None, self._inputs)


class FourNetworks(Lode):
    """An ensemble of four networks regresses the observables."""

    MEMBERS = 4

    def _new_surrogate(self, *, by_observables: bool) -> Surrogate:
        return Ensemble(len(self._seen), self._scored if by_observables else None, self._inputs, self.MEMBERS)


class OneNetwork(FourNetworks):
    """A single network, which cannot say where it is unsure."""

    MEMBERS = 1


class OneMemberByNll(Lode):
    """One of the four networks that learn where only an NLL comes back."""

    def _new_surrogate(self, *, by_observables: bool) -> Surrogate:
        return OneMember(len(self._seen), self._scored if by_observables else None, self._inputs)


class WithoutDoubt(Lode):
    """The best prediction alone says what is good."""

    def _new_surrogate(self, *, by_observables: bool) -> Surrogate:
        return Sure(len(self._seen), self._scored if by_observables else None, self._inputs)


class Smote(Lode):
    """Candidates are uniform points and points between good ones, filtered by the model."""

    def _choose(self, known: Known, surrogate: Surrogate, particles: Particles, n: int) -> Batch:
        rng = self._generator("smote")
        uniform = rng.random((CANDIDATES, known.u.shape[1]))
        between = between_good_points(known.u, known.good, NEIGHBOURS, SMOTE, rng)
        every = torch.from_numpy(np.concatenate([uniform, between]))
        energy = surrogate(every)
        level = max(1.0, float(energy.kthvalue(LEAST).values))
        volume = float((energy[:CANDIDATES] <= level).double().mean())
        outside = every[:CANDIDATES][energy[:CANDIDATES] > level][: len(particles.inside)]
        nothing = (every[:0], 0.0)  # no shells next to the region, whose points would count as candidates
        shells = [(outside, 1.0 - volume), *[nothing] * NEAR]
        instead = Particles(every[energy <= level], level, volume, shells)
        return super()._choose(known, surrogate, instead, n)


class Uneven(Lode):
    """Of the candidates that the model takes for good, any, instead of the farthest from all others."""

    def _choose(self, known: Known, surrogate: Surrogate, particles: Particles, n: int) -> Batch:
        inside = self._snap(particles.inside.numpy())
        self._inside = self._generator("uneven").permutation(inside[not_yet(inside, known.u)])
        return super()._choose(known, surrogate, particles, n)

    def _batch(self, u: Floats, origins: list[str]) -> Batch:
        exploit = np.flatnonzero(np.array(origins) == "exploit")
        if len(exploit):
            u[exploit[: len(self._inside)]] = self._inside[: len(exploit)]
        return super()._batch(u, origins)


class WithoutExploration(Lode):
    """Nothing is taken from beyond the region that the model takes for good and the shells next to it."""

    def _choose(self, known: Known, surrogate: Surrogate, particles: Particles, n: int) -> Batch:
        weightless = replace(particles, shells=[(u, 0.0) for u, _ in particles.shells])
        return super()._choose(known, surrogate, weightless, n)


class WithoutProbes(Lode):
    """Minima of the model that are not good get no points."""

    def _probes(self, known: Known, surrogate: Surrogate, pending: Floats, outside: Floats, most: int) -> Floats:
        return np.empty((0, known.u.shape[1]))


PARTS: dict[str, Callable[..., Lode]] = {
    "observables": Lode,
    "members": OneMemberByNll,
    "regression": Classified,
    "processes": FourNetworks,
    "ensemble": OneNetwork,
    "doubt": WithoutDoubt,
    "sampling": Smote,
    "evenness": Uneven,
    "exploration": WithoutExploration,
    "probes": WithoutProbes,
}
"""What is without each part."""
NLL_ALONE = {"observables", "members"}
"""Those that see no observables: `members` is to be compared with `observables`."""
