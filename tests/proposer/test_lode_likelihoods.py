"""LODE with joint terms of several observables, and with observables that are likelihoods themselves."""

import logging

import numpy as np
import pytest
import torch

from lodescan.v1 import evaluation_pb2 as pb
from proposer.strategies.choice import make_strategy
from proposer.strategies.lode.energy import EnergyOfObservables, ScoredObservable
from proposer.strategies.lode.points import Points
from proposer.strategies.lode.rest import Rest
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.lode.strategy import Lode
from proposer.target import Target
from proposer.types import Status
from proposer.wire.messages import BadDescription, to_description
from scanspec import Kind, Likelihood, losses_and_nll
from scanspec.terms import Term, TermKind, work_out
from tests.proposer.answered import told_of
from tests.proposer.scripted import scripted
from tests.proposer.searches import kept, unit_cube

OFF, NLL = Likelihood(), Likelihood(Kind.MINUSEXPUSER)
ROOT = ((0.1, 0.0), (0.08, 0.06))
JOINT = Term(TermKind.JOINT_GAUSS, ("a", "b"), (0.5, 0.4), ROOT)
LIMIT = Term(TermKind.LIMIT, ("a", "c"), plus=0.6, knots=((0.1, 0.9),), values=(0.3, 0.6))
SCORED = [
    ScoredObservable("a", OFF),
    ScoredObservable("b", OFF),
    ScoredObservable("c", OFF),
    ScoredObservable("spare", OFF),
    ScoredObservable("chi2", NLL),
    ScoredObservable("both", NLL, term=JOINT),
    ScoredObservable("limit", NLL, term=LIMIT),
]
LIKELIHOODS = [observable.likelihood for observable in SCORED]


def table(n, seed=1):
    """Observables in the order of an evaluator, shape (n, 7), and their NLL."""
    y = np.random.default_rng(seed).random((n, len(SCORED)))
    y = work_out([observable.name for observable in SCORED], [observable.term for observable in SCORED], y)
    return y, losses_and_nll(LIKELIHOODS, y)[1]


def test_observables_of_joint_terms_are_learned_but_not_those_that_are_likelihoods():
    energy = EnergyOfObservables(SCORED, Target(3.0))
    assert [SCORED[j].name for j in energy.columns] == ["a", "b", "c"]
    assert [SCORED[j].name for j in energy.as_nll] == ["chi2"]
    assert energy.deciding == [0, 1, 2]
    assert energy.aims[0].tolist()[:2] == [0.5, 0.4]
    middle, unit = energy.resolution(np.full(3, 9.0))
    assert middle[:2].tolist() == [0.5, 0.4]
    assert (unit[:2] < 0.1).all() and unit[2] == 9.0


def test_the_energy_of_predictions_is_that_of_the_nll():
    energy = EnergyOfObservables(SCORED, Target(3.0))
    y, nll = table(200)
    values, rest = torch.from_numpy(y[:, energy.columns]), torch.from_numpy(energy.rest(y))
    near = nll < 300.0
    np.testing.assert_allclose(energy.nll(values, rest).numpy()[near], nll[near], rtol=1e-9)
    assert energy.agrees(y, nll).all()
    y[3, 5] += 0.1  # this -ln L does not follow from the observables, as if the evaluator had another formula
    assert energy.agrees(y, losses_and_nll(LIKELIHOODS, y)[1]).tolist().index(False) == 3


def test_far_from_a_joint_gaussian_the_energy_still_rises():
    energy = EnergyOfObservables([SCORED[0], SCORED[1], ScoredObservable("both", NLL, term=JOINT)], Target(3.0))
    far = torch.tensor([[10.0**k, 0.4] for k in range(1, 8)], dtype=torch.float64)
    assert (energy.nll(far).diff() > 1.0).all()


def test_losses_of_single_observables_are_lower_bounds_for_any_values_of_the_others():
    energy = EnergyOfObservables(SCORED, Target(3.0))
    y, _ = table(50)
    losses = energy.losses(torch.from_numpy(y[:, energy.columns])).numpy()
    assert (losses[:, 0] <= losses_and_nll([NLL], y[:, 5:6])[0][:, 0] + 1e-9).all()
    assert (losses[:, 2] == 0.0).all()
    assert energy.one_sided.tolist() == [True, False, True]


def test_a_limit_in_two_dimensions_judges_both_observables():
    """Each prediction stands among the true values of the others."""
    energy = EnergyOfObservables(SCORED, Target(3.0))
    y, _ = table(50)
    values, column = y[:, energy.columns], 2
    predicted = values.copy()
    predicted[:, column] *= 3.0
    among, true = energy.agreement(predicted, values), energy.agreement(values)
    np.testing.assert_array_equal(among[:, :column], true[:, :column])
    loss = LIMIT.nll(np.column_stack([values[:, 0], predicted[:, column]]))
    capped = losses_and_nll([NLL], loss[:, None])[0][:, 0]
    np.testing.assert_allclose(among[:, column], np.exp(-capped / 3.0), rtol=1e-6)
    assert (among[:, column] < true[:, column] - 0.1).any()


