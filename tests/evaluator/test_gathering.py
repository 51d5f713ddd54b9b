"""Results and points share messages, as long as nobody waits longer for them."""

import pytest

from lodescan.v1 import evaluation_pb2 as pb
from tests.evaluator.calls import Stream, statuses

LINGERS = "from evaluator.service import stream; stream.LINGER = 60.0; stream.QUICK = 60.0"  # on a busy machine too
SLOW_WAY = """
import time
from multiprocessing.connection import Connection

send, recv = Connection.send, Connection.recv


def slowly(self, message):
    time.sleep(0.01)
    print("to a worker", flush=True)
    send(self, message)


def as_quick_as_ever(self):
    message = recv(self)
    if isinstance(message, tuple) and isinstance(message[1], list):
        message = message[0], [outcome._replace(seconds=[1e-5]) for outcome in message[1]]
    return message


Connection.send, Connection.recv = slowly, as_quick_as_ever
"""


def test_results_are_collected_until_half_of_the_waiting_points_are_answered(slow):
    server = slow(before=LINGERS)
    stream = Stream(server, [[1.0, 0.003]] * 64)  # the stream stays open, because more points might follow
    found: list[int] = []
    while sum(found) < 64:
        found.append(len(next(stream.call).results))
    stream.close()
    assert found[0] >= 31 and len(found) <= 8  # half of the 63 points behind the first one


def test_a_result_is_sent_at_once_while_every_other_point_runs(gated):
    server = gated(before=LINGERS)
    stream = Stream(server, [[1.0, 0], [2.0, 1]])
    assert statuses(stream.take(1)) == {0: "OK"}
    assert server.began(2)
    server.let_go(2)
    assert statuses(stream.close()) == {1: "OK"}


GATED = """
import os
import time
from pathlib import Path

HERE = Path(__file__).parent
LOG = os.open(HERE / "log", os.O_CREAT | os.O_APPEND | os.O_WRONLY)


def y(point):
    x = point["x"]
    os.write(LOG, f"{x:g}\\n".encode())
    if x == GATE:
        while not (HERE / "gate").exists():
            time.sleep(0.01)
        try:
            (HERE / "died").mkdir()
        except FileExistsError:
            return {"y": x}
        os._exit(1)
    return {"y": x}
"""


@pytest.mark.slow
def test_quick_points_do_not_wait_for_a_slow_point_of_the_same_group(scan_file, evaluator, tmp_path):
    """If the slow point crashes the worker, the quick ones are not evaluated again."""
    gate = 300
    scan = "variables: {x: [-1000, 1000]}\ncodes: {toy: {function: 'toy:y', observables: {y: {mean: 1, sigma: 2}}}}\n"
    server = evaluator(scan_file(scan, toy__py=GATED.replace("GATE", str(gate))), workers=1)
    assert server.statuses([[-1.0]] * 200) == ["OK"] * 200  # from here on, points go to the worker in groups
    found = []
    for response in server.stub.Evaluate(iter([server.request([[x] for x in range(gate + 20)])]), timeout=30):
        found += [(result.point_id, result.status) for result in response.results]
        if len(found) == gate:
            (tmp_path / "gate").touch()
    assert sorted(found) == [(x, pb.STATUS_OK) for x in range(gate + 20)]
    begun = [int(word) for word in (tmp_path / "log").read_text().split()]
    assert [x for x in begun if x >= 0] == [*range(gate + 1), *range(gate, gate + 20)]


@pytest.mark.slow
def test_quick_points_share_a_message_to_a_worker_even_if_messages_are_slow(slow):
    """Messages are slow on a machine that is busy with other evaluators. The code itself is said to take 10 µs."""
    server = slow(before=SLOW_WAY)
    assert server.statuses([[1.0, 0.0]] * 600) == ["OK"] * 600
    assert 1 <= server.log.read_text().count("to a worker") < 60  # of 600
