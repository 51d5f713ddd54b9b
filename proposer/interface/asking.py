"""LODE by ask and tell, without services, for other drivers and for loops of your own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from proposer.keys import KeySet, row_keys
from proposer.space import Space
from proposer.strategies.lode.energy import ScoredObservable
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.lode.strategy import Lode as Strategy
from proposer.target import Target
from proposer.types import Floats, Status, Told
from scanspec import Kind, Likelihood, UsageError, Variable, losses_and_nll
from scanspec.terms import Term, work_out

MOST_REPEATS = 10
"""After this many batches in a row without a new point, the space counts as exhausted."""


class Lode:
    """lodescan's search for the region of good points, which have an NLL below `threshold`, or are good by a `target`.

    The target `Target.within(0.95, 2)` is the 95 % region of two degrees of freedom around the lowest NLL that is told.

    `space` maps the name of each variable to its range, (low, high) with a uniform prior, or to a `Variable`.
    `observables` maps names to likelihoods, if `tell` gets observables; the search learns more from them than from an
    NLL alone. A `Term` of `scanspec.terms` is a -ln L as a function of other observables, such as a joint Gaussian, and
    is computed from them. Every observable of a term needs a likelihood too: `Likelihood()` if it enters by the term
    alone. The same seed and answers give the same points.

    >>> import numpy as np
    >>> search = Lode({"x": (-3, 3), "y": (-3, 3)}, threshold=1.0, seed=1)
    >>> for _ in range(3):
    ...     points = search.ask()
    ...     search.tell(points, nll=50 * (np.hypot(*points.T) - 2) ** 2)
    >>> points.shape[1], search.good_count > 20
    (2, True)
    >>> near, far = search.probability([[2.0, 0.0], [0.0, 0.0]])
    >>> bool(near > 0.5 > far), search.odds([[2.0, 0.0], [0.0, 0.0]]).tolist() == [near, far]
    (True, True)
    """

    def __init__(
        self,
        space: Mapping[str, tuple[float, float] | Variable],
        *,
        threshold: float | None = None,
        target: Target | None = None,
        seed: int = 0,
        batch: int = 200,
        observables: Mapping[str, Likelihood | Term] | None = None,
    ) -> None:
        """`batch`: the largest batch that `ask` gives. Raises UsageError for a wrong range, and unless exactly one of
        threshold and target is given.
        """
        self.space = Space([_variable(name, variable) for name, variable in space.items()])
        self._terms = {name: one if isinstance(one, Term) else None for name, one in (observables or {}).items()}
        self._likelihoods = {
            name: Likelihood(Kind.MINUSEXPUSER) if isinstance(one, Term) else one
            for name, one in (observables or {}).items()
        }
        for name, term in self._terms.items():
            if term is not None and (unknown := set(term.observables) - set(self._likelihoods)):
                raise UsageError(
                    f"the term {name} is a function of {', '.join(sorted(unknown))}, which observables lacks",
                    next_step="give each of them a likelihood, perhaps `Likelihood()`",
                )
        scored = [
            ScoredObservable(name, likelihood, term=self._terms[name]) for name, likelihood in self._likelihoods.items()
        ]
        settings = LodeSettings(target=Target.given(threshold, target), points_per_iteration=batch)
        self._search = Strategy(self.space, settings, seed, scored)
        self._known = KeySet()  # keys of points that were asked for or added
        self._out: dict[int, tuple[Floats, str, int]] = {}
        self._batches = self._told = 0

    @property
    def good_count(self) -> int:
        """The number of good points told. A target that follows the best NLL takes the best of the points told."""
        return self._search.good

    @property
    def good(self) -> int:
        """The earlier name of `good_count`. It is a number here, but `Run.good()` is a table of the points."""
        return self.good_count

    def ask(self, least: int = 1) -> Floats:
        """The next points, shape (n, d), in the order and the units of `space`; at least `least` points.

        No point comes twice. It may be called again before all earlier points are told. It trains the model, which
        takes seconds. A finite space that is nearly exhausted gives fewer points, perhaps none.
        """
        points, repeats = np.empty((0, self.space.dim)), 0
        while len(points) < least and repeats < MOST_REPEATS:
            batch = self._search.ask(least - len(points))
            if batch is None:
                break
            x = self.space.to_physical(batch.u)
            keys = row_keys(x)
            new = self._known.first_of_each(keys)
            self._known.add(keys[new])
            self._batches += 1
            batch = batch.where(new)
            for key, u, origin in zip(keys[new].tolist(), batch.u, batch.origins, strict=True):
                self._out[key] = u, origin, self._batches
            points = np.concatenate([points, x[new]])
            repeats = 0 if new.any() else repeats + 1
        return points

    def tell(
        self, points: ArrayLike, nll: ArrayLike | None = None, observables: Mapping[str, ArrayLike] | None = None
    ) -> None:
        """Takes the answers to points, shape (n, d), that were asked for, in any order and in any parts: their NLL,
        shape (n,), NaN for an unphysical point, or their observables by name, from which the NLL follows.

        Raises UsageError for a point that was not asked for, or was told already.
        """
        x, found, values = self._read(points, nll, observables)
        first = KeySet().first_of_each(row_keys(x))
        keys = row_keys(x).tolist()
        if unknown := [row for row, key in enumerate(keys) if key not in self._out or not first[row]]:
            raise UsageError(
                f"the point {x[unknown[0]].tolist()} was not asked for, or was told already",
                next_step="tell the points as `ask` gave them",
            )
        asked = [self._out.pop(key) for key in keys]
        u = np.array([row for row, _, _ in asked]).reshape(len(x), self.space.dim)
        self._tell(u, found, values, [origin for _, origin, _ in asked], [batch for _, _, batch in asked])

    def add(
        self, points: ArrayLike, nll: ArrayLike | None = None, observables: Mapping[str, ArrayLike] | None = None
    ) -> None:
        """Takes answers to points that are known from elsewhere, in the form of `tell`. Such an answer also counts for
        a point that was asked for and has none yet. A point that already has an answer is left out.

        Raises UsageError for a point outside the ranges, or that a variable with discrete values cannot have.
        """
        x, found, values = self._read(points, nll, observables)
        if outside := np.flatnonzero(~self.space.inside(x).all(axis=1)).tolist():
            raise UsageError(f"the point {x[outside[0]].tolist()} is outside the ranges", next_step="leave it out")
        keys = row_keys(x)
        new = self._known.first_of_each(keys)
        self._known.add(keys)
        new |= np.array([self._out.pop(key, None) is not None for key in keys.tolist()], dtype=np.bool_)
        n = int(new.sum())
        self._tell(self.space.to_unit(x[new]), found[new], values[new], ["init"] * n, [self._batches] * n)

    def _read(
        self, points: ArrayLike, nll: ArrayLike | None, observables: Mapping[str, ArrayLike] | None
    ) -> tuple[Floats, Floats, Floats]:
        """Points (n, d), NLLs (n,) and observables (n, m). Raises UsageError if their shapes do not fit together."""
        x = np.atleast_2d(np.asarray(points, dtype=np.float64))
        if x.ndim != 2 or x.shape[1] != self.space.dim:
            raise UsageError(
                f"points of shape {x.shape} for {self.space.dim} variables", next_step="give a row for each point"
            )
        if odd := np.flatnonzero(~np.isfinite(x).all(axis=1)).tolist():
            raise UsageError(
                f"the point {x[odd[0]].tolist()} has a value that is not finite", next_step="give finite numbers"
            )
        values = np.full((len(x), len(self._likelihoods)), np.nan)
        if observables is not None:
            if missing := sorted(name for name, term in self._terms.items() if not term and name not in observables):
                raise UsageError(f"there are no values of {', '.join(missing)}", next_step="tell every observable")
            given = [np.zeros(len(x)) if term else observables[name] for name, term in self._terms.items()]
            values = np.column_stack([np.asarray(column, dtype=np.float64) for column in given])
            values = work_out(list(self._terms), list(self._terms.values()), values)
            if nll is None:
                nll = np.where(
                    np.isnan(values).any(axis=1), np.nan, losses_and_nll([*self._likelihoods.values()], values)[1]
                )
        if nll is None:
            raise UsageError("there is neither an NLL nor observables", next_step="give one of them")
        found = np.asarray(nll, dtype=np.float64)
        if found.shape != (len(x),):
            raise UsageError(f"{len(x)} points with NLLs of shape {found.shape}", next_step="give one NLL per point")
        return x, found, values

    def _tell(
        self, u: Floats, nll: Floats, observables: Floats, origins: Sequence[str], batches: Sequence[int]
    ) -> None:
        ids = np.arange(self._told + 1, self._told + len(nll) + 1)
        self._told += len(nll)
        status = np.where(np.isnan(nll), Status.INVALID, Status.OK).astype(np.int8)
        numbers = np.array(batches, dtype=np.int64)
        told = Told(ids, u, status=status, nll=nll, observables=observables, origins=origins, batches=numbers)
        self._search.tell(told)

    def probability(self, points: ArrayLike) -> Floats:
        """The probability, shape (n,), that points (n, d) are good, by the model of the last `ask`.

        NaN before the third `ask`, which trains the first model.
        """
        return self._search.probability(self.space.to_unit(np.atleast_2d(np.asarray(points, dtype=np.float64))))

    odds = probability  # another name for the same method


def _variable(name: str, given: tuple[float, float] | Variable) -> Variable:
    if isinstance(given, Variable):
        return given
    low, high = map(float, given)
    if not (np.isfinite([low, high]).all() and low <= high):
        raise UsageError(f"{name}: the range is [{low}, {high}]", next_step="give (low, high), low below high")
    return Variable(name, low, high)
