"""Adam with decoupled decay of the weights (arXiv:1412.6980, arXiv:1711.05101), as torch's functional `adamw` has it.

`torch.optim.AdamW` would be the same steps, but takes 2 seconds of CPU to make the first time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.optim.adamw import adamw

from proposer.time_limit import check_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

AVERAGE, SQUARE, LEAST = 0.9, 0.999, 1e-8


class Adam:
    """Changes `parameters` in place, a step a call."""

    def __init__(self, parameters: Sequence[Tensor], decay: float = 0.0) -> None:
        self._parameters, self._decay = list(parameters), decay
        self._averages = [torch.zeros_like(parameter) for parameter in parameters]
        self._squares = [torch.zeros_like(parameter) for parameter in parameters]
        self._steps = [torch.tensor(0.0) for _ in parameters]

    @torch.no_grad()
    def step(self, gradient: Sequence[Tensor], rate: float) -> None:
        """One step against the gradient, of the shapes of the parameters; raises OutOfTime when the time is over."""
        check_time()
        adamw(
            self._parameters,
            list(gradient),
            self._averages,
            self._squares,
            max_exp_avg_sqs=[],
            state_steps=self._steps,
            foreach=False,
            amsgrad=False,
            beta1=AVERAGE,
            beta2=SQUARE,
            lr=rate,
            weight_decay=self._decay,
            eps=LEAST,
            maximize=False,
        )
