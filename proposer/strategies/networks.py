"""The deep neural network classifier (DNNC) of MLscanner: is a point good?

Architecture and training are those of arXiv:2207.09959, section 2, as BSMArt's MLS_DNNC
sets them (arXiv:2301.01154). Nothing here depends on a global random state.
"""

from __future__ import annotations

import copy
import itertools
import logging
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from proposer.strategies.adam import Adam
from proposer.types import CheckpointError, Floats

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from proposer.strategies.mls_dnnc_settings import FitSettings

log = logging.getLogger(__name__)

LARGE_FROM = 5000  # training points; from this number on, the large network is used
PATIENCE = 10  # epochs without an improvement
IMPROVEMENT = 1e-5  # of the mean training loss of an epoch
WEIGHT_DECAY = 1e-4
DROPOUT = 0.2
CHUNK = 65_536  # points scored at once


def small_network(dim: int, neurons: int) -> nn.Sequential:
    """Five hidden layers of N neurons with ReLU, one output; for fewer than 5,000 training points."""
    layers: list[nn.Module] = []
    for width in [dim, *[neurons] * 4]:
        layers += [nn.Linear(width, neurons), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(neurons, 1))


def large_network(dim: int, neurons: int) -> nn.Sequential:
    """Hidden layers of 2N, N and N/2 neurons with SiLU and dropout, one output; from 5,000 training points on."""
    widths = [dim, 2 * neurons, neurons, max(1, neurons // 2)]
    layers: list[nn.Module] = []
    for before, width in itertools.pairwise(widths):
        layers += [nn.Linear(before, width), nn.SiLU(), nn.Dropout(DROPOUT)]
    return nn.Sequential(*layers, nn.Linear(widths[-1], 1))


class Classifier:
    """A network that is fitted again and again, from its present weights and optimiser state.

    The first fit builds it. When a fit has 5,000 or more points for the first time, the
    large network takes the small one's place, for good.
    """

    def __init__(self, dim: int, settings: FitSettings) -> None:
        self.dim = dim
        self.settings = settings
        self.large = False
        self._network: nn.Sequential | None = None
        self._optimiser: Adam | None = None

    @property
    def fitted(self) -> bool:
        """Whether there has been a fit."""
        return self._network is not None

    def fit(self, inputs: Floats, good: NDArray[np.bool_], positive_weight: float, rng: np.random.Generator) -> float:
        """Fits to n points: inputs of shape (n, d) in [-1, 1], labels of shape (n,). Returns the loss of the best
        epoch.

        The loss is binary cross-entropy with logits, good points weighted by
        `positive_weight`. Stops after 10 epochs in which the mean training loss of an
        epoch did not improve by 1e-5, and goes back to the weights after the best epoch.
        `rng` decides everything that is random: initial weights, minibatches, dropout.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**63)))
            if self._network is None or (len(inputs) >= LARGE_FROM and not self.large):
                self._build(large=len(inputs) >= LARGE_FROM)
            return self._fit(torch.from_numpy(inputs).float(), torch.from_numpy(good).float(), positive_weight, rng)

    def _build(self, *, large: bool) -> tuple[nn.Sequential, Adam]:
        build = large_network if large else small_network
        self.large = large
        self._network = build(self.dim, self.settings.neurons)
        self._optimiser = _optimiser_of(self._network)
        return self._network, self._optimiser

    def _fit(self, x: torch.Tensor, y: torch.Tensor, positive_weight: float, rng: np.random.Generator) -> float:
        assert self._network is not None
        assert self._optimiser is not None
        network, optimiser, parameters = self._network, self._optimiser, list(self._network.parameters())
        weighted = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(positive_weight))
        best, best_weights, waited = math.inf, copy.deepcopy(network.state_dict()), 0
        network.train()
        for epoch in range(1, self.settings.epochs + 1):
            total = 0.0
            order = torch.from_numpy(rng.permutation(len(x)))
            for start in range(0, len(x), self.settings.batch_size):
                rows = order[start : start + self.settings.batch_size]
                loss = weighted(network(x[rows]).squeeze(1), y[rows])
                optimiser.step(torch.autograd.grad(loss, parameters), self.settings.learning_rate)
                total += loss.item() * len(rows)
            mean = total / len(x)
            if not math.isfinite(mean):
                log.warning("the training diverged in epoch %d; a smaller LearningRate may help", epoch)
                self._optimiser = _optimiser_of(network)  # its moments are lost
                break
            if mean < best - IMPROVEMENT:
                best, best_weights, waited = mean, copy.deepcopy(network.state_dict()), 0
            else:
                waited += 1
                if waited == PATIENCE:
                    break
        network.load_state_dict(best_weights)
        log.info("fitted to %d points, %d of them good: loss %.3g after %d epochs", len(x), int(y.sum()), best, epoch)
        return best

    def predict(self, inputs: Floats) -> Floats:
        """Logits of being good, shape (n,), for inputs of shape (n, d); the probability is 1 / (1 + exp(-logit))."""
        if self._network is None:
            raise RuntimeError("a classifier predicts only after its first fit")
        self._network.eval()
        logits = np.empty(len(inputs))
        with torch.no_grad():
            for start in range(0, len(inputs), CHUNK):
                part = torch.from_numpy(inputs[start : start + CHUNK]).float()
                logits[start : start + CHUNK] = self._network(part).squeeze(1).numpy()
        return logits

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Architecture, weights and, after its first step, AdamW's state."""
        arrays: dict[str, Any] = {"large": np.array(self.large)}
        if self._network is not None and self._optimiser is not None:
            has_begun = bool(self._optimiser.steps[0])
            for position, (name, weights) in enumerate(self._network.named_parameters()):
                arrays[f"weights/{name}"] = weights.detach().numpy()
                for kind, values in _state_of(self._optimiser).items() if has_begun else ():
                    arrays[f"{kind}/{name}"] = values[position].numpy()
        return arrays

    def load(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Goes back to the state of `to_arrays`. Raises CheckpointError if the arrays are not those of such
        a network.
        """
        try:
            arrays = dict(arrays)
            large = bool(arrays.pop("large"))
            self._network = self._optimiser = None
            self.large = large
            if arrays:
                self._fill(*self._build_quietly(large), arrays)
        except (ValueError, KeyError, RuntimeError, TypeError) as error:
            raise CheckpointError(
                f"the network's state cannot be read ({error}); it is damaged or of other settings"
            ) from error

    def _build_quietly(self, large: bool) -> tuple[nn.Sequential, Adam]:
        with torch.random.fork_rng(devices=[]):
            return self._build(large=large)

    def _fill(self, network: nn.Sequential, optimiser: Adam, arrays: dict[str, Any]) -> None:
        with torch.no_grad():
            for position, (name, weights) in enumerate(network.named_parameters()):
                weights.copy_(torch.from_numpy(arrays[f"weights/{name}"]))
                if f"step/{name}" in arrays:  # there is no state before the first step
                    for kind, values in _state_of(optimiser).items():
                        values[position].copy_(torch.from_numpy(arrays[f"{kind}/{name}"]))


def _optimiser_of(network: nn.Sequential) -> Adam:
    return Adam(list(network.parameters()), WEIGHT_DECAY)


def _state_of(optimiser: Adam) -> dict[str, list[torch.Tensor]]:
    """The state for each parameter, by its name in a checkpoint."""
    return {"step": optimiser.steps, "exp_avg": optimiser.averages, "exp_avg_sq": optimiser.squares}
