"""Searches of LODE in tests: what they are told, what they keep, and how long they train."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from proposer.drive import Step
from proposer.space import Space
from proposer.strategies.base import Strategy
from proposer.strategies.lode import method, nets, regress, strategy
from proposer.strategies.lode.energy import EnergyOfObservables
from proposer.strategies.lode.points import Known, Points
from proposer.strategies.state import unpack
from proposer.target import Target
from proposer.types import Floats, Status, Told
from scanspec import Variable
from tests.proposer.answered import told_of


def unit_cube(dim: int) -> Space:
    """The space of the variables x0, x1, ..., each from 0 to 1."""
    return Space([Variable(f"x{n}", 0.0, 1.0) for n in range(dim)])


def points_of(target: Target, dim: int) -> Points:
    """No points yet, in a space of `dim` free variables without observables."""
    return Points(np.arange(dim), EnergyOfObservables([], target), target)


def known_of(u: Floats, nll: Floats, origins: Sequence[str] = (), *, status=Status.OK) -> Known:
    """Answered points u, shape (n, d), without observables; those with an NLL below 1 are good. `status`: one for all
    points, or one for each.
    """
    points = points_of(Target(1.0), u.shape[1])
    points.add(told_of(u, nll, status=status, origins=origins))
    return points.known()


def first_steps(steps: Iterable[Step], evaluations: int) -> list[Told]:
    """The answered batches of a search, up to the one that completes so many evaluations."""
    answered: list[Told] = []
    for told, _ in steps:
        answered.append(told)
        if sum(map(len, answered)) >= evaluations:
            break
    return answered


def kept(search: Strategy) -> dict[str, NDArray[Any]]:
    """The arrays of LODE's checkpoint by name: `by_observables`, `out`, `contest/...`."""
    return unpack(search.checkpoint(), "one of LODE")[1]


def train(
    monkeypatch: pytest.MonkeyPatch,
    *,
    particles: int | None = None,
    networks: tuple[int, int, int, int] | None = None,
    regression: float | None = None,
) -> None:
    """Makes searches quick: fewer particles, and fewer steps of training.

    `networks`: steps of the first training, of later ones, of one that begins again, and of the other networks.
    `regression`: the share of these steps that networks of observables take.
    """
    if particles is not None:
        for user in (method, strategy):
            monkeypatch.setattr(user, "PARTICLES", particles)
    if networks is not None:
        for name, steps in zip(("FIRST_STEPS", "STEPS", "AGAIN_STEPS", "OTHER_STEPS"), networks, strict=True):
            monkeypatch.setattr(nets, name, steps)
    if regression is not None:
        monkeypatch.setattr(regress, "SHARE", regression)
