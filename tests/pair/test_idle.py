"""The benchmark of idle workers: how it counts idle time, and one real measurement."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.idle import LAGS, WORKERS, idle_share, measure
from benchmarks.search.problems import PROBLEMS


def test_idle_time_is_the_share_of_the_workers_time_outside_of_codes() -> None:
    times = np.array([[12.0, 13.0], [10.0, 11.0], [10.5, 14.0]])
    np.testing.assert_allclose(idle_share(times, 2), [1 - 5.5 / 8, 4.0])


@pytest.mark.slow
@pytest.mark.parametrize("mode", LAGS)
def test_a_scan_is_measured_point_by_point(mode: str) -> None:
    run = measure(PROBLEMS["toy3d"], 0.02, mode, 40, 0)
    assert run.to_good <= run.evaluated
    assert run.evaluated * 0.02 / WORKERS < run.wall < 120
    assert 0 < run.idle < 1
    assert 0 < run.cells < 0.2
