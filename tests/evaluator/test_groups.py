"""How many points share a message to a worker."""

import math
import threading

from evaluator.executors.groups import LARGEST_GROUP, Groups
from evaluator.executors.job import Job, JobQueue
from tests.evaluator.serving import wait_until


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


def test_a_slow_message_makes_the_next_ones_small_even_if_points_are_quick_on_average():
    groups = quick(10)
    groups.note(5e-3)
    assert groups.size(1000, 1) == 2


def test_a_worker_leaves_the_others_their_share_while_one_is_idle():
    for idle, taken in ((0, 16), (1, 3), (3, 3)):
        jobs = JobQueue()
        for number in range(16):
            jobs.put(Job(number, (), 0.0, print))
        assert jobs.get() is not None
        jobs.idle = idle
        assert 1 + len(quick(10).more(jobs, 4)) == taken


def test_those_who_wait_for_a_job_are_idle():
    jobs = JobQueue()
    threads = [threading.Thread(target=jobs.get, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert wait_until(lambda: jobs.idle == 2)
    for _ in threads:
        jobs.put(None)
    for thread in threads:
        thread.join(60)
    assert jobs.idle == 0
