"""The cost of each code of the chain, and the time saved at points that ended before it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from proposer.formats import show_number, show_time
from proposer.types import Floats, Status


@dataclass(frozen=True)
class Cost:
    """One code: the number of its runs, its total wall time in seconds, and the number of points that ended INVALID
    before it.
    """

    name: str
    runs: int
    seconds: float
    spared: int

    @property
    def mean(self) -> float:
        """The mean time of a run in seconds; 0 before the first run."""
        return self.seconds / self.runs if self.runs else 0.0


def costs(answered: Iterable[tuple[Status, Floats]], names: Sequence[str]) -> list[Cost]:
    """The costs of the codes, in the order of the chain, from the status and the seconds of each point.

    A code without a name, as in runs of older versions, is named by its number.
    """
    seconds: dict[int, float] = defaultdict(float)
    points: dict[tuple[Status, int], int] = defaultdict(int)
    for status, times in answered:
        points[status, len(times)] += 1
        for code, total in enumerate(times.tolist()):
            seconds[code] += total
    return costs_of(points, seconds, names)


def costs_of(
    points: Mapping[tuple[Status, int], int], seconds: Mapping[int, float], names: Sequence[str]
) -> list[Cost]:
    """The same from the number of points by status and by how many codes ran, and from the seconds of each code."""
    count = max([len(names), *(ran for _, ran in points)])
    return [
        Cost(
            names[code] if code < len(names) else f"code {code + 1}",
            sum(n for (_, ran), n in points.items() if ran > code),
            seconds.get(code, 0.0),
            sum(n for (status, ran), n in points.items() if status is Status.INVALID and ran <= code),
        )
        for code in range(count)
    ]


def show_costs(costs: Sequence[Cost]) -> list[str]:
    """The costs as lines for people; no lines before any code ran."""
    total = sum(code.seconds for code in costs)
    if not total:
        return []
    lines = [
        f"{code.name}: {show_number(code.mean, 3)} s a point, {code.runs:,} runs, {show_time(code.seconds)} "
        f"({100 * code.seconds / total:.0f} %)"
        for code in costs
    ]
    spared = [code for code in costs if code.spared and code.runs]
    if spared:
        points = ", ".join(f"{code.name} was skipped at {code.spared:,}" for code in spared)
        saved = show_time(sum(code.mean * code.spared for code in spared))
        lines.append(f"the order of the codes saved about {saved}: {points} points that were already invalid")
    return lines
