"""Results and points share messages, as far as nobody has to wait for it."""

import queue

from lodescan.v1 import evaluation_pb2 as pb

LINGERS = "from evaluator.service import stream; stream.LINGER = 60.0"
SLOW_WAY = """
import time
from multiprocessing.connection import Connection

send = Connection.send


def slowly(self, message):
    time.sleep(0.01)
    print("to a worker", flush=True)
    send(self, message)


Connection.send = slowly
"""


def sizes(server, rows):
    """How many results each message holds, of points that were sent together; more might follow them."""
    requests: queue.SimpleQueue[pb.EvaluateRequest | None] = queue.SimpleQueue()
    requests.put(server.request(rows))
    found = []
    for response in server.stub.Evaluate(iter(requests.get, None), timeout=30):
        found.append(len(response.results))
        if sum(found) == len(rows):
            requests.put(None)
    return found


def test_results_wait_for_others_until_half_of_what_no_worker_has_begun_is_left(slow):
    found = sizes(slow(before=LINGERS), [[1.0, 0.003]] * 64)
    assert sum(found) == 64
    assert found[0] >= 31 and len(found) <= 8  # half of the 63 behind the first one


def test_a_result_waits_for_nothing_when_every_other_point_runs(slow):
    assert sizes(slow(before=LINGERS), [[1.0, 0.0], [1.0, 0.3]]) == [1, 1]


def test_quick_points_go_to_a_worker_together_however_long_the_way_there_takes(slow):
    """As on a machine that is busy with other evaluators."""
    server = slow(before=SLOW_WAY)
    assert server.statuses([[1.0, 0.0]] * 600) == ["OK"] * 600
    assert 1 <= server.log.read_text().count("to a worker") < 60
