"""Terms of several observables, compared with scipy and the formulas of papers, for numpy and torch."""

import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import RegularGridInterpolator
from scipy.stats import multivariate_normal, norm

from lodescan.v1 import evaluation_pb2 as pb
from scanspec import Kind, Likelihood, read_scan_file
from scanspec.likelihoods import losses_and_nll
from scanspec.terms import Term, TermKind

SIZES = st.floats(1e-3, 1e3)


def nll(term, *rows):
    return term.nll(np.array(rows, dtype=float))


def gauss(mean, covariance):
    names = tuple(f"y{j}" for j in range(len(mean)))
    return Term(TermKind.JOINT_GAUSS, names, tuple(mean), tuple(map(tuple, np.linalg.cholesky(covariance))))


@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_a_joint_gaussian_agrees_with_scipy(count, seed):
    rng = np.random.default_rng(seed)
    mean, mixing = rng.normal(size=count), rng.normal(size=(count, count + 2))
    covariance = mixing @ mixing.T * np.outer(*2 * [10.0 ** rng.uniform(-1, 1, count)])
    x = mean + rng.normal(size=(20, count)) @ np.linalg.cholesky(covariance).T * 3.0
    theirs = multivariate_normal(mean, covariance, allow_singular=False)
    expected = theirs.logpdf(mean) - np.atleast_1d(theirs.logpdf(x))
    np.testing.assert_allclose(gauss(mean, covariance).nll(x), expected, rtol=1e-6, atol=1e-9)


@given(st.lists(st.tuples(st.floats(-100, 100), SIZES, st.floats(-30, 30)), min_size=1, max_size=6))
def test_a_diagonal_joint_gaussian_is_the_sum_of_its_gaussians(parts):
    mean, sigma, pulls = map(np.array, zip(*parts, strict=True))
    x = (mean + sigma * pulls)[None]
    singles = [Likelihood(Kind.GAUSS, m, s) for m, s in zip(mean, sigma, strict=True)]
    capped = losses_and_nll(singles, x)[0][0]
    term = gauss(mean, np.diag(sigma**2))
    assert math.isclose(term.nll(x)[0], float((pulls**2).sum() / 2), rel_tol=1e-6, abs_tol=1e-9)
    if (np.abs(pulls) < 1.0).all():
        assert math.isclose(term.nll(x)[0], capped.sum(), rel_tol=1e-2, abs_tol=1e-9)


@given(st.floats(-10, 10), st.floats(0.05, 20.0), st.floats(0.05, 20.0))
def test_both_asymmetric_forms_reach_a_half_at_their_errors_and_are_continuous(mean, plus, minus):
    for kind in (TermKind.HALF_GAUSS, TermKind.BARLOW):
        term = Term(kind, ("y",), (mean,), plus=plus, minus=minus)
        at = nll(term, [mean], [mean + plus], [mean - minus])
        np.testing.assert_allclose(at, [0.0, 0.5, 0.5], rtol=1e-6, atol=1e-12)
        step = 1e-7 * min(plus, minus)
        assert (nll(term, [mean - step], [mean + step]) < 1e-9).all()


@given(SIZES, SIZES, st.floats(-5, 5))
def test_half_gaussians_have_one_width_on_each_side(plus, minus, pull):
    term = Term(TermKind.HALF_GAUSS, ("y",), (2.0,), plus=plus, minus=minus)
    at = 2.0 + pull * (plus if pull > 0 else minus)
    assert math.isclose(nll(term, [at])[0], 0.5 * pull**2, rel_tol=1e-6, abs_tol=1e-9)


@given(st.floats(0.2, 5.0), st.floats(0.2, 5.0), st.floats(-3, 3))
def test_barlow_s_variance_is_linear_in_the_distance(plus, minus, off):
    """physics/0406120: ln L = -(x - m)^2 / 2 (V + V' (x - m)), V = sigma+ sigma-, V' = sigma+ - sigma-."""
    term = Term(TermKind.BARLOW, ("y",), (0.0,), plus=plus, minus=minus)
    variance = plus * minus + (plus - minus) * off
    found = nll(term, [off])[0]
    if variance > 1e-9:
        assert math.isclose(found, off**2 / (2.0 * variance), rel_tol=1e-9, abs_tol=1e-12)
    elif variance < 0:
        assert found >= 1e300  # beyond the pole there is no likelihood


