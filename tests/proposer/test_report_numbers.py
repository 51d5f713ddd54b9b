"""The numbers that a report computes from a run: pulls, correlations, hit rates, distances of samples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp, spearmanr

from proposer.report.overview import LOSSES
from proposer.report.physics import pull_of, ranks_correlation
from proposer.report.search import hit_rate
from proposer.report.trouble import kolmogorov
from scanspec import Kind, Likelihood
from scanspec.terms import TermKind


def test_pulls_have_a_sign_and_follow_from_the_loss() -> None:
    gauss = Likelihood(Kind.GAUSS, 2.0, 0.5)
    assert pull_of(gauss, np.array([3.0, 1.0]), gauss.loss(np.array([3.0, 1.0]))).tolist() == [2.0, -2.0]
    lower = Likelihood(Kind.LOWER, 100.0, 10.0)
    values = np.array([100.0, 1e4])
    assert pull_of(lower, values, lower.loss(values)).round(2).tolist() == [-1.18, 0.0]


def test_rank_correlations_are_those_of_scipy() -> None:
    x = np.arange(50.0)
    found = ranks_correlation(np.column_stack([x, np.exp(x), -(x**3), np.ones(50)]))
    halves = np.round(x / 2)
    assert ranks_correlation(np.column_stack([x, halves]))[0, 1] == pytest.approx(spearmanr(x, halves).statistic)
    assert found[0, 1] == pytest.approx(1.0) and found[0, 2] == pytest.approx(-1.0) and np.isnan(found[0, 3])


def test_the_hit_rate_is_that_of_consecutive_points() -> None:
    good = np.arange(1000) >= 500
    ends, share = hit_rate(np.arange(1000), good)
    assert share[0] == 0.0 and share[-1] == 1.0 and ends[-1] == 1000
    assert np.average(share, weights=np.diff(ends, prepend=0)) == pytest.approx(0.5)


def test_the_distance_of_two_samples_is_that_of_scipy() -> None:
    rng = np.random.default_rng(2)
    first, second = np.round(rng.random(40), 1), np.round(rng.normal(size=17), 1)  # with equal values
    assert kolmogorov(first, second) == pytest.approx(ks_2samp(first, second).statistic)


def test_each_kind_of_likelihood_has_its_formula() -> None:
    """OFF has none, and that of UNKNOWN is known only to a newer evaluator."""
    kinds = {kind.value for kind in (*Kind, *TermKind)}
    assert set(LOSSES) == kinds - {"OFF", "UNKNOWN"} and all(LOSSES.values())
