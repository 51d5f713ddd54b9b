"""MLS_DNNC is stopped at any moment and resumed with a real dataset."""

from dataclasses import replace

import pytest

from proposer.run.dataset import Dataset, Outcome
from proposer.strategies.mls_dnnc import MlsDnnc
from proposer.strategies.mls_dnnc_settings import MlsDnncSettings
from proposer.types import Batch, CheckpointError, Floats, Status
from tests.proposer.answered import same
from tests.proposer.cube import CUBE, FAST, ball, init_batch
from tests.proposer.datasets import open_dataset, with_nll
from tests.proposer.playing import Playing


def outcomes(ids: list[int], u: Floats) -> list[Outcome]:
    every = enumerate(zip(ids, ball(u).tolist(), strict=True))
    return [Outcome(i, Status.INVALID if n % 7 == 3 else Status.OK, None if n % 7 == 3 else v) for n, (i, v) in every]


def playing(dataset: Dataset, settings: MlsDnncSettings, seed: int) -> Playing:
    return Playing(dataset, MlsDnnc(CUBE, settings, seed), CUBE, outcomes)


@pytest.mark.parametrize("with_init", [False, True])
def test_a_scan_interrupted_after_every_batch_is_the_uninterrupted_one(tmp_path, with_init):
    """Each batch comes from a new object that knows only the dataset and the newest checkpoint."""
    settings = replace(FAST, bootstrap_points=20, iterations=3)
    with open_dataset(tmp_path / "whole", 3, 0) as whole:
        if with_init:
            begin(whole)
        run = playing(whole, settings, 11)
        while run.ask() is not None:
            pass
        expected = run.batches
    assert len(expected) >= 6
    assert "smote" in {batch.origins[0] for batch in expected}
    made: list[Batch] = []
    with open_dataset(tmp_path / "cut", 3, 0) as cut:
        if with_init:
            begin(cut)
    for turn in range(len(expected) + 1):
        with open_dataset(tmp_path / "cut", 3, 0) as cut:
            run = playing(cut, settings, 11)
            restore_first = turn % 2 and made
            run.tell_up_to(cut.complete_batches())
            if restore_first:
                run.strategy.restore(cut.latest_checkpoint()[1])
            run.answer_up_to(cut.batches)
            run.tell_up_to(cut.batches)
            if made and not restore_first:
                run.strategy.restore(cut.latest_checkpoint()[1])
            if (batch := run.ask()) is None:
                break
            made.append(batch)
    assert len(made) == len(expected)
    assert same(made, expected)


def begin(dataset: Dataset) -> None:
    batch = init_batch()
    dataset.add_batch(batch, batch.u, b"", with_nll(ball(batch.u)))


@pytest.mark.parametrize("data", [b"", b"nonsense", b"PK\x03\x04 not quite"])
def test_a_damaged_checkpoint_is_refused(data):
    with pytest.raises(CheckpointError, match="not one of MLS_DNNC"):
        MlsDnnc(CUBE, FAST, 1).restore(data)


def test_a_checkpoint_made_after_more_points_than_were_told_is_refused(tmp_path):
    with open_dataset(tmp_path, 3, 0) as dataset:
        run = playing(dataset, FAST, 5)
        for _ in range(3):
            run.ask()
    with pytest.raises(CheckpointError, match=r"was made after [0-9]+ points, but only 0 were told"):
        MlsDnnc(CUBE, FAST, 5).restore(run.strategy.checkpoint())
