"""The likelihoods for torch."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from scanspec import Kind, Likelihood, losses_and_nll
from tests.scanspec.likelihood_cases import cases, close, exact_loss


@pytest.mark.parametrize("kind", list(Kind))
def test_losses_are_those_of_the_exact_formula(kind):
    @settings(max_examples=50)  # numpy's test has four times as many of the same formulas
    @given(case=cases(kind))
    def check(case):
        likelihood, x = case
        value, exact = float(likelihood.loss(torch.tensor([x], dtype=torch.float64))[0]), exact_loss(likelihood, x)
        assert close(value, exact), f"{likelihood} of {x!r}: {value!r}, exact {exact!r}"

    check()


@pytest.mark.parametrize("kind", list(Kind))
def test_an_observable_that_is_not_finite_has_the_largest_loss(kind):
    x = torch.tensor([math.nan, math.inf, -math.inf], dtype=torch.float64)
    expected = exact_loss(Likelihood(kind, 1.0, 2.0, 0.5, 3.0), math.nan)
    losses = Likelihood(kind, 1.0, 2.0, 0.5, 3.0).loss(x).tolist()
    assert all(close(loss, expected) for loss in losses)


@pytest.mark.parametrize("of", [np.asarray, torch.tensor], ids=["numpy", "torch"])
def test_losses_computed_together_are_those_computed_one_by_one(of):
    """They are equal to the last bit, in the order of the observables, for any mixture of kinds."""
    rng = np.random.default_rng(3)
    means, sigmas = rng.uniform(0.1, 2, (2, 3, len(Kind))).tolist()
    each = zip(means, sigmas, strict=True)
    likelihoods = [Likelihood(kind, m, s, 0.5, 1.5) for row in each for kind, m, s in zip(Kind, *row, strict=True)]
    x = of(rng.uniform(0.1, 3, (50, len(likelihoods))))
    losses, nll = losses_and_nll(likelihoods, x)
    alone = [likelihood.loss(x[:, j]) for j, likelihood in enumerate(likelihoods)]
    assert all(bool((losses[:, j] == loss).all()) for j, loss in enumerate(alone))
    assert float(abs(nll - sum(alone)).max()) < 1e-12
