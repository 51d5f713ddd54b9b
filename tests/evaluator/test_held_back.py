"""A client that does not read its results: large results must not fill the evaluator's memory."""

import math

import pytest

from evaluator.service import stream as streams
from lodescan.v1 import evaluation_pb2 as pb
from tests.evaluator.calls import Requests
from tests.evaluator.serving import wait_until

SCAN = """variables: {x: [0, 10]}
codes:
  count:
    function: toy:count
    observables: {y: {mean: 1, sigma: 1}}
  pass_tool: {input_file: in.slha}
"""
COUNT = """
def count(point):
    with open(FILE + str(int(point["x"])), "a") as file:
        file.write("x")
    return {"y": 1.0}
"""


@pytest.fixture
def large(tmp_path, evaluator):
    """An evaluator of which each result has a spectrum file of 200 kB, and which holds few of them; and the number of
    points with an x that have run.
    """
    counts = tmp_path / "counts"
    counts.mkdir()
    (tmp_path / "in.slha").write_text("BLOCK MINPAR\n 1 x\n" + "# a comment\n" * 17_000)
    (tmp_path / "toy.py").write_text(COUNT.replace("FILE", repr(f"{counts}/")))
    (tmp_path / "scan.yaml").write_text(SCAN)
    before = "from evaluator.service import stream; stream.MOST_HELD = 2**21; stream.LARGEST_MESSAGE = 2**19"
    server = evaluator(tmp_path / "scan.yaml", before=before)

    def count(x):
        file = counts / str(x)
        return file.stat().st_size if file.exists() else 0

    return server, count


def begin(server, x, points):
    requests = Requests(
        pb.EvaluateRequest(
            parameters=["x"], point_ids=range(points), values=[float(x)] * points, spectra_below_nll=math.inf
        )
    )
    return server.stub.Evaluate(iter(requests), timeout=60), requests


def test_points_of_a_client_that_does_not_read_wait(large):
    server, count = large
    unread, requests = begin(server, 1, 200)
    assert wait_until(lambda: count(1))
    read, others = begin(server, 2, 100)
    others.close()
    ids = [result.point_id for response in read for result in response.results]
    assert sorted(ids) == [*range(100)]
    assert count(1) < 60  # the two take turns, so that it would be a hundred
    requests.close()
    results = [result for response in unread for result in response.results]
    assert sorted(result.point_id for result in results) == [*range(200)]
    assert all(len(result.spectra[0]) > 200_000 for result in results)
    assert count(1) == 200


def test_a_message_is_no_larger_than_every_client_of_grpc_accepts(large):
    server, _ = large
    call, requests = begin(server, 1, 40)
    requests.close()
    assert max(response.ByteSize() for response in call) < 2**20
    assert streams.LARGEST_MESSAGE + 2**20 < 4 * 2**20
