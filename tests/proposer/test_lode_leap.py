"""`goal: collect` in a thin region: points along it, and beyond the known part of it."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from proposer.strategies.lode.acquire import Context
from proposer.strategies.lode.collect import CERTAINTY, SUREST, certain, probability_by_neighbours
from proposer.strategies.lode.energy import EnergyOfObservables
from proposer.strategies.lode.leap import leap
from proposer.strategies.lode.points import Known, Points
from proposer.target import Target
from tests.proposer.answered import told_of

HALF = 0.003
"""Half of the thickness of the region."""
TURN = np.array([[0.8, 0.6], [-0.6, 0.8]])


def strip(u: np.ndarray) -> np.ndarray:
    """An NLL that is good (below 1) in a thin strip through the middle of the square."""
    return (((u - 0.5) @ TURN[1]) / HALF) ** 2


def known_of(u: np.ndarray, origins: list[str] | None = None) -> Known:
    points = Points(np.arange(2), EnergyOfObservables([], Target(1.0)), Target(1.0))
    points.add(told_of(u, strip(u), origins=origins))
    return points.known()


def on_strip(along: np.ndarray, across: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 + np.stack([along, across], axis=1) @ TURN)


def known_part(rng: np.random.Generator) -> np.ndarray:
    """60 good points in the middle fifth of the strip, 60 bad ones beside them, and 60 in the square."""
    along, across = rng.uniform(-0.1, 0.1, (2, 60)), rng.uniform(-1.0, 1.0, (2, 60))
    beside = HALF * (1.2 + 2.0 * abs(across[1])) * np.sign(across[1])
    return np.concatenate([on_strip(along[0], 0.8 * HALF * across[0]), on_strip(along[1], beside), rng.random((60, 2))])


class Unsure:
    """A model that knows nothing."""

    wider = 1.0
    weight_of_others = 0.0

    def __call__(self, u: torch.Tensor) -> torch.Tensor:
        return torch.ones(len(u), dtype=torch.float64)

    def others(self) -> list[Callable[[torch.Tensor], torch.Tensor]]:
        return []

    def probability(self, u: np.ndarray, rng: np.random.Generator, wider: float = 1.0) -> np.ndarray:
        return np.full(len(u), 0.1)


def context_of(known: Known) -> Context:
    return Context(
        known,
        known.u[:0],
        Unsure(),  # type: ignore[arg-type]
        snap=lambda u: u,
        inputs=lambda u: 2.0 * u - 1.0,
        generator=lambda purpose: np.random.default_rng(len(purpose)),
    )


def leaps_after(good: int) -> np.ndarray:
    """The leaps of a batch of 300 points if so many of the last 30 leaps were good, and the others bad."""
    rng = np.random.default_rng(4)
    u = known_part(rng)
    last = np.concatenate([on_strip(rng.uniform(-0.1, 0.1, good), np.zeros(good)), rng.random((30 - good, 2))])
    known = known_of(np.concatenate([u, last]), ["exploit"] * len(u) + ["leap"] * 30)
    return leap(context_of(known), 300)


def test_leaps_go_beyond_the_known_part_of_a_thin_region_though_the_model_knows_nothing_there():
    u = leaps_after(30)
    along = abs((u - 0.5) @ TURN[0])
    assert 30 < len(u) < 150
    assert (strip(u) < 1.0).mean() > 0.2  # of uniform points, 0.7 % are good
    assert (along[strip(u) < 1.0] > 0.15).sum() >= 10
    assert ((u >= 0.0) & (u <= 1.0)).all()


def test_leaps_are_fewer_and_shorter_if_they_miss():
    all_good, half, none = leaps_after(30), leaps_after(15), leaps_after(0)
    assert len(all_good) > 1.3 * len(half) and len(none) < 10
    reach = [abs((u - 0.5) @ TURN[0]).mean() for u in (all_good, half)]
    assert reach[0] > reach[1]


def test_one_good_point_makes_no_line():
    known = known_of(np.array([[0.5, 0.5], [0.1, 0.9]]))
    assert leap(context_of(known), 300).shape == (0, 2)


@pytest.mark.parametrize("gap", [0.02, 0.03])
def test_the_neighbours_along_a_thin_region_count_as_near(gap):
    """A gap along the strip is wider than the strip, but lies between good points."""
    along = np.concatenate([np.arange(-0.3, -gap / 2.0, 0.01), np.arange(gap / 2.0, 0.3, 0.01)])
    good = np.concatenate([on_strip(along, side * 0.5 * HALF * np.ones(len(along))) for side in (-1.0, 1.0)])
    known = known_of(np.concatenate([good, on_strip(np.array([0.0, 0.0]), np.array([0.015, -0.015]))]))
    u = on_strip(np.array([0.0]), np.array([0.0]))
    assert probability_by_neighbours(known, u)[0] < 0.62  # by distances in the cube
    assert SUREST * certain(known, u, np.full(1, 0.5))[0] ** (1.0 / CERTAINTY) > 0.68
