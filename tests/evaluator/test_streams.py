"""Several clients at once, and clients that ask for too much: memory, turns, and bounds."""

import asyncio
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from evaluator.chain import Outcome, Status
from evaluator.executors.job import JobQueue
from evaluator.executors.protocol import Health
from evaluator.service import server as service
from evaluator.service import stream as streams
from lodescan.v1 import evaluation_pb2 as pb
from lodescan.v1 import evaluation_pb2_grpc as pb_grpc
from tests.evaluator.calls import Stream, statuses
from tests.evaluator.serving import resident


def refused(server, request):
    with pytest.raises(grpc.RpcError) as caught:
        list(server.stub.Evaluate(iter([request]), timeout=60))
    return caught.value


NAMES = ["x", "pause"]
TOO_MUCH = {
    "names": pb.EvaluateRequest(parameters=[""] * 60_000),
    "a long name": pb.EvaluateRequest(parameters=["\x1b[31m" * 25_000]),
    "ids": pb.EvaluateRequest(parameters=NAMES, point_ids=range(40_000)),
    "values": pb.EvaluateRequest(parameters=NAMES, point_ids=[1], values=[1.0] * 15_000),
    "NaN": pb.EvaluateRequest(parameters=NAMES, point_ids=range(4096), values=[float("nan")] * 8192),
}


def test_a_refused_request_is_freed_at_once_and_gets_a_short_message(slow):
    """The memory is freed even without Python's cyclic garbage collector."""
    server = slow(before="import gc; gc.disable()")
    for request in TOO_MUCH.values():
        refused(server, request)
    before = resident(server.process.pid)
    for request in TOO_MUCH.values():
        for _ in range(60):
            details = refused(server, request).details()
            assert details.isprintable() and len(details) < 1200
    assert resident(server.process.pid) < before + 20


def test_a_request_larger_than_any_batch_is_not_even_read(shared):
    error = refused(shared, pb.EvaluateRequest(parameters=[""] * 5_000_000))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    largest = shared.request([[1.0, 0.0]] * 4096, first_id=2**64 - 4097)
    assert len(list(largest.point_ids)) == 4096
    assert sum(len(response.results) for response in shared.stub.Evaluate(iter([largest]), timeout=60)) == 4096


def test_points_of_two_streams_take_turns(gated):
    server = gated()
    first = Stream(server, [[1.0, 1], *[[1.0, 0]] * 150])
    assert server.began(1)
    second = Stream(server, [[2.0, 0]] * 11)
    second.send(cancel_point_ids=[10])
    assert statuses(second.take(1)) == {10: "CANCELLED"}  # so the other ten wait behind 150 points
    server.let_go(1)
    ours, theirs = (sorted(result.begun_at for result in stream.close().values()) for stream in (first, second))
    assert (len(ours), len(theirs)) == (151, 10)
    assert (
        sum(begun <= theirs[-1] for begun in ours) < 40
    )  # ten and ten; in the order of arrival the number would be 151


def test_waiting_points_are_returned_on_request(gated):
    server = gated()
    stream = Stream(server, [[1.0, 1], [2.0, 1], *[[3.0, 0]] * 3])
    assert server.began(1)
    server.let_go(1)
    assert statuses(stream.take(1)) == {0: "OK"}
    assert server.began(2)
    stream.send(return_waiting=True)
    assert statuses(stream.take(3)) == {2: "CANCELLED", 3: "CANCELLED", 4: "CANCELLED"}
    server.let_go(2)
    assert statuses(stream.close()) == {1: "OK"}


class NeverHeld(JobQueue):
    def hold(self, owner):
        raise AssertionError(owner)


class Holding:
    """An executor that keeps its points until the test tells it to work."""

    concurrency = 1
    longest_seconds = 0.0

    def __init__(self):
        self.jobs, self.most, self.works = [], 0, False
        self.health = Health()
        self.queue: JobQueue = NeverHeld()

    def submit(self, *jobs):
        self.jobs += jobs
        self.most = max(self.most, len(self.jobs))
        if self.works:
            self.work()

    def work(self):
        self.works = True
        while self.jobs:
            job = self.jobs.pop()
            if job.begin():
                job.finish(Outcome(Status.FAILED))

    def cancel(self, job):
        job.cancel()

    def close(self):
        pass


