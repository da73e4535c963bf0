"""The sRGB curve for tensors: the twin of that in :mod:`undark.pixels.colour` (IEC 61966-2-1)."""

from __future__ import annotations

import torch
from torch import Tensor

from undark.pixels.colour import (
    SRGB_BREAK,
    SRGB_LINEAR_BREAK,
    SRGB_OFFSET,
    SRGB_POWER,
    SRGB_SLOPE,
)

__all__ = ["to_linear", "to_srgb"]


def to_linear(values: Tensor) -> Tensor:
    """Linear light of sRGB-encoded values, both in [0, 1] (IEC 61966-2-1)."""
    curve = ((values.clamp(min=SRGB_BREAK) + SRGB_OFFSET) / (1.0 + SRGB_OFFSET)) ** SRGB_POWER
    return torch.where(values <= SRGB_BREAK, values / SRGB_SLOPE, curve)


def to_srgb(values: Tensor) -> Tensor:
    """sRGB-encoded values of linear light, both in [0, 1] (IEC 61966-2-1)."""
    power = values.clamp(min=SRGB_LINEAR_BREAK) ** (1.0 / SRGB_POWER)
    curve = (1.0 + SRGB_OFFSET) * power - SRGB_OFFSET
    return torch.where(values <= SRGB_LINEAR_BREAK, values * SRGB_SLOPE, curve)
