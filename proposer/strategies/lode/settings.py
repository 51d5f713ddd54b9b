"""The settings of LODE in a scan file. This module does not import torch, so that reading a file is quick."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from proposer.target import DEFAULT_TARGET, Target
from scanspec.document import closest, plain_name

if TYPE_CHECKING:
    from scanspec import ScanFile


BATCH, LEAST_BATCH, BATCHES, SECONDS = 200, 8, 30, 2000.0
"""The largest batch has BATCH points. With few evaluations, it has 1 / BATCHES of them. With slow points, it has the
number that one worker evaluates in SECONDS; with 50 workers, that still takes 20 times as long as a choice. It always
has at least LEAST_BATCH points.
"""


@dataclass(frozen=True)
class LodeSettings:
    """The section `networks` of a scan file."""

    target: Target = DEFAULT_TARGET
    """The condition for good points."""
    points_per_iteration: int = BATCH
    """The largest batch; smaller for few evaluations (see `batch`)."""
    collect: bool = False
    """Whether to find many good points soon, instead of an even map."""
    even_in: tuple[str, ...] = ()
    """Variables and observables in which the map shall be even; empty for all variables."""
    evaluations: float = math.inf
    """The largest number of evaluations; infinite if the scan file sets the size of a batch. A continued run keeps its
    first value.
    """
    seconds: float = 0.0
    """The time for a point, in seconds, from the scan file; 0 if it is not given, or if the file sets the size of a
    batch.
    """

    @classmethod
    def read(cls, scan: ScanFile) -> Self:
        """Reads and checks the settings of a scan file. Raises ScanFileError with file, line, and key."""
        section, none = scan.networks, cls()
        if (goal := scan.setup.text("goal", "map")) not in ("map", "collect"):
            raise scan.setup.wrong("goal", "map (all of the good region, evenly) or collect (many good points, soon)")
        even_in = [plain_name(word) for word in scan.setup.texts("even_in")]
        names = [variable.name for variable in scan.variables] + [
            observable.name for observable in scan.all_observables()
        ]
        for name in even_in:
            if name not in names:
                raise scan.setup.error(
                    f"even_in: {name!r} is not a variable or observable{closest(name, names)}", "even_in"
                )
        evaluations, seconds = math.inf, 0.0
        if "points_per_iteration" not in section:
            if "max_evaluations" in scan.setup:
                evaluations = float(scan.setup.integer("max_evaluations", low=1))
            seconds = scan.setup.number_in("seconds_per_point", 0.0, 0.0, math.inf)
        if even_in and goal == "collect":
            raise scan.setup.error(
                "even_in is for goal: map, but the goal is collect; remove one of the two", "even_in"
            )
        return cls(
            Target.read(scan, none.target),
            section.integer("points_per_iteration", BATCH, low=1),
            goal == "collect",
            tuple(even_in),
            evaluations=evaluations,
            seconds=seconds,
        )

    @property
    def batch(self) -> int:
        """The largest batch. If evaluations are few or slow, batches are small, so that each point uses the results of
        the others.
        """
        of_cost = SECONDS / self.seconds if self.seconds else math.inf
        return int(min(self.points_per_iteration, max(LEAST_BATCH, min(self.evaluations / BATCHES, of_cost))))
