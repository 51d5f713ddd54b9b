"""A ball in a cube, and settings with which MLS_DNNC finds the ball in a second."""

import numpy as np

from proposer.space import Space
from proposer.strategies.mls_dnnc_settings import FitSettings, MlsDnncSettings
from proposer.target import Target
from proposer.types import Batch
from scanspec.variables import Variable

CUBE = Space([Variable(name, 0.0, 1.0) for name in "xyz"])
FAST = MlsDnncSettings(
    bootstrap_points=60,
    candidate_points=400,
    points_per_iteration=50,
    target=Target(1.0),
    iterations=3,
    fit=FitSettings(neurons=12, batch_size=64, epochs=8),
)


def ball(u: np.ndarray) -> np.ndarray:
    """An NLL that is good (below 1) in 3 % of the cube."""
    return ((u - [0.3, 0.6, 0.5]) ** 2).sum(axis=1) / 0.2**2


def init_batch() -> Batch:
    """Forty points of an InitCSV, the first three of which are good."""
    u = np.random.default_rng(9).random((40, 3))
    u[:3] = [[0.3, 0.6, 0.5], [0.31, 0.6, 0.5], [0.3, 0.62, 0.5]]
    return Batch(u, ["init"] * 40, 0)
