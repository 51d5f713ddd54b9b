"""MLS_DNNC: its steps, faults of the published code that it must not have, resuming, and a search that finds good
points.
"""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from proposer.space import Space
from proposer.strategies.base import Strategy, generator
from proposer.strategies.mls_dnnc import MlsDnnc
from proposer.strategies.mls_dnnc_settings import MlsDnncSettings
from proposer.target import Target
from proposer.types import Batch, Status, Told
from scanspec import read_scan_file
from scanspec.variables import Variable
from tests.proposer.answered import same
from tests.proposer.cube import CUBE, FAST, ball, init_batch

ROOT = Path(__file__).parents[2]


class Scan:
    """Tells a strategy the answers of a function, batch by batch, and keeps all of them."""

    def __init__(self, strategy: MlsDnnc, nll=ball, status=None) -> None:
        self.strategy, self.nll = strategy, nll
        self.status = status or (lambda batch: np.full(len(batch), Status.OK))
        self.batches: list[Batch] = []
        self.told: list[Told] = []
        self.points = 0

    def step(self) -> Batch | None:
        batch = self.strategy.ask()
        if batch is not None:
            self.batches.append(batch)
            self.tell(batch)
        return batch

    def tell(self, batch: Batch) -> None:
        status = np.asarray(self.status(batch), dtype=np.int8)
        nll = np.where(status == Status.OK, self.nll(batch.u), np.nan)
        ids = np.arange(self.points + 1, self.points + len(batch) + 1)
        self.points += len(batch)
        numbers = np.full(len(batch), len(self.told) + 1)
        self.told.append(
            Told(ids, batch.u, status=status, nll=nll, observables=nll[:, None], origins=batch.origins, batches=numbers)
        )
        self.strategy.tell(self.told[-1])

    def run(self, most: int = 100) -> list[Batch]:
        for _ in range(most):
            if self.step() is None:
                break
        return self.batches

    def good(self, batch: Batch) -> np.ndarray:
        return self.nll(batch.u) < self.strategy.settings.target.threshold


def scan(settings: MlsDnncSettings = FAST, seed: int = 5, space: Space = CUBE, **what) -> Scan:
    return Scan(MlsDnnc(space, settings, seed), **what)


def kinds(batches: list[Batch]) -> list[tuple[int, str]]:
    """The iteration and the kind of each batch: bootstrap, candidates or smote."""
    return [(batch.iteration, "candidates" if "exploit" in batch.origins else batch.origins[0]) for batch in batches]


def trainings(monkeypatch) -> list[dict]:
    """Replaces the network, and notes the arguments of each fit."""
    seen: list[dict] = []

    def fit(self, inputs, good, positive_weight, rng):
        seen.append({"inputs": inputs.copy(), "good": good.copy(), "weight": positive_weight})
        self._network = object()
        return 0.0

    monkeypatch.setattr("proposer.strategies.networks.Classifier.fit", fit)
    monkeypatch.setattr("proposer.strategies.networks.Classifier.predict", lambda self, inputs: inputs[:, 0])
    return seen


# The steps


def test_the_loop_has_the_published_order_and_ends_with_its_iterations():
    run = scan()
    made = kinds(run.run())
    assert made[0] == (0, "bootstrap")
    loop = [network for network in made if network[1] != "bootstrap"]
    assert [iteration for iteration, kind in loop if kind == "candidates"] == [1, 2, 3]
    for before, after in itertools.pairwise(loop):
        if after[1] == "smote":
            assert before == (after[0], "candidates")
    assert run.strategy.stop_reason == "all 3 iterations are done (Iterations)"
    assert run.strategy.ask() is None
    assert run.strategy.lag == 0
    strategy: Strategy = run.strategy
    assert strategy.good == sum(run.good(batch).sum() for batch in run.batches)


def test_candidates_are_the_best_ones_and_others_at_random(monkeypatch):
    trainings(monkeypatch)
    run = scan(seed=2)
    run.step()
    batch = run.step()
    assert list(batch.origins) == ["exploit"] * 40 + ["left"] * 10
    drawn = CUBE.draw(generator(2, 1, "candidates"), 400)
    score = np.sort(drawn[:, 0])[::-1]  # the replaced network scores by the first coordinate
    assert np.array_equal(batch.u[:40, 0], score[:40])
    assert len(np.unique(batch.u, axis=0)) == 50
    rank = np.searchsorted(-score, -batch.u[40:, 0])
    assert rank.min() >= 40
    assert rank.max() > 200  # these are not only the best candidates


