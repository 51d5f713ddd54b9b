"""Other goals than a threshold: a band of the NLL, and a map that is even in chosen coordinates."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from proposer.drive import drive
from proposer.evaluation.local import Answers, LocalFunction
from proposer.space import Space
from proposer.strategies.base import judged
from proposer.strategies.choice import read_settings
from proposer.strategies.cmaes import Cmaes, CmaesSettings
from proposer.strategies.lode.energy import EnergyOfNll, EnergyOfObservables, ScoredObservable
from proposer.strategies.lode.even import EvenIn, beside
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.lode.strategy import Lode
from proposer.target import Target
from proposer.types import Status, Told
from scanspec import Kind, Likelihood, ScanFileError, Variable, losses_and_nll, read_scan_file
from tests.proposer.scripted import scripted
from tests.proposer.searches import first_steps, train

DIM = 3
GAUSS = Likelihood(Kind.GAUSS, 0.5, 0.1)
ALL = [ScoredObservable(f"y{n}", GAUSS) for n in range(DIM)] + [ScoredObservable("mass", Likelihood())]


@pytest.fixture
def longer(monkeypatch):
    """LODE trains for a short time, but long enough to find a band."""
    train(monkeypatch, particles=300, networks=(400, 100, 400, 100), regression=0.25)


def observables(u):
    """Three scored observables, and a mass that is rarely large where these are good."""
    y = u + 0.1 * np.sin(5.0 * u[:, ::-1])
    return np.column_stack([y, 50.0 + 1000.0 * u[:, 2] ** 8])


def nll_of(y):
    return losses_and_nll([observable.likelihood for observable in ALL], y)[1]


def play(settings, most, *, by_nll=False, periodic=False):
    """All points that LODE asks for, their observables and their NLLs."""
    space = Space([Variable(f"x{n}", 0.0, 1.0, periodic=periodic and n == 0) for n in range(DIM)])
    strategy = Lode(space, settings, 1, [] if by_nll else ALL)

    def answers(x):
        y = observables(x)
        return Answers(y[:, :0] if by_nll else y, nll_of(y))

    backend = LocalFunction(answers, {variable.name: (0.0, 1.0) for variable in space.variables})
    u = np.concatenate([told.u for told in first_steps(drive(strategy, backend, space), most)])
    y = observables(u)
    return u, y, nll_of(y)


def test_an_nll_without_a_large_constant_keeps_the_threshold_as_unit():
    rng, energy = np.random.default_rng(3), EnergyOfNll(Target(4.0))
    for dim in (2, 5, 10):
        nll = 0.5 * (rng.uniform(-6.0, 6.0, (4000, dim)) ** 2).sum(axis=1)
        for most in (10, 100, 4000):
            assert not energy.resolve(nll[:most])
            assert not energy.resolve(np.sort(nll)[:most])
    assert energy.scale == (4.0, 4.0, False)


@pytest.mark.parametrize("constant", [-500.0, 130.0, 2000.0])
def test_a_large_constant_in_the_nll_does_not_blur_the_good_region(constant):
    """The energy stays the same as long as the NLLs say the same."""
    nll = constant + 0.5 * (np.random.default_rng(3).uniform(-6.0, 6.0, (4000, 3)) ** 2).sum(axis=1)
    threshold = constant + 4.0
    energy = EnergyOfNll(Target(threshold))
    assert not energy.resolve(nll[nll > threshold])
    assert energy.resolve(nll)
    low, middle, edge, far = energy(constant + np.array([0.0, 2.0, 4.0, 40.0]))
    assert 0.0 < low < middle < edge - 0.2
    assert edge == pytest.approx(1.0)
    assert far > 3.0
    assert not energy.resolve(np.append(nll, nll.min() + 0.5))


def test_energies_of_an_earlier_scale_are_converted_to_the_present_one():
    energy, nll = EnergyOfNll(Target(134.0)), 130.0 + np.linspace(0.0, 60.0, 600)
    before, predicted = energy.scale, energy(nll)
    assert energy.resolve(nll)
    np.testing.assert_allclose(energy.since(predicted, before), energy(nll), rtol=1e-9)
    again, coarse = energy.scale, energy(nll)
    energy.resolve(np.append(nll, 110.0))
    assert energy.scale != again
    np.testing.assert_allclose(energy.since(coarse, again), energy(nll), rtol=1e-9)


@given(
    low=st.floats(-1e3, 1e3), width=st.floats(1e-3, 1e3), nll=st.lists(st.floats(-2e3, 3e3), min_size=1, max_size=20)
)
def test_the_energy_is_below_one_only_in_the_band(low, width, nll):
    high, values = low + width, np.array(nll)
    clear = (np.abs(values - low) > 1e-9 * (1 + abs(low))) & (np.abs(values - high) > 1e-9 * (1 + abs(high)))
    energy = EnergyOfNll(Target(high, low))
    found = energy.within(torch.from_numpy(energy(values))).numpy()
    assert ((found < 1.0) == ((low < values) & (values < high)))[clear].all()
    assert (energy(values) >= 0.0).all()  # the energy must not be negative, because networks predict sums of squares
    gauss = [ScoredObservable("y", Likelihood(Kind.EXPUSER))]  # this likelihood may give a negative NLL
    of_observables = EnergyOfObservables(gauss, Target(high, low))
    y = torch.from_numpy(-values[:, None])
    capped = of_observables.nll(y).numpy()
    inside = (low < capped) & (capped < high)
    clear = (np.abs(capped - low) > 1e-9 * (1 + abs(low))) & (np.abs(capped - high) > 1e-9 * (1 + abs(high)))
    assert ((of_observables(y, torch.ones(1)).numpy() < 1.0) == inside)[clear].all()


def test_without_a_band_the_energy_is_that_of_the_threshold():
    energy, e = EnergyOfNll(Target(4.0)), torch.tensor([0.0, 0.5, 1.0, 7.0])
    assert energy.within(e) is e and energy.least == -math.inf


@pytest.mark.usefixtures("longer")
@pytest.mark.parametrize("by_nll", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_band_is_found_and_filled(by_nll):
    """One of a hundred uniform points is in the band, and half as many are below it."""
    u, _, nll = play(LodeSettings(Target(2.5, 1.5), 60), 500, by_nll=by_nll)
    good = (nll > 1.5) & (nll < 2.5)
    late = np.arange(len(u)) > 250
    assert good[late].mean() > (0.6 if by_nll else 0.8)
    assert (nll[late] <= 1.5).mean() < 0.1
    around = np.sign(u[good] - u[good].mean(axis=0)) @ [1, 2, 4]
    assert np.unique(around, return_counts=True)[1].min() > 0.04 * good.sum()  # on all eight sides


@pytest.mark.usefixtures("longer")
@pytest.mark.parametrize(
    ("even_in", "column", "share"),
    [
        pytest.param(("mass",), "mass", 0.4, marks=pytest.mark.slow),
        pytest.param(("x1",), "x1", 0.95, marks=pytest.mark.slow),
        pytest.param(("mass", "x1"), "mass", 0.4, marks=pytest.mark.slow),
    ],
)
def test_a_map_is_even_in_the_chosen_coordinates(even_in, column, share):
    """The counts in ten equal parts of the region's range differ by less than `share`. A ball is thin at its ends."""

    def spread(settings):
        u, y, nll = play(settings, 450)
        values = {"mass": y[:, 3], "x1": u[:, 1]}[column][nll < 2.0]
        return np.histogram(values, bins=10, range=ends)[0], int((nll < 2.0).sum())

    drawn = np.random.default_rng(0).random((300_000, DIM))
    y = observables(drawn)
    ends = np.quantile({"mass": y[:, 3], "x1": drawn[:, 1]}[column][nll_of(y) < 2.0], [0.001, 0.999])
    plain, good = spread(LodeSettings(Target(2.0), 60))
    even, as_good = spread(LodeSettings(Target(2.0), 60, even_in=even_in))
    assert as_good > 0.85 * good
    assert even.std() / even.mean() < share * plain.std() / plain.mean()


