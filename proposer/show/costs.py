"""What each code of the chain cost, and how much was saved because points ended before it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from proposer.formats import show_number, show_time
from proposer.types import Floats, Status


@dataclass(frozen=True)
class Cost:
    """One code: how often it ran, its wall time in all, in seconds; how many points ended INVALID before it."""

    name: str
    runs: int
    seconds: float
    spared: int

    @property
    def mean(self) -> float:
        """Seconds a run; 0 before the first."""
        return self.seconds / self.runs if self.runs else 0.0


def costs(answered: Iterable[tuple[Status, Floats]], names: Sequence[str]) -> list[Cost]:
    """The codes in the order of the chain, from status and seconds of each point.

    A code without a name, as in runs of older versions, is called by its number.
    """
    seconds: dict[int, float] = defaultdict(float)
    points: dict[tuple[Status, int], int] = defaultdict(int)
    for status, found in answered:
        points[status, len(found)] += 1
        for code, total in enumerate(found.tolist()):
            seconds[code] += total
    count = max([len(names), *(ran for _, ran in points)])
    return [
        Cost(
            names[code] if code < len(names) else f"code {code + 1}",
            sum(n for (_, ran), n in points.items() if ran > code),
            seconds[code],
            sum(n for (status, ran), n in points.items() if status is Status.INVALID and ran <= code),
        )
        for code in range(count)
    ]


def show_costs(found: Sequence[Cost]) -> list[str]:
    """Lines for people; none before anything ran."""
    total = sum(code.seconds for code in found)
    if not total:
        return []
    lines = [
        f"{code.name}: {show_number(code.mean, 3)} s a point, {code.runs:,} runs, {show_time(code.seconds)} "
        f"({100 * code.seconds / total:.0f} %)"
        for code in found
    ]
    spared = [code for code in found if code.spared and code.runs]
    if spared:
        points = ", ".join(f"{code.name} was skipped at {code.spared:,}" for code in spared)
        saved = show_time(sum(code.mean * code.spared for code in spared))
        lines.append(f"the order of the codes saved about {saved}: {points} points that were already invalid")
    return lines
