"""The terms of the zero-reference loss: no truth, only what a well-exposed photo is like.

After Guo et al., "Zero-Reference Deep Curve Estimation for Low-Light Image Enhancement" (CVPR
2020). Pure functions on N×3×H×W tensors of encoded RGB in [0, 1], each a scalar.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["colour_constancy", "exposure", "restraint", "spatial_consistency"]


def _regions(image: Tensor, side: int) -> Tensor:
    """Mean levels of regions of side×side pixels: N×1×h×w."""
    return F.avg_pool2d(image.mean(1, keepdim=True), side)


def exposure(luma: Tensor, wanted: float) -> Tensor:
    """How far in EV the mean level of photos is from `wanted`, on the mean of squares.

    Zero-DCE holds every region of 16×16 pixels to a wanted level. Here it is the whole photo, as
    dark corners may stay dark; and of what is too bright nothing is asked, as a bright photo is
    to stay as it is.

    Args:
        luma: N×1×H×W.
        wanted: In (0, 1): the one thing that is given.
    """
    return F.relu(torch.log2(wanted / luma.mean((1, 2, 3)).clamp(min=1e-3))).square().mean()


def spatial_consistency(source: Tensor, relit: Tensor, *, side: int = 4) -> Tensor:
    """Neighbouring regions keep their contrast (Zero-DCE's first term).

    Of photos that become ten times as bright, differences cannot stay as they are; they are held
    to those of the source made as bright by mere multiplication.
    """
    before, after = _regions(source, side), _regions(relit, side)
    gain = after.mean((2, 3), keepdim=True) / before.mean((2, 3), keepdim=True).clamp(min=1e-3)
    before = before * gain.detach()
    terms = [
        (after.diff(dim=dim).abs() - before.diff(dim=dim).abs()).square().mean() for dim in (2, 3)
    ]
    return torch.stack(terms).sum()


def colour_constancy(relit: Tensor) -> Tensor:
    """The channels' mean levels lie near each other (Zero-DCE's third term).

    Grey-world: Buchsbaum, "A spatial processor model for object colour perception" (1980).
    """
    mean = relit.mean((2, 3))
    return (mean - mean.roll(1, dims=1)).square().sum(1).mean()


def restraint(tint: Tensor, correction: Tensor) -> Tensor:
    """The smoothness term of curves that are one for the whole photo: they differ but little.

    Args:
        tint: N×3×1×1, EV by which each channel differs from the others.
        correction: N×1×1×1, EV by which the photo's level differs from the wanted one.
    """
    return tint.square().sum(1).mean() + correction.square().mean()