def test_a_map_cannot_be_even_in_observables_if_only_an_nll_is_known(quick):
    u, _, _ = play(LodeSettings(Target(2.0), 60, even_in=("mass",)), 250, by_nll=True)
    assert len(np.unique(u, axis=0)) == len(u) and ((u >= 0) & (u <= 1)).all()
    assert u.shape[1] == DIM and len(u) >= 250


def test_chosen_coordinates_have_comparable_scales():
    rng = np.random.default_rng(0)
    x, t = rng.uniform(-1, 1, (500, 3)), 1e6 * rng.random((500, 2))
    even = EvenIn([(1,)], [0])
    (scaled,) = even.positions(400, [(x, t)])
    assert even.dim == 2 and scaled.shape == (500, 5)
    np.testing.assert_allclose(np.quantile(scaled[:400, :2], [0.01, 0.99], axis=0), [[0, 0], [1, 1]], atol=1e-12)
    assert np.corrcoef(scaled[:, 0], x[:, 1])[0, 1] == pytest.approx(1) == np.corrcoef(scaled[:, 1], t[:, 0])[0, 1]
    assert np.ptp(scaled[:, 2:], axis=0).max() < 0.03  # the other coordinates hardly matter
    with_nan = EvenIn([(0,)], [])
    first, second = with_nan.positions(500, [(x, None), (x[:3], None)])
    np.testing.assert_array_equal(first[:3], second)


