"""Planes at which an observable changes abruptly become inputs of the models."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from proposer.strategies.lode.acquire import LESS, Context, explore
from proposer.strategies.lode.energy import EnergyOfObservables, ScoredObservable
from proposer.strategies.lode.marginal import EDGE, KIND, NORMAL, C, Fit, Marginal
from proposer.strategies.lode.observables import OfObservables
from proposer.strategies.lode.plane import MOST, PAYS, close_to_planes, paid
from proposer.strategies.lode.points import Points
from proposer.strategies.lode.process import Processes
from proposer.strategies.lode.regress import Regression
from proposer.strategies.lode.ridges import LEAST_WIDTH, Ridges
from proposer.strategies.lode.sample import subset_simulation
from proposer.target import Target
from proposer.types import Floats
from scanspec import Kind, Likelihood
from tests.proposer.answered import told_of
from tests.proposer.searches import known_of, train

U = np.random.default_rng(3).random((400, 4))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks train for a short time."""
    train(monkeypatch, regression=0.1)


def resonance(x: Floats) -> Floats:
    """The logarithm of a density that falls by e^3 where 0.6 x0 - 0.8 x2 = 0.1, shape (n, 1)."""
    off = 0.6 * x[:, 0] - 0.8 * x[:, 2] - 0.1
    return (x[:, 1] + 0.5 * x[:, 3] ** 2 - 3.0 * 0.03**2 / (off**2 + 0.03**2))[:, None]


def found(values: Floats, x: Floats) -> Ridges:
    ridges = Ridges(x.shape[1])
    ridges.find(x, (values - values.mean()) / values.std(), Processes(x.shape[1], 1), np.random.default_rng(5))
    return ridges


def test_the_plane_of_a_resonance_is_found_from_few_points():
    x = 2.0 * U - 1.0
    ridges = found(resonance(x), x)
    off = [abs(plane[0] * plane[2]) > 0.3 and plane[C] / plane[0] * 0.6 for plane in ridges.planes]
    assert any(abs(c - 0.1) < 0.02 for c in off)
    assert ridges.came == [-1] * len(ridges.planes)
    assert np.allclose(np.linalg.norm(ridges.planes[:, NORMAL], axis=1), 1.0)


def test_a_smooth_observable_has_no_planes():
    x = 2.0 * U - 1.0
    smooth = np.sin(2.0 * x[:, 0] - x[:, 1])[:, None] + x[:, 2:3] * x[:, 3:]
    assert not len(found(smooth, x).planes)


def test_planes_of_the_last_search_are_improved_and_others_forgotten():
    x = 2.0 * U - 1.0
    ridges = found(step(x), x)
    n = len(ridges.planes)
    useless = np.array([0.0, 0.7071, 0.0, 0.7071, 0.3, 0.02, 0.0])
    ridges.planes = np.concatenate([useless[None], ridges.planes])[:4]
    t = step(x)
    process = Processes(4, 1).with_inputs(4, np.full((1, len(ridges.planes)), 0.7))
    ridges.find(x, (t - t.mean()) / t.std(), process, np.random.default_rng(6))
    assert 0 not in ridges.came
    assert ridges.changed
    assert 1 in ridges.came
    assert len(ridges.planes) >= n
    carried = ridges.carried(process, 0)
    assert carried.lengths.shape == (1, 4 + len(ridges.planes))
    assert ridges(x).shape == (400, 4 + len(ridges.planes))
    again = Ridges(4)
    again.load(ridges.to_arrays())
    assert np.array_equal(again(x), ridges(x))
    assert again.found_from == 400


@pytest.mark.slow
def test_planes_of_one_output_stay_while_those_of_another_are_looked_for():
    x = 2.0 * U - 1.0
    step = np.where(x[:, :1] + x[:, 1:2] > 0.3, 3.0, 0.0) + x[:, 2:3]
    t = np.concatenate([resonance(x), step], axis=1)
    t = (t - t.mean(axis=0)) / t.std(axis=0)
    ridges, rng = Ridges(4), np.random.default_rng(5)
    values, changed = ridges.look(x, t, Processes(4, 2), [0, 1], rng)
    of = ridges.outputs(values)
    assert changed
    assert set(of.tolist()) == {0, 1}
    before = ridges.planes[of == 0]
    values, _ = ridges.look(x, t, values, [1], rng)
    assert np.array_equal(ridges.planes[ridges.outputs(values) == 0], before)


def step(x: Floats) -> Floats:
    """The same, but with a step of 1.5 in place of the resonance, shape (n, 1)."""
    off = 0.6 * x[:, 0] - 0.8 * x[:, 2] - 0.1
    return (x[:, 1] + 0.5 * x[:, 3] ** 2 + 1.5 * np.tanh(off / 0.02))[:, None]


