"""Points on a Dask cluster, with a real scheduler and real workers, some of which are killed."""

import contextlib
import queue
import threading
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lodescan.v1 import evaluation_pb2 as pb
from tests.evaluator.clusters import begun, start
from tests.evaluator.serving import wait_until

pytestmark = [pytest.mark.physics(environment="dask"), pytest.mark.slow]


def test_two_workers_share_the_points(cluster, evaluator, dask_scan):
    cluster.worker("--no-nanny"), cluster.worker("--nanny")
    wait_until(lambda: cluster.said().count("Registered to") == 2, 60)
    path = dask_scan()
    server = start(evaluator, cluster, path)
    assert server.describe().concurrency == 2
    found = server.evaluate([[x, 0.0] for x in range(40)])
    assert [list(result.observables) for result in found] == [[x**2] for x in range(40)]
    assert len({root for _, root in begun(path.parent)}) == 2
    # a crash and a hang cost only their own point, and no Dask worker
    assert server.statuses([[1, 0], [2, 1], [3, 0]]) == ["OK", "FAILED", "OK"]
    assert "Abort" in server.evaluate([[2.0, 1.0]])[0].message
    assert cluster.said().count("Registered to") == 2
    assert server.terminate() == 0


def test_spectrum_files_come_back_from_every_worker(cluster, evaluator, scan_file):
    cluster.worker("--no-nanny"), cluster.worker("--nanny")
    wait_until(lambda: cluster.said().count("Registered to") == 2, 60)
    path = scan_file(
        "variables: {x: [0, 100]}\ncodes:\n  copy:\n    command: sh where.sh {input} {output}\n"
        "    input_file: in.slha\n    observables: {y: {slha: [A, 1], mean: 1, sigma: 1}}\n",
        in__slha="BLOCK A\n  1  x\n",
        where__sh='cat $1 > $2\necho "# $PWD" >> $2\nsleep 0.1\n',
    )
    server = start(evaluator, cluster, path)
    request = server.request([[float(x)] for x in range(20)])
    request.spectra_below_nll = float("inf")
    results = [result for reply in server.stub.Evaluate(iter([request]), timeout=60) for result in reply.results]
    files = {result.point_id: result.spectra for result in results}
    assert sorted(files) == list(range(20))
    assert all(len(file) == 1 and f"  1  {number:.8E}\n".encode() in file[0] for number, file in files.items())
    assert (
        len({file[0].split(b"# ")[1].rsplit(b"/", 1)[0] for file in files.values()}) == 2
    )  # one folder for each worker
    assert server.terminate() == 0


def test_a_point_of_a_killed_worker_goes_to_the_other_worker(cluster, evaluator, dask_scan):
    killed = cluster.worker("--no-nanny")
    cluster.worker("--nanny")
    wait_until(lambda: cluster.said().count("Registered to") == 2, 60)
    path = dask_scan()
    server = start(evaluator, cluster, path)
    results = []
    thread = threading.Thread(target=lambda: results.extend(server.evaluate([[x, 2.0] for x in range(6)])))
    thread.start()
    assert wait_until(lambda: len(begun(path.parent)) == 2)  # both workers run a point
    killed.kill()
    killed.wait()
    time.sleep(1)
    (path.parent / "go").touch()
    thread.join(60)
    assert [pb.Status.Name(result.status) for result in results] == ["STATUS_OK"] * 6
    assert [list(result.observables) for result in results] == [[x**2] for x in range(6)]
    times = [sum(point == str(x) for point, _ in begun(path.parent)) for x in range(6)]
    assert sorted(times) == [1, 1, 1, 1, 1, 2]
    assert server.terminate() == 0


def test_points_end_at_their_deadline_and_with_their_client(cluster, evaluator, dask_scan):
    cluster.worker("--nanny")
    path = dask_scan(timeout=1)
    server = start(evaluator, cluster, path)
    assert server.statuses([[1, 2], [2, 0]]) == ["TIMED_OUT", "OK"]
    # after a change of a file there is another pool, even while an older evaluator is running
    path = dask_scan(timeout=600)
    server = start(evaluator, cluster, path)
    for _ in range(10):  # each time, the message that the next point may not begin races with this point
        before = len(begun(path.parent))
        call = server.stub.Evaluate(iter([server.request([[x, 2.0] for x in range(20)])]), timeout=60)
        assert wait_until(lambda: len(begun(path.parent)) > before)  # noqa: B023
        call.cancel()  # as when a proposer vanishes
        assert server.evaluate([[5.0, 0.0]])[0].observables == [25.0]
    assert server.terminate() == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--executor", "dask"], "go together"),
        (["--scheduler", "tcp://127.0.0.1:9"], "go together"),
        (["--executor", "dask", "--scheduler", "tcp://127.0.0.1:9"], "no Dask scheduler answers"),
    ],
)
def test_a_missing_cluster_is_an_error(evaluator, dask_scan, options, words):
    with pytest.raises(RuntimeError, match=words):
        evaluator(dask_scan(), options=options)


