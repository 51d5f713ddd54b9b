"""Which point has ended an evaluator: those that were out when it died are suspects until one of them is to blame."""

from __future__ import annotations

from collections.abc import Collection, Sequence


class Deaths:
    """Deaths of evaluators for which no point is blamed yet, and points that are known to have ended an evaluator.

    Each death is at most one point's. An evaluator works off its points in the order of sending, and its last answers
    may be lost with it, however many: any point that was out may have ended it, and of several that would have, the
    first did. A death is a try of that point only if it may have begun by then: deaths from outside meet points that
    wait, too.
    """

    def __init__(self) -> None:
        self._open: list[tuple[list[int], frozenset[int]]] = []  # points that were out; those that may have begun
        self._known: set[int] = set()

    def note(self, out: Sequence[int], unanswered: Collection[int], begun: Collection[int]) -> tuple[int, int] | None:
        """An evaluator has died while these points were out, in the order of sending.

        Returns the point that is to blame and how many deaths are its tries, this one and earlier ones; None as long as
        nobody knows. `unanswered`: all points without an answer; the others are suspects no longer. `begun`: those of
        `out` that may have begun.
        """
        self._known.intersection_update(unanswered)
        if len(out) != 1:
            self._open.append((list(out), frozenset(begun)))
        self._open = [
            (left, tried) for held, tried in self._open if (left := [point for point in held if point in unanswered])
        ]
        if len(out) != 1:
            return None
        (point,) = out
        if point not in unanswered:
            return None
        self._known.add(point)
        mine = [tried for held, tried in self._open if held[0] == point]
        self._open = [(held, tried) for held, tried in self._open if held[0] != point]
        return point, 1 + sum(point in tried for tried in mine)

    @property
    def suspects(self) -> set[int]:
        """All points that may have ended an evaluator."""
        return self._known.union(*(held for held, _ in self._open))

    def is_suspect(self, point: int) -> bool:
        """Whether it may have ended an evaluator."""
        return point in self._known or any(point in held for held, _ in self._open)

    def runs_alone(self, point: int) -> bool:
        """Whether a suspect is to run alone. One that was out at a single death has company, as many as there are
        workers: most deaths come from outside.
        """
        return point in self._known or sum(point in held for held, _ in self._open) > 1

    def waits(self, point: int, out: Collection[int]) -> bool:
        """Whether one of the points that are `out` may be to blame for a death instead of this point, which is known to
        have ended another evaluator.
        """
        if point not in self._known:
            return False
        before = (held[: held.index(point)] for held, _ in self._open if point in held)
        return any(other in out for points_before in before for other in points_before)
