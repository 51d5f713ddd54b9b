"""Finds the point that has ended an evaluator: all points that were out when it died are suspects until one is to
blame.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence


class Deaths:
    """Deaths of evaluators for which no point is blamed yet, and points that are known to have ended an evaluator.

    At most one point is to blame for a death. An evaluator works on its points in the order of sending, and any number
    of its last answers may be lost with it. So any point that was out may have ended it, and if several would have, the
    first one did. The death counts as a try of a point only if the point may have begun, because deaths from outside
    also hit points that wait.
    """

    def __init__(self) -> None:
        self._open: list[tuple[list[int], frozenset[int]]] = []  # points that were out; those that may have begun
        self._known: set[int] = set()

    def note(self, out: Sequence[int], unanswered: Collection[int], begun: Collection[int]) -> tuple[int, int] | None:
        """Notes that an evaluator has died while the points `out`, in the order of sending, were out.

        Returns the point that is to blame and the number of deaths, this one and earlier ones, that count as its tries;
        None while that is unknown. `unanswered`: all points without an answer; the others are no longer suspects.
        `begun`: the points of `out` that may have begun.
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
        """Whether the point may have ended an evaluator."""
        return point in self._known or any(point in held for held, _ in self._open)

    def runs_alone(self, point: int) -> bool:
        """Whether a suspect must run alone. A suspect of a single death may run with others, one per worker, because
        most deaths come from outside.
        """
        return point in self._known or sum(point in held for held, _ in self._open) > 1

    def waits(self, point: int, out: Collection[int]) -> bool:
        """Whether this suspect has to wait: it is known to have ended an evaluator, and one of the points that are
        `out` may be to blame for another death in its place.
        """
        if point not in self._known:
            return False
        before = (held[: held.index(point)] for held, _ in self._open if point in held)
        return any(other in out for points_before in before for other in points_before)
