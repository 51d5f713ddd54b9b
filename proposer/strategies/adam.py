"""Adam with decoupled weight decay (arXiv:1412.6980, arXiv:1711.05101), by torch's functional `adamw`.

`torch.optim.AdamW` takes the same steps, but its first construction loads torch's compiler, which takes a second of
CPU.
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
        adamw(
            self._parameters,
            list(gradient),
            self.averages,
            self.squares,
            max_exp_avg_sqs=[],
            state_steps=self.steps,
            foreach=False,
            amsgrad=False,
            beta1=AVERAGE,
            beta2=SQUARE,
            lr=rate,
            weight_decay=self._decay,
            eps=LEAST,
            maximize=False,
        )
