"""What the tests of the proposer share. Torch is imported where it is used: the process that only hands tests out to
others needs none.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.proposer.stored_runs import FORMAT2


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks gain nothing from more, and wait for each other on a busy machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few particles in LODE, short training."""
    from proposer.strategies.lode import nets as lode_nets
    from proposer.strategies.lode import regress
    from proposer.strategies.lode import strategy as lode

    monkeypatch.setattr(lode, "PARTICLES", 50)
    monkeypatch.setattr(lode_nets, "FIRST_STEPS", 40)
    monkeypatch.setattr(lode_nets, "STEPS", 10)
    monkeypatch.setattr(lode_nets, "AGAIN_STEPS", 25)
    monkeypatch.setattr(lode_nets, "OTHER_STEPS", 10)
    monkeypatch.setattr(regress, "FIRST_STEPS", 40)
    monkeypatch.setattr(regress, "LATER_STEPS", 10)


@pytest.fixture
def old_run(tmp_path: Path) -> Path:
    """A run that the last lodescan of format 2 stored, killed on its way."""
    shutil.copytree(FORMAT2 / "run", tmp_path / "run")
    return tmp_path / "run"