class Caller:
    """The part of a call's context that the service uses."""

    def peer(self):
        return "ipv4:127.0.0.1:1"


def test_all_streams_share_one_bound_and_each_has_some_room(monkeypatch):
    monkeypatch.setattr(service, "MOST_UNANSWERED", 1000)
    executor = Holding()
    description = pb.DescribeResponse(parameters=[pb.Parameter(name="x")])
    evaluation = service.Evaluation(executor, description, [])

    async def requests():
        for number in range(100):
            yield pb.EvaluateRequest(
                parameters=["x"], point_ids=range(number * 10, number * 10 + 10), values=[0.5] * 10
            )
            await asyncio.sleep(0)

    async def stream():
        return sum([len(response.results) async for response in evaluation.Evaluate(requests(), Caller())])

    async def run():
        streams = [asyncio.create_task(stream()) for _ in range(10)]
        submitted = -1
        while submitted != len(executor.jobs):
            submitted = len(executor.jobs)
            await asyncio.sleep(0.1)
        held = {job.owner: 0 for job in executor.jobs}
        for job in executor.jobs:
            held[job.owner] += 1
        executor.work()
        return held, await asyncio.gather(*streams)

    held, answered = asyncio.run(run())
    assert 500 < executor.most <= 1000
    assert len(held) == 10 and min(held.values()) >= 10
    assert answered == [1000] * 10


def test_a_newcomer_with_a_large_batch_is_read_although_others_take_all_room(monkeypatch):
    """A stream without points need not wait until the others leave room for its whole batch."""
    monkeypatch.setattr(service, "MOST_UNANSWERED", 1000)
    executor = Holding()
    evaluation = service.Evaluation(executor, pb.DescribeResponse(parameters=[pb.Parameter(name="x")]), [])

    async def stream(batches, size, first):
        async def requests():
            for number in range(batches):
                ids = range(first + number * size, first + (number + 1) * size)
                yield pb.EvaluateRequest(parameters=["x"], point_ids=ids, values=[0.5] * size)

        return sum([len(response.results) async for response in evaluation.Evaluate(requests(), Caller())])

    async def holds(points):
        while len(executor.jobs) < points:
            await asyncio.sleep(0.01)

    async def run():
        greedy = asyncio.create_task(stream(100, 10, 0))
        await asyncio.wait_for(holds(490), 60)  # from here on it waits, and would take each free place
        newcomer = asyncio.create_task(stream(1, 900, 0))
        await asyncio.wait_for(holds(490 + 900), 60)
        executor.work()
        return await asyncio.wait_for(asyncio.gather(greedy, newcomer), 60)

    assert asyncio.run(run()) == [1000, 900]


def test_whoever_hears_of_the_end_can_rely_on_it(monkeypatch):
    """A request that comes just after an evaluator stops begins no points, while results wait for others too."""
    monkeypatch.setattr(streams, "COALESCE", 60.0)
    executor = Holding()
    evaluation = service.Evaluation(executor, pb.DescribeResponse(parameters=[pb.Parameter(name="x")]), [])

    async def run():
        sent: asyncio.Queue[int] = asyncio.Queue()

        async def requests():
            while True:
                yield pb.EvaluateRequest(parameters=["x"], point_ids=[await sent.get()], values=[0.5])

        async def answered():
            call = evaluation.Evaluate(requests(), Caller())
            return [result.point_id async for response in call for result in response.results]

        call = asyncio.create_task(answered())
        sent.put_nowait(1)
        while not executor.jobs:
            await asyncio.sleep(0.01)
        running = executor.jobs.pop()
        assert running.begin()
        evaluation.take_no_more(100.0)
        sent.put_nowait(2)
        for _ in range(20):
            await asyncio.sleep(0)
        submitted = [job.point_id for job in executor.jobs]
        running.finish(Outcome(Status.FAILED))
        executor.work()
        return submitted, await asyncio.wait_for(call, 60)

    assert asyncio.run(run()) == ([], [1])


