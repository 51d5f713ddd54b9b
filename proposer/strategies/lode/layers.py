"""Several small networks side by side, and the gradient of their weights.

The gradient is written out, because the networks are so small that autograd takes a third longer for it.
"""

from __future__ import annotations

import torch
from torch import Tensor


class Layers:
    """n networks with weights (n, p) and the layers `shapes`, for `rows` points each.

    A layer of the shape (a + 1, b) has a inputs and b outputs; its last row holds the biases. Arrays are used again in
    each call. The weights may change between calls.
    """

    def __init__(self, weights: Tensor, shapes: list[tuple[int, int]], rows: int) -> None:
        self.gradient = torch.empty_like(weights)
        """The gradient of `backward`, shape (n, p)."""
        self._layers, self._slopes = _split(weights, shapes), _split(self.gradient, shapes)
        self._sums = [torch.empty(len(weights), rows, b) for _, b in shapes]  # the outputs of each layer
        self._inputs = [torch.empty(0), *(torch.empty_like(before) for before in self._sums[:-1])]
        self._back = [torch.empty_like(before) for before in self._inputs]  # the derivatives by the inputs

    def __call__(self, x: Tensor) -> Tensor:
        """The outputs, shape (n, rows, k), of x, shape (n, rows, d). The next call overwrites them."""
        self._inputs[0] = x
        for number, layer in enumerate(self._layers):
            if number:
                torch.ops.aten.silu.out(self._sums[number - 1], out=self._inputs[number])
            torch.baddbmm(layer[:, -1:], self._inputs[number], layer[:, :-1], out=self._sums[number])
        return self._sums[-1]

    def backward(self, slope: Tensor) -> None:
        """Computes the gradient from the derivatives by the outputs of the last call, shape (n, rows, k)."""
        for number in reversed(range(len(self._layers))):
            by_layer = self._slopes[number]
            torch.bmm(self._inputs[number].transpose(1, 2), slope, out=by_layer[:, :-1])
            torch.sum(slope, dim=1, keepdim=True, out=by_layer[:, -1:])
            if number:
                back = torch.bmm(slope, self._layers[number][:, :-1].transpose(1, 2), out=self._back[number])
                slope = torch.ops.aten.silu_backward.grad_input(back, self._sums[number - 1], grad_input=back)


def _split(weights: Tensor, shapes: list[tuple[int, int]]) -> list[Tensor]:
    """The layers, shape (n, a + 1, b) each, of weights (n, p)."""
    parts = torch.split(weights, [a * b for a, b in shapes], dim=1)
    return [part.view(-1, *shape) for part, shape in zip(parts, shapes, strict=True)]