def test_equal_errors_are_a_gaussian():
    x = np.linspace(-3, 3, 13)[:, None]
    for kind in (TermKind.HALF_GAUSS, TermKind.BARLOW):
        np.testing.assert_allclose(
            Term(kind, ("y",), (0.5,), plus=0.7, minus=0.7).nll(x), ((x[:, 0] - 0.5) / 0.7) ** 2 / 2
        )


def test_one_sided_gaussians_are_flat_on_the_allowed_side():
    upper = Term(TermKind.GAUSS_UPPER, ("y",), (4.0,), plus=0.5)
    lower = Term(TermKind.GAUSS_LOWER, ("y",), (4.0,), plus=0.5)
    np.testing.assert_allclose(nll(upper, [-1e9], [4.0], [5.0], [6.0]), [0.0, 0.0, 2.0, 8.0])
    np.testing.assert_allclose(nll(lower, [1e9], [4.0], [3.0], [2.0]), [0.0, 0.0, 2.0, 8.0])


KNOTS, BOUNDS = ((10.0, 100.0, 1000.0),), (1e-44, 1e-46, 1e-45)


def test_a_limit_is_linear_in_logarithms_and_exact_at_its_knots():
    term = Term(TermKind.LIMIT, ("m", "s"), plus=1.0, knots=KNOTS, values=BOUNDS)
    np.testing.assert_allclose(term.bound(np.array([10.0, 100.0, 1000.0])), BOUNDS, rtol=1e-12)
    np.testing.assert_allclose(term.bound(np.array([10.0**1.5, 10.0**2.5])), [1e-45, 10.0**-45.5], rtol=1e-12)
    assert np.isnan(term.bound(np.array([9.99, 1001.0]))).all()
    signed = Term(TermKind.LIMIT, ("m", "s"), plus=1.0, knots=((-1.0, 1.0),), values=(1.0, 100.0))
    np.testing.assert_allclose(signed.bound(np.array([0.0])), [10.0])


@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_a_limit_excludes_the_share_that_its_confidence_says(confidence):
    """For a search without background, the likelihood is half a Gaussian around 0, whose share below the bound is the
    confidence.
    """
    z = norm.ppf(confidence)
    term = Term(TermKind.LIMIT, ("m", "s"), plus=1.0 / z, knots=KNOTS, values=BOUNDS)
    rows = [[100.0, 1e-46], [100.0, 0.0], [100.0, -1e-46], [100.0, 2e-46], [5.0, 1.0], [2000.0, 1.0]]
    np.testing.assert_allclose(nll(term, *rows), [z**2 / 2, 0.0, 0.0, 2.0 * z**2, 0.0, 0.0], rtol=1e-9)


def test_one_sided_limits_have_a_width_that_is_a_share_of_the_bound():
    upper = Term(TermKind.LIMIT_UPPER, ("m", "s"), plus=0.1, knots=KNOTS, values=BOUNDS)
    lower = Term(TermKind.LIMIT_LOWER, ("m", "s"), plus=0.1, knots=KNOTS, values=BOUNDS)
    np.testing.assert_allclose(nll(upper, [100.0, 0.5e-46], [100.0, 1.2e-46]), [0.0, 2.0], atol=1e-9)
    np.testing.assert_allclose(nll(lower, [100.0, 1.5e-46], [100.0, 0.8e-46]), [0.0, 2.0], atol=1e-9)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_tables_are_exact_at_their_knots_and_bilinear_between(seed):
    rng = np.random.default_rng(seed)
    knots = [np.unique(rng.uniform(-2, 5, rng.integers(2, 7))) for _ in range(2)]
    grid = rng.uniform(0, 9, [len(axis) for axis in knots])
    term = Term(TermKind.TABLE, ("x", "y"), knots=tuple(map(tuple, knots)), values=tuple(grid.ravel()))
    every = np.array([[a, b] for a in knots[0] for b in knots[1]])
    np.testing.assert_allclose(term.nll(every), grid.ravel(), rtol=1e-12, atol=1e-12)
    inside = rng.uniform([axis[0] for axis in knots], [axis[-1] for axis in knots], (30, 2))
    np.testing.assert_allclose(term.nll(inside), RegularGridInterpolator(knots, grid)(inside), rtol=1e-9, atol=1e-9)
    far = np.array([[knots[0][0] - 1.0, knots[1][-1] + 1.0]])
    assert term.nll(far)[0] == pytest.approx(grid[0, -1])
    line = Term(TermKind.TABLE, ("x",), knots=(tuple(knots[0]),), values=tuple(grid[:, 0]))
    np.testing.assert_allclose(line.nll(inside[:, :1]), np.interp(inside[:, 0], knots[0], grid[:, 0]), atol=1e-9)


