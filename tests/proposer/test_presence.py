"""The loop of a scan counts how long each evaluator was connected."""

import time

import pytest

from proposer.evaluation.presence import Presence


def test_each_evaluator_counts_while_it_is_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    presence = Presence()
    for now, workers in [(10.0, {"a": 2}), (11.0, {"a": 2, "b": 1}), (14.0, {"b": 1}), (20.0, {"a": 3}), (21.0, {})]:
        monkeypatch.setattr(time, "monotonic", lambda now=now: now)
        presence.note(workers)
    assert presence.seconds == {"a": 2 * 4 + 3 * 1, "b": 9}
    assert presence.after({"a": 1.0, "c": 5.0}) == {"a": 12, "b": 9, "c": 5}
