"""`goal: collect`: candidates beside good points, and many good points soon."""

from collections.abc import Sequence

import numpy as np
import pytest

from proposer.space import Space
from proposer.strategies import lode
from proposer.strategies.base import Status, Told
from proposer.strategies.lode import Lode, LodeSettings
from proposer.strategies.lode_collect import around_good_points, candidates, certain, odds_by_neighbours
from proposer.strategies.lode_energy import EnergyOfObservables
from proposer.strategies.lode_points import Known, Points
from scanspec import ScanFileError, Variable, read_scan_file

MANY = 10**9


def disc(u: np.ndarray) -> np.ndarray:
    """The NLL, good below 1: a disc of radius 0.2 around (0.5, 0.5)."""
    return ((u - 0.5) ** 2).sum(axis=1) / 0.2**2


def told_of(u: np.ndarray, nll: np.ndarray, origins: Sequence[str]) -> Told:
    n = len(u)
    status, batches = np.full(n, Status.OK, dtype=np.int8), np.ones(n, dtype=np.int64)
    return Told(np.arange(n) + 1, u, status, nll, np.empty((n, 0)), origins, batches)


def known_of(u: np.ndarray) -> Known:
    points = Points(np.arange(2), EnergyOfObservables([], 1.0), 1.0)
    n = len(u)
    points.add(told_of(u, disc(u), ["start"] * n))
    return points.known()


KNOWN = known_of(np.random.default_rng(1).random((300, 2)))


def test_candidates_lie_beside_good_points_and_are_new():
    u = candidates(KNOWN, np.random.default_rng(2))
    assert len(u) > 2000
    assert (u >= 0).all() and (u <= 1).all()
    assert (disc(u) < 1.0).mean() > 0.85  # an eighth of the cube is good
    known = {row.tobytes() for row in KNOWN.u}
    assert not any(row.tobytes() in known for row in u)


def test_a_ball_reaches_to_the_nearest_point_that_is_not_good_and_is_filled_evenly():
    known = known_of(np.array([[0.5, 0.5], [0.5, 0.9], [0.0, 0.0]]))
    u = around_good_points(known, 20_000, np.random.default_rng(3))
    r = np.linalg.norm(u - 0.5, axis=1)
    assert r.max() == pytest.approx(0.4, abs=0.005)
    assert (r < 0.2).mean() == pytest.approx(0.25, abs=0.015)


def test_odds_by_neighbours():
    known = known_of(np.array([[0.5, 0.5], [0.9, 0.5]]))
    u = np.array([[0.5, 0.5], [0.6, 0.5], [0.69, 0.5], [0.71, 0.5], [0.9, 0.5]])
    assert odds_by_neighbours(known, u) == pytest.approx([1.0, 0.75, 0.525, 0.0, 0.0])
    model = np.array([0.0, 0.5, 0.9, 0.0, 0.5])
    assert certain(known, u, model) == pytest.approx(np.array([1.0, 0.75, 0.9, 0.0, 0.5]) ** 6)


@pytest.mark.parametrize("u", [[[0.5, 0.5], [0.51, 0.5]], [[0.0, 0.0], [1.0, 1.0]]], ids=["all good", "none good"])
def test_without_good_or_without_other_points(u):
    known = known_of(np.array(u))
    assert not len(candidates(known, np.random.default_rng(1)))
    assert not odds_by_neighbours(known, np.array([[0.5, 0.5]])).any()


def thin(u: np.ndarray) -> np.ndarray:
    """Good below 1 on four thin rings, of which the NLL alone says little."""
    r = np.linalg.norm((u * 2.0) % 1.0 - 0.5, axis=1)
    return ((r - 0.3) / 0.02) ** 2


def good_of(settings: LodeSettings, evaluations: int, seed: int = 5) -> np.ndarray:
    strategy = Lode(Space([Variable("x", 0.0, 1.0), Variable("y", 0.0, 1.0)]), settings, seed, [])
    waiting: list[Told] = []
    seen = np.empty((0, 2))
    while len(seen) < evaluations:
        while len(waiting) > strategy.lag:
            strategy.tell(waiting.pop(0))
        batch = strategy.ask(MANY)
        assert batch is not None
        waiting.append(told_of(batch.u, thin(batch.u), batch.origins))
        seen = np.concatenate([seen, batch.u])
    return np.asarray(seen[thin(seen) < 1.0])


@pytest.mark.slow
def test_it_collects_more_good_points_than_a_map_has(monkeypatch):
    monkeypatch.setattr(lode, "PARTICLES", 100)
    collected = good_of(LodeSettings(1.0, 40, collect=True), 500)
    mapped = good_of(LodeSettings(1.0, 40), 500)
    assert len(collected) > 1.15 * len(mapped)
    assert len(np.unique(collected, axis=0)) == len(collected)


def test_the_goal_in_a_scan_file(tmp_path):
    path = tmp_path / "scan.yaml"
    codes = 'codes: {a: {function: "a:b", observables: {o: {mean: 1, sigma: 1}}}}'
    text = f"setup: {{GOAL}}\nvariables: {{x: [0, 1]}}\n{codes}\n"
    goals = {"run_name: a": False, "goal: map": False, "goal: collect": True, "Goal: collect": True}
    for goal, collect in goals.items():
        path.write_text(text.replace("GOAL", goal))
        assert LodeSettings.read(read_scan_file(path)).collect is collect
    path.write_text(text.replace("GOAL", "goal: best"))
    with pytest.raises(ScanFileError, match="line 1: setup: goal is 'best', but must be map"):
        LodeSettings.read(read_scan_file(path))
