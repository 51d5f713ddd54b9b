"""MLS_DNNC is stopped at any moment and resumed with a real dataset."""

from dataclasses import replace

import pytest

from proposer.run.dataset import Dataset, Outcome
from proposer.strategies.mls_dnnc import MlsDnnc
from proposer.types import Batch, CheckpointError, Status
from tests.proposer.answered import same
from tests.proposer.cube import CUBE, FAST, ball, init_batch
from tests.proposer.datasets import open_dataset, with_nll

MANY = 10**9


def outcomes(ids, nll) -> list[Outcome]:
    every = enumerate(zip(ids.tolist(), nll.tolist(), strict=True))
    return [Outcome(i, Status.INVALID if n % 7 == 3 else Status.OK, None if n % 7 == 3 else v) for n, (i, v) in every]


def play(dataset: Dataset, strategy: MlsDnnc, stop_after: int) -> list[Batch]:
    """Asks, stores, answers and tells until this number of batches is stored; the last one stays without answers."""
    made = []
    while (batch := strategy.ask()) is not None:
        added = dataset.add_batch(batch, batch.u, strategy.checkpoint())
        made.append(batch)
        if added.batch == stop_after:
            break
        dataset.record(outcomes(added.ids, ball(batch.u[added.kept])))
        strategy.tell(dataset.told(added.batch))
    return made


@pytest.mark.parametrize("with_init", [False, True])
def test_a_scan_interrupted_after_every_batch_is_the_uninterrupted_one(tmp_path, with_init):
    """Each batch comes from a new object that knows only the dataset and the newest checkpoint."""
    settings = replace(FAST, bootstrap_points=20, iterations=3)
    with open_dataset(tmp_path / "whole", 3, 0) as whole:
        strategy = MlsDnnc(CUBE, settings, 11)
        if with_init:
            begin(whole)
            strategy.tell(whole.told(1))
        expected = play(whole, strategy, stop_after=MANY)
    assert len(expected) >= 6
    assert "smote" in {batch.origins[0] for batch in expected}
    made: list[Batch] = []
    with open_dataset(tmp_path / "cut", 3, 0) as cut:
        if with_init:
            begin(cut)
    for turn in range(len(expected) + 1):
        with open_dataset(tmp_path / "cut", 3, 0) as cut:
            fresh = MlsDnnc(CUBE, settings, 11)
            pending = cut.pending()
            restore_first = turn % 2 and made
            for number in range(1, cut.complete_batches() + 1):
                fresh.tell(cut.told(number))
            if restore_first:
                fresh.restore(cut.latest_checkpoint()[1])
            if len(pending.ids):
                cut.record(outcomes(pending.ids, ball(pending.params)))
                fresh.tell(cut.told(cut.batches))
            if made and not restore_first:
                fresh.restore(cut.latest_checkpoint()[1])
            batches = play(cut, fresh, stop_after=cut.batches + 1)
        if not batches:
            break
        made += batches
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
    strategy = MlsDnnc(CUBE, FAST, 5)
    with open_dataset(tmp_path, 3, 0) as dataset:
        play(dataset, strategy, stop_after=3)
    with pytest.raises(CheckpointError, match=r"was made after [0-9]+ points, but only 0 were told"):
        MlsDnnc(CUBE, FAST, 5).restore(strategy.checkpoint())