def test_a_map_is_even_across_the_ends_of_a_periodic_variable():
    space = Space([Variable("phase", 0.0, 1.0, periodic=True), Variable("fixed", 1.0, 1.0), Variable("x", 0.0, 1.0)])
    even_in = EvenIn.of(space, ("phase",), EnergyOfObservables([], Target(1.0)))
    assert even_in == EvenIn([(0, 2)], [])
    near = np.array([[0.01, 0.3], [0.99, 0.3], [0.5, 0.3]])
    inputs = space.network_inputs(np.insert(near, 1, 0.5, axis=1))[:, [0, 2, 3]]
    (scaled,) = even_in.positions(3, [(inputs, None)])
    assert np.linalg.norm(scaled[0] - scaled[1]) < 0.1 * np.linalg.norm(scaled[0] - scaled[2])


def test_points_added_near_rare_particles_are_near_them_and_inside():
    rng = np.random.default_rng(0)
    inside = rng.random((1000, 2)) * [1.0, 0.2]
    found = beside(lambda u: 5.0 * u[:, 1], inside, np.array([3, 7]), rng)
    assert 0 < len(found) <= 10 and (found[:, 1] < 0.2).all() and ((found >= 0) & (found <= 1)).all()
    distance = np.linalg.norm(found[:, None] - inside[[3, 7]], axis=2).min(axis=1)
    assert distance.max() < 0.2


def test_every_strategy_counts_the_points_of_a_band(tmp_path):
    told = Told(
        np.arange(5),
        np.zeros((5, 1)),
        status=np.array([1, 1, 1, 2, 1], np.int8),
        nll=np.array([0.5, 1.5, 2.5, 1.5, np.nan]),
        observables=np.empty((5, 0)),
        origins=["a"] * 5,
        batches=np.ones(5, np.int64),
    )
    for name in ("LODE", "MLS_DNNC", "RANDOM", "SOBOL", "CMAES"):
        settings = read(tmp_path, name, "threshold_value: [1, 2]")
        assert settings.target == Target(2.0, 1.0)
        assert settings.target.contains(judged(told)).tolist() == [False, True, False, False, False]
    assert Target(1.0).contains(np.array([-np.inf, np.nan])).tolist() == [True, False]
    assert Target(2.0).describe() == "NLL below 2" and Target(2.0, 1.0).describe() == "NLL between 1 and 2"


def read(tmp_path, kind, networks, setup="", observable="{mean: 0.5, sigma: 0.1}"):
    file = tmp_path / "scan.yaml"
    file.write_text(
        f"setup: {{type: {kind}{setup}}}\nvariables: {{x: {{range: [0, 1]}}}}\n"
        f"codes: {{c: {{function: 'm:f', observables: {{y: {observable}, mass: }}}}}}\nnetworks: {{{networks}}}\n"
    )
    return read_settings(read_scan_file(file))


def test_cma_es_looks_for_the_middle_of_a_band():
    space = Space([Variable("x", 0.0, 1.0), Variable("z", 0.0, 1.0)])
    strategy = Cmaes(space, CmaesSettings(target=Target(3.0, 2.0)), 1)

    def answers(x):
        return [Status.OK] * len(x), 10.0 * x[:, 0] + 10.0 * x[:, 1] ** 2, np.empty((len(x), 0))

    *_, last = scripted(strategy, space, answers, 29)
    assert np.abs(last.told.nll - 2.5).max() < 0.1


@pytest.mark.parametrize("value", ["[1]", "[1, 2, 3]", "[2, 1]", "[1, 1]", "[1, inf]", "[a, 2]", "[-inf, 2]", ".nan"])
def test_an_invalid_band_is_refused(tmp_path, value):
    with pytest.raises(ScanFileError, match=r"line 4: networks: threshold_value is .*, but must be a"):
        read(tmp_path, "LODE", f"threshold_value: {value}")


def test_the_coordinates_of_an_even_map_are_checked(tmp_path):
    assert read(tmp_path, "LODE", "", ", even_in: [mass, x]").even_in == ("mass", "x")
    assert read(tmp_path, "LODE", "", ", even_in: y").even_in == ("y",)
    with pytest.raises(ScanFileError, match=r"line 1: even_in: 'mas' is not a variable or observable; did you mean"):
        read(tmp_path, "LODE", "", ", even_in: [mas]")
    with pytest.raises(ScanFileError, match="goal is collect"):
        read(tmp_path, "LODE", "", ", even_in: [mass], goal: collect")
    assert math.isinf(read(tmp_path, "LODE", "threshold_value: 3").target.above)
