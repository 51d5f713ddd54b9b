"""What an eager scan needs of a strategy: it takes parts of batches, and gives as many points as are requested."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from proposer.space import Space
from proposer.strategies.choice import TYPES
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.lode.strategy import Lode
from proposer.target import Target
from scanspec import Variable
from tests.proposer.answered import told_of
from tests.proposer.datasets import open_dataset
from tests.proposer.searches import kept, points_of
from tests.proposer.test_strategies import CASES, KINDS, SPACE, make, mixed, nll

pytestmark = pytest.mark.usefixtures("quick")

EAGER = ["LODE", "RANDOM", "SOBOL", "GRID"]

eager = pytest.mark.parametrize("name", EAGER)


def test_which_types_are_eager() -> None:
    assert [name for name in TYPES if name in CASES and make(name).eager] == EAGER


@pytest.mark.parametrize(
    ("name", "space"),
    [
        pytest.param(name, space, id=f"{name}-{kind}", marks=[pytest.mark.slow] if name == "LODE" else [])
        for name in EAGER
        for kind, space in (("priors", SPACE), ("kinds", KINDS))
    ],
)
def test_parts_of_batches_may_be_told_in_any_order(tmp_path: Path, name: str, space: Space) -> None:
    """Many batches are out, and single points are told, as in an eager scan; after a kill a new object goes on."""
    rng, answered, given, asked = np.random.default_rng(2), 0, 0, list[np.ndarray]()
    with ExitStack() as opened:
        dataset = opened.enter_context(open_dataset(tmp_path, space.dim, 1))
        strategy = make(name, space)
        for number in range(1, 10):
            if (batch := strategy.ask(least=25)) is None:
                break
            assert len(batch) >= 25 or name == "GRID"
            assert np.array_equal(batch.u, space.snap(batch.u))
            added = dataset.add_batch(batch, space.to_physical(batch.u), strategy.checkpoint())
            asked.append(batch.u[added.kept])
            # Only uniform points, which were not chosen by a model, may be out already, even in a small space.
            twice = [origin for origin, kept in zip(batch.origins, added.kept, strict=True) if not kept]
            assert set(twice) <= {"random", "start", "sobol"}
            if number > 2:
                pending = dataset.pending()
                some = np.sort(rng.permutation(len(pending.ids))[:20])
                values = nll(space.to_unit(pending.params[some]))
                each = zip(pending.ids[some].tolist(), values.tolist(), strict=True)
                answered += dataset.record([mixed(point, value) for point, value in each])
            if number == 6:
                strategy, given = make(name, space), 0
                dataset.close()
                dataset = opened.enter_context(open_dataset(tmp_path))
            for told in dataset.news():
                strategy.tell(told)
                given += len(told)
            if number == 6:
                strategy.restore(dataset.latest_checkpoint()[1])
        assert dataset.complete_batches() < 6
        assert strategy.good == dataset.count_good(Target(1.0))
        assert strategy.good > 0 or name == "GRID"
        assert given == answered
        if isinstance(strategy, Lode):
            out = np.concatenate(asked)[dataset.pending().ids - 1][:, ~space.fixed]
            assert {row.tobytes() for row in out} <= {row.tobytes() for row in kept(strategy)["out"]}


@eager
def test_a_batch_has_at_least_the_requested_number_of_points(name: str) -> None:
    assert len(make(name).ask(least=300)) == 300


@pytest.mark.slow
def test_parts_of_batches_move_a_threshold_as_whole_ones_do() -> None:
    """Points of many batches are out. The deep minimum is narrow, so the threshold falls late and several times."""
    space = Space([Variable(name, 0.0, 1.0) for name in "xy"])
    target, rng = Target.following(1.0), np.random.default_rng(4)

    def landscape(u: np.ndarray) -> np.ndarray:
        wide = 3.0 + 20.0 * ((u - 0.3) ** 2).sum(axis=1)
        return np.asarray(wide - 12.0 * np.exp(-((u - 0.8) ** 2).sum(axis=1) / 0.15**2))

    strategy, points = make_lode(space, target), points_of(target, 2)
    out, told, thresholds = np.empty((0, 2)), np.empty((0, 2)), set[float]()
    for _ in range(8):
        batch = strategy.ask(least=25)
        assert batch is not None
        assert not {row.tobytes() for row in batch.u} & {row.tobytes() for row in np.concatenate([out, told])}
        out = rng.permutation(np.concatenate([out, batch.u]))
        out, part = out[24:], out[:24]
        strategy.tell(told_of(part, landscape(part)))
        points.add(told_of(part, landscape(part)))
        told = np.concatenate([told, part])
        best = landscape(told).min()
        assert strategy.good == int((landscape(told) < best + 1.0).sum())
        known = points.known()
        assert np.array_equal(known.good, landscape(told) < best + 1.0)
        assert known.energy[known.good].max() < 1.0 <= known.energy[~known.good].min()
        thresholds.add(float(best + 1.0))
    assert len(thresholds) > 2 and min(thresholds) < 3.0 < max(thresholds)
    whole, at_once = make_lode(space, target), points_of(target, 2)
    whole.tell(told_of(told, landscape(told)))
    at_once.add(told_of(told, landscape(told)))
    assert whole.good == strategy.good
    assert np.array_equal(at_once.known().energy, points.known().energy)


def make_lode(space: Space, target: Target) -> Lode:
    return Lode(space, LodeSettings(target, 40), 3, [])
