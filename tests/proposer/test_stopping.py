"""The good points with which a scan ends."""

from __future__ import annotations

import math
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from proposer.stopping import FirstGood


@given(st.sets(st.integers(1, 1000), max_size=60), st.integers(1, 40), st.randoms())
def test_the_first_good_points_by_id_count_in_any_order_of_arrival(ids: set[int], wanted: int, random) -> None:
    first, came = FirstGood(wanted), list(ids)
    random.shuffle(came)
    for start in range(0, len(came), 7):
        first.add(came[start : start + 7])
    assert first.last == (sorted(ids)[wanted - 1] if len(ids) >= wanted else math.inf)


def test_a_late_point_with_a_lower_id_replaces_the_last_one() -> None:
    first = FirstGood(2)
    assert first.last == math.inf
    first.add([5, 9])
    assert first.last == 9
    first.add([7])
    assert first.last == 7
    first.add([8])
    assert first.last == 7


def test_a_good_point_takes_few_bytes() -> None:
    points, first = 20_000, FirstGood(10**9)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        first.add(range(10**6, 10**6 + points))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 12 * points