def test_a_window_gives_the_origin_and_the_unit_of_an_observable():
    windows = ((100.0, 200.0), (0.0, np.inf), (-np.inf, 7.0), (-np.inf, np.inf))
    energy = EnergyOfObservables([ScoredObservable(str(w), OFF, w) for w in windows], Target(3.0))
    middle, unit = energy.resolution(np.array([80.0, 9.0, 9.0, 9.0]))
    assert middle.tolist() == [150.0, 0.0, 7.0, 0.0]
    assert unit.tolist() == [50.0, 9.0, 9.0, 9.0]


def test_points_keep_the_losses_that_are_learned_as_an_nll():
    energy = EnergyOfObservables(SCORED, Target(3.0))
    points = Points(np.arange(2), energy, Target(3.0))
    y, nll = table(20)
    points.add(told_of(np.random.default_rng(2).random((20, 2)), nll, y))
    np.testing.assert_allclose(points.known().rest, losses_and_nll([NLL], y[:, 4:5])[1])
    assert points.disagreeing == 0 and points.with_observables == 20


def test_the_losses_learned_as_an_nll_know_a_good_point_without_observables():
    """It may be a row of an InitCSV. If the others are far above it, they do not show how low the losses can be."""
    rng, target = np.random.default_rng(3), Target.following(3.0)
    energy = EnergyOfObservables(SCORED, target)
    points = Points(np.arange(2), energy, target)
    u = np.concatenate([[[0.5, 0.5]], rng.random((60, 2))])
    far = 200.0 * ((u - 0.5) ** 2).sum(axis=1)
    u, far = u[(far == 0.0) | (far > 15.0)], far[(far == 0.0) | (far > 15.0)]
    y, _ = table(len(u))
    y[:, 4] = far
    points.add(told_of(u[1:], losses_and_nll(LIKELIHOODS, y[1:])[1], y[1:]))
    points.add(told_of(u[:1], np.zeros(1), np.full_like(y[:1], np.nan), origins=["init"]))
    rest = Rest(2, energy.of_nll, lambda u: 2.0 * u - 1.0)
    rest.fit(points.known(), rng)
    assert float(rest(torch.zeros((1, 2), dtype=torch.float64))) < 6.0


def scan(lode, function, batches):
    """The answered batches of a search; `function` gives observables and NLLs."""

    def answers(x):
        y, nll = function(lode.space.to_unit(x))
        return [Status.OK] * len(x), nll, y

    return [step.told for step in scripted(lode, lode.space, answers, batches)]


def mixture(u):
    a, b, c = u[:, 0] + 0.3 * u[:, 1] ** 2, u[:, 1], u[:, 2]
    chi2 = 80.0 * ((u[:, 2] - 0.3) ** 2 + (u[:, 3] - u[:, 0]) ** 2)
    y = np.column_stack([a, b, c, a, chi2, a, a])
    y = work_out([observable.name for observable in SCORED], [observable.term for observable in SCORED], y)
    return y, losses_and_nll(LIKELIHOODS, y)[1]


@pytest.mark.slow
def test_a_mixture_of_both_is_searched_and_goes_on_from_a_checkpoint(quick):
    lode = Lode(unit_cube(4), LodeSettings(Target(1.5), 60), 1, SCORED)
    answered = scan(lode, mixture, 8)
    share = (answered[-1].nll < 1.5).mean()
    random = (mixture(np.random.default_rng(0).random((4000, 4)))[1] < 1.5).mean()
    assert share > max(0.2, 10.0 * random)
    again = Lode(unit_cube(4), LodeSettings(Target(1.5), 60), 1, SCORED)
    for told in answered[: -lode.lag]:
        again.tell(told)
    again.restore(lode.checkpoint())
    assert (again.ask().u == lode.ask().u).all()


@pytest.mark.slow
def test_a_chi2_with_a_large_constant_is_searched_as_well_as_one_without():
    """A hundred measurements have a chi2 of about a hundred at the best point. In units of the threshold, the good
    region would hardly differ from the rest.
    """
    gauss = [Likelihood(Kind.GAUSS, mean, 0.1) for mean in (0.5, 0.4)]
    scored = [ScoredObservable(name, one) for name, one in zip("abc", [*gauss, NLL], strict=True)]

    def with_constant(u):
        y = mixture(u)[0][:, [0, 1, 4]] + [0.0, 0.0, 200.0]
        return y, losses_and_nll([*gauss, NLL], y)[1]

    least = with_constant(np.random.default_rng(0).random((100_000, 4)))[1].min()
    target = Target(float(least) + 1.5)
    answered = scan(Lode(unit_cube(4), LodeSettings(target, 60), 1, scored), with_constant, 9)
    assert target.contains(answered[-1].nll).mean() > 0.6


