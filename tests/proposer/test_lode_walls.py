"""The sampler stays uniform where a region ends at the walls of the cube."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from proposer.strategies.lode.sample import move

MOVES, N = 30, 3000


def corner(dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Points, shape (n, d), that are uniform in a simplex at the origin, where the variables are correlated."""
    drawn = np.random.default_rng(dim).dirichlet(np.ones(dim + 1), N)[:, :dim]
    return torch.from_numpy(0.5 * drawn), torch.tensor(0.5)


def moved(p: torch.Tensor, energy) -> torch.Tensor:
    """The points after 30 moves."""
    random, e = torch.Generator().manual_seed(3), energy(p)
    for _ in range(MOVES):
        p, e = move(energy, p, e, 1.0, random)
    return p


@pytest.mark.parametrize("dim", [2, 4, 20])
def test_a_corner_stays_uniform(dim):
    """In a simplex (sum / size)^d is uniform, and so is (1 - u / size)^d of one variable."""
    p, size = corner(dim)
    p = moved(p, lambda u: u.sum(dim=1) / size)
    assert ((p >= 0) & (p <= 1)).all()
    assert kstest((p.sum(dim=1) / size).numpy() ** dim, "uniform").statistic < 0.05
    assert kstest((1.0 - p[:, 0] / size).numpy() ** dim, "uniform").statistic < 0.05


def test_a_correlated_ridge_at_a_wall_stays_uniform():
    """A thin diagonal band begins at two walls. Near these it has as many points as elsewhere along its length."""
    rng = np.random.default_rng(1)
    along, across = rng.random(N), rng.uniform(-0.01, 0.01, N)
    start = np.stack([along + across, along - across], axis=1)
    start = start[((start >= 0) & (start <= 1)).all(axis=1)]
    p = moved(torch.from_numpy(start), lambda u: (u[:, 0] - u[:, 1]).abs() / 0.02)
    tenths = np.histogram(p.mean(dim=1).numpy(), bins=10, range=(0, 1))[0] / len(p)
    assert np.abs(tenths - 0.1).max() < 0.025
