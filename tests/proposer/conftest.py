"""What the tests of the proposer share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from proposer.strategies.lode import nets as lode_nets
from proposer.strategies.lode import regress
from proposer.strategies.lode import strategy as lode


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks gain nothing from more, and wait for each other on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few particles in LODE, short training."""
    monkeypatch.setattr(lode, "PARTICLES", 100)
    monkeypatch.setattr(lode_nets, "FIRST_STEPS", 100)
    monkeypatch.setattr(lode_nets, "STEPS", 25)
    monkeypatch.setattr(lode_nets, "AGAIN_STEPS", 60)
    monkeypatch.setattr(lode_nets, "OTHER_STEPS", 25)
    monkeypatch.setattr(regress, "FIRST_STEPS", 100)
    monkeypatch.setattr(regress, "LATER_STEPS", 25)
