"""The dataset: what was stored counts once, and is read back unchanged."""

import math
import resource
import sqlite3
from collections import Counter

import numpy as np
import pytest

from proposer.run.dataset import Dataset, DatasetError, Outcome
from proposer.target import Target
from proposer.types import Batch, Status
from tests.proposer.datasets import add, batch, ok, open_dataset, with_nll


def test_a_batch_and_its_answers_come_back_as_they_went_in(dataset):
    first = add(dataset, batch(3))
    second = add(dataset, Batch(np.array([[0.5, 0.25]]), ["exploit"], 1), b"newer")
    assert (first.batch, first.ids.tolist(), second.batch, second.ids.tolist()) == (1, [1, 2, 3], 2, [4])
    assert first.kept.all()
    assert dataset.latest_checkpoint() == (2, b"newer")
    assert dataset.points == 4
    failed = Outcome(
        2,
        Status.FAILED,
        nll=None,
        observables=[7.0],
        losses=[],
        seconds=[0.5, 1.5],
        failed_code="spheno",
        message="no output",
        warnings=["w1", "w2"],
        missing=[1, 2],
    )
    assert dataset.record([ok(3, 4.0), failed]) == 2
    assert dataset.record([ok(1, 0.1 + 0.2), Outcome(4, Status.TIMED_OUT)]) == 2
    (all_results,) = dataset.results()
    assert all_results.ids.tolist() == [1, 2, 3, 4]
    assert all_results.batches.tolist() == [1, 1, 1, 2]
    assert all_results.iterations.tolist() == [0, 0, 0, 1]
    assert all_results.origins == ["bootstrap"] * 3 + ["exploit"]
    assert np.array_equal(all_results.u, np.concatenate([batch(3).u, [[0.5, 0.25]]]))
    assert np.array_equal(all_results.params, all_results.u * 100)
    assert [Status(status).name for status in all_results.status] == ["OK", "FAILED", "OK", "TIMED_OUT"]
    np.testing.assert_array_equal(all_results.nll, [0.1 + 0.2, np.nan, 4.0, np.nan])
    np.testing.assert_array_equal(all_results.observables[1], [7.0, np.nan, np.nan])
    np.testing.assert_array_equal(all_results.losses[2], [0.5, 3.5, 0.0])
    assert np.isnan(all_results.losses[3]).all()
    assert [seconds.tolist() for seconds in all_results.seconds] == [[0.25], [0.5, 1.5], [0.25], []]
    assert all_results.failed_code == ["", "spheno", "", ""]
    assert all_results.message == ["", "no output", "", ""]
    assert all_results.warnings == [[], ["w1", "w2"], [], []]
    assert all_results.missing == [[], [1, 2], [], [0, 1, 2]]


def test_a_result_that_arrives_twice_counts_once_and_the_first_stays(dataset):
    add(dataset, batch(2))
    assert dataset.record([ok(1, 1.0), ok(1, 2.0)]) == 1
    assert dataset.record([ok(1, 3.0), Outcome(1, Status.FAILED)]) == 0
    assert next(dataset.results()).nll.tolist() == [1.0]
    assert dataset.counts() == {("bootstrap", None): 1, ("bootstrap", Status.OK): 1}


def test_only_points_that_are_ok_have_an_nll(dataset):
    add(dataset, batch(2))
    dataset.record([Outcome(1, Status.INVALID, 0.5), ok(2, 0.5)])
    np.testing.assert_array_equal(dataset.told(1).nll, [np.nan, 0.5])
    assert dataset.count_good(Target(1.0)) == 1


def test_of_a_message_with_an_unknown_point_nothing_is_stored(dataset):
    add(dataset, batch(2))
    for point in (3, 0, -1):
        with pytest.raises(DatasetError, match=f"a result came for point {point}, which was never asked"):
            dataset.record([ok(1), ok(point)])
    assert dataset.pending().ids.tolist() == [1, 2]


def test_pending_points_are_those_without_an_answer(dataset):
    add(dataset, batch(3))
    add(dataset, batch(2, seed=1))
    dataset.record([ok(2), ok(4)])
    dataset.add_attempt([3, 5])
    dataset.add_attempt([3])
    pending = dataset.pending()
    assert pending.ids.tolist() == [1, 3, 5]
    assert pending.attempts.tolist() == [0, 2, 1]
    assert np.array_equal(pending.params, np.concatenate([batch(3).u, batch(2, seed=1).u])[[0, 2, 4]] * 100)


