"""Adam with decoupled weight decay (arXiv:1412.6980, arXiv:1711.05101).

`torch.optim.AdamW` takes the same steps, but its first construction loads torch's compiler, which takes a second of
CPU, and each step takes twice as long for small networks.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from proposer.time_limit import check_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

AVERAGE, SQUARE, LEAST = 0.9, 0.999, 1e-8


class Adam:
    """Changes `parameters` in place, one step per call of `step`. For each parameter it keeps the moments `averages`
    and `squares`, with the shape of the parameter, and the number of `steps`.
    """

    def __init__(self, parameters: Sequence[Tensor], decay: float = 0.0) -> None:
        self._parameters, self._decay = list(parameters), decay
        self.averages = [torch.zeros_like(parameter) for parameter in parameters]
        self.squares = [torch.zeros_like(parameter) for parameter in parameters]
        self.steps = [torch.tensor(0.0) for _ in parameters]

    @torch.no_grad()
    def step(self, gradient: Sequence[Tensor], rate: float) -> None:
        """One step for a gradient with the shapes of the parameters. Raises OutOfTime if the time is over."""
        check_time()
        every = zip(self._parameters, gradient, self.averages, self.squares, self.steps, strict=True)
        for parameter, slope, average, square, steps in every:
            steps.add_(1.0)
            taken = float(steps)
            if self._decay:
                parameter.mul_(1.0 - rate * self._decay)
            average.lerp_(slope, 1.0 - AVERAGE)
            square.mul_(SQUARE).addcmul_(slope, slope, value=1.0 - SQUARE)
            width = square.sqrt().div_(math.sqrt(1.0 - SQUARE**taken)).add_(LEAST)
            parameter.addcdiv_(average, width, value=-rate / (1.0 - AVERAGE**taken))
