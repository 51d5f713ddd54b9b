"""MLS_DNNC: the published scan that BSMArt took from MLscanner.

A classifier learns from the evaluated points which points are good, and chooses the next
ones (arXiv:2207.09959, section 2; arXiv:2301.01154). The numbers in the comments are the
steps of docs/method.md.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit

from proposer.strategies.balance import balanced, positive_weight, synthetic_points
from proposer.strategies.base import generator, judged
from proposer.strategies.mls_dnnc_settings import MlsDnncSettings
from proposer.strategies.networks import Classifier
from proposer.strategies.state import pack, unpack
from proposer.target import Found, Target
from proposer.types import Batch, CheckpointError, Floats, Status, Told

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from proposer.space import Space

_ALL = slice(None)


@dataclass
class _Loop:
    """The position of the loop: the kind of the last ask, and the number of points that it knew."""

    asked: str = ""  # bootstrap, candidates or smote
    rounds: int = 0  # rounds of the bootstrap
    iteration: int = 0
    known: int = 0


class MlsDnnc:
    """The strategy `Type: MLS_DNNC`. Its batches have the sizes of its settings."""

    lag = 0
    eager = False

    def __init__(self, space: Space, settings: MlsDnncSettings, seed: int) -> None:
        self.space = space
        self.settings = settings
        self.seed = seed
        self.stop_reason = ""
        self.training_seconds = 0.0
        self.start_points = int(min(settings.bootstrap_points, space.size))
        self._points = _Points(space.dim, settings.target)
        self._classifier = Classifier(space.width, settings.fit)
        self._loop = _Loop()

    @property
    def good(self) -> int:
        """Good points told so far: status OK and an NLL below the threshold."""
        return self._points.found.good

    def ask(self, least: int = 1) -> Batch | None:
        """The next batch, or None when all iterations are done; trains where the method does."""
        loop = self._loop
        if self.space.size < np.inf and self.space.all_known(self._points.every()):
            self.stop_reason = f"all {self.space.size:,.0f} points of the space were evaluated"
            return None
        if loop.rounds == 0 or (loop.iteration == 0 and self.good == 0):
            return self._bootstrap()  # 1
        if loop.asked == "candidates":
            batch = self._smote()  # 7
            if batch is not None:
                return batch
        if loop.iteration == self.settings.iterations:
            self.stop_reason = f"all {loop.iteration} iterations are done (Iterations)"
            return None
        start = time.monotonic()
        self._train()  # 2, 3, 4, 5, 8
        self.training_seconds += time.monotonic() - start
        return self._candidates()  # 6

    def _bootstrap(self) -> Batch:
        """Random points; there is one more round as long as no point is good."""
        self._loop.rounds += 1
        self._now("bootstrap")
        n = self.settings.bootstrap_points
        u = self.space.draw(generator(self.seed, self._loop.rounds, "bootstrap"), n)
        return Batch(u, ["bootstrap"] * n, 0)

    def _train(self) -> None:
        """Fits to all points at first; later to all good points and as many bad ones, drawn anew, half of them from
        earlier iterations.

        Points that FAILED or TIMED_OUT say nothing about physics and are left out.
        """
        u, good = self._points.labelled()
        iteration = self._loop.iteration
        if self._classifier.fitted:
            rows = balanced(good, self._points.labelled_late(), generator(self.seed, iteration, "balance"))
            u, good = u[rows], good[rows]
        weight = positive_weight(good, has_init=self._points.has_init)
        self._classifier.fit(self.space.network_inputs(u), good, weight, generator(self.seed, iteration, "fit"))

    def _candidates(self) -> Batch:
        """The best candidates, and some drawn at random from the others."""
        self._loop.iteration += 1
        self._now("candidates")
        rng = generator(self.seed, self._loop.iteration, "candidates")
        u = self.space.draw(rng, self.settings.candidate_points)
        # most random points would be known already
        if self.space.size < np.inf and len(self._points) > self.space.size / 2:
            left = self.space.not_among(self._points.every(), len(u), rng)
            u = left if len(left) else u
        n = min(self.settings.points_per_iteration, len(u))
        n_best = round((1.0 - self.settings.random_fraction) * n)
        logits = self._classifier.predict(self.space.network_inputs(u))
        order = np.argsort(-logits, kind="stable")
        others = rng.choice(order[n_best:], size=n - n_best, replace=False)
        chosen = np.concatenate([order[:n_best], others])
        origins = ["exploit"] * n_best + ["left"] * (n - n_best)
        return Batch(u[chosen], origins, self._loop.iteration, expit(logits[chosen]))

    def _smote(self) -> Batch | None:
        """Points between good ones if few of the last candidates were good; None if enough were."""
        new = slice(self._loop.known, None)
        u, good = self._points.labelled(new)
        n_good, free = int(good.sum()), int((~self.space.fixed).sum())
        rng = generator(self.seed, self._loop.iteration, "smote")
        if n_good <= self.settings.k_initial:
            earlier = self._points.good_points(slice(self._loop.known))
            n = min(len(earlier), 2 * self.settings.k_initial - n_good)
            drawn = earlier[np.sort(rng.choice(len(earlier), size=n, replace=False))]
            u, good = np.concatenate([u, drawn]), np.concatenate([good, np.ones(n, dtype=np.bool_)])
        elif not free < n_good < self._points.exploited(new) / 2:
            return None
        most = self.settings.points_per_iteration
        synthetic = self.space.snap(synthetic_points(u, good, self.settings.k_initial, most, rng))
        if not len(synthetic):
            return None
        self._now("smote")
        logits = self._classifier.predict(self.space.network_inputs(synthetic))
        return Batch(synthetic, ["smote"] * len(synthetic), self._loop.iteration, expit(logits))

    def _now(self, asked: str) -> None:
        self._loop.asked = asked
        self._loop.known = len(self._points)

    def tell(self, told: Told) -> None:
        """Takes the results of one batch. The points of an `init_csv` are told first, with the origin `init`."""
        self._points.add(told)

    def checkpoint(self) -> bytes:
        """The position of the loop, and the classifier."""
        return pack(asdict(self._loop), self._classifier.to_arrays())

    def restore(self, data: bytes) -> None:
        """Goes back to a checkpoint; raises CheckpointError."""
        stored, arrays = unpack(data, "one of MLS_DNNC")
        if "network" in arrays:  # one of an older lodescan: an archive within the archive
            arrays = unpack(arrays["network"].tobytes(), "one of MLS_DNNC")[1]
        try:
            loop = _Loop(**stored)
        except TypeError as error:
            raise CheckpointError(f"the checkpoint is not one of MLS_DNNC ({error})") from error
        if loop.known > len(self._points):
            raise CheckpointError(
                f"the checkpoint was made after {loop.known} points, but only {len(self._points)} were told: "
                "it belongs to another run"
            )
        self._classifier.load(arrays)
        self._loop = loop


class _Points:
    """The points told so far, in order; arrays are joined when they are read, not at each tell."""

    def __init__(self, dim: int, target: Target) -> None:
        self.found = Found(target)
        self.has_init = False
        self._n = 0
        self._u: list[Floats] = [np.empty((0, dim))]
        self._nll: list[Floats] = [np.empty(0)]  # NaN where a point is not OK
        self._labelled: list[NDArray[np.bool_]] = [np.empty(0, dtype=np.bool_)]
        self._exploit: list[NDArray[np.bool_]] = [np.empty(0, dtype=np.bool_)]
        self._late: list[NDArray[np.bool_]] = [np.empty(0, dtype=np.bool_)]

    def __len__(self) -> int:
        return self._n

    def add(self, told: Told) -> None:
        if not len(told):
            return
        ok = told.status == Status.OK
        nll = judged(told)
        self._u.append(told.u)
        self._nll.append(nll)
        self._labelled.append(ok | (told.status == Status.INVALID))
        self._exploit.append(np.array([origin == "exploit" for origin in told.origins], dtype=np.bool_))
        self._late.append(np.array([origin not in ("bootstrap", "init") for origin in told.origins], dtype=np.bool_))
        self._n += len(told)
        self.found.add(nll.tolist())
        self.has_init = self.has_init or "init" in told.origins

    def _good(self, rows: slice) -> NDArray[np.bool_]:
        """Which points are good by the present target, shape (n,)."""
        return self.found.target.contains(_joined(self._nll)[rows])

    def every(self) -> Floats:
        """All points, shape (n, d)."""
        return _joined(self._u)

    def labelled(self, rows: slice = _ALL) -> tuple[Floats, NDArray[np.bool_]]:
        """Points that are good or bad, shape (n, d), and which of them are good, shape (n,)."""
        use = _joined(self._labelled)[rows]
        return _joined(self._u)[rows][use], self._good(rows)[use]

    def labelled_late(self) -> NDArray[np.bool_]:
        """Which of the labelled points an iteration chose, shape (n,): not those of the bootstrap or an InitCSV."""
        late: NDArray[np.bool_] = _joined(self._late)[_joined(self._labelled)]
        return late

    def good_points(self, rows: slice) -> Floats:
        """The good points, shape (n, d)."""
        good: Floats = _joined(self._u)[rows][self._good(rows)]
        return good

    def exploited(self, rows: slice) -> int:
        """The number of points that were candidates chosen for their score."""
        return int(_joined(self._exploit)[rows].sum())


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    if len(parts) > 1:
        parts[:] = [np.concatenate(parts)]
    return parts[0]
