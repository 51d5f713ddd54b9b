"""Observers of an evaluator's points cost no results."""

FAILS = """
from evaluator.service import observers


def fails(jobs, caller):
    raise RuntimeError("no room for the log")


observers.log_points = fails
"""


def test_an_observer_that_fails_costs_no_result(slow):
    server = slow(before=FAILS, options=["--log-format", "json"])
    assert server.statuses([[1.0, 0.0], [2.0, 0.0]]) == ["OK", "OK"]
    assert "no room for the log" in server.log.read_text()
