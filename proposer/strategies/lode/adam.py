"""Adam (Kingma and Ba, arXiv:1412.6980) with decoupled decay of the weights (Loshchilov and Hutter, arXiv:1711.05101).

The one in torch.optim takes 2 seconds of CPU to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from proposer.time_limit import check_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class Adam:
    """Changes `parameters` in place, a step a call."""

    def __init__(self, parameters: Sequence[Tensor], decay: float = 0.0) -> None:
        self._parameters, self._decay, self._steps = parameters, decay, 0
        self._mean = [torch.zeros_like(each) for each in parameters]
        self._square = [torch.zeros_like(each) for each in parameters]

    @torch.no_grad()
    def step(self, slopes: Sequence[Tensor], rate: float) -> None:
        """One step against `slopes`, of the shapes of the parameters."""
        check_time()
        self._steps += 1
        for each, slope, mean, square in zip(self._parameters, slopes, self._mean, self._square, strict=True):
            mean.lerp_(slope, 0.1)
            square.lerp_(slope.square(), 0.001)
            size = (square / (1.0 - 0.999**self._steps)).sqrt_().add_(1e-8)
            each.mul_(1.0 - rate * self._decay).addcdiv_(mean, size, value=-rate / (1.0 - 0.9**self._steps))
