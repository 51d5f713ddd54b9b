"""How many points share a message to a worker."""

import math
import multiprocessing
import threading

from evaluator.chain import Outcome, Status
from evaluator.executors.groups import LARGEST_GROUP, Groups
from evaluator.executors.job import Job, JobQueue
from evaluator.executors.worker_process import EARLY, Answers, Begun
from tests.evaluator.calls import Stream, statuses
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
    assert [groups.size(waiting, 2) for waiting in (80, 63, 31, 15, 7)] == [41, 32, 32, 16, 8]
    assert [quick(10, 4e-4).size(waiting, 2) for waiting in (64, 40, 7, 1)] == [25, 21, 4, 2]


def test_two_idle_workers_take_half_of_a_batch_each():
    assert [quick(10).size(waiting, 2, idle) for waiting, idle in ((63, 1), (31, 0))] == [32, 32]


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
    for idle, taken in ((0, 16), (1, 4), (3, 4)):
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
        jobs.end()
    for thread in threads:
        thread.join(60)
    assert jobs.idle == 0


def test_points_behind_a_slow_one_go_to_a_worker_that_is_free(gated):
    """All come in one batch. A worker gets several of them in one message, because the points before were quick."""
    server = gated(workers=2)
    stream = Stream(server, [[0.5, 0]] * 300)
    stream.take(300)
    stream.send(point_ids=range(300, 320), values=[1.0, 1, 2.0, 1, *[3.0, 0] * 18])
    assert server.began(1) and server.began(2)
    server.let_go(2)
    assert set(stream.take(19)) == {*range(301, 320)}
    server.let_go(1)
    assert statuses(stream.close()) == {300: "OK"}


ALL_THAT_WAIT = """
from pathlib import Path
from evaluator.executors.groups import Groups
from evaluator.executors.job import JobQueue

def put_back(queue, jobs, really=JobQueue.put_back):
    really(queue, jobs)
    Path("FILE").touch()

JobQueue.put_back = put_back
Groups.size = lambda groups, waiting, workers, idle=0: 1 + waiting
"""
"""All points that wait share a message; a file tells that points were given back."""


def test_points_that_were_given_back_can_be_cancelled(gated, tmp_path):
    given_back = tmp_path / "given-back"
    server = gated(workers=1, before=ALL_THAT_WAIT.replace("FILE", str(given_back)))
    stream = Stream(server, [[2.0, 1]])
    assert server.began(2)
    stream.send(point_ids=[300, 301, 302, 303], values=[1.0, 1, *[3.0, 0] * 3])
    stream.send(cancel_point_ids=[303])
    assert statuses(stream.take(1)) == {303: "CANCELLED"}  # so the others have come, too
    server.let_go(2)
    assert statuses(stream.take(1)) == {0: "OK"}
    assert server.began(1) and wait_until(given_back.exists)
    stream.send(cancel_point_ids=[301], return_waiting=True)
    assert statuses(stream.take(2)) == {301: "CANCELLED", 302: "CANCELLED"}
    server.let_go(1)
    assert statuses(stream.close()) == {300: "OK"}


def test_a_job_that_waits_again_can_begin_again_or_be_cancelled():
    ended: list[Job] = []
    job = Job(1, (), 0.0, ended.append)
    assert job.begin()
    job.wait_again()
    assert (job.running, job.begun_at) == (False, 0.0) and job.begin()
    assert not job.cancel()  # it runs
    job.wait_again()
    assert ended == [job] and not job.begin()


def test_a_message_is_answered_even_if_its_first_point_begins_late():
    ours, its = multiprocessing.Pipe()
    answers = Answers(its)
    outcomes = answers.begin(7, 3)
    assert not ours.poll(10 * EARLY)  # a busy machine may keep a worker waiting; it gives nothing back meanwhile
    while answers.next():
        outcomes.append(Outcome(Status.OK))
    answers.end()
    answered, given_back = 0, 0
    while ours.poll():
        request, what = ours.recv()
        assert request == 7
        if isinstance(what, Begun):
            given_back = 3 - what.points
        else:
            answered += len(what)
    assert answered >= 1 and answered + given_back == 3
