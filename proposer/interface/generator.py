"""LODE as a generator of gest-api, which optimas, Xopt and libEnsemble can drive.

Needs the package gest-api (https://github.com/campa-consortium/gest-api).
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from gest_api.generator import Generator
from gest_api.vocs import VOCS, ContinuousVariable, MinimizeObjective

from proposer.interface.asking import Lode
from proposer.target import Target
from scanspec import Likelihood, UsageError

Point = dict[str, Any]


class LodeGenerator(Generator):  # type: ignore[misc]  # gest-api has no types
    """Suggests points for the map of the region where the NLL is below `threshold`, or of a `target`, as in `Lode`.

    `vocs` has continuous variables with finite domains, and either one objective to minimise, the NLL, or observables
    whose likelihoods are in `observables` and give the NLL. A point is unphysical if it violates a constraint, or if
    its NLL is NaN or None. The same seed and answers give the same points.

    Raises ValueError for other variables or objectives.

    >>> vocs = VOCS(variables={"x": [-3.0, 3.0], "y": [-3.0, 3.0]}, objectives={"nll": "MINIMIZE"})
    >>> generator = LodeGenerator(vocs, threshold=1.0, seed=1)
    >>> for _ in range(3):
    ...     points = generator.suggest(40)
    ...     for point in points:
    ...         point["nll"] = 50 * (math.hypot(point["x"], point["y"]) - 2) ** 2
    ...     generator.ingest(points)
    >>> generator.search.good_count > 10
    True
    """

    returns_id = True

    def __init__(
        self,
        vocs: VOCS,
        *,
        threshold: float | None = None,
        target: Target | None = None,
        seed: int = 0,
        observables: Mapping[str, Likelihood] | None = None,
    ) -> None:
        self._likelihoods = dict(observables or {})
        super().__init__(vocs)
        self.vocs = vocs
        self.search = Lode(
            {name: tuple(variable.domain) for name, variable in vocs.variables.items()},
            threshold=threshold,
            target=target,
            seed=seed,
            observables=self._likelihoods,
        )
        self._constants = {name: constant.value for name, constant in vocs.constants.items()}
        self._waiting: list[list[float]] = []
        self._out: dict[int, list[float]] = {}
        self._ids = itertools.count(1)

    def _validate_vocs(self, vocs: VOCS) -> None:
        if not vocs.variables:
            raise ValueError("LODE needs at least one variable")
        for name, variable in vocs.variables.items():
            if type(variable) is not ContinuousVariable or not all(map(math.isfinite, variable.domain)):
                raise ValueError(f"LODE only supports continuous variables with a finite domain; {name!r} is not one")
        if self._likelihoods:
            if unknown := sorted(set(self._likelihoods) - set(vocs.observable_names)):
                raise ValueError(f"the VOCS does not name the observables {', '.join(unknown)}")
        elif [type(objective) for objective in vocs.objectives.values()] != [MinimizeObjective]:
            raise ValueError("LODE needs one objective to minimise, the NLL, or observables with their likelihoods")

    def suggest(self, num_points: int | None = None) -> list[Point]:
        """`num_points` points, or a batch of LODE's own size. Raises ValueError if the space has too few
        points left.
        """
        wanted = num_points if num_points is not None else max(len(self._waiting), 1)
        if len(self._waiting) < wanted:
            self._waiting += self.search.ask(wanted - len(self._waiting)).tolist()
        given = self._waiting[: len(self._waiting) if num_points is None else num_points]
        if num_points is not None and len(given) < num_points:
            raise ValueError(f"there are {len(given)} points left, fewer than {num_points}")
        del self._waiting[: len(given)]
        return [self._point(values) for values in given]

    def _point(self, values: list[float]) -> Point:
        number = next(self._ids)
        self._out[number] = values
        return {**dict(zip(self.vocs.variables, values, strict=True)), **self._constants, "_id": number}

    def ingest(self, results: list[Point]) -> None:
        """Takes answers, in any order and in any parts. Points from elsewhere have no `_id`.

        Raises ValueError for an `_id` that was not given out or was answered already.
        """
        asked = [result for result in results if "_id" in result]
        ids = [point["_id"] for point in asked]
        if unknown := [number for number, times in Counter(ids).items() if number not in self._out or times > 1]:
            raise ValueError(f"the _id {unknown[0]!r} was not given out, or its point was answered already")
        others = [result for result in results if "_id" not in result]
        elsewhere = np.stack([_column(others, name) for name in self.vocs.variables], axis=1)
        self._tell([self._out[number] for number in ids], asked, known=False)
        for number in ids:
            del self._out[number]
        self._tell(elsewhere.tolist(), others, known=True)

    def _tell(self, points: list[list[float]], results: list[Point], *, known: bool) -> None:
        if not results:
            return
        tell = self.search.add if known else self.search.tell
        valid = np.array([self._is_valid(result) for result in results])
        if not self._likelihoods:
            (objective,) = self.vocs.objectives
            tell(points, nll=np.where(valid, _column(results, objective), np.nan))
            return
        values = {name: np.where(valid, _column(results, name), np.nan) for name in self._likelihoods}
        tell(points, observables=values)

    def _is_valid(self, result: Point) -> bool:
        return all(constraint.check(_column([result], name)[0]) for name, constraint in self.vocs.constraints.items())


def _column(results: list[Point], name: str) -> np.ndarray:
    try:
        return np.array([math.nan if result[name] is None else result[name] for result in results], dtype=np.float64)
    except KeyError:
        raise UsageError(f"a result has no {name!r}", next_step="give every output that the VOCS names") from None