ALL = [
    gauss([1.0, -2.0, 0.5], [[1.0, 0.9, 0.1], [0.9, 1.0, 0.2], [0.1, 0.2, 4.0]]),
    Term(TermKind.HALF_GAUSS, ("y",), (1.0,), plus=2.0, minus=0.5),
    Term(TermKind.BARLOW, ("y",), (1.0,), plus=2.0, minus=0.5),
    Term(TermKind.GAUSS_UPPER, ("y",), (1.0,), plus=2.0),
    Term(TermKind.GAUSS_LOWER, ("y",), (1.0,), plus=2.0),
    Term(TermKind.LIMIT, ("x", "y"), plus=0.6, knots=((0.5, 2.0, 9.0),), values=(1.0, 0.1, 3.0)),
    Term(TermKind.LIMIT_UPPER, ("x", "y"), plus=0.6, knots=((-0.5, 2.0, 9.0),), values=(1.0, 0.1, 3.0)),
    Term(TermKind.LIMIT_LOWER, ("x", "y"), plus=0.6, knots=((0.5, 2.0, 9.0),), values=(1.0, 0.1, 3.0)),
    Term(TermKind.TABLE, ("x", "y"), knots=((-1.0, 0.0, 2.0), (0.0, 1.0)), values=(1.0, 2.0, 3.0, 4.0, 0.0, 6.0)),
    Term(TermKind.TABLE, ("x",), knots=((-1.0, 0.0, 2.0),), values=(1.0, 2.0, 0.0)),
]


def test_every_kind_of_term_is_tested():
    assert {term.kind for term in ALL} == set(TermKind) - {TermKind.UNKNOWN}


@pytest.mark.parametrize("term", ALL, ids=lambda term: f"{term.kind.value} {len(term.observables)}")
def test_torch_gives_what_numpy_gives_and_nothing_is_infinite(term):
    x = np.random.default_rng(1).normal(0.5, 3.0, (200, len(term.observables)))
    x[:5] *= 1e200
    found = term.nll(x)
    np.testing.assert_allclose(term.nll(torch.from_numpy(x)).numpy(), found, rtol=1e-12, atol=1e-12)
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    for bad in (math.nan, math.inf, -math.inf):
        x[0, -1] = bad
        assert np.isnan(term.nll(x)[0]) and np.isfinite(term.nll(x)[1:]).all()
    assert term.at(x[7].tolist()) == found[7]


@pytest.mark.parametrize("term", ALL, ids=lambda term: f"{term.kind.value} {len(term.observables)}")
def test_the_loss_of_one_observable_is_never_above_that_of_all(term):
    x = np.random.default_rng(2).normal(0.5, 3.0, (500, len(term.observables)))
    for position in range(len(term.observables)):
        assert (term.least(position, x[:, position]) <= term.nll(x) + 1e-9).all()


def test_a_joint_gaussian_resolves_an_observable_as_finely_as_when_the_others_are_known():
    covariance = np.array([[4.0, 1.9], [1.9, 1.0]])
    mean, sigma = gauss([3.0, 0.0], covariance).aim(0)
    assert mean == 3.0
    assert sigma == pytest.approx(math.sqrt(4.0 - 1.9**2 / 1.0))