def test_a_point_that_was_asked_before_is_left_out_even_after_a_restart(tmp_path):
    made = batch(4)
    doubled = Batch(made.u[[0, 1, 0, 2, 1]], ["a", "b", "c", "d", "e"], 1)
    with open_dataset(tmp_path) as dataset:
        added = add(dataset, doubled)
        assert added.kept.tolist() == [True, True, False, True, False]
        assert added.ids.tolist() == [1, 2, 3]
    with open_dataset(tmp_path) as dataset:
        added = add(dataset, Batch(made.u, ["x"] * 4, 2))
        assert (added.ids.tolist(), added.kept.tolist()) == ([4], [False, False, False, True])
        assert dataset.told(1).origins == []
        dataset.record([ok(point) for point in (1, 2, 3, 4)])
        assert dataset.told(1).origins == ["a", "b", "d"]


def test_a_batch_of_known_points_alone_is_complete_and_empty(dataset):
    add(dataset, batch(2))
    added = add(dataset, batch(2), b"later")
    assert (added.batch, len(added.ids), added.kept.tolist()) == (2, 0, [False, False])
    assert dataset.complete_batches() == 0
    dataset.record([ok(1), ok(2)])
    assert dataset.complete_batches() == 2
    assert len(dataset.told(2)) == 0
    assert dataset.latest_checkpoint() == (2, b"later")


def test_points_with_a_known_nll_are_answered_in_the_same_transaction(dataset):
    made = batch(3, origin="init")
    dataset.add_batch(made, made.u, b"", with_nll([0.5, np.nan, 2.0]))
    assert dataset.pending().ids.tolist() == [2]
    assert dataset.counts() == {("init", None): 1, ("init", Status.OK): 2}
    assert dataset.count_good(Target(2.0)) == 1
    assert dataset.record([ok(1)]) == 0


def test_known_outcomes_are_stored_with_their_batch(dataset):
    made = batch(2, origin="init")
    dataset.evaluator = "127.0.0.1:1"
    dataset.add_batch(made, made.u, b"", [None, Outcome(0, Status.OK, 1.5, [1.0, 2.0, np.inf], [0.5, 1.0, 0.0])])
    (part,) = dataset.results()
    assert part.ids.tolist() == [2] and part.nll.tolist() == [1.5]
    assert part.observables.tolist() == [[1.0, 2.0, np.inf]] and part.losses.tolist() == [[0.5, 1.0, 0.0]]
    assert dataset.count_known() == 1
    with sqlite3.connect(f"file:{dataset.path}?mode=ro", uri=True) as db:
        assert db.execute("SELECT evaluator FROM points WHERE id = 2").fetchall() == [(None,)]
    db.close()


def test_batches_are_told_in_order_up_to_the_first_incomplete_one(dataset):
    for number in range(3):
        add(dataset, batch(2, seed=number, iteration=number))
    dataset.record([ok(6), ok(5), ok(2, 7.0), ok(1)])
    assert dataset.complete_batches() == 1
    told = dataset.told(1)
    assert told.ids.tolist() == [1, 2]
    assert told.batches.tolist() == [1, 1]
    assert told.nll.tolist() == [1.0, 7.0]
    assert np.array_equal(told.u, batch(2).u)
    dataset.record([Outcome(3, Status.INVALID), Outcome(4, Status.FAILED)])
    assert dataset.complete_batches() == 3
    assert dataset.told(2).status.tolist() == [Status.INVALID, Status.FAILED]
    assert np.isnan(dataset.told(2).nll).all()
    np.testing.assert_array_equal(told.observables, [[1.0, 2.0, np.nan]] * 2)
    assert np.isnan(dataset.told(2).observables).all()


def test_news_are_the_points_answered_since_the_last_call(dataset):
    assert list(dataset.news()) == []
    for number in range(3):
        add(dataset, batch(2, seed=number, iteration=number))
    dataset.record([ok(6), ok(1)])
    assert [part.ids.tolist() for part in dataset.news()] == [[6], [1]]
    assert list(dataset.news()) == []
    dataset.record([ok(2)])
    (told,) = dataset.news()
    assert (told.ids.tolist(), told.batches.tolist()) == ([2], [1])
    assert dataset.told(1).ids.tolist() == [1, 2]


def test_the_first_news_are_all_answered_points(tmp_path):
    with open_dataset(tmp_path) as dataset:
        for number in range(3):
            add(dataset, batch(2, seed=number))
        dataset.record([ok(6), ok(1)])
    with open_dataset(tmp_path) as dataset:
        assert [part.ids.tolist() for part in dataset.news()] == [[1], [6]]
        dataset.record([ok(2)])
        assert [part.ids.tolist() for part in dataset.news()] == [[2]]


