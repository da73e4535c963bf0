"""Exposure in linear light for tensors, and the exposure that gives a photo a wanted brightness.

The twin of :func:`undark.pixels.tone.exposure`.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from undark.pixels.colour import LUMA
from undark.pixels.tone import KNEE
from undark.train.nets.srgb import to_srgb

__all__ = ["MOST_STOPS", "expose", "mean_luma", "shoulder", "solve_stops"]

MOST_STOPS: Final = 8.0
"""The most light that is ever added, in EV."""

_RUNG = 0.5
_STRIDE = 4
_STEP = 0.05


def shoulder(linear: Tensor, gain: Tensor) -> Tensor:
    """Linear light times `gain`, with the shoulder of :func:`undark.pixels.tone.exposure`."""
    more = gain.clamp(min=1.0)
    lit = linear * more
    over = (lit - KNEE).clamp(min=0.0)
    bend = 1.0 / (1.0 - KNEE) - 1.0 / (more - KNEE)
    return (lit.clamp(max=KNEE) + over / (1.0 + over * bend)) * (gain / more)


def expose(linear: Tensor, gain: Tensor) -> Tensor:
    """Linear light, N×3×…, times `gain`, N×3×…, encoded.

    With the shoulder of :func:`undark.pixels.tone.exposure`. The result is in [0, 1] and rises with
    both.
    """
    return to_srgb(shoulder(linear, gain).clamp(0.0, 1.0))


def mean_luma(encoded: Tensor) -> Tensor:
    """Mean luma (Rec. 709) of encoded N×3×H×W images: N×1×1×1."""
    weights = torch.tensor(LUMA, device=encoded.device, dtype=encoded.dtype)
    return (encoded.mean((2, 3)) * weights).sum(1).view(-1, 1, 1, 1)


def solve_stops(linear: Tensor, target: Tensor) -> Tensor:
    """EV from 0 to `MOST_STOPS` that give images the mean luma `target`, or come nearest.

    Found among all halves of an EV by a few of the pixels; Newton steps then make it exact, and the
    last one carries the gradient from the target.

    Args:
        linear: N×3×H×W, linear light.
        target: N×1×1×1, mean luma of the encoded result, in (0, 1).

    Returns:
        N×1×1×1.
    """

    def mean(stops: Tensor) -> Tensor:
        return mean_luma(expose(linear, torch.exp2(stops).expand(-1, 3, -1, -1)))

    def newton(stops: Tensor) -> Tensor:
        with torch.no_grad():
            near = mean(stops)
            slope = ((mean(stops + _STEP) - near) / _STEP).clamp(min=0.02)
        return (stops + ((target - near) / slope).clamp(-1.0, 1.0)).clamp(0.0, MOST_STOPS)

    with torch.no_grad():
        weights = torch.tensor(LUMA, device=linear.device, dtype=linear.dtype)
        ladder = torch.arange(0.0, MOST_STOPS + _RUNG, _RUNG, device=linear.device)
        some = linear[:, :, ::_STRIDE, ::_STRIDE].flatten(2)
        lit = expose(some[:, None], torch.exp2(ladder)[None, :, None, None])
        means = (lit * weights[:, None]).sum(2).mean(2)
        above = (means < target.flatten(1)).sum(1, keepdim=True).clamp(1, means.shape[1] - 1)
        low, high = means.gather(1, above - 1), means.gather(1, above)
        along = ((target.flatten(1) - low) / (high - low).clamp(min=1e-6)).clamp(0.0, 1.0)
        found = newton(((above - 1 + along) * _RUNG)[:, :, None, None])
    return newton(found)
