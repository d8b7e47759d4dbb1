"""Gradients of one loss over more videos than fit into memory at once: encode in parts, forget, and encode again.

A loss that holds videos against tags needs all vectors of a step, but not all that made them. So each part is encoded
without a graph and only its vectors are kept; the loss is taken over all of them and gives their gradients; then each
part is encoded once more, with the same random numbers, and its gradients are sent on. The negatives are those of the
whole step, memory is that of the largest part, and time grows by one encoding.

Source: Gao, Zhang, Han, Callan, "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup" (GradCache),
RepL4NLP 2021, section 3.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Encode = Callable[[int], tuple[Tensor, ...]]
"""Encodes a part, by its number; draws the same random numbers every time."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What was encoded in parts. `outputs` are whole, in the order of the parts, and leaves of a new graph."""

    outputs: tuple[Tensor, ...]
    sizes: tuple[int, ...]
    encode: Encode

    @staticmethod
    def record(model: nn.Module, encode: Encode, parts: int) -> Replay:
        """Encode every part without a graph; the model's running statistics take no note of it."""
        with torch.no_grad(), _kept_buffers(model):
            found = [encode(part) for part in range(parts)]
        outputs = tuple(torch.cat(columns) for columns in zip(*found, strict=True))
        for output in outputs:
            output.requires_grad_(output.is_floating_point())
        return Replay(outputs, tuple(len(columns[0]) for columns in found), encode)

    def backward(self) -> None:
        """Encode every part again and send the gradients of `outputs` on to the model's weights."""
        gradients = [
            (None,) * len(self.sizes) if output.grad is None else torch.split(output.grad, list(self.sizes))
            for output in self.outputs
        ]
        for part in range(len(self.sizes)):
            pairs = [
                (output, of_parts[part])
                for output, of_parts in zip(self.encode(part), gradients, strict=True)
                if of_parts[part] is not None and output.requires_grad
            ]
            if pairs:
                torch.autograd.backward([output for output, _ in pairs], [gradient for _, gradient in pairs])


@contextmanager
def _kept_buffers(model: nn.Module) -> Iterator[None]:
    """Put the running statistics back afterwards: the second encoding counts, and must count once."""
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    try:
        yield
    finally:
        for name, buffer in model.named_buffers():
            buffer.copy_(before[name])
