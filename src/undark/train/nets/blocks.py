"""What the networks that restore are built of: residual blocks with FiLM, and the way down and up.

The encoder-decoder with skip connections is that of Ronneberger et al., "U-Net: Convolutional
Networks for Biomedical Image Segmentation" (MICCAI 2015). FiLM: Perez et al., AAAI 2018.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Levels", "Padding", "Residual", "activate"]

Padding = Literal["zeros", "reflect"]
"""What a convolution sees beyond the edges."""


def activate(x: Tensor) -> Tensor:
    """Leaky ReLU: without a norm layer, a unit that a large step pushed below zero must recover."""
    return F.leaky_relu(x, 0.1)


class Residual(nn.Module):
    """Two 3×3 convolutions around a FiLM and a leaky ReLU, added to their input.

    Args:
        channels: Of what it takes and gives.
        context: Features that modulate it; 0 for none.
        padding: Of both convolutions.
        branch: Factor of what is added. Below 1, a step of the optimiser moves a wide layer less
            far, where there is no norm layer.
    """

    def __init__(
        self, channels: int, context: int, *, padding: Padding = "zeros", branch: float = 1.0
    ) -> None:
        """Build it; the modulation begins as none."""
        super().__init__()
        self.branch = branch
        self.first: nn.Conv2d = nn.Conv2d(channels, channels, 3, 1, 1, padding_mode=padding)
        self.second: nn.Conv2d = nn.Conv2d(channels, channels, 3, 1, 1, padding_mode=padding)
        self.film: nn.Linear | None = nn.Linear(context, 2 * channels) if context else None
        if self.film is not None:
            nn.init.zeros_(self.film.weight)
            nn.init.zeros_(self.film.bias)

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        """N×C×H×W in and out; `context` is N×features."""
        y = self.first(x)
        if self.film is not None and context is not None:
            scale, shift = self.film(context)[:, :, None, None].chunk(2, dim=1)
            y = y * (1.0 + scale) + shift
        added = self.second(activate(y))
        return x + (added if self.branch == 1.0 else self.branch * added)


class Levels(nn.Module, ABC):
    """The levels of an encoder-decoder: blocks on the way down, blocks and skips on the way up.

    A subclass lays the levels with :meth:`lay` where their parameters are to stand in its order,
    and says in :meth:`enlarge` how a level becomes the next larger one.
    """

    down_blocks: nn.ModuleList
    downs: nn.ModuleList
    ups: nn.ModuleList
    up_blocks: nn.ModuleList

    def lay(
        self,
        widths: Sequence[int],
        *,
        down: Sequence[int],
        up: int,
        context: int,
        padding: Padding = "zeros",
        branch: float = 1.0,
    ) -> None:
        """Build the levels.

        Args:
            widths: Channels of each level, the largest image first.
            down: Residual blocks of each level on the way down.
            up: Residual blocks of each level but the deepest on the way up.
            context: Features that modulate the blocks; 0 for none.
            padding: Of the 3×3 convolutions.
            branch: See :class:`Residual`.
        """

        def blocks(width: int, count: int) -> nn.ModuleList:
            return nn.ModuleList(
                Residual(width, context, padding=padding, branch=branch) for _ in range(count)
            )

        self.down_blocks = nn.ModuleList(
            blocks(width, count) for width, count in zip(widths, down, strict=True)
        )
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 2, 2) for a, b in pairwise(widths))
        self.ups = nn.ModuleList(
            nn.Conv2d(b, a, 3, 1, 1, padding_mode=padding) for a, b in pairwise(widths)
        )
        self.up_blocks = nn.ModuleList(blocks(width, up) for width in widths[:-1])

    @abstractmethod
    def enlarge(self, x: Tensor, level: int) -> Tensor:
        """Twice the size, with the channels of `level`, by its convolution in `ups`."""

    def down_and_up(self, x: Tensor, context: Tensor | None) -> Tensor:
        """Down all levels and up again: N×widths[0]×H×W in and out."""
        skips: list[Tensor] = []
        for level, group in enumerate(self.down_blocks):
            if level:
                skips.append(x)
                x = self.downs[level - 1](x)
            for block in group:  # pyright: ignore[reportGeneralTypeIssues]
                x = block(x, context)
        for level in range(len(self.ups) - 1, -1, -1):
            x = self.enlarge(x, level) + skips[level]
            for block in self.up_blocks[level]:  # pyright: ignore[reportGeneralTypeIssues]
                x = block(x, context)
        return x