def checked(kind, observables, numbers):
    """Reads the term of a message with these numbers."""
    said = {"cholesky" if name == "root" else name: value for name, value in numbers.items()}
    said["knots"] = [pb.Knots(at=axis) for axis in numbers.get("knots", ())]
    message = pb.JointTerm(kind=f"JOINT_KIND_{kind}", arguments=range(len(observables)), **said)
    return Term.checked(message, observables)


JOINT = {"mean": (1.0, 2.0), "root": (2.0, 0.0, 0.5, 3.0)}
LIMIT = {"plus": 0.6, "knots": ((0.5, 2.0, 9.0),), "values": (1.0, 0.1, 3.0)}
TABLE = {"knots": ((-1.0, 0.0, 2.0), (0.0, 1.0)), "values": (1.0, 2.0, 3.0, 4.0, 0.0, 6.0)}
SIZED = {"mean": (1.0,), "plus": 2.0, "minus": 0.5}


@pytest.mark.parametrize(
    ("kind", "numbers", "fault"),
    [
        (
            "JOINT_GAUSS",
            JOINT | {"root": (2.0, 0.5, 0.0, 3.0)},
            "no means and Cholesky factor",
        ),  # this matrix is upper triangular
        ("JOINT_GAUSS", JOINT | {"root": (2.0, 0.5, 0.5, 3.0)}, "no means and Cholesky factor"),
        ("JOINT_GAUSS", JOINT | {"root": (2.0, 0.0, 0.5, 0.0)}, "no means and Cholesky factor"),
        ("JOINT_GAUSS", JOINT | {"root": (-2.0, 0.0, 0.5, 3.0)}, "no means and Cholesky factor"),
        ("JOINT_GAUSS", JOINT | {"root": (2.0, 0.0, 0.5)}, "no means and Cholesky factor"),
        ("JOINT_GAUSS", JOINT | {"root": (2.0, 0.0, 0.5, 3.0, 1.0)}, "no means and Cholesky factor"),
        ("JOINT_GAUSS", JOINT | {"root": ()}, "no means and Cholesky factor"),
        ("JOINT_GAUSS", JOINT | {"mean": (1.0,)}, "no means and Cholesky factor"),
        ("JOINT_GAUSS", JOINT | {"root": (2.0, 0.0, math.nan, 3.0)}, "a number that is not finite"),
        *[
            (kind, SIZED | {key: size}, "no mean and error of one observable")
            for kind in ("HALF_GAUSS", "BARLOW")
            for key in ("plus", "minus")
            for size in (0.0, -1.0, math.inf, math.nan)
        ],
        ("GAUSS_UPPER", SIZED | {"plus": math.inf}, "no mean and error of one observable"),
        ("GAUSS_LOWER", SIZED | {"plus": math.nan}, "no mean and error of one observable"),
        ("GAUSS_LOWER", SIZED | {"mean": (1.0, 2.0)}, "no mean and error of one observable"),
        ("GAUSS_LOWER", SIZED | {"mean": (math.inf,)}, "a number that is not finite"),
        ("LIMIT", LIMIT | {"plus": math.inf}, "a bound that is not above 0"),
        ("LIMIT_UPPER", LIMIT | {"values": (1.0, 0.0, 3.0)}, "a bound that is not above 0"),
        ("LIMIT_LOWER", LIMIT | {"knots": ((0.5, 0.5, 9.0),)}, "no full table over rising knots"),
        ("TABLE", TABLE | {"values": (1.0, 2.0)}, "no full table over rising knots"),
        ("TABLE", TABLE | {"knots": ((-1.0, 0.0, 2.0), (1.0, 0.0))}, "no full table over rising knots"),
        ("TABLE", TABLE | {"values": (1.0, 2.0, 3.0, 4.0, math.inf, 6.0)}, "a number that is not finite"),
    ],
)
def test_numbers_that_give_no_valid_term_are_refused(kind, numbers, fault):
    observables = ["x"] if "mean" in numbers and kind != "JOINT_GAUSS" else ["x", "y"]
    with pytest.raises(ValueError, match=f"a term of the kind {kind} with {fault}"):
        checked(kind, observables, numbers)