def test_calls_over_one_connection_are_bounded_and_others_are_served(slow):
    server = slow(before="from evaluator.service import server as service; service.MOST_CALLS = 3")
    alone = [("grpc.use_local_subchannel_pool", 1)]
    with (
        grpc.insecure_channel(server.address, alone) as greedy,
        grpc.insecure_channel(server.address, alone) as other,
    ):
        watches = [
            health_pb2_grpc.HealthStub(greedy).Watch(health_pb2.HealthCheckRequest(), timeout=60) for _ in range(3)
        ]
        for watch in watches:
            next(watch)
        one_more = pb_grpc.EvaluationServiceStub(greedy).Describe.future(pb.DescribeRequest(), timeout=60)
        assert pb_grpc.EvaluationServiceStub(other).Describe(pb.DescribeRequest(), timeout=60).concurrency
        assert not one_more.done()
        watches[0].cancel()
        assert one_more.result().concurrency


async def stream_with(executor, points):
    """A stream whose client has sent so many points, in one message."""

    async def requests():
        yield pb.EvaluateRequest(parameters=["x"], point_ids=range(points), values=[0.5] * points)

    async def room(*_):
        return

    stream = streams.Stream(executor, pb.DescribeResponse(parameters=[pb.Parameter(name="x")]), room)
    await stream.start(requests())
    return stream


def test_a_signal_given_before_a_wait_does_not_end_the_wait(monkeypatch):
    """Otherwise each result would go in its own message."""
    monkeypatch.setattr(streams, "COALESCE", 60.0)
    executor = Holding()
    executor.concurrency = 3

    async def run():
        stream = await stream_with(executor, 4)
        stream.wake.set()
        first = executor.jobs.pop()
        assert first.begin()
        waiting = asyncio.create_task(stream.wait(None))
        first.finish(Outcome(Status.FAILED))  # the event loop gets this after the wait has begun
        for _ in range(10):
            await asyncio.sleep(0)
        assert not waiting.done()
        executor.work()
        await asyncio.wait_for(waiting, 60)
        return stream.take(10)

    assert len(asyncio.run(run())) == 4


def test_a_grace_that_ends_just_before_a_wait_ends_the_wait():
    """The points that still run must then be cancelled."""
    executor = Holding()

    async def run():
        stream = await stream_with(executor, 1)
        stream.wake.clear()
        assert executor.jobs[0].begin()
        await asyncio.wait_for(stream.wait(time.monotonic()), 60)

    asyncio.run(run())


class GivenBack(NeverHeld):
    """A worker gives the job `begun` back just before the queue is emptied."""

    def __init__(self):
        super().__init__()
        self.begun = None

    def drop(self, owner):
        self.begun.wait_again()
        self.put_back([self.begun])
        super().drop(owner)


class Queueing(Holding):
    """An executor that takes its jobs from a queue."""

    def __init__(self, queue):
        super().__init__()
        self.queue = queue

    def submit(self, *jobs):
        self.queue.put(*jobs)


def test_a_point_that_is_given_back_while_points_are_returned_is_answered():
    queue = GivenBack()

    async def run():
        stream = await stream_with(Queueing(queue), 3)
        (queue.begun,) = queue.take(1)
        assert queue.begun.begin()
        stream.cancel(everything=False)
        return sorted(job.point_id for job in stream.take(10))

    assert asyncio.run(run()) == [0, 1, 2]


def test_a_point_that_is_given_back_after_points_were_returned_is_returned_too():
    """It waited behind another one in a worker's message. It does not begin in an evaluator that is stopping."""
    executor = Holding()

    async def run():
        stream = await stream_with(executor, 2)
        runs, given_back = executor.jobs
        assert runs.begin() and given_back.begin()
        stream.cancel(everything=False)
        given_back.wait_again()
        assert not given_back.begin() and runs.running
        return [(job.point_id, job.outcome.status) for job in stream.take(10)]

    assert asyncio.run(run()) == [(1, Status.CANCELLED)]


def test_too_many_streams_that_stay_open_are_refused(slow):
    server = slow(before="from evaluator.service import server as service; service.MOST_STREAMS = 3")
    streams = [Stream(server, [[1.0, 0.0]]) for _ in range(3)]  # all of them keep their side open
    for stream in streams:
        stream.take(1)
    error = refused(server, server.request([[1.0, 0.0]]))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and "3 streams are open" in error.details()
    for stream in streams:
        stream.close()