def near_the_plane(values: Callable[[Floats], Floats], kind: float) -> tuple[Marginal, Fit]:
    """The likelihood of `values`, and numbers with a plane that is off by 0.02."""
    x = 2.0 * U - 1.0
    t = values(x)
    process = Processes(4, 1)
    marginal = Marginal(x, (t - t.mean()) / t.std(), np.empty((0, 7)), process, np.random.default_rng(2))
    normal = np.array([0.62, 0.0, -np.sqrt(1.0 - 0.62**2), 0.0])
    return marginal, marginal.fit.with_plane(np.array([*normal, 0.12, 0.02, kind]))


@pytest.mark.parametrize(("values", "kind"), [(resonance, 1.0), (step, 0.0)])
def test_a_plane_climbs_the_likelihood_up_to_the_feature(values: Callable[[Floats], Floats], kind: float):
    marginal, fit = near_the_plane(values, kind)
    climbed = marginal.climbed(fit, [0], 60)
    assert climbed.value > marginal.value(fit) + 12.0
    assert np.isclose(climbed.value, marginal.value(climbed), rtol=1e-6)
    assert np.allclose(climbed.planes[0, NORMAL], [0.6, 0.0, -0.8, 0.0], atol=0.005)
    assert abs(climbed.planes[0, C] - 0.1) < 0.005
    assert np.array_equal(marginal.climbed(fit, [], 60).planes, fit.planes)  # only the length scales climb


@pytest.mark.parametrize(("values", "kind"), [(resonance, 1.0), (step, 0.0)])
def test_the_input_of_a_plane_becomes_that_of_a_peak_or_a_step(values: Callable[[Floats], Floats], kind: float):
    marginal, fit = near_the_plane(values, 1.0 - kind)
    x, t = 2.0 * U - 1.0, values(2.0 * U - 1.0)
    ridges = Ridges(4)
    ridges.planes = fit.planes
    process = marginal.climbed(fit, [0], 20).process
    ridges.find(x, (t - t.mean()) / t.std(), process, np.random.default_rng(6))
    assert ridges.planes[0, KIND] == kind
    assert ridges.came[0] == -1
    assert ridges.changed  # so networks begin anew


def test_planes_of_an_older_state_are_steps():
    ridges = Ridges(2)
    ridges.load({"planes": np.array([[0.6, 0.8, 0.1, 0.02]]), "found_from": np.array(300.0)})
    assert np.array_equal(ridges.planes, [[0.6, 0.8, 0.1, 0.02, 0.0]])
    x = np.array([[0.5, 0.2], [-0.5, -0.2]])
    assert np.allclose(ridges(x)[:, 2], np.arcsinh((x @ [0.6, 0.8] - 0.1) / 0.02) / 4.0)


def test_networks_with_more_inputs_are_stored():
    x = np.random.default_rng(1).uniform(-1, 1, (300, 5))
    nets = Regression(3, 1, 2)
    nets.learn(x, x[:, :1] * x[:, 4:], np.ones(300), torch.Generator().manual_seed(1))
    again = Regression.from_arrays(nets.to_arrays())
    assert torch.equal(again.mean(torch.from_numpy(x)), nets.mean(torch.from_numpy(x)))
    assert nets.members(torch.from_numpy(x)).shape == (4, 300, 1)
    assert again.more == 2


def model_of_a_strip(*, ridges: bool, monkeypatch: pytest.MonkeyPatch) -> tuple[OfObservables, Points]:
    if not ridges:
        monkeypatch.setattr(Ridges, "find", lambda *_, **__: None)
    values = np.exp(resonance(2.0 * U - 1.0))
    scored = EnergyOfObservables([ScoredObservable("density", Likelihood(Kind.GAUSS, 0.3, 0.03))], Target(0.5))
    points = Points(np.arange(4), scored, Target(0.5))
    nll = 0.5 * ((values[:, 0] - 0.3) / 0.03) ** 2
    model = OfObservables(4, scored, lambda u: 2.0 * u - 1.0)
    for rows in np.split(np.arange(400), [200, 300]):
        points.add(told_of(U[rows], nll[rows], observables=values[rows]))
        model.by_nets[:] = True  # as if networks had been better
        model.fit(points.known(), np.random.default_rng(1))
        model.expect(U[rows[-1] + 1 :][:100])
    return model, points