def test_a_lost_scheduler_ends_the_evaluator(cluster, evaluator, dask_scan):
    cluster.worker("--nanny")
    server = start(evaluator, cluster, dask_scan())
    assert server.statuses([[1, 0]]) == ["OK"]
    cluster.processes[0].kill()
    call = server.stub.Evaluate(iter([server.request([[1.0, 0.0]])]), timeout=60)
    results = [result for response in call for result in response.results]
    assert not [result for result in results if result.status != pb.STATUS_CANCELLED]
    assert server.process.wait(60) == 5
    assert "the Dask cluster is lost" in server.log.read_text()


def test_waiting_points_are_returned_and_streams_take_turns(cluster, evaluator, dask_scan):
    cluster.worker("--nanny")
    path = dask_scan()
    server = start(evaluator, cluster, path)
    go = path.parent / "go"
    requests: queue.SimpleQueue[pb.EvaluateRequest | None] = queue.SimpleQueue()
    requests.put(server.request([[x, 2.0] for x in range(20)]))
    call = server.stub.Evaluate(iter(requests.get, None), timeout=60)
    assert wait_until(lambda: begun(path.parent))
    requests.put(pb.EvaluateRequest(return_waiting=True))
    results = (result for reply in call for result in reply.results)
    statuses = [next(results).status for _ in range(19)]
    assert statuses == [pb.STATUS_CANCELLED] * 19  # all but the running one
    requests.put(server.request([[x, 2.0] for x in range(20, 50)], first_id=20))
    other = server.stub.Evaluate(iter([server.request([[60.0, 2.0], [61.0, 2.0]])]), timeout=60)
    time.sleep(0.5)  # until the points of both streams have arrived
    requests.put(pb.EvaluateRequest(cancel_point_ids=[0, 21, 22, 99]))
    requests.put(None)
    found = {result.point_id: result.status for result in next(call).results}
    assert found == {0: pb.STATUS_CANCELLED, 21: pb.STATUS_CANCELLED, 22: pb.STATUS_CANCELLED}
    go.touch()
    assert sum(len(reply.results) for reply in other) == 2
    assert sum(len(reply.results) for reply in call) == 28
    order = [float(x) for x, _ in begun(path.parent)]
    assert order.index(61.0) <= 6  # in the order of arrival the index would be 29
    assert not {21.0, 22.0} & set(order)
    assert server.terminate() == 0


def test_a_cluster_without_workers_is_not_serving(cluster, evaluator, dask_scan):
    worker = cluster.worker("--no-nanny")
    server = start(evaluator, cluster, dask_scan())
    stub = health_pb2_grpc.HealthStub(server.channel)
    said: queue.SimpleQueue[int] = queue.SimpleQueue()
    call = stub.Watch(health_pb2.HealthCheckRequest(), timeout=60)

    def read():
        with contextlib.suppress(grpc.RpcError):  # the evaluator has ended
            for response in call:
                said.put(response.status)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    assert said.get(timeout=60) == health_pb2.HealthCheckResponse.SERVING
    worker.terminate()
    worker.wait()
    assert said.get(timeout=60) == health_pb2.HealthCheckResponse.NOT_SERVING
    cluster.worker("--nanny")
    assert said.get(timeout=60) == health_pb2.HealthCheckResponse.SERVING
    assert server.statuses([[3, 0]]) == ["OK"]
    assert server.terminate() == 0
    thread.join(20)


ONCE = """
import os
from pathlib import Path
from evaluator.chain import Chain
from evaluator.description import digest_of
from evaluator.executors import dask_worker
from evaluator.scan import read_scan


def dask_setup(worker):  # Dask calls it once, but may import this file several times
    before = {owner}.{name}

    def meanwhile(*args):
        {owner}.{name} = before
        {what}
        return before(*args)

    {owner}.{name} = meanwhile
"""


OTHER = "other = os.environ['OTHER']; dask_worker.prepare(other, digest_of(Chain(read_scan(Path(other)))))"


@pytest.mark.parametrize(
    ("owner", "name", "what", "status"),
    [
        ("dask_worker", "Job", OTHER, "OK"),
        ("dask_worker.ProcessExecutor", "submit", "dask_worker.close_pool()", "CANCELLED"),
    ],
    ids=["another scan", "the same scan"],
)
def test_a_point_is_answered_even_if_the_pool_is_closed_before_it_is_submitted(
    cluster, evaluator, dask_scan, tmp_path, monkeypatch, owner, name, what, status
):
    """Another scan, or the end of another evaluator of the same scan, closes the pool of a Dask worker."""
    other = tmp_path / "other"
    other.mkdir()
    path = dask_scan()
    for file in path.parent.glob("*.*"):
        (other / file.name).write_bytes(file.read_bytes())
    monkeypatch.setenv("OTHER", str(other / path.name))
    preload = tmp_path / "preload.py"
    preload.write_text(ONCE.format(owner=owner, name=name, what=what))
    cluster.worker("--no-nanny", "--preload", str(preload))
    server = start(evaluator, cluster, path)
    assert server.statuses([[1, 0]]) == [status]
    assert server.statuses([[2, 0]]) == ["OK"]
    assert server.terminate() == 0
