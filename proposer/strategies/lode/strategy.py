"""LODE: lodescan's own search. It learns the observables and fills the good region evenly.

`docs/search.md` explains the method; the numbers in the comments are its steps.
"""

from __future__ import annotations

import io
import json
import logging
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from scipy.stats import qmc

from proposer.strategies.base import generator
from proposer.strategies.lode import collect as lode_collect
from proposer.strategies.lode import descend as lode_descend
from proposer.strategies.lode.energy import FAR, EnergyOfObservables, ScoredObservable
from proposer.strategies.lode.even import EDGES, LEAST_ODDS, EvenIn, beside
from proposer.strategies.lode.model import Surrogate
from proposer.strategies.lode.points import Known, Points
from proposer.strategies.lode.probe import probes
from proposer.strategies.lode.sample import Particles, subset_simulation
from proposer.strategies.lode.select import (
    Candidates,
    daring,
    even,
    hits,
    not_yet,
    odds_of_an_answer,
    uncertain,
    undiscovered,
)
from proposer.target import DEFAULT_TARGET, Target
from proposer.types import Batch, CheckpointError, Floats, Told
from scanspec.document import closest, plain_name

if TYPE_CHECKING:
    from proposer.space import Space
    from scanspec import ScanFile

log = logging.getLogger(__name__)

PARTICLES = 800
LEAST_EXPLORE, MOST_EXPLORE = 0.01, 0.6
"""Share of a batch for points that may be good."""
WIDER = 1.5
"""Far from what it knows the model is this many times less sure than it says: 1 left one or two of the 13 shells of a
thin toy3d undiscovered."""
WIDER_BY_NLL = 2.5
"""The same where only an NLL comes back: 1.5 left two of the 13 undiscovered."""
UNIFORM, UNIFORM_BY_NLL = 0.01, 0.03
"""Share of a batch that is drawn from the prior. With observables 0.03 found nothing more and took 3 % more
evaluations; where a map is drawn by an NLL alone 0.01 left three of the 13 shells undiscovered."""
PATIENCE = 0.3
"""Exploring goes on although its points are seldom good: 1 left shells undiscovered, 0 cost a fifth more points."""
PATIENCE_BY_NLL = 0.04
"""The same for each dimension, up to PATIENCE, where only an NLL comes back: with PATIENCE in three dimensions a thin
toy3d took a quarter more evaluations to 95 % of the parts and missed one to three of the 13 shells; with 0.12 in eight
multi8d took an eighth more to a thousand good points."""
NEAR = 2
"""Shells next to the good region whose points compete with those inside."""
MOST_PROBES = 0.15
"""Share of a batch for minima that are not good yet."""


@dataclass(frozen=True)
class LodeSettings:
    """The section `networks` of a scan file."""

    target: Target = DEFAULT_TARGET
    """Which points are good."""
    points_per_iteration: int = 200
    """The largest batch."""
    collect: bool = False
    """As many good points as possible, soon, rather than an even map."""
    even_in: tuple[str, ...] = ()
    """Variables and observables in which the map shall be even; none: all variables."""

    @classmethod
    def read(cls, scan: ScanFile) -> Self:
        """Reads and checks the settings of a scan file; raises ScanFileError, which names file, line and key."""
        section, none = scan.networks, cls()
        if (goal := scan.setup.text("goal", "map")) not in ("map", "collect"):
            raise scan.setup.wrong("goal", "map (all of the good region, evenly) or collect (many good points, soon)")
        even_in = [plain_name(each) for each in scan.setup.texts("even_in")]
        names = [each.name for each in scan.variables] + [each.name for each in scan.all_observables()]
        for name in even_in:
            if name not in names:
                raise scan.setup.error(
                    f"even_in: {name!r} is no variable or observable{closest(name, names)}", "even_in"
                )
        if even_in and goal == "collect":
            raise scan.setup.error("even_in says what a map is even in; goal is collect, which draws none", "even_in")
        return cls(
            Target.read(section, none.target),
            section.integer("points_per_iteration", none.points_per_iteration, low=1),
            goal == "collect",
            tuple(even_in),
        )