def test_the_first_news_of_many_batches_read_each_of_them_once(tmp_path, connections):
    with open_dataset(tmp_path) as dataset:
        for number in range(40):
            dataset.record([ok(point) for point in add(dataset, batch(2, seed=number)).ids.tolist()])
    with open_dataset(tmp_path) as dataset:
        statements: list[str] = []
        connections[-1].set_trace_callback(statements.append)
        assert [part.batches.tolist() for part in dataset.news()] == [[number] * 2 for number in range(1, 41)]
        assert len(statements) < 10


def test_the_best_point_and_the_first_incomplete_batch_are_known(tmp_path):
    with Dataset(tmp_path) as dataset:
        assert (dataset.best_nll(), dataset.first_open_batch()) == (math.inf, None)
    with open_dataset(tmp_path) as dataset:
        assert (dataset.best_nll(), dataset.first_open_batch()) == (math.inf, None)
        for number in range(3):
            add(dataset, batch(2, seed=number))
        dataset.record([Outcome(1, Status.INVALID), ok(2, nll=4.0), ok(5, nll=-2.5), ok(6, nll=7.0)])
        assert (dataset.best_nll(), dataset.first_open_batch()) == (-2.5, 2)
        dataset.record([ok(3, nll=1.0), ok(4, nll=1.0)])
        assert dataset.first_open_batch() is None


def test_results_come_in_chunks_from_a_batch_on_and_below_an_nll(dataset):
    for number in range(4):
        add(dataset, batch(5, seed=number))
    dataset.record([ok(point, float(point)) for point in range(1, 21)])
    chunks = list(dataset.results(chunk=3))
    assert [len(chunk.ids) for chunk in chunks] == [3, 2] * 4
    assert np.concatenate([chunk.ids for chunk in chunks]).tolist() == list(range(1, 21))
    assert [part.ids.tolist() for part in dataset.results(chunk=12)] == [[*range(1, 11)], [*range(11, 21)]]
    assert [part.ids.tolist() for part in dataset.results(first_batch=4)] == [[16, 17, 18, 19, 20]]
    assert [part.ids.tolist() for part in dataset.results(target=Target(3.0))] == [[1, 2]]
    assert list(dataset.results(first_batch=9)) == []


def test_counts_agree_with_the_rows(dataset):
    rng = np.random.default_rng(0)
    for number in range(6):
        add(dataset, batch(20, seed=number, origin=["bootstrap", "exploit", "smote"][number % 3]))
    for point in rng.permutation(np.arange(1, 121))[:90].tolist():
        dataset.record([Outcome(point, Status(int(rng.integers(1, 5))), 1.0)])
    parts = list(dataset.results())
    asked = Counter(origin for part in parts for origin in part.origins)
    statuses = (Status(status) for part in parts for status in part.status)
    origins = (origin for part in parts for origin in part.origins)
    answered = Counter(zip(origins, statuses, strict=True))
    assert sum(answered.values()) == 90
    open_ones = {(origin, None): 40 - asked[origin] for origin in ("bootstrap", "exploit", "smote")}
    assert dataset.counts() == answered | {key: n for key, n in open_ones.items() if n}
    assert dataset.count_pending() == len(dataset.pending().ids) == 30


def test_meta_values_are_stored_and_replaced(tmp_path):
    with open_dataset(tmp_path) as dataset:
        dataset.set_meta({"seed": 7, "versions": {"torch": "2"}})
        dataset.set_meta({"seed": 8})
    with open_dataset(tmp_path) as dataset:
        assert dataset.meta() == {"begun": True, "seed": 8, "versions": {"torch": "2"}}


def test_memory_stays_flat_and_a_point_is_cheap(tmp_path):
    """The bounds are loose, because the benchmarks measure costs. This test notices a cost that grows with the number
    of points.
    """
    with open_dataset(tmp_path, 6) as dataset:
        spent = []
        for number in range(40):
            made = batch(1000, seed=number, dim=6)
            start = resource.getrusage(resource.RUSAGE_SELF).ru_utime
            added = add(dataset, made)
            dataset.record([ok(point) for point in added.ids.tolist()])
            spent.append(resource.getrusage(resource.RUSAGE_SELF).ru_utime - start)
        assert sum(spent[20:]) < 3 * sum(spent[:20])
        assert sum(spent) / 40_000 < 200e-6
        assert len(dataset.pending().ids) == 0
        assert (tmp_path / "dataset.sqlite-wal").stat().st_size < 70e6
