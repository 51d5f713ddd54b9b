"""How many points share a message to a worker."""

import math

from evaluator.executors.groups import LARGEST_GROUP, Groups


def quick(points, seconds=1e-6):
    """Of a worker that has answered so many points one after the other."""
    groups = Groups()
    for _ in range(points):
        groups.note(seconds)
        groups.size(10**6, 1)
    return groups


def test_groups_grow_as_points_stay_quick():
    groups = Groups()
    assert groups.size(1000, 1) == 1  # nothing is known yet
    groups.note(1e-6)
    assert [groups.size(1000, 1) for _ in range(8)] == [2, 4, 8, 16, 32, 64, 64, 64]


def test_a_short_queue_does_not_make_the_next_groups_small():
    groups = quick(10)
    assert [groups.size(waiting, 1) for waiting in (1, 0, 999)] == [2, 1, LARGEST_GROUP]


def test_what_is_left_is_shared_but_not_to_the_last_point():
    groups = quick(10)
    assert [groups.size(waiting, 2) for waiting in (64, 40, 31, 15, 7)] == [32, 20, 16, 16, 8]
    assert [quick(10, 4e-4).size(waiting, 2) for waiting in (64, 40, 7, 1)] == [25, 20, 3, 2]


def test_after_a_slow_point_groups_grow_again_from_one():
    for slow in (1.0, math.inf, math.nan):
        groups = quick(10)
        groups.note(slow)
        assert groups.size(1000, 1) == 1
    groups = quick(10)
    groups.lose()
    assert groups.size(1000, 1) == 1
    groups.note(1e-6)
    assert [groups.size(1000, 1) for _ in range(3)] == [2, 4, 8]
