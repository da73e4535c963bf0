"""Adversarial losses, and the pool of past fakes.

Goodfellow et al., "Generative Adversarial Nets" (2014) with the generator's non-saturating loss;
least squares after Mao et al., "Least Squares GAN" (ICCV 2017).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from undark.train.shares import everyone, mine

__all__ = ["Criterion", "Pool", "adversarial", "frozen"]

Criterion = Literal["bce", "least-squares"]


def adversarial(logits: Tensor, *, real: bool, criterion: Criterion) -> Tensor:
    """How far `logits` are from calling every patch real (or every patch fake); a scalar."""
    target = torch.full_like(logits, 1.0 if real else 0.0)
    if criterion == "bce":
        return F.binary_cross_entropy_with_logits(logits, target)
    return F.mse_loss(logits, target)


@contextlib.contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """While this lasts, what `network` computes sends no gradient to its own parameters.

    So one backward pass serves both players: the generator's loss passes through the
    discriminator without moving it, and the discriminator's is taken on detached fakes.
    """
    parameters = [p for p in network.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


class Pool(nn.Module):
    """Past fakes, half of which take the place of new ones before the discriminator.

    Shrivastava et al., "Learning from Simulated and Unsupervised Images through Adversarial
    Training" (CVPR 2017), as CycleGAN uses it. The pool is part of the state, so that a resumed
    run goes on as it would have.

    Args:
        size: Fakes kept; 0 passes every new one on.
    """

    def __init__(self, size: int) -> None:
        """An empty pool."""
        super().__init__()
        self.size = size
        self.held: Tensor = torch.empty(0)

    def forward(self, fakes: Tensor) -> Tensor:
        """As many fakes as given, N×C×H×W, new and old, without gradient."""
        fakes = fakes.detach().float()
        if not self.size:
            return fakes
        fakes = everyone(fakes)
        room = self.size - self.held.shape[0]
        if room > 0:
            self.held = torch.cat((self.held, fakes[:room])) if self.held.numel() else fakes[:room]
        given = fakes.clone()
        for index in torch.nonzero(torch.rand(fakes.shape[0]) < 0.5).flatten().tolist():
            slot = int(torch.randint(self.held.shape[0], ()))
            given[index] = self.held[slot]
            self.held[slot] = fakes[index]
        return mine(given)

    def get_extra_state(self) -> Tensor:
        """What is held; its number grows, so it is no buffer of fixed size."""
        return self.held

    def set_extra_state(self, state: Tensor) -> None:
        """Hold `state`."""
        self.held = state