class Lode:
    """The strategy `Type: LODE`. `observables`: in the evaluator's order."""

    lag = 1
    eager = True

    def __init__(
        self, space: Space, settings: LodeSettings, seed: int, observables: Sequence[ScoredObservable]
    ) -> None:
        self.space = space
        self.settings = settings
        self.seed = seed
        self.stop_reason = ""
        self._free = np.flatnonzero(~space.fixed)
        self._seen = np.append(self._free, np.arange(space.dim, space.width))  # columns of the network's inputs
        mapped = [replace(each, mapped=each.name in settings.even_in) for each in observables]
        self._scored = EnergyOfObservables(mapped, settings.target)
        self._points = Points(self._free, self._scored, settings.target)
        self._even_in = self._find_even_in()
        self._first = max(min(20 * self._dim, 60), 10 * self._dim)
        self.start_points = int(min(self._first + self._first // 2, space.size))
        self._asks = 0
        self._started = 0
        self._out: Floats = np.empty((0, len(self._free)))  # asked, and not told at the last ask
        self._surrogate: Surrogate | None = None
        self._particles: Floats = np.empty((0, len(self._free)))

    def _find_even_in(self) -> EvenIn:
        names = self.settings.even_in
        periodic = np.flatnonzero(self.space.periodic).tolist()
        inputs = [
            (position, self._dim + periodic.index(column)) if column in periodic else (position,)
            for position, column in enumerate(self._free.tolist())
            if self.space.names[column] in names
        ]
        outputs = [position for position, j in enumerate(self._scored.columns) if self._scored.all[j].mapped]
        return EvenIn(inputs, outputs)

    @property
    def good(self) -> int:
        """Good points told so far: status OK and an NLL below the threshold."""
        return self._points.good_so_far

    @property
    def _dim(self) -> int:
        return len(self._free)

    def _full(self, u: Floats) -> Floats:
        """Points of the space, shape (n, all variables), as the space has them (whole numbers, phases), of u (n, d)."""
        full = np.full((len(u), self.space.dim), 0.5)
        full[:, self._free] = u
        return self.space.snap(full)

    def _snap(self, u: Floats) -> Floats:
        return self._full(u)[:, self._free]

    def _inputs(self, u: Floats) -> Floats:
        return self.space.network_inputs(self._full(u))[:, self._seen]

    def _new_surrogate(self, *, by_observables: bool) -> Surrogate:
        scored = self._scored if by_observables else None
        return Surrogate(len(self._seen), scored, self._inputs, self._scored.of_nll)

    def ask(self, k: int, least: int = 1) -> Batch | None:
        """The next batch, of at most `k` points and, up to that, `least`; trains from the second or third on."""
        if k < 1:
            raise ValueError(f"asked for {k} points; ask for at least one")
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # matrices are small: more threads gain little, and on a busy machine cost tenfold
        try:
            return self._ask(k, min(k, least))
        finally:
            torch.set_num_threads(threads)

    def _ask(self, k: int, least: int) -> Batch | None:
        if not self._dim:
            if self._asks:
                self.stop_reason = "no variable is free: there is one point, and it was asked for"
                return None
            self._asks = 1
            return self._batch(np.empty((1, 0)), ["start"])
        known = self._points.known()
        if self.space.size < np.inf and self.space.all_known(self._full(np.concatenate([known.u, self._out]))):
            self.stop_reason = f"all {self.space.size:,.0f} points of the space were asked for"
            return None
        self._asks += 1
        answered = int(known.answered.sum())
        first = self._first
        if self._started < 1.5 * first or not answered:  # 1
            n = first if self._started == 0 else max(first // 2, 20)
            return self._start(max(min(n, self.settings.points_per_iteration, k), least))
        surrogate = self._fit(known)  # 2
        n = min(self.settings.points_per_iteration, max(first // 2, answered // 4))
        n = max(min(n, k), least)
        if not surrogate.fitted:
            return self._start(n)
        torch_random = torch.Generator().manual_seed(int(self._generator("sample").integers(2**63)))
        before = torch.from_numpy(self._particles) if len(self._particles) else None
        particles = subset_simulation(surrogate, self._dim, PARTICLES, torch_random, surrogate.rough, before)  # 3
        kept = self._generator("keep").permutation(len(particles.inside))[:PARTICLES]
        self._particles = particles.inside.numpy()[kept] if particles.level == 1.0 else np.empty((0, self._dim))
        return self._choose(known, surrogate, particles, n)  # 4

    def _generator(self, purpose: str) -> np.random.Generator:
        return generator(self.seed, self._asks, purpose)

    def _start(self, n: int) -> Batch:
        """The next points of a scrambled Sobol sequence."""
        sobol = qmc.Sobol(self._dim, scramble=True, rng=generator(self.seed, 0, "start"))
        if self._started:
            sobol.fast_forward(self._started)
        self._started += n
        return self._batch(_random(sobol, n), ["start"] * n)

    def _fit(self, known: Known) -> Surrogate:
        by_observables = bool(self._scored.deciding) and self._points.disagreeing == 0
        by_observables = by_observables and self._points.with_observables > 0
        if self._surrogate is None or (self._surrogate.energy is not None) != by_observables:
            if not by_observables:
                log.warning("LODE works on the NLL alone: %s", self._why_by_nll())
            self._surrogate = self._new_surrogate(by_observables=by_observables)
        self._surrogate.fit(known, self._generator("fit"))
        return self._surrogate

    def _why_by_nll(self) -> str:
        if not self._scored.deciding or not self._points.with_observables:
            return "no observables have come back so far"
        return "the NLL that came back is not that of the observables, or a good point lacks one"

    def _choose(self, known: Known, surrogate: Surrogate, particles: Particles, n: int) -> Batch:
        rng = self._generator("choose")
        pending = self._pending(known)
        busy = np.concatenate([known.u, pending])
        inside = np.unique(self._snap(particles.inside.numpy()), axis=0)
        shells = [(self._snap(u.numpy()), v) for u, v in particles.shells]
        near = np.concatenate([np.empty((0, self._dim)), *(u for u, _ in shells[-NEAR:])])
        if self._even_in.dim and len(inside) > 1:
            near = np.concatenate([near, self._snap(self._beside_thin(surrogate, inside))])
        outside, volume = undiscovered(shells, 800)
        collect = self.settings.collect and int(known.good.sum()) >= lode_collect.BEGIN
        if collect:
            near = np.concatenate([near, self._snap(lode_collect.candidates(known, self._generator("collect")))])
        every = np.concatenate([inside, near, outside])
        wider = WIDER_BY_NLL if surrogate.energy is None else WIDER
        known_well = surrogate.chances(np.concatenate([inside, near]), rng)
        chance = np.concatenate([known_well, surrogate.chances(outside, rng, wider)]) * odds_of_an_answer(known, every)
        n_best = len(inside) + len(near)
        place = 0.5 * self._inputs(every)  # distances go round where a variable does
        best, rest = Candidates(place[:n_best], chance[:n_best]), Candidates(place[n_best:], chance[n_best:])
        taken = 0.5 * self._inputs(np.concatenate([known.u[known.good], pending]))
        power = lode_collect.DARING if collect else daring(self._dim)
        if self._even_in.dim and (chosen := self._chosen(known, surrogate, pending, every[:n_best], len(inside))):
            sure = np.where(best.chance >= LEAST_ODDS, best.chance, 0.0)
            best, taken, power = Candidates(chosen[0], sure), chosen[1], daring(self._even_in.dim)
        mass = particles.volume * chance[: len(inside)].mean()
        missing = float((volume * rest.chance).sum())
        success = hits(known, "explore") / hits(known, "exploit")
        patience = PATIENCE if surrogate.energy is not None else min(PATIENCE, PATIENCE_BY_NLL * self._dim)
        share = missing / (missing + mass + 1e-300) * success**patience
        share = 0.0 if collect else min(max(share, LEAST_EXPLORE), MOST_EXPLORE)
        n_uniform = int(rng.binomial(n, UNIFORM_BY_NLL if surrogate.energy is None and not collect else UNIFORM))
        if collect:
            best = Candidates(best.u, lode_collect.certain(known, every[:n_best], best.chance))
        probed = self._probes(known, surrogate, pending, outside, 0 if collect else max(1, round(MOST_PROBES * n)))
        if self.settings.collect and not collect and surrogate.energy is None:
            n_down = round(lode_descend.SHARE * n)
            probed = np.concatenate(
                [probed, self._snap(lode_descend.descend(surrogate.each, known, n_down, self._generator("descend")))]
            )
        explore = uncertain(rest, volume, 0.5 * self._inputs(busy), round(share * (n - n_uniform - len(probed))), rng)
        exploit = even(best, taken, n - n_uniform - len(explore) - len(probed), power)
        log.debug("inside %.3g, missing %.3g, chance inside %.2f", particles.volume, missing, best.chance.mean())
        u = self._snap(np.concatenate([every[:n_best][exploit], outside[explore], probed]))
        origins = ["exploit"] * len(exploit) + ["explore"] * len(explore) + ["probe"] * len(probed)
        new = not_yet(u, busy)
        u, origins = u[new], [origins[row] for row in new]
        n_uniform = n - len(u)
        others = rng.random((n_uniform, self._dim))
        if self.space.size < np.inf and len(busy) > self.space.size / 2:  # draws would mostly be known points
            left = self.space.not_among(self._full(np.concatenate([busy, u])), n_uniform, rng)[:, self._free]
            others[: len(left)] = left
        u = np.concatenate([u, others])
        return self._batch(u, origins + ["random"] * n_uniform)

    def _beside_thin(self, surrogate: Surrogate, inside: Floats) -> Floats:
        """More candidates where the region is thin in the coordinates that the map shall be even in."""
        (place,) = self._even_in.places(len(inside), [(self._inputs(inside), surrogate.observables(inside))])
        thin = even(Candidates(place, np.ones(len(inside))), place[:0], EDGES)
        return beside(surrogate, inside, thin, self._generator("beside"))

    def _chosen(
        self, known: Known, surrogate: Surrogate, pending: Floats, best: Floats, inside: int
    ) -> list[Floats] | None:
        """Where candidates lie, and what is good or still out, in the coordinates that the map shall be even in; None
        where these are observables, and only an NLL is known."""
        predicted, expected = surrogate.observables(best), surrogate.observables(pending)
        if not self._even_in.inputs and predicted is None:
            return None
        taken = None if expected is None else np.concatenate([surrogate.scaled(known.values[known.good]), expected])
        u = np.concatenate([known.u[known.good], pending])
        place, there = self._even_in.places(inside, [(self._inputs(best), predicted), (self._inputs(u), taken)])
        return [place, there[np.isfinite(there).all(axis=1)]]  # an observable that is only mapped may be missing

    def _probes(self, known: Known, surrogate: Surrogate, pending: Floats, outside: Floats, most: int) -> Floats:
        """Minima that may be good; what is out counts with the energy that is predicted there."""
        rng = self._generator("probe")
        energy = np.concatenate([known.energy, surrogate(torch.from_numpy(pending)).numpy()])
        energy[~np.isfinite(energy)] = FAR
        starts = np.concatenate([rng.random((PARTICLES, self._dim)), outside])
        return probes(surrogate, starts, np.concatenate([known.u, pending]), energy, most, rng)

    def _pending(self, known: Known) -> Floats:
        """Points that are still out."""
        told = {row.tobytes() for row in known.u}
        self._out = self._out[np.array([row.tobytes() not in told for row in self._out], dtype=np.bool_)]
        return self._out

    def _batch(self, u: Floats, origins: list[str]) -> Batch:
        full = self._full(u)
        self._out = np.concatenate([self._out, full[:, self._free]])
        return Batch(full, origins, self._asks)

    def tell(self, told: Told) -> None:
        """Takes the answers of one batch."""
        self._points.add(told)

    def checkpoint(self) -> bytes:
        """The place in the loop, what is out, and what was learned beside the points; without pickle."""
        place = {"asks": self._asks, "started": self._started, "stop_reason": self.stop_reason}
        arrays: dict[str, Any] = {"place": np.frombuffer(json.dumps(place).encode(), dtype=np.uint8)}
        arrays |= {"particles": self._particles, "out": self._out}
        if self._surrogate is not None:
            arrays |= {f"model/{name}": value for name, value in self._surrogate.to_arrays().items()}
            arrays["by_observables"] = np.array(self._surrogate.energy is not None)
        file = io.BytesIO()
        np.savez(file, allow_pickle=False, **arrays)
        return file.getvalue()

    def restore(self, data: bytes) -> None:
        """Goes back to a checkpoint; raises CheckpointError."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            place = json.loads(arrays["place"].tobytes())
            particles, out = arrays["particles"], arrays["out"]
            surrogate = None
            if "by_observables" in arrays:
                surrogate = self._new_surrogate(by_observables=bool(arrays["by_observables"]))
                surrogate.load({name[6:]: value for name, value in arrays.items() if name.startswith("model/")})
            self._asks, self._started = int(place["asks"]), int(place["started"])
            self.stop_reason = str(place["stop_reason"])
        except (ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise CheckpointError(f"the checkpoint is not one of LODE ({error})") from error
        self._out, self._surrogate, self._particles = out, surrogate, particles


def _random(sobol: qmc.Sobol, n: int) -> Floats:
    """n points; scipy warns of numbers that are no powers of two, which matters for integrals only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return np.asarray(sobol.random(n))