def test_with_the_right_number_each_refused_term_is_valid():
    terms: list[tuple[str, list[str], dict[str, Any]]] = [
        ("JOINT_GAUSS", ["x", "y"], JOINT),
        *[(kind, ["x"], SIZED) for kind in ("HALF_GAUSS", "BARLOW", "GAUSS_UPPER", "GAUSS_LOWER")],
        *[(kind, ["x", "y"], LIMIT) for kind in ("LIMIT", "LIMIT_UPPER", "LIMIT_LOWER")],
        ("TABLE", ["x", "y"], TABLE),
    ]
    for kind, observables, numbers in terms:
        found = checked(kind, observables, numbers)
        assert found.kind.value == kind and found.observables == tuple(observables)


OF_FILES = """\
variables: {m: [0, 1]}
codes: {c: {function: 'm:f', observables: {x: , y: }}}
likelihoods:
  joint: {observables: [x, y], mean: [%r, %r], covariance: c.txt}
  limit: {observables: [x, y], limit: l.txt}
  of_one: {observables: y, table: one.txt}
  of_two: {observables: [y, x], table: two.txt}
"""


@given(st.integers(0, 2**32 - 1), st.sampled_from([" ", "\t", ",", ";", ", "]), st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=25, deadline=None)
def test_terms_from_files_agree_with_scipy_whatever_the_units_and_the_order_of_rows(seed, separator, end):
    rng = np.random.default_rng(seed)
    unit = 10.0 ** rng.uniform(-9, 9, 2)
    mean, sigma = unit * rng.uniform(1, 2, 2), unit * rng.uniform(0.1, 0.5, 2)
    matrix = np.outer(sigma, sigma) * [[1.0, rho := rng.uniform(-0.99, 0.99)], [rho, 1.0]]
    x_knots, y_knots = (one * np.unique(rng.uniform(0.1, 4.0, 5)) for one in unit)
    bounds, grid = unit[1] * rng.uniform(0.1, 3.0, 5), rng.uniform(-1, 9, (5, 5))

    def table(*columns):
        rows = [separator.join(map(repr, row)) for row in rng.permutation(np.stack(columns, axis=1)).tolist()]
        return end.join(["# of a test", separator.join("abc"[: len(columns)]), *rows, ""])

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "scan.yaml").write_text(OF_FILES % tuple(mean.tolist()))
        files = {
            "c.txt": end.join(separator.join(map(repr, row)) for row in matrix.tolist()),
            "l.txt": table(x_knots, bounds),
            "one.txt": table(y_knots, grid[:, 0]),
            "two.txt": table(np.repeat(y_knots, 5), np.tile(x_knots, 5), grid.ravel()),
        }
        for path, text in files.items():
            (folder / path).write_bytes(text.encode())
        joint, limit, of_one, of_two = (spec.term for spec in read_scan_file(folder / "scan.yaml").terms)
    x = unit * rng.uniform(0.05, 4.5, (50, 2))
    off = (x - mean) / sigma
    expected = (off[:, 0] ** 2 - 2.0 * rho * off.prod(axis=1) + off[:, 1] ** 2) / (1.0 - rho**2) / 2.0
    np.testing.assert_allclose(joint.nll(x), expected, rtol=1e-6)
    bound = np.exp(np.interp(np.log(x[:, 0]), np.log(x_knots), np.log(bounds)))
    inside = (x[:, 0] >= x_knots[0]) & (x[:, 0] <= x_knots[-1])
    pull = np.where(inside, norm.ppf(0.95) * x[:, 1] / bound, 0.0)
    np.testing.assert_allclose(limit.nll(x), pull**2 / 2, rtol=1e-6)
    np.testing.assert_allclose(of_one.nll(x[:, 1:]), np.interp(x[:, 1], y_knots, grid[:, 0]), rtol=1e-6, atol=1e-9)
    at = np.stack([x[:, 1].clip(y_knots[0], y_knots[-1]), x[:, 0].clip(x_knots[0], x_knots[-1])], axis=1)
    two = RegularGridInterpolator((y_knots, x_knots), grid)(at)
    np.testing.assert_allclose(of_two.nll(x[:, ::-1]), two, rtol=1e-6, atol=1e-9)
