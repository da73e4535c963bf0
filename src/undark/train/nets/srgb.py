"""The sRGB curve for tensors; the twin of that in :mod:`undark.tone` (IEC 61966-2-1)."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["to_linear", "to_srgb"]


def to_linear(values: Tensor) -> Tensor:
    """Linear light of sRGB-encoded values, both in [0, 1] (IEC 61966-2-1)."""
    curve = ((values.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(values <= 0.04045, values / 12.92, curve)


def to_srgb(values: Tensor) -> Tensor:
    """sRGB-encoded values of linear light, both in [0, 1] (IEC 61966-2-1)."""
    curve = 1.055 * values.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(values <= 0.0031308, values * 12.92, curve)
