"""The settings of MLS_DNNC in a scan file. This module does not import torch, so that reading a file is quick."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from proposer.target import DEFAULT_TARGET, Target

if TYPE_CHECKING:
    from scanspec import ScanFile


@dataclass(frozen=True)
class FitSettings:
    """How a network is built and fitted: width N of a layer, points in a minibatch, the most epochs, AdamW's learning
    rate.
    """

    neurons: int = 100
    batch_size: int = 500
    epochs: int = 250
    learning_rate: float = 1e-2


@dataclass(frozen=True)
class MlsDnncSettings:
    """The section `networks` of a scan file; names and defaults are those of BSMArt's documents."""

    bootstrap_points: int = 100
    """Random points in each round before the first training."""
    candidate_points: int = 500
    """Candidates that are drawn and scored in an iteration."""
    points_per_iteration: int = 300
    """Candidates that are evaluated in an iteration."""
    random_fraction: float = 0.2
    """The fraction of these that is drawn at random, for exploration; from 0 to 1."""
    k_initial: int = 5
    """The number of neighbours of a point in SMOTE."""
    target: Target = DEFAULT_TARGET
    """Which points are good."""
    iterations: int = 10
    """The most iterations of the loop."""
    fit: FitSettings = field(default_factory=FitSettings)
    """Network and training."""

    @classmethod
    def read(cls, scan: ScanFile) -> Self:
        """Reads and checks the settings of a scan file. Raises ScanFileError, with file, line and key."""
        section = scan.networks
        none, fit = cls(), FitSettings()
        return cls(
            bootstrap_points=section.integer("bootstrap_points", none.bootstrap_points, low=1),
            candidate_points=section.integer("candidate_points", none.candidate_points, low=1),
            points_per_iteration=section.integer("points_per_iteration", none.points_per_iteration, low=1),
            random_fraction=section.number_in("random_fraction", none.random_fraction, 0.0, 1.0),
            k_initial=section.integer("k_initial", none.k_initial, low=1),
            target=Target.read(scan, none.target),
            iterations=section.integer("iterations", none.iterations, low=1),
            fit=FitSettings(
                neurons=section.integer("neurons", fit.neurons, low=2),
                batch_size=section.integer("batch_size", fit.batch_size, low=1),
                epochs=section.integer("epochs", fit.epochs, low=1),
                learning_rate=section.number_in("learning_rate", fit.learning_rate, 0.0, 1.0, open_low=True),
            ),
        )
