"""RegionCount of good points, in words for the live display."""

import weakref
from typing import Any

import numpy as np
import pytest

from proposer.show.regions import FIRST, RegionCount
from proposer.target import Target


def found(*clouds, names=("m0", "m12"), scale=1000.0):
    regions = RegionCount(names)
    for cloud in clouds:
        for u in cloud:
            regions.add(u, scale * u)
    return regions.words


def cloud(seed, middle, n=60, width=0.02):
    return np.random.default_rng(seed).normal(middle, width, (n, len(middle)))


def test_a_single_region_is_not_mentioned():
    assert found(cloud(1, [0.2, 0.5])) == ""
    assert found(np.random.default_rng(2).random((200, 2))) == ""
    line = np.linspace(0, 1, 100)
    assert found(np.stack([line, line**2], axis=1)) == ""  # this region is long and thin


def check_second(words, name, value):
    before, _, number = words.rpartition(" = ")
    assert before == f"2 regions; the second near {name}"
    assert float(number) == pytest.approx(value, abs=20)


def test_a_second_region_is_named_by_its_place():
    check_second(found(cloud(1, [0.2, 0.5]), cloud(2, [0.9, 0.5])), "m0", 900)
    check_second(found(cloud(1, [0.9, 0.1]), cloud(2, [0.9, 0.6])), "m12", 600)
    assert found(cloud(1, [0.2, 0.5]), cloud(2, [0.9, 0.5]), names=()) == ""  # a display that knows no names


def test_single_points_and_few_points_are_not_a_region():
    assert found(cloud(1, [0.2, 0.5]), cloud(2, [0.9, 0.5], n=2)) == ""
    assert found(cloud(1, [0.2, 0.5], n=FIRST - 1)) == ""
    assert found(np.full((50, 2), 0.5)) == ""


def test_regions_are_found_in_many_dimensions():
    names = [f"x{n}" for n in range(10)]
    middle = np.full(10, 0.5)
    assert found(cloud(1, middle), names=names) == ""
    there = middle.copy()
    there[3] = 0.9
    check_second(found(cloud(1, middle), cloud(2, there), names=names), "x3", 900)


def test_a_good_point_does_not_keep_its_batch_in_memory():
    regions, batches = RegionCount(["m0", "m12"]), []
    for seed in range(3):
        batch = np.random.default_rng(seed).random((1000, 2))
        regions.add(batch[seed], batch[seed + 1])
        batches.append(weakref.ref(batch))
        del batch
    assert [batch() for batch in batches] == [None] * 3


def test_points_that_are_dropped_while_they_are_counted_do_no_harm():
    """The display counts in a thread of its own, and the threshold may move meanwhile."""
    regions = RegionCount(["m0", "m12"])

    class Dropping:
        def __init__(self, u):
            self.u = u

        def copy(self):
            return self

        def __array__(self, *_, **__):
            regions.keep(Target(-1.0))
            return self.u

    points: list[Any] = [Dropping(u) for u in cloud(1, [0.2, 0.5])]
    for u in points:
        regions.add(u, u)
    assert regions.words == ""