@pytest.mark.parametrize("ridges", [True, False])
def test_a_model_predicts_a_resonance_by_its_plane(ridges: bool, monkeypatch: pytest.MonkeyPatch):
    model, points = model_of_a_strip(ridges=ridges, monkeypatch=monkeypatch)
    fresh = np.random.default_rng(4).random((4000, 4))
    x = 2.0 * fresh - 1.0
    near = np.abs(0.6 * x[:, 0] - 0.8 * x[:, 2] - 0.1) < 0.05
    predicted = model.observables(fresh)
    assert predicted is not None
    off = predicted - model.scaled(np.exp(resonance(x)))
    assert (np.sqrt((off[near] ** 2).mean()) < 0.5) == ridges
    other = OfObservables(4, model.energy, model.inputs)
    other.load(model.to_arrays())
    stored = other.to_arrays()
    assert np.array_equal(stored["ridges/planes"], model.to_arrays()["ridges/planes"])
    assert (len(stored["ridges/planes"]) > 0) == ridges
    for one in (model, other):  # a search that is continued learns the same
        one.fit(points.known(), np.random.default_rng(2))
    assert np.array_equal(np.asarray(model.observables(fresh[:50])), np.asarray(other.observables(fresh[:50])))


def test_with_few_points_planes_do_not_wait_for_networks():
    values = np.exp(resonance(2.0 * U - 1.0))
    scored = EnergyOfObservables([ScoredObservable("density", Likelihood(Kind.GAUSS, 0.3, 0.03))], Target(0.5))
    points = Points(np.arange(4), scored, Target(0.5))
    model = OfObservables(4, scored, lambda u: 2.0 * u - 1.0)
    for rows in np.split(np.arange(240), [80, 160]):
        points.add(told_of(U[rows], 0.5 * ((values[rows, 0] - 0.3) / 0.03) ** 2, observables=values[rows]))
        model.fit(points.known(), np.random.default_rng(1))
        assert not model.by_nets.any()
        model.expect(U[rows[-1] + 1 :][:80])
    plane = model.to_arrays()["ridges/planes"][0]
    assert abs(plane[0] * plane[2]) > 0.3
    assert abs(plane[C] / plane[0] * 0.6 - 0.1) < 0.05


def context_of(model: OfObservables, points: Points) -> Context:
    context = Context(
        points.known(),
        np.empty((0, 4)),
        model,
        snap=lambda u: u,
        inputs=model.inputs,
        generator=lambda _: np.random.default_rng(8),
    )
    context.look(subset_simulation(model, 4, 400, torch.Generator().manual_seed(1)), (), 100)
    return context


@pytest.mark.slow
def test_some_points_are_close_to_the_planes_whatever_the_model_predicts_there(monkeypatch: pytest.MonkeyPatch):
    model, points = model_of_a_strip(ridges=True, monkeypatch=monkeypatch)
    context = context_of(model, points)
    u = close_to_planes(context, 100)
    assert 3 <= len(u) <= round(100 * MOST)
    planes = model.to_arrays()["ridges/planes"]
    off = np.abs((2.0 * u - 1.0) @ planes[:, NORMAL].T - planes[:, C]) / np.maximum(planes[:, C + 1], LEAST_WIDTH)
    assert (off.min(axis=1) < 5.0).all()
    assert (model.probability(u, np.random.default_rng(1)) < 0.5).any()
    without, _ = model_of_a_strip(ridges=False, monkeypatch=monkeypatch)
    assert not len(close_to_planes(context_of(without, points), 100))


def test_points_close_to_planes_become_few_if_none_is_good():
    u = np.random.default_rng(2).random((400, 2))
    bad, some = np.full(400, 9.0), np.full(400, 9.0)
    some[-round(400 * PAYS) :] = 0.1
    assert paid(known_of(u, bad, ["exploit"] * 400)) == 1.0
    assert paid(known_of(u, bad, ["plane"] * 400)) < 0.2
    assert paid(known_of(u, some, ["plane"] * 400)) == 1.0


def test_no_plane_is_moved_away_from_all_points():
    x = 2.0 * U - 1.0
    x[:, 0] = 0.5 * x[:, 0]
    pole_outside = np.log(0.55 - x[:, :1]) + x[:, 1:2]
    planes = found(pole_outside, x).planes
    assert len(planes)
    for plane in planes:
        off = (x @ plane[NORMAL] - plane[C]) / plane[C + 1]
        assert off.min() < EDGE
        assert off.max() > -EDGE


@pytest.mark.slow
def test_misses_close_to_planes_lower_their_number_and_these_points_that_of_exploring_ones(
    monkeypatch: pytest.MonkeyPatch,
):
    model, points = model_of_a_strip(ridges=True, monkeypatch=monkeypatch)
    known = points.known()
    context = context_of(model, points)
    explored = len(explore(context, 100))
    first = len(close_to_planes(context, 100))
    assert context.near_planes == first
    assert len(explore(context, 100)) == max(1, round(explored - LESS * first))
    context.known = replace(known, origins=np.where(known.good, "exploit", "plane"))
    assert len(close_to_planes(context, 100)) < 0.5 * first
