"""The progress line of a scan."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from proposer.progress import Progress, Tally
from proposer.strategies.base import Status


@pytest.mark.parametrize(
    ("good", "most", "end"),
    [
        (0, 1_100, "about 10 s left"),  # by the evaluations
        (50, 1e9, "about 1 s left"),
        (100, 1e9, "finishing this iteration"),
        (130, 1e9, "finishing this iteration"),
    ],
)  # fmt: skip
def test_what_is_left(monkeypatch: pytest.MonkeyPatch, good: int, most: float, end: str) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    tally = Tally(target=100, threshold=1.0, most=most)
    progress = Progress(tally)
    tally.good, tally.by_status = good, Counter({Status.OK: 80, Status.INVALID: 20})
    now += 1.0
    words = progress.line().split(" | ")
    assert words[0] == f"{good} of 100 good"
    assert words[1] == "100 evaluated (20 invalid, 0 failed, 0 timed out)"
    assert words[-2:] == ["100 points/s", end]
