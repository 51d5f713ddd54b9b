"""Divides the exploiting points between models of the observables and a model of the NLL, by how many of the points
that each model chose were good.

Gaussian processes of observables fail at some resonances, jumps, and differences of large terms where networks do not.
So if many points turn out not to be good although the model predicted it, several models learn: observables by networks
and processes, observables by processes alone, and the NLL. Each chooses a part of the points. Only the points that a
model chose itself say how good its choices are: all models are wrong most often at the points that another one chose
for being far from all known points.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from proposer.strategies.lode.sample import subset_simulation
from proposer.strategies.lode.select import Candidates, daring, even, not_yet
from proposer.strategies.lode.surrogate import grouped
from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from proposer.strategies.lode.acquire import Context
    from proposer.strategies.lode.points import Known
    from proposer.strategies.lode.surrogate import Surrogate

BY_MODEL = ("exploit", "solve")
POOR, FINE, LAST, LEAST = 0.7, 0.95, 100, 30
"""Predictions are poor if less than the fraction POOR of the LAST points that a model took for good (at least LEAST)
are good. With an earlier rule and 10 instead of 30, a problem with a narrow mass had 24 good points instead of 60. The
contest ends if the fraction is FINE and a model of the observables leads.
"""
MODELS = 3
"""The model of the observables, the same without networks, and the model of the NLL."""
RECENT, JUDGED = 100, 50
"""The hit rate of a model is that of its last JUDGED points among the newest half of all exploiting points, or among
the last RECENT. So a model that was worse at first is tried again.
"""
UNTRIED, LEAST_RATE, FEW, SHARP, AHEAD = 0.75, 0.02, 6.0, 4.0, 0.05
"""A model without points counts as if it hit UNTRIED times as often as all models together, and these at least
LEAST_RATE; each model counts as if it had FEW such points more. The shares are proportional to the power SHARP of the
hit rates. Another model takes the lead if its hit rate is higher by AHEAD.
"""
PARTICLES = 400
"""The number of particles in the region of each model that does not lead."""
MOST = 2000
"""The largest number of stored choices, because some points never get a result."""


def poor(known: Known) -> bool:
    """Whether many points that the model took for good are not good."""
    newest = _newest(known)
    return len(newest) >= LEAST and bool(newest.mean() < POOR)


def _newest(known: Known) -> NDArray[np.bool_]:
    """Which of the last points that a model took for good are good."""
    return known.good[np.isin(known.origins, BY_MODEL)][-LAST:]


class Contest:
    """The contest of the models. `make` makes the model of the NLL when it is first needed."""

    def __init__(self, make: Callable[[], Surrogate]) -> None:
        self._make = make
        self._by_nll: Surrogate | None = None
        self._clear()

    def _clear(self) -> None:
        self._on, self._lead = False, 0
        self._models: list[Surrogate] = []  # the leading one first
        self._shares: Floats = np.ones(1)
        self._chose: list[tuple[bytes, int]] = []  # points and the number of the model that chose them
        self._others: dict[bytes, int] = {}  # those that other models than the leading one chose for this batch

    def winner(self, known: Known, by_observables: Surrogate, rng: np.random.Generator) -> Surrogate:
        """The leading model, or `by_observables`, which is already fitted, if this predicts well. Fits the model of
        the NLL as long as the contest runs.
        """
        goes_on = self._on and (self._lead == MODELS - 1 or bool(_newest(known).mean() < FINE))
        if not by_observables.fitted or not (goes_on or poor(known)):
            self._clear()
            return by_observables
        self._by_nll = self._by_nll or self._make()
        self._by_nll.fit(known, rng)
        if not self._by_nll.fitted:
            self._clear()
            return by_observables
        if not self._on:
            self._on = True
            self._chose = [(row.tobytes(), 0) for row in known.u[known.origins == "exploit"]]
        hits = self._hits(known)
        if hits.max() > hits[self._lead] + AHEAD:
            self._lead = int(hits.argmax())
        self._shares = hits**SHARP
        return self.ahead(by_observables)

    def _hits(self, known: Known) -> Floats:
        """The hit rate of each model, shape (MODELS,)."""
        position = {row.tobytes(): number for number, row in enumerate(known.u)}
        came = [(position[u], model) for u, model in self._chose if u in position]
        rows, of = np.array(came, dtype=np.int64).reshape(-1, 2).T
        rows, of = rows[known.answered[rows]], of[known.answered[rows]]
        recent = max(RECENT, len(rows) // 2)
        rows, of = rows[-recent:], of[-recent:]
        untried = UNTRIED * max(float(_newest(known).mean()), LEAST_RATE)
        good = [known.good[rows[of == model][-JUDGED:]] for model in range(MODELS)]
        return np.array([(one.sum() + FEW * untried) / (len(one) + FEW) for one in good])

    def end(self) -> None:
        """Ends the contest, because one of the models cannot be used."""
        self._by_nll = None
        self._clear()

    def ahead(self, by_observables: Surrogate) -> Surrogate:
        """The leading model."""
        if not self._on or self._by_nll is None:
            return by_observables
        versions = by_observables.versions()
        self._models = [versions[0], versions[-1], self._by_nll]
        if len(versions) == 1:
            self._shares[1] = 0.0
        return self._models[self._lead]

    def choose(self, context: Context, n: int) -> Floats:
        """A part: points that are probably good by the models that do not lead, spread evenly."""
        self._others = {}
        found, random = [np.empty((0, context.dim))], context.generator("others")
        for number, model in enumerate(self._models):
            share = self._shares[number] / self._shares.sum()
            if number != self._lead and (most := round(share * n)):
                u = _even(model, context, most, random)
                context.chosen = np.concatenate([context.chosen, u])
                self._others |= {row.tobytes(): number for row in u}
                found.append(u)
        return np.concatenate(found)

    def expect(self, u: Floats, origins: Sequence[str]) -> None:
        """Stores which model chose each of the points u, shape (n, d), that are now requested."""
        if not self._on:
            return
        chosen = [row.tobytes() for row, origin in zip(u, origins, strict=True) if origin == "exploit"]
        self._chose = [*self._chose, *((row, self._others.get(row, self._lead)) for row in chosen)][-MOST:]

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """The arrays for `load`; empty if there was no contest."""
        if self._by_nll is None:
            return {}
        u = np.stack([np.frombuffer(row) for row, _ in self._chose]) if self._chose else np.empty((0, 0))
        arrays = {
            "contest/state": np.array([float(self._on), float(self._lead)]),
            "contest/shares": self._shares,
            "contest/chose/u": u,
            "contest/chose/by": np.array([model for _, model in self._chose], dtype=float),
        }
        return arrays | {f"contest/by_nll/{key}": value for key, value in self._by_nll.to_arrays().items()}

    def load(self, arrays: Mapping[str, NDArray[np.float64]] | None) -> None:
        """Restores the state from the arrays of `to_arrays`, without their prefix. Raises KeyError and ValueError."""
        if not arrays:
            return
        parts = grouped(arrays)
        self._by_nll = self._make()
        self._by_nll.load(parts["by_nll"])
        if "chose" in parts:  # the contest of an older lodescan starts anew
            self._on, self._lead = bool(arrays["state"][0]), int(arrays["state"][1])
            self._shares = arrays["shares"].copy()
            by = parts["chose"]["by"].astype(np.int64).tolist()
            self._chose = [(row.tobytes(), model) for row, model in zip(parts["chose"]["u"], by, strict=True)]


def _even(model: Surrogate, context: Context, n: int, rng: np.random.Generator) -> Floats:
    """At most n points from the region of a model, shape (k, d), by probability and distance as in `exploit`."""
    random = torch.Generator().manual_seed(int(rng.integers(2**63)))
    particles = subset_simulation(model, context.dim, n=PARTICLES, random=random, rough=model.rough)
    u = np.unique(context.snap(particles.inside.numpy()), axis=0)
    u = u[not_yet(u, context.busy)]
    candidates = Candidates(context.positions(u), model.probability(u, rng))
    return np.asarray(u[even(candidates, context.taken(), n, daring(context.dim))])