def test_if_all_observables_are_likelihoods_only_the_nll_is_learned(caplog, quick):
    lode = Lode(unit_cube(2), LodeSettings(Target(1.0), 40), 1, [ScoredObservable("chi2", NLL)])
    chi2 = lambda u: ((u - 0.4) ** 2).sum(axis=1) * 20.0  # noqa: E731
    scan(lode, lambda u: (chi2(u)[:, None], losses_and_nll([NLL], chi2(u)[:, None])[1]), 4)
    assert "likelihoods themselves" in caplog.text
    assert not kept(lode)["by_observables"]


def described(kind=pb.JOINT_KIND_JOINT_GAUSS, **changes):
    said = {"observable": 2, "arguments": [0, 1], "kind": kind, "mean": [0.5, 0.4], "cholesky": [0.1, 0, 0.08, 0.06]}
    off, nll = pb.LIKELIHOOD_KIND_OFF, pb.LIKELIHOOD_KIND_MINUSEXPUSER
    return pb.DescribeResponse(
        observables=[
            pb.Observable(name=name, likelihood=pb.Likelihood(kind=kind))
            for name, kind in (("a", off), ("b", off), ("both", nll))
        ],
        joint_terms=[pb.JointTerm(**(said | changes))],
    )


def test_a_description_gives_the_joint_term():
    assert to_description(described()).observables[2].term == JOINT


@pytest.mark.parametrize(
    "changes",
    [
        {"observable": 3},
        {"observable": 0},
        {"arguments": [0, 0]},
        {"arguments": [0, 2]},
        {"arguments": []},
        {"mean": [0.5]},
        {"cholesky": [0.1, 0, 0.08]},
        {"cholesky": [0.1, 0, 0.08, 0.0]},
        {"mean": [0.5, float("nan")]},
        {"kind": pb.JOINT_KIND_TABLE},
        {"kind": pb.JOINT_KIND_LIMIT, "knots": [pb.Knots(at=[2, 1])], "values": [1, 1], "plus": 1.0},
    ],
)
def test_an_invalid_term_is_refused(changes):
    with pytest.raises(BadDescription):
        to_description(described(**changes))


def test_a_term_of_an_unknown_kind_is_learned_as_an_nll_with_a_warning(caplog, quick):
    found = to_description(described(kind=99))
    assert found.observables[2].term.kind is TermKind.UNKNOWN
    with caplog.at_level(logging.WARNING):
        lode = make_strategy("LODE", unit_cube(2), LodeSettings(Target(1.0)), 1, found.observables)
    assert "'both' is of a kind that this lodescan does not know" in caplog.text

    def function(u):
        chi2 = ((u - 0.4) ** 2).sum(axis=1, keepdims=True) * 20.0
        return np.column_stack([u, chi2]), losses_and_nll([NLL], chi2)[1]

    scan(lode, function, 4)
    assert "all observables of the likelihood are likelihoods themselves" in caplog.text
    assert not kept(lode)["by_observables"]


def test_a_single_observable_that_is_the_likelihood_gives_the_points_of_the_nll_alone(quick):
    batches = []
    for scored in ([ScoredObservable("chi2", NLL)], []):
        lode = Lode(unit_cube(2), LodeSettings(Target(1.0), 40), 1, scored)
        width = len(scored)

        def function(u, width=width):
            chi2 = ((u - 0.4) ** 2).sum(axis=1, keepdims=True) * 20.0
            return chi2[:, :width], losses_and_nll([NLL], chi2)[1]

        batches.append(np.concatenate([told.u for told in scan(lode, function, 5)]))
    assert (batches[0] == batches[1]).all()


@pytest.mark.slow
def test_a_mixture_with_an_unknown_constant_is_searched_relative_to_its_best_point(quick):
    """The χ² of a code has an unknown minimum."""

    def above(u):
        y, _ = mixture(u)
        y[:, 4] += 60.0
        return y, losses_and_nll(LIKELIHOODS, y)[1]

    lode = Lode(unit_cube(4), LodeSettings(Target.following(1.5), 60), 1, SCORED)
    nll = scan(lode, above, 8)[-1].nll
    reference = above(np.random.default_rng(0).random((20_000, 4)))[1]
    good = nll < reference.min() + 1.5
    assert good.mean() > max(0.1, 10.0 * (reference < reference.min() + 1.5).mean())
