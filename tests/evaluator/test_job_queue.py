"""The queue of jobs: owners take turns, and their points keep their order."""

from evaluator.executors.job import Job, JobQueue


def job(number, owner):
    return Job(number, [], 0.0, lambda _: None, owner)


def test_owners_take_turns_and_the_points_of_each_keep_their_order():
    waiting = JobQueue()
    for number in range(4):
        waiting.put(job(number, "a"))
    waiting.end()
    waiting.put(*(job(number, "b") for number in range(2)))
    assert waiting.qsize() == 6
    got = [waiting.get() for _ in range(6)]
    assert [(result.owner, result.point_id) for result in got] == [
        ("a", 0),
        ("b", 0),
        ("a", 1),
        ("b", 1),
        ("a", 2),
        ("a", 3),
    ]
    assert waiting.get() is None
    assert waiting.take(1) == []


def test_points_that_an_owner_drops_are_forgotten():
    waiting = JobQueue()
    for number in range(3):
        waiting.put(job(number, "a"))
        waiting.put(job(number, "b"))
    waiting.drop("a")
    waiting.drop("nobody")
    assert waiting.qsize() == 3
    assert [taken.owner for taken in waiting.take(9)] == ["b"] * 3


def test_points_of_an_owner_that_is_held_back_wait_in_their_order():
    waiting = JobQueue()
    for number in range(2):
        waiting.put(job(number, "a"))
    waiting.put(job(0, "b"))
    waiting.hold("a")
    waiting.hold("a")
    waiting.put(job(2, "a"))
    assert (waiting.qsize(), waiting.get().owner) == (1, "b")
    late = job(7, "a")
    waiting.put_back([late])
    waiting.release("a")
    waiting.release("a")
    assert [waiting.get().point_id for _ in range(4)] == [7, 0, 1, 2]
    waiting.hold("a")
    waiting.put(job(0, "a"))
    waiting.drop("a")
    waiting.put(job(1, "a"))
    assert waiting.qsize() == 0  # it is still held back
    waiting.release("a")
    assert waiting.get().point_id == 1


def test_points_are_put_back_before_those_of_their_owner():
    waiting = JobQueue()
    for number in range(4):
        waiting.put(job(number, "a"))
    taken = [waiting.get() for _ in range(3)]
    waiting.put_back(taken[1:])
    assert [waiting.get().point_id for _ in range(3)] == [1, 2, 3]
