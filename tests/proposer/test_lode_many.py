"""Many outputs: only those that decide are conditioned on all points, and fits use exact gradients."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.search.many import DIM, Many
from proposer.strategies.lode.either import FROM
from proposer.strategies.lode.energy import EnergyOfObservables, ScoredObservable
from proposer.strategies.lode.matern import likelihood
from proposer.strategies.lode.observables import LEAST_POINTS, OfObservables
from proposer.strategies.lode.points import Known, Points
from proposer.strategies.lode.process import NOISY_STEPS, Processes
from proposer.target import Target
from proposer.types import Floats
from scanspec import Kind, Likelihood, losses_and_nll
from tests.proposer.answered import told_of

OUTPUTS = 8
GAUSS = [Likelihood(Kind.GAUSS, 0.1 * j, 0.2) for j in range(OUTPUTS)]


def observe(u: Floats, rng: np.random.Generator) -> Floats:
    """Smooth observables; only the last one is noisy."""
    y = np.stack([np.sin(u @ [1.0, 0.1 * j, 0.5]) - 0.5 + 0.1 * j for j in range(OUTPUTS)], axis=1)
    y[:, -1] += 0.05 * rng.standard_normal(len(u))
    return np.asarray(y)


def known(n: int) -> tuple[EnergyOfObservables, Known]:
    rng = np.random.default_rng(1)
    scored = EnergyOfObservables([ScoredObservable(f"y{j}", one) for j, one in enumerate(GAUSS)], Target(4.0))
    points, u = Points(np.arange(3), scored, Target(4.0)), rng.random((n, 3))
    y = observe(u, rng)
    points.add(told_of(u, losses_and_nll(GAUSS, y)[1], y))
    return scored, points.known()


def test_gradients_of_the_likelihood_are_those_of_its_formula() -> None:
    rng = np.random.default_rng(2)
    x, t = torch.from_numpy(rng.uniform(-1, 1, (60, 4))), torch.from_numpy(rng.standard_normal((60, 1)))
    parameters = [torch.tensor(part, dtype=torch.float64) for part in ([0.1, 0.5, -0.3, 1.0], 0.3, 0.02)]
    scales, amplitude, noise = (part.clone().requires_grad_(True) for part in parameters)
    square = 5.0 * ((x[:, None] - x) / scales.exp()).square().sum(dim=2)
    r = square.clamp(min=1e-12).sqrt()
    covariance = amplitude.exp() * (1 + r + square / 3) * torch.exp(-r) + noise * torch.eye(60, dtype=torch.float64)
    formula = 0.5 * (t.T @ torch.linalg.solve(covariance, t)).sum() + 0.5 * torch.logdet(covariance)
    # each point predicted from all others
    off = []
    for row in range(60):
        others = [other for other in range(60) if other != row]
        weights = torch.linalg.solve(covariance[others][:, others], t[others, 0])
        off.append(t[row, 0] - covariance[row, others] @ weights)
    expected = (
        formula.detach(),
        *torch.autograd.grad(formula, (scales, amplitude, noise), retain_graph=True),
        torch.stack(off).detach(),
        -6.0 * torch.autograd.grad(formula, square)[0].fill_diagonal_(0.0),
    )
    scales, amplitude, noise = parameters
    found = likelihood(x, t, scales, amplitude, noise)
    assert found is not None
    found[-1].fill_diagonal_(0.0)  # no length changes the distance of a point from itself
    for mine, its in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, its, rtol=1e-7, atol=1e-7)
    assert likelihood(x * 0.0, t, scales, amplitude, torch.tensor(-1.0)) is None


def test_replaced_outputs_are_predicted_from_the_data_of_another_process() -> None:
    rng = np.random.default_rng(1)
    x, t, z = rng.uniform(-1.0, 1.0, (60, 2)), rng.random((60, 2)), torch.from_numpy(rng.uniform(-1.0, 1.0, (30, 2)))
    made = Processes(2, 2)
    made.condition(x, t)
    fewer, before = made.thinned(x[:20], t[:20]), made.mean(z)
    made.replace(np.array([True, False]), fewer)
    assert torch.equal(made.mean(z)[:, 0], fewer.mean(z)[:, 0])
    assert torch.equal(made.mean(z)[:, 1], before[:, 1])
    assert not torch.equal(before[:, 0], fewer.mean(z)[:, 0])


def test_only_outputs_that_decide_are_conditioned_on_all_points(monkeypatch: pytest.MonkeyPatch) -> None:
    scored, points = known(400)
    sizes, from_few = list[int](), list[list[bool]]()
    condition, replace = Processes.condition, Processes.replace

    def noted_condition(self: Processes, x: Floats, t: Floats) -> None:
        if t.shape[1] == OUTPUTS:
            sizes.append(len(x))
        condition(self, x, t)

    def noted_replace(self: Processes, which: NDArray[np.bool_], other: Processes) -> None:
        from_few.append(which.tolist())
        replace(self, which, other)

    monkeypatch.setattr(Processes, "condition", noted_condition)
    monkeypatch.setattr(Processes, "replace", noted_replace)
    surrogate = OfObservables(3, scored, lambda u: 2.0 * u - 1.0)
    surrogate.fit(points, np.random.default_rng(3))
    assert sizes == [FROM, LEAST_POINTS, LEAST_POINTS // 3]  # squares are compared first
    assert from_few == [[True] * (OUTPUTS - 1) + [False]]
    new = np.random.default_rng(4).random((300, 3))
    y = observe(new, np.random.default_rng(5))
    predicted = surrogate.observables(new)
    assert predicted is not None
    error = np.sqrt(((predicted - y)[:, :-1] ** 2).mean(axis=0))
    assert error.max() < 0.03 * 0.2  # in units of sigma
    # the length scales of what a third of the points predicts so well are not learned again either
    before = surrogate.to_arrays() | {"learned_from": np.array(0.0)}
    again = OfObservables(3, scored, surrogate.inputs)
    again.load(before)
    again.fit(points, np.random.default_rng(6))
    moved = (again.to_arrays()["values/scales"] != before["values/scales"]).any(axis=1)
    assert moved.tolist() == [False] * (OUTPUTS - 1) + [True]


def test_length_scales_are_learned_only_to_the_resolution_of_the_likelihood() -> None:
    """Outputs whose points predict each other well are learned no further; with a large sigma, none is."""
    rng = np.random.default_rng(2)
    x = rng.uniform(-1.0, 1.0, (120, 3))
    t = np.stack([np.sin(x.sum(axis=1)), np.cos(5.0 * x[:, 0] * x[:, 1])], axis=1)
    seen: list[Floats] = []

    def exact(width: float) -> Processes:
        def within(predicted: Floats, of: Floats) -> NDArray[np.bool_]:
            error = np.sqrt(((predicted - of) ** 2).mean(axis=0))
            seen.append(error)
            return np.asarray(error < width)

        made = Processes(3, 2)
        made.learn(x, t, np.random.default_rng(3), exact=within)
        return made

    first, narrow = Processes(3, 2).to_arrays()["scales"], exact(1e-9).to_arrays()["scales"]
    assert len(seen) == 15  # every fourth of 60 steps
    assert (seen[-1] < 0.5 * seen[0]).all()
    seen.clear()
    assert np.array_equal(exact(10.0).to_arrays()["scales"], first)
    assert len(seen) == 1
    plain = Processes(3, 2)
    plain.learn(x, t, np.random.default_rng(3))
    assert np.array_equal(plain.to_arrays()["scales"], narrow)
    half = exact(0.02).to_arrays()["scales"]  # the second output is rougher and is learned further
    assert np.array_equal(half[1], narrow[1]) and not np.array_equal(half[0], narrow[0])


def test_noise_is_tried_only_for_outputs_that_are_predicted_badly(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    x = rng.uniform(-1.0, 1.0, (300, 2))
    t = np.stack([np.sin(2.0 * x[:, 0]), rng.standard_normal(300), x[:, 1]], axis=1)
    fits: list[Floats] = []

    def noted(x: torch.Tensor, t: torch.Tensor, *rest: torch.Tensor) -> tuple[torch.Tensor, ...] | None:
        fits.append(t[:, 0].numpy())
        return likelihood(x, t, *rest)

    monkeypatch.setattr("proposer.strategies.lode.process.likelihood", noted)
    Processes(2, 3).learn(x, t, np.random.default_rng(5))
    steps = [sum(np.isin(of, t[:, j]).all() for of in fits) for j in range(3)]
    assert steps == [60, 60 + NOISY_STEPS, 60]


@pytest.mark.slow
def test_many_outputs_begin_with_few_points_and_learn_the_same_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    x = rng.uniform(-1.0, 1.0, (250, 3))
    t = np.stack([np.sin(2.0 * x[:, j % 3] + j) for j in range(12)], axis=1)
    sizes: list[int] = []

    def noted(x: torch.Tensor, t: torch.Tensor, *rest: torch.Tensor) -> tuple[torch.Tensor, ...] | None:
        sizes.append(len(x))
        return likelihood(x, t, *rest)

    monkeypatch.setattr("proposer.strategies.lode.process.likelihood", noted)
    made = Processes(3, 12)
    made.learn(x, t, np.random.default_rng(7))
    assert [sizes.count(n) for n in (2500 // 12, 250)] == [12 * 36, 12 * 24]
    assert (made.to_arrays()["scales"].argmin(axis=1) == np.arange(12) % 3).all()
    sizes.clear()
    made.learn(x, t, np.random.default_rng(8))
    assert set(sizes) == {250}  # later fits continue with all points


def test_rough_energies_reach_further_down_with_many_outputs() -> None:
    likelihoods = [Likelihood(Kind.GAUSS, 0.0, 1.0)] * 40
    for count, above in ((1, 4.0), (10, 4.0), (40, 2.5)):
        scored = EnergyOfObservables([ScoredObservable(f"y{j}", likelihoods[j]) for j in range(count)], Target(4.0))
        assert OfObservables(2, scored, lambda u: u).rough_above == pytest.approx(above)


def test_a_model_from_a_checkpoint_knows_which_outputs_decide() -> None:
    scored, points = known(400)
    one, other = (OfObservables(3, scored, lambda u: 2.0 * u - 1.0) for _ in range(2))
    one.fit(points, np.random.default_rng(3))
    other.load(one.to_arrays())
    _, more = known(500)
    one.fit(more, np.random.default_rng(7))
    other.fit(more, np.random.default_rng(7))
    u = np.random.default_rng(8).random((50, 3))
    assert np.array_equal(one.members(u), other.members(u))


@pytest.mark.parametrize("outputs", [25, 60])
def test_the_benchmark_has_a_point_that_fulfils_all_its_likelihoods(outputs: int) -> None:
    of = Many(outputs, 0.3)
    assert len(of.likelihoods) == outputs == of(np.full((1, DIM), 0.5)).shape[1]
    centre = of.centre[None]
    assert losses_and_nll(of.likelihoods, of(centre))[1][0] < 0.04 * outputs