@pytest.mark.parametrize(
    ("candidates", "wanted", "fraction", "exploit", "left"),
    [(400, 50, 0.0, 50, 0), (400, 50, 1.0, 0, 50), (30, 50, 0.2, 24, 6), (50, 50, 0.5, 25, 25), (1, 300, 0.2, 1, 0)],
)
def test_the_share_of_random_candidates_may_have_any_size(monkeypatch, candidates, wanted, fraction, exploit, left):
    """The published code silently sends fewer points, or sends some twice."""
    trainings(monkeypatch)
    changed = replace(FAST, candidate_points=candidates, points_per_iteration=wanted, random_fraction=fraction)
    run = scan(changed)
    run.step()
    batch = run.step()
    assert list(batch.origins) == ["exploit"] * exploit + ["left"] * left
    assert len(np.unique(batch.u, axis=0)) == exploit + left


def test_the_first_fit_uses_all_points_and_later_ones_all_good_and_equally_many_bad_ones(monkeypatch):
    seen = trainings(monkeypatch)
    run = scan()
    run.run()
    boot = run.batches[0]
    assert len(seen) == 3
    assert np.array_equal(seen[0]["inputs"], 2 * boot.u - 1)
    share = run.good(boot).mean()
    assert 0 < share < 0.1
    assert seen[0]["weight"] == pytest.approx((1 - share) / share)
    first_of_3 = kinds(run.batches).index((3, "candidates"))
    before = run.batches[:first_of_3]
    good = np.concatenate([run.good(batch) for batch in before])
    last = seen[-1]
    assert last["good"].sum() == good.sum()
    assert (~last["good"]).sum() == good.sum()
    assert last["weight"] == 1.0
    chosen = np.concatenate([2 * batch.u - 1 for batch in before[1:]])
    late = {row.tobytes() for row in chosen}
    n_late = sum(row.tobytes() in late for row in last["inputs"][~last["good"]])
    assert n_late == min(good.sum() // 2, (~good[len(boot) :]).sum())
    assert {row.tobytes() for row in np.concatenate([2 * batch.u - 1 for batch in before])[good]} == {
        row.tobytes() for row in last["inputs"][last["good"]]
    }


def test_labels_are_by_status_and_threshold_and_failures_do_not_train(monkeypatch):
    seen = trainings(monkeypatch)
    cycle = [Status.OK, Status.INVALID, Status.FAILED, Status.TIMED_OUT]
    run = scan(
        status=lambda batch: [cycle[i % 4] for i in range(len(batch))],
        nll=lambda u: np.where(np.arange(len(u)) % 8 == 0, 0.999, 1.0),
    )
    run.step()
    run.step()
    used = np.arange(60) % 4 < 2
    assert np.array_equal(seen[0]["inputs"], 2 * run.batches[0].u[used] - 1)
    assert np.array_equal(seen[0]["good"], (np.arange(60) % 8 == 0)[used])
    assert run.strategy.good == 8 + 7


# SMOTE


def told_run(monkeypatch, n_good: int, n: int = 50, status=Status.OK, settings=FAST) -> Scan:
    """A scan with 4 good points of 60 in the bootstrap and `n_good` good ones in the first candidates."""
    trainings(monkeypatch)
    good_in = iter([4, n_good, *[0] * 20])

    def nll(u):
        return np.where(np.arange(len(u)) < next(good_in), 0.0, 5.0)

    def status_of(batch):
        bad_candidate = (np.arange(len(batch)) >= n_good) & ("exploit" in batch.origins)
        return np.where(bad_candidate, status, Status.OK)

    run = scan(settings, nll=nll, status=status_of)
    run.step()
    run.step()
    return run


@pytest.mark.parametrize(
    ("n_good", "expected"),
    [
        (0, 50 - 4 - 0),
        (3, 50 - 3 - 7),
        (5, 50 - 5 - 9),
        (6, 50 - 12),
        (19, 50 - 38),  # there are 4 earlier good points
        (20, None),
        (45, None),
        (50, None),
    ],
)
def test_smote_comes_when_good_points_are_few(monkeypatch, n_good, expected):
    """Up to Kinitial new good points are used with earlier ones. More of them, up to half of the 40 chosen, are used
    alone if they are more than the dimension.
    """
    run = told_run(monkeypatch, n_good)
    batch = run.strategy.ask()
    if expected is None:
        assert kinds([batch]) == [(2, "candidates")]
    else:
        assert kinds([batch]) == [(1, "smote")]
        assert len(batch) == expected
        run.tell(batch)  # all are bad, but there is only one such batch
        assert kinds([run.strategy.ask()]) == [(2, "candidates")]


def test_smote_takes_earlier_good_points_up_to_twice_kinitial(monkeypatch):
    run = told_run(monkeypatch, 1, settings=replace(FAST, k_initial=2))
    batch = run.strategy.ask()
    assert len(batch) == 49 - 4  # one new and three earlier good points against 49 bad ones


def test_smote_with_more_variables_than_good_points_waits(monkeypatch):
    trainings(monkeypatch)
    wide = Space([Variable(f"x{i}", 0, 1) for i in range(8)] + [Variable("f", 2, 2)])
    for n_good, kind in ((8, "candidates"), (9, "smote")):
        good_in = iter([4, n_good])
        run = scan(space=wide, nll=lambda u, good_in=good_in: np.where(np.arange(len(u)) < next(good_in), 0.0, 5.0))
        run.step()
        run.step()
        batch = run.strategy.ask()
        assert kinds([batch])[0][1] == kind
        assert (batch.u[:, 8] == 0.5).all()


def test_smote_points_are_new_at_most_a_round_and_count_by_their_true_labels():
    """The published code evaluates old points again, and counts these as new good points."""
    run = scan(replace(FAST, points_per_iteration=30, iterations=6))
    run.run()
    smote = [batch for batch in run.batches if batch.origins[0] == "smote"]
    assert smote
    assert all(len(one) <= 30 for one in smote)
    rows = [row.tobytes() for batch in run.batches for row in batch.u]
    assert len(set(rows)) == len(rows)
    assert run.strategy.good == sum(run.good(batch).sum() for batch in run.batches)


@pytest.mark.parametrize("status", [Status.INVALID, Status.FAILED, Status.TIMED_OUT])
@pytest.mark.parametrize("n_good", [0, 1, 2])
def test_an_iteration_without_a_valid_point_goes_on(monkeypatch, status, n_good):
    """The published code repeats such a batch for ever. With fewer than two good points there is no SMOTE."""
    run = told_run(monkeypatch, n_good, status=status)
    run.run(10)
    assert run.strategy.stop_reason
    candidates = [kind for kind in kinds(run.batches) if kind[1] == "candidates"]
    assert candidates == [(1, "candidates"), (2, "candidates"), (3, "candidates")]
    smote_follows = kinds(run.batches)[2] == (1, "smote")
    assert smote_follows == (status is Status.INVALID)  # INVALID points are bad points; failures are ignored


# Faults of the published code


@pytest.mark.parametrize("status", [Status.OK, Status.INVALID, Status.FAILED, Status.TIMED_OUT])
def test_a_bootstrap_without_a_good_point_is_followed_by_another(status):
    """The published code exits, or divides by zero."""
    run = scan(nll=lambda u: np.full(len(u), 9.0), status=lambda batch: np.full(len(batch), status))
    run.run(5)
    assert kinds(run.batches) == [(0, "bootstrap")] * 5
    assert len(np.unique(np.concatenate([asked.u for asked in run.batches]), axis=0)) == 300
    run.nll = lambda u: np.where(np.arange(len(u)) == 0, 0.0, 9.0)
    run.status = lambda batch: np.full(len(batch), Status.OK)
    run.run(2)
    assert kinds(run.batches)[5:] == [(0, "bootstrap"), (1, "candidates")]


@pytest.mark.parametrize("n_bad", [0, 1, 2, 5])
def test_few_or_no_bad_points_do_no_harm(n_bad):
    """The published code enlarges the bad class, or crashes in SMOTE."""
    run = scan(nll=lambda u: np.where(np.arange(len(u)) < n_bad, 9.0, 0.0))
    run.run()
    assert [kind for _, kind in kinds(run.batches)] == ["bootstrap", *["candidates"] * 3]
    assert run.strategy.stop_reason


def test_one_good_point_alone_is_enough_to_go_on():
    """The published code exits with fewer good points than variables."""
    first = []

    def nll(u):
        first.append(u)
        return np.where((np.arange(len(u)) == 0) & (len(first) == 1), 0.0, 9.0)

    run = scan(nll=nll)
    run.run()
    assert [kind for _, kind in kinds(run.batches)] == ["bootstrap", *["candidates"] * 3]


def test_a_k_above_the_number_of_good_points_does_no_harm():
    run = scan(replace(FAST, k_initial=60))
    assert run.run()
    assert run.strategy.stop_reason


def test_a_batch_that_was_asked_before_leaves_no_gap():
    """The dataset drops points that were asked for before, and the strategy is not told of them."""
    strategy = MlsDnnc(CUBE, FAST, 5)
    none = np.empty((0, 0))
    empty = Told(
        np.empty(0, np.int64),
        none,
        status=np.empty(0, np.int8),
        nll=np.empty(0),
        observables=none,
        origins=[],
        batches=np.empty(0, np.int64),
    )
    assert strategy.ask() is not None
    strategy.tell(empty)
    run = Scan(strategy)
    run.step()
    assert kinds(run.batches) == [(0, "bootstrap")]
    made = [strategy.ask()]
    strategy.tell(empty)
    made.append(strategy.ask())
    assert kinds(made) == [(1, "candidates"), (2, "candidates")]


# InitCSV


def test_init_points_are_trained_on_and_counted_but_do_not_change_the_weight(monkeypatch):
    seen = trainings(monkeypatch)
    run = scan(replace(FAST, target=Target(0.5)))
    run.tell(init_batch())
    assert run.strategy.good >= 3
    assert kinds([run.step()]) == [(0, "bootstrap")]  # the bootstrap is still drawn, once
    assert kinds([run.step()]) == [(1, "candidates")]
    assert len(seen[0]["good"]) == 100
    assert seen[0]["good"].mean() < 0.1  # without an InitCSV, the weight would not be 1 with so few good points
    assert seen[0]["weight"] == 1.0


# Determinism


def test_the_same_seed_gives_the_same_scan_whatever_the_global_state():
    runs = []
    for noise in (1, 2):
        np.random.seed(noise)  # noqa: NPY002
        torch.manual_seed(noise)
        runs.append(scan().run())
    assert len(runs[0]) == len(runs[1])
    assert same(*runs)
    assert not same([scan(seed=6).step()], runs[0][:1])


# A search that finds good points


@pytest.mark.slow
def test_it_finds_good_points_of_the_toy_far_more_often_than_chance():
    """The shells of arXiv:2207.09959, equation (3.1), within one sigma: 3.7 % of the cube."""
    scan_file = read_scan_file(ROOT / "examples" / "toy3d.yaml")
    space = Space(scan_file.variables)
    settings = replace(MlsDnncSettings.read(scan_file), iterations=8)

    def nll(u):
        value = (2.0 + np.cos(space.to_physical(u) / 7.0).prod(axis=1)) ** 5
        return (value - 100.0) ** 2 / 200.0

    chance = (nll(space.draw(np.random.default_rng(0), 200_000)) < settings.target.threshold).mean()
    run = Scan(MlsDnnc(space, settings, 1), nll=nll)
    run.run()
    later = [batch for batch in run.batches if batch.iteration >= 4]
    exploit = [
        run.good(batch)[[o == "exploit" for o in batch.origins]] for batch in later if "exploit" in batch.origins
    ]
    assert np.concatenate(exploit).mean() > 3 * chance
    assert np.concatenate([run.good(batch) for batch in later]).mean() > 8 * chance
    found = np.concatenate([space.to_physical(batch.u)[run.good(batch)] for batch in run.batches])
    assert len(np.unique(np.round(found / (7 * np.pi)), axis=0)) > 5  # several shells
