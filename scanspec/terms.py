"""Terms of the likelihood that are functions of one or more observables: the section `likelihoods` of a scan file.

One implementation serves numpy and torch, as in `likelihoods.py`. The -ln L of a term is an observable with the term's
name. It enters the likelihood with the kind MINUSEXPUSER.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

from scanspec.likelihoods import Array, namespace

if TYPE_CHECKING:
    from lodescan.v1.evaluation_pb2 import JointTerm

LARGEST = 1e300
"""The largest -ln L of a term before it is capped. It replaces an overflow, and values beyond the pole of BARLOW."""


class TermKind(enum.Enum):
    """The formulas, by their names in a scan file and in the contract."""

    JOINT_GAUSS = "JOINT_GAUSS"
    HALF_GAUSS = "HALF_GAUSS"
    BARLOW = "BARLOW"
    GAUSS_UPPER = "GAUSS_UPPER"
    GAUSS_LOWER = "GAUSS_LOWER"
    LIMIT = "LIMIT"
    LIMIT_UPPER = "LIMIT_UPPER"
    LIMIT_LOWER = "LIMIT_LOWER"
    TABLE = "TABLE"
    UNKNOWN = "UNKNOWN"
    """A formula of a newer evaluator: this side knows only its -ln L."""


OF_LIMITS = frozenset({TermKind.LIMIT, TermKind.LIMIT_UPPER, TermKind.LIMIT_LOWER})
ASYMMETRIC = frozenset({TermKind.HALF_GAUSS, TermKind.BARLOW})
TWO_SIDED = ASYMMETRIC | {TermKind.JOINT_GAUSS}
ONE_SIDED = frozenset({TermKind.GAUSS_UPPER, TermKind.GAUSS_LOWER})


@dataclass(frozen=True)
class Term:
    """-ln L as a function of the k `observables`.

    `mean`: shape (k,), in their units (JOINT_GAUSS, HALF_GAUSS, BARLOW, GAUSS_UPPER, GAUSS_LOWER). `root`: the lower
    Cholesky factor of the covariance, k rows of k numbers (JOINT_GAUSS). `plus`, `minus`: the errors above and below
    the mean (HALF_GAUSS, BARLOW). GAUSS_UPPER and GAUSS_LOWER have one standard deviation, `plus`. For LIMIT,
    LIMIT_UPPER and LIMIT_LOWER, `plus` is the standard deviation in units of the bound; the bound of LIMIT lies 1 /
    plus standard deviations above 0. `knots`: the rising knots of each observable of a table, or of the first
    observable of a limit. `values`: the bounds of a limit or the -ln L of a TABLE at the knots, the last observable
    running fastest.
    """

    kind: TermKind
    observables: tuple[str, ...]
    mean: tuple[float, ...] = ()
    root: tuple[tuple[float, ...], ...] = ()
    plus: float = math.nan
    minus: float = math.nan
    knots: tuple[tuple[float, ...], ...] = ()
    values: tuple[float, ...] = ()

    @classmethod
    def checked(cls, said: JointTerm, names: Sequence[str]) -> Term:
        """The term in an evaluator's description; `names` are the names of all observables. A kind that is not known
        here becomes UNKNOWN. Raises ValueError for numbers that do not fit the kind.
        """
        from lodescan.v1 import evaluation_pb2 as pb  # imported here, because reading a scan file does not need it

        observables, count = tuple(names[position] for position in said.arguments), len(said.arguments)
        known = {
            pb.JointKind.Value(f"JOINT_KIND_{term_kind.value}"): term_kind
            for term_kind in set(TermKind) - {TermKind.UNKNOWN}
        }
        kind = known.get(said.kind, TermKind.UNKNOWN)
        if kind is TermKind.UNKNOWN:
            return cls(kind, observables)
        root = tuple(said.cholesky)
        made = cls(
            kind,
            observables,
            mean=tuple(said.mean),
            root=tuple(root[row * count : (row + 1) * count] for row in range(count)) if root else (),
            # numbers that a formula does not use are NaN
            plus=math.nan if kind in (TermKind.JOINT_GAUSS, TermKind.TABLE) else said.plus,
            minus=said.minus if kind in ASYMMETRIC else math.nan,
            knots=tuple(tuple(axis.at) for axis in said.knots),
            values=tuple(said.values),
        )
        if fault := made._fault(len(root)):
            raise ValueError(f"a term of the kind {kind.value} with {fault}")
        return made

    def _fault(self, size: int) -> str:
        """What is wrong with the numbers; empty if nothing is. `size`: elements of the Cholesky factor."""
        count, tables = len(self.observables), self.kind in OF_LIMITS or self.kind is TermKind.TABLE
        every = [*self.mean, *chain.from_iterable((*self.root, *self.knots)), *self.values]
        if not all(map(math.isfinite, every)):
            return "a number that is not finite"
        if self.kind is TermKind.JOINT_GAUSS:
            complete = size == count * count and len(self.mean) == count
            lower = complete and all(row[k] > 0 and not any(row[k + 1 :]) for k, row in enumerate(self.root))
            return "" if lower else "no means and Cholesky factor"
        if not tables:
            errors = [self.plus, self.minus] if self.kind in ASYMMETRIC else [self.plus]
            positive = all(0 < error < math.inf for error in errors)
            return "" if count == len(self.mean) == 1 and positive else "no mean and error of one observable"
        axes = 1 if self.kind in OF_LIMITS else count
        rising = all(len(axis) > 1 and all(a < b for a, b in pairwise(axis)) for axis in self.knots)
        if len(self.knots) != axes or not rising or len(self.values) != math.prod(map(len, self.knots)):
            return "no full table over rising knots"
        if self.kind in OF_LIMITS:
            return (
                ""
                if count == 2 and 0 < self.plus < math.inf and min(self.values) > 0
                else "a bound that is not above 0"
            )
        return "" if count in (1, 2) else f"{count} observables"

    def __eq__(self, other: object) -> bool:  # compared by their text, because NaN is not equal to NaN
        return isinstance(other, Term) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def nll(self, x: Array) -> Array:
        """-ln L, shape (n,), of observables x, shape (n, k), in double precision; NaN where an observable is not
        finite.

        Not capped, but finite: at most 1e300.
        """
        import numpy as np  # here, as in likelihoods.py

        xp = namespace(x)
        usable = xp.all(xp.isfinite(x), axis=1)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            raw = self._nll(xp, xp.where(usable[:, None], x, xp.zeros_like(x)))
            raw = xp.where(raw < LARGEST, raw, xp.full_like(raw, LARGEST))
        return xp.where(usable, raw, xp.full_like(raw, math.nan))

    def at(self, values: Sequence[float]) -> float:
        """-ln L of one point; `values` are those of its observables, in order."""
        import numpy as np

        return float(self.nll(np.array([values]))[0])

    def _nll(self, xp: Any, x: Array) -> Array:
        match self.kind:
            case TermKind.JOINT_GAUSS:
                return self._joint(xp, x)
            case TermKind.HALF_GAUSS:
                off = x[:, 0] - self.mean[0]
                return _square(off / xp.where(off > 0, xp.full_like(off, self.plus), xp.full_like(off, self.minus)))
            case TermKind.BARLOW:  # R. Barlow, physics/0406120: V = sigma+ sigma-, V' = sigma+ - sigma-
                off = x[:, 0] - self.mean[0]
                variance = self.plus * self.minus + (self.plus - self.minus) * off
                positive = variance > 0
                safe = xp.where(positive, variance, xp.ones_like(variance))
                return xp.where(positive, 0.5 * off * (off / safe), xp.full_like(off, LARGEST))
            case TermKind.GAUSS_UPPER:
                return _square(xp.clip((x[:, 0] - self.mean[0]) / self.plus, 0.0, None))
            case TermKind.GAUSS_LOWER:
                return _square(xp.clip((self.mean[0] - x[:, 0]) / self.plus, 0.0, None))
            case TermKind.LIMIT | TermKind.LIMIT_UPPER | TermKind.LIMIT_LOWER:
                return self._limit(xp, x)
            case TermKind.TABLE:
                return self._table(xp, x)
        raise AssertionError(self.kind)

    def _joint(self, xp: Any, x: Array) -> Array:
        """Half the square of z with L z = x - mean, by forward substitution, in the same steps for numpy and torch."""
        z: list[Array] = []
        for row, (mean, factors) in enumerate(zip(self.mean, self.root, strict=True)):
            rest = x[:, row] - mean
            for factor, solved in zip(factors[:row], z, strict=True):
                rest = rest - factor * solved
            z.append(rest / factors[row])
        return sum(_square(value) for value in z)

    def bound(self, x: Array) -> Array:
        """The bound of a limit at x, shape (n,); NaN outside its knots.

        ln(bound) is linear between the knots, in ln x where all of these are positive, else in x.
        """
        import numpy as np

        xp = namespace(x)
        knots, values = self._axes[0], np.log(self._grid)
        inside = (x >= float(knots[0])) & (x <= float(knots[-1]))
        at = xp.where(inside, x, xp.full_like(x, float(knots[0])))
        if knots[0] > 0:
            knots, at = np.log(knots), xp.log(at)
        left, share = _interval(xp, knots, at)
        table = xp.asarray(values)
        bound = xp.exp(_between(table[left], table[left + 1], share))
        return xp.where(inside, bound, xp.full_like(bound, math.nan))

    def _limit(self, xp: Any, x: Array) -> Array:
        bound = self.bound(x[:, 0])
        there = bound == bound
        safe = xp.where(there, bound, xp.ones_like(bound))
        match self.kind:
            case TermKind.LIMIT_UPPER:
                off = (x[:, 1] - safe) / (self.plus * safe)
            case TermKind.LIMIT_LOWER:
                off = (safe - x[:, 1]) / (self.plus * safe)
            case _:
                off = x[:, 1] / (self.plus * safe)
        return xp.where(there, _square(xp.clip(off, 0.0, None)), xp.zeros_like(safe))

    def _table(self, xp: Any, x: Array) -> Array:
        """Linear or bilinear interpolation between the knots; outside of them, the value at the nearest edge."""
        intervals = [
            _interval(xp, knots, xp.clip(x[:, column], float(knots[0]), float(knots[-1])))
            for column, knots in enumerate(self._axes)
        ]
        table = xp.asarray(self._grid)
        if len(intervals) == 1:
            ((left, share),) = intervals
            return _between(table[left], table[left + 1], share)
        (left, share), (low, part) = intervals
        width = len(self._axes[1])
        at = left * width + low
        below = _between(table[at], table[at + 1], part)
        above = _between(table[at + width], table[at + width + 1], part)
        return _between(below, above, share)

    @cached_property
    def _axes(self) -> list[Any]:
        import numpy as np

        return [np.array(axis) for axis in self.knots]

    @cached_property
    def _grid(self) -> Any:
        import numpy as np

        return np.array(self.values)

    def aim(self, position: int) -> tuple[float, float]:
        """The best value of one observable and its standard deviation, in its unit. For a joint Gaussian this is the
        standard deviation for fixed values of all others. Both are NaN if there is no best value.
        """
        import numpy as np

        match self.kind:
            case TermKind.JOINT_GAUSS:
                inverse = np.linalg.inv(np.array(self.root))
                return self.mean[position], float(1.0 / np.linalg.norm(inverse[:, position]))
            case TermKind.HALF_GAUSS | TermKind.BARLOW:
                return self.mean[0], min(self.plus, self.minus)
            case TermKind.GAUSS_UPPER | TermKind.GAUSS_LOWER:
                return self.mean[0], self.plus
        return math.nan, math.nan

    def least(self, position: int, x: Array) -> Array:
        """The lowest possible -ln L, shape (n,), for values x, shape (n,), of one observable, whatever the others are;
        0 if that is not known.
        """
        if self.kind is TermKind.JOINT_GAUSS:
            sigma = math.hypot(*self.root[position])
            return _square((x - self.mean[position]) / sigma)
        if len(self.observables) == 1 and self.kind is not TermKind.UNKNOWN:
            return self.nll(x[:, None])
        return namespace(x).zeros_like(x)

    @property
    def lowest(self) -> float:
        """A lower bound of -ln L."""
        if self.kind is TermKind.UNKNOWN:
            return -math.inf
        return min(self.values) if self.kind is TermKind.TABLE else 0.0

    def describe(self) -> str:
        """The term in a few words."""
        names = ", ".join(self.observables)
        match self.kind:
            case TermKind.JOINT_GAUSS:
                sigmas = (math.hypot(*row) for row in self.root)
                parts = (f"{m:.12g} +- {s:.12g}" for m, s in zip(self.mean, sigmas, strict=True))
                return f"JOINT_GAUSS of {names}: {', '.join(parts)}"
            case TermKind.HALF_GAUSS | TermKind.BARLOW:
                return f"{self.kind.value} of {names}: {self.mean[0]:.12g} +{self.plus:.12g} -{self.minus:.12g}"
            case TermKind.GAUSS_UPPER | TermKind.GAUSS_LOWER:
                return f"{self.kind.value} of {names}: {self.mean[0]:.12g} +- {self.plus:.12g}"
            case TermKind.UNKNOWN:
                return f"a kind that this lodescan does not know, of {names}"
        ends = " x ".join(f"[{axis[0]:.6g}, {axis[-1]:.6g}]" for axis in self.knots)
        of = f"{self.observables[-1]} over {self.observables[0]}" if self.kind in OF_LIMITS else names
        return f"{self.kind.value} of {of}: {len(self.values):,} values over {ends}"


def work_out(names: Sequence[str], terms: Sequence[Term | None], values: Array) -> Array:
    """The values, shape (n, k), of the observables `names`, with the -ln L of all known terms computed anew."""
    if not any(terms):
        return values
    xp, positions = namespace(values), {name: position for position, name in enumerate(names)}
    columns = [values[:, position] for position in range(len(names))]
    for position, term in enumerate(terms):
        if term is not None and term.kind is not TermKind.UNKNOWN:
            columns[position] = term.nll(xp.stack([columns[positions[name]] for name in term.observables], axis=1))
    return xp.stack(columns, axis=1)


def _square(z: Array) -> Array:
    return 0.5 * z * z


def _interval(xp: Any, knots: Any, x: Array) -> tuple[Array, Array]:
    """The position of the knot to the left of each x, shape (n,), and the fraction of the way to the next knot. All x
    lie within the knots.
    """
    edges = xp.asarray(knots)
    left = xp.clip(xp.searchsorted(edges, x, side="right") - 1, 0, len(knots) - 2)
    return left, (x - edges[left]) / (edges[left + 1] - edges[left])


def _between(low: Array, high: Array, share: Array) -> Array:
    """Linear interpolation that is exactly `low` and `high` at shares of 0 and 1."""
    return low * (1.0 - share) + high * share
