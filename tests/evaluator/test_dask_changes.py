"""Functions and data that change, or differ, on a Dask cluster: no point is computed with another version."""

import contextlib

import grpc
import pytest

from lodescan.v1 import evaluation_pb2 as pb
from tests.evaluator.clusters import start
from tests.evaluator.serving import wait_until

pytestmark = [pytest.mark.physics(environment="dask"), pytest.mark.slow]


def test_a_function_that_is_changed_ends_the_evaluator(cluster, evaluator, dask_scan):
    cluster.worker("--nanny")
    path = dask_scan()
    server = start(evaluator, cluster, path)
    assert server.statuses([[1, 0]]) == ["OK"]
    toy = path.parent / "toy.py"
    toy.write_text(toy.read_text().replace("** 2", "** 3"))
    call = server.stub.Evaluate(iter([server.request([[x, 0.0] for x in range(20)])]), timeout=60)
    assert {result.status for response in call for result in response.results} <= {pb.STATUS_CANCELLED}
    assert server.process.wait(60) == 4
    assert "toy.py was changed while this evaluator served" in server.log.read_text()


def with_data(path):
    """Writes data that the code names; returns the file."""
    (path.parent / "tables").mkdir()
    data = path.parent / "tables" / "limits.dat"
    data.write_text("1\n")
    path.write_text(path.read_text().replace("timeout: 60", "timeout: 60\n    data: [tables]"))
    return data


def test_data_that_change_while_a_worker_runs_end_the_evaluator(cluster, evaluator, dask_scan):
    cluster.worker("--nanny")
    path = dask_scan()
    data = with_data(path)
    server = start(evaluator, cluster, path)
    assert server.statuses([[1, 0]]) == ["OK"]
    data.write_text("2\n")
    call = server.stub.Evaluate(iter([server.request([[x, 0.0] for x in range(20)])]), timeout=60)
    assert {result.status for response in call for result in response.results} <= {pb.STATUS_CANCELLED}
    assert server.process.wait(60) == 4
    assert "limits.dat was changed while this evaluator served" in server.log.read_text()


def test_a_worker_that_has_other_data_ends_the_evaluator(cluster, evaluator, dask_scan):
    """The worker joins later, as from a machine with another copy of the data."""
    first = cluster.worker("--no-nanny")
    path = dask_scan()
    data = with_data(path)
    server = start(evaluator, cluster, path)
    assert server.statuses([[1, 0]]) == ["OK"]
    first.kill()
    first.wait()
    data.write_text("2\n")
    cluster.worker("--no-nanny")
    call = server.stub.Evaluate(iter([server.request([[x, 0.0] for x in range(20)])]), timeout=60)
    assert {result.status for response in call for result in response.results} <= {pb.STATUS_CANCELLED}
    assert server.process.wait(60) == 4
    assert "is not the same on the Dask worker" in server.log.read_text()


LATE = {
    "dynamic": "import importlib\n\ndef f(point):\n    return {'y': importlib.import_module('mo' + 're').g(point)}\n",
    "within": "def f(point):\n    from more import g\n    return {'y': g(point)}\n",
}


@pytest.mark.parametrize("how", LATE)
def test_a_module_that_a_function_imports_late_is_treated_as_without_dask(cluster, evaluator, scan_file, how):
    """One that the digest cannot find is named by the evaluator, and the change of another one ends it."""
    cluster.worker("--no-nanny"), cluster.worker("--nanny")
    wait_until(lambda: cluster.said().count("Registered to") == 2, 60)
    path = scan_file(
        "variables: {x: [0, 100]}\ncodes:\n  toy:\n    function: toy:f\n    observables: {y: {mean: 1, sigma: 1}}\n",
        toy__py=LATE[how],
        more__py="def g(point):\n    return 2 * point['x']\n",
    )
    server = start(evaluator, cluster, path)
    assert [list(result.observables) for result in server.evaluate([[x] for x in range(20)])] == [
        [2.0 * x] for x in range(20)
    ]
    assert server.log.read_text().count("more.py was imported only while a point ran") == (how == "dynamic")
    if how == "dynamic":
        assert server.terminate() == 0
    else:
        (path.parent / "more.py").write_text("def g(point):\n    return 3 * point['x']\n")
        with contextlib.suppress(grpc.RpcError):  # it may have ended already
            assert set(server.statuses([[x] for x in range(20)])) == {"CANCELLED"}
        assert server.process.wait(60) == 4
        assert "more.py was changed while this evaluator served" in server.log.read_text()
