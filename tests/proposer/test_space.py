"""The parameter space compared with scipy.stats, and at its edges."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from proposer.keys import row_keys
from proposer.space import Space
from scanspec.variables import FARTHEST, PriorKind, Variable

FINITE = st.floats(-1e6, 1e6)
POSITIVE = st.floats(1e-6, 1e6)
UNIT = np.array([[0.0], [1e-12], [1e-3], [0.1], [0.25], [0.5], [0.75], [0.9], [0.999], [1.0 - 1e-9], [1.0]])


def uniform(low: float, high: float) -> Variable:
    return Variable("x", low, high)


def log_uniform(low: float, high: float) -> Variable:
    return Variable("x", low, high, PriorKind.LOG_UNIFORM)


def normal(low: float, high: float, mean: float = 0.0, sigma: float = 1.0) -> Variable:
    return Variable("x", low, high=high, prior=PriorKind.NORMAL, mean=mean, sigma=sigma)


def symmetric(inner: float, high: float, kind: PriorKind = PriorKind.SYMMETRIC_LOG) -> Variable:
    return Variable("x", -high, high, kind, inner=inner)


def sine(low: float, high: float) -> Variable:
    return Variable("x", low, high, PriorKind.SINE)


@given(low=FINITE, width=POSITIVE)
def test_uniform_is_that_of_scipy(low, width):
    space = Space([uniform(low, low + width)])
    prior = stats.uniform(low, width)
    scale = abs(low) + width
    x = space.to_physical(UNIT)
    np.testing.assert_allclose(x, prior.ppf(UNIT), atol=1e-15 * scale, rtol=1e-14)
    np.testing.assert_allclose(space.to_unit(x), UNIT, atol=1e-14 * scale / width)


@given(low=POSITIVE, factor=st.floats(1.001, 1e9))
def test_log_uniform_is_that_of_scipy(low, factor):
    space = Space([log_uniform(low, low * factor)])
    prior = stats.loguniform(low, low * factor)
    x = space.to_physical(UNIT)
    np.testing.assert_allclose(x, prior.ppf(UNIT), rtol=1e-11)
    np.testing.assert_allclose(space.to_unit(x), UNIT, atol=1e-12)


@given(mean=FINITE, sigma=POSITIVE, a=st.floats(-40, 40), width=st.floats(0.01, 40))
def test_truncated_normal_is_that_of_scipy(mean, sigma, a, width):
    low, high = mean + a * sigma, mean + (a + width) * sigma
    space = Space([normal(low, high, mean, sigma)])
    scale = sigma + abs(mean) * 1e-9
    prior = stats.truncnorm((low - mean) / sigma, (high - mean) / sigma, mean, sigma)
    x = space.to_physical(UNIT)
    np.testing.assert_allclose(x, np.clip(prior.ppf(UNIT), low, high), atol=1e-5 * scale)
    inside = UNIT[1:-1] * (high - low) + low
    np.testing.assert_allclose(space.to_unit(inside), prior.cdf(inside), atol=1e-6)


def test_a_normal_prior_without_bounds_is_that_of_scipy_and_finite():
    space = Space([normal(-np.inf, np.inf, 5.0, 2.0)])
    x = space.to_physical(UNIT)
    assert np.isfinite(x).all()
    np.testing.assert_allclose(x[1:-1], stats.norm(5.0, 2.0).ppf(UNIT[1:-1]), rtol=1e-12, atol=1e-7)
    np.testing.assert_allclose(space.to_unit(x), UNIT, atol=1e-15)


@given(inner=POSITIVE, factor=st.floats(1.001, 1e9), sign=st.sampled_from([-1.0, 1.0]))
@pytest.mark.parametrize("kind", [PriorKind.SYMMETRIC, PriorKind.SYMMETRIC_LOG])
def test_a_symmetric_prior_is_the_same_on_both_sides_and_has_a_gap(inner, factor, sign, kind):
    high = inner * factor
    space = Space([symmetric(inner, high, kind)])
    one_side = stats.uniform(inner, high - inner) if kind is PriorKind.SYMMETRIC else stats.loguniform(inner, high)
    x = space.to_physical(0.5 + 0.5 * sign * UNIT[1:])
    near = 1e-15 * high  # near u = 0.5 the distance of two doubles is 1e-16
    np.testing.assert_allclose(x, sign * one_side.ppf(UNIT[1:]), rtol=1e-11, atol=near)
    np.testing.assert_allclose(space.to_unit(x), 0.5 + 0.5 * sign * UNIT[1:], atol=1e-11)
    assert space.inside(x).all()
    ends = np.array([[-high], [-inner], [inner], [high]])
    assert space.inside(ends).all()
    assert not space.inside(np.array([[0.0], [0.999 * inner], [-0.999 * inner], [1.001 * high], [np.nan]])).any()
    np.testing.assert_allclose(
        space.to_physical(space.to_unit(ends)), ends, rtol=1e-11, atol=near
    )  # the ends keep their signs


def test_draws_of_a_symmetric_prior_follow_its_density():
    flat = PriorKind.SYMMETRIC
    space = Space([symmetric(1.0, 1000.0), symmetric(2.0, 6.0, flat), symmetric(0.0, 4.0, flat)])
    x = space.to_physical(space.draw(np.random.default_rng(2), 4000))
    for column, prior in enumerate([stats.loguniform(1, 1000), stats.uniform(2, 4), stats.uniform(0, 4)]):
        assert stats.kstest(np.abs(x[:, column]), prior.cdf).pvalue > 1e-3
        assert stats.binomtest(int((x[:, column] < 0).sum()), 4000).pvalue > 1e-3
    assert stats.kstest(x[:, 2], stats.uniform(-4, 8).cdf).pvalue > 1e-3  # without a gap the prior is uniform


@given(ends=st.tuples(st.floats(0, np.pi), st.floats(0, np.pi)))
def test_the_sine_prior_is_uniform_in_the_cosine(ends):
    low, high = min(ends), max(ends)
    if high - low < 1e-6:
        return
    space = Space([sine(low, high)])
    x = space.to_physical(UNIT)
    share = (np.cos(low) - np.cos(x)) / (np.cos(low) - np.cos(high))
    np.testing.assert_allclose(share, UNIT, atol=1e-15 / (np.cos(low) - np.cos(high)) + 1e-14)
    np.testing.assert_allclose(space.to_unit(x), UNIT, atol=1e-8)
    assert space.inside(x).all()


def test_draws_of_the_sine_prior_are_isotropic():
    """The coordinate z of isotropic directions is uniform (Archimedes)."""
    space = Space([sine(0.0, np.pi)])
    x = space.to_physical(space.draw(np.random.default_rng(7), 4000))
    directions = np.random.default_rng(8).normal(size=(4000, 3))
    angles = np.arccos(directions[:, 2] / np.linalg.norm(directions, axis=1))
    assert stats.ks_2samp(x[:, 0], angles).pvalue > 1e-3
    three = space.to_physical(np.array([[0.0], [0.5], [1.0]]))
    np.testing.assert_allclose(three[:, 0], np.array([0.0, np.pi / 2, np.pi]), atol=1e-15)
    small = space.to_physical(np.array([[1e-20]]))[0, 0]
    assert small == pytest.approx(2e-10, rel=1e-12)  # exact near a cosine of 1
    large = space.to_physical(np.array([[1.0 - 3 * 2.0**-53]]))[0, 0]
    assert np.pi - large == pytest.approx(2 * (3 * 2.0**-53) ** 0.5, rel=1e-7)  # and near -1


@pytest.mark.parametrize("tail", [8.0, 30.0, 300.0, 1e5])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_far_tails_are_exact(tail, sign):
    """In its far tail a normal density is exponential up to a correction of 1 / tail^2."""
    low, high = sorted([sign * tail, sign * np.inf])
    space = Space([normal(low, high)])
    u = np.linspace(0.05, 0.95, 19)[:, None]
    excess = sign * space.to_physical(u) - tail
    expected = -np.log1p(-u) / tail if sign > 0 else -np.log(u) / tail
    np.testing.assert_allclose(excess, expected, rtol=3.0 / tail**2 + 1e-4)
    np.testing.assert_allclose(space.to_unit(space.to_physical(u)), u, atol=1e-4)


@given(
    kind=st.sampled_from(list(PriorKind)),
    low=st.floats(1e-300, 1e300),
    high=st.floats(1e-300, 1e300),
    mean=st.floats(-1e3, 1e3),
    sigma=st.floats(1e-3, 1e3),
    u=st.lists(st.floats(0, 1), min_size=1, max_size=20),
)
def test_values_never_leave_the_range(kind, low, high, mean, sigma, u):
    low, high = min(low, high), max(low, high)
    assume(
        kind is not PriorKind.NORMAL or max(low - mean, mean - high) <= FARTHEST * sigma
    )  # scanspec refuses wider ranges
    variable = Variable("x", low, high=high, prior=kind, mean=mean, sigma=sigma)
    if kind.symmetric:
        variable = symmetric(low, high, kind)
    elif kind is PriorKind.SINE:
        variable = sine(min(low, np.pi), min(high, np.pi))
    space = Space([variable])
    points = np.array(u)[:, None]
    x = space.to_physical(points)
    assert space.inside(x).all()
    back = space.to_unit(x)
    assert ((back >= 0) & (back <= 1)).all()
    order = np.argsort(points[:, 0])
    assert (np.diff(x[order, 0]) >= -1e-9 * np.abs(x).max()).all()


@given(low=st.floats(1e-3, 1e3), mean=st.floats(-5, 5))
def test_a_range_between_two_neighbouring_doubles_works(low, mean):
    high = np.nextafter(low, np.inf)
    for variable in (uniform(low, high), log_uniform(low, high), normal(low, high, mean, 1e3)):
        space = Space([variable])
        x = space.to_physical(UNIT)
        assert np.isin(x, [low, high]).all()
        assert space.to_unit(np.array([[low], [high]])).tolist() == [[0.0], [1.0]]


@pytest.mark.parametrize("low", [0.0, 1.0, -30.0])
def test_in_a_narrow_range_a_normal_prior_is_practically_uniform(low):
    space = Space([normal(low, low + 1e-9)])
    x = space.to_physical(UNIT)
    np.testing.assert_allclose((x - low) / 1e-9, UNIT, atol=1e-5)
    np.testing.assert_allclose(space.to_unit(x), UNIT, atol=1e-5)


def test_the_widest_range_does_not_overflow():
    space = Space([uniform(-1.7e308, 1.7e308)])
    np.testing.assert_allclose(space.to_unit(space.to_physical(UNIT)), UNIT, atol=1e-15)


def test_columns_keep_their_variables_and_a_fixed_one_its_value():
    space = Space([uniform(0, 10), Variable("f", 3.25, 3.25), log_uniform(1, 100)])
    u = np.array([[0.5, 0.123, 0.5]])
    x = space.to_physical(u)
    np.testing.assert_allclose(x, [[5.0, 3.25, 10.0]])
    assert x[0, 1] == 3.25
    np.testing.assert_allclose(space.to_unit(x), [[0.5, 0.5, 0.5]])
    assert space.names == ["x", "f", "x"]
    assert space.fixed.tolist() == [False, True, False]


def test_draws_are_uniform_in_the_cube_and_repeatable():
    space = Space([uniform(0, 1), Variable("f", 2, 2)])
    u = space.draw(np.random.default_rng(3), 2000)
    assert (u == space.draw(np.random.default_rng(3), 2000)).all()
    assert stats.kstest(u[:, 0], "uniform").pvalue > 1e-3
    assert (u[:, 1] == 0.5).all()
    assert np.array_equal(space.network_inputs(np.array([[0.0, 0.5], [1.0, 0.25]])), [[-1.0, 0.0], [1.0, 0.0]])


def test_a_column_gives_the_same_bits_alone_and_in_a_table():
    space = Space([log_uniform(1e-3, 1e5), normal(-1, 4), uniform(2, 3)])
    u = np.random.default_rng(0).random((101, 3))
    x = space.to_physical(u)
    assert np.array_equal(x, np.concatenate([space.to_physical(row[None]) for row in u]))
    assert np.array_equal(space.to_unit(x), np.concatenate([space.to_unit(row[None]) for row in x]))


def test_edges_are_inside_and_nan_is_not():
    space = Space([uniform(0, 1), uniform(5, 6)])
    assert space.inside(np.array([[0.0, 6.0], [1.0001, 5.5], [np.nan, 5.0]])).tolist() == [
        [True, True],
        [False, True],
        [False, True],
    ]


def test_a_table_of_another_width_is_an_error():
    with pytest.raises(ValueError, match="for 1 variables"):
        Space([uniform(0, 1)]).to_physical(np.zeros((4, 2)))


# Integers, choices, phases

NUMBERS = st.floats(-1e6, 1e6).map(lambda each: each + 0.0)  # turns -0.0 into 0.0


@given(low=st.integers(-1000, 1000), n=st.integers(1, 10**9), u=st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_an_integer_takes_equal_shares_and_comes_back_exactly(low, n, u):
    space = Space([Variable("n", low, low + n, integer=True)])
    points = np.array(u)[:, None]
    x = space.to_physical(points)
    assert space.inside(x).all()
    share = np.minimum(np.floor(points * (n + 1)), n)
    assert np.array_equal(x, low + share)
    assert np.array_equal(space.to_physical(space.to_unit(x)), x)
    assert np.array_equal(space.to_unit(x), space.snap(points))
    ends = np.array([[float(low)], [float(low + n)]])
    assert np.array_equal(space.to_physical(space.to_unit(ends)), ends)


@given(values=st.lists(NUMBERS, min_size=2, max_size=12, unique=True), data=st.data())
def test_a_choice_takes_equal_shares_in_the_files_order_and_comes_back_exactly(values, data):
    space = Space([Variable("c", min(values), max(values), values=tuple(values))])
    index = data.draw(st.integers(0, len(values) - 1))
    u = np.array([[(index + data.draw(st.floats(0.001, 0.999))) / len(values)]])
    x = space.to_physical(u)
    assert x.tolist() == [[values[index]]]
    assert np.array_equal(space.to_physical(space.to_unit(x)), x)
    assert np.array_equal(space.to_unit(x), space.snap(u))
    assert space.inside(x).all()
    assert space.inside(np.array([[values[0] + 1e-3], [np.nan]])).tolist() == [[values[0] + 1e-3 in values], [False]]


@given(u=st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_points_with_the_same_discrete_value_are_the_same_for_the_dataset_and_for_networks(u):
    space = Space(
        [
            Variable("n", 0.0, 4.0, integer=True),
            Variable("c", 1.0, 3.0, values=(3.0, 1.0)),
            Variable("p", 0.0, 1.0, periodic=True),
            Variable("f", 2.0, 2.0),
        ]
    )
    points = np.column_stack([u, u[::-1], np.floor(u), u])  # the phase is only 0 or 1
    keys, snapped = row_keys(space.to_physical(points)), space.snap(points)
    for i, j in itertools.combinations(range(len(u)), 2):
        assert (keys[i] == keys[j]) == np.array_equal(snapped[i], snapped[j])
    assert np.array_equal(space.network_inputs(points), space.network_inputs(snapped))
    assert np.array_equal(row_keys(space.to_physical(snapped)), keys)


@given(low=st.floats(-10, 10), width=st.floats(0.1, 10), u=st.floats(0, 1))
def test_a_phase_is_periodic(low, width, u):
    space = Space([Variable("p", low, low + width, periodic=True)])
    point = np.array([[u]])
    x = space.to_physical(point)
    assert low <= x < low + width * (1 + 1e-15)
    assert space.to_physical(np.array([[0.0], [1.0]])).tolist() == [[low], [low]]
    assert space.to_unit(np.array([[space.variables[0].high]])) == 0.0
    distance = abs(space.to_unit(x) - u)
    assert min(distance, 1 - distance) < 1e-12
    inputs = space.network_inputs(point)
    assert inputs.shape == (1, space.width) == (1, 2)
    np.testing.assert_allclose(inputs, [[np.cos(2 * np.pi * u), np.sin(2 * np.pi * u)]], atol=1e-12)


def test_draws_of_every_kind_are_uniform():
    space = Space(
        [
            Variable("n", 3.0, 7.0, integer=True),
            Variable("c", 1.0, 9.0, values=(9.0, 1.0, 2.0)),
            Variable("p", 0.0, 6.0, periodic=True),
        ]
    )
    x = space.to_physical(space.draw(np.random.default_rng(5), 6000))
    for column, values in ((0, [3, 4, 5, 6, 7]), (1, [1, 2, 9])):
        found, counts = np.unique(x[:, column], return_counts=True)
        assert found.tolist() == values
        assert stats.chisquare(counts).pvalue > 1e-3
    assert stats.kstest(x[:, 2] / 6, "uniform").pvalue > 1e-3


def test_a_choice_of_one_value_and_a_range_of_no_width_are_fixed():
    space = Space(
        [
            Variable("c", 4.0, 4.0, values=(4.0,)),
            Variable("n", 2.0, 2.0, integer=True),
            Variable("p", 1.0, 1.0, periodic=True),
            Variable("x", 0.0, 1.0),
        ]
    )
    assert space.fixed.tolist() == [True, True, True, False]
    u = space.draw(np.random.default_rng(0), 5)
    assert space.to_physical(u)[:, :3].tolist() == [[4.0, 2.0, 1.0]] * 5
    assert np.array_equal(space.to_unit(space.to_physical(u))[:, :3], u[:, :3])
    assert space.network_inputs(u).shape == (5, 4)
