"""The same likelihoods on tensors."""

import math

import pytest
import torch
from hypothesis import given, settings

from scanspec import Kind, Likelihood
from tests.scanspec.likelihood_cases import cases, close, exact_loss


@pytest.mark.parametrize("kind", list(Kind))
def test_exact(kind):
    @settings(max_examples=200)
    @given(case=cases(kind))
    def check(case):
        likelihood, x = case
        value, exact = float(likelihood.loss(torch.tensor([x], dtype=torch.float64))[0]), exact_loss(likelihood, x)
        assert close(value, exact), f"{likelihood} of {x!r}: {value!r}, exact {exact!r}"

    check()


@pytest.mark.parametrize("kind", list(Kind))
def test_what_is_not_finite(kind):
    x = torch.tensor([math.nan, math.inf, -math.inf], dtype=torch.float64)
    expected = exact_loss(Likelihood(kind, 1.0, 2.0, 0.5, 3.0), math.nan)
    losses = Likelihood(kind, 1.0, 2.0, 0.5, 3.0).loss(x).tolist()
    assert all(close(loss, expected) for loss in losses)
