"""The terms of the supervised loss: pure functions on N×3×H×W tensors, each a scalar.

What each term earns is measured in ``docs/training.md``.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from undark.train.recipe import Loss

__all__ = [
    "against_truth",
    "charbonnier",
    "colour",
    "exposure",
    "likeness",
    "match_means",
    "periodic",
    "structure",
    "weighted",
]

_WINDOW = 7
_RESTORED = 0.0015


def charbonnier(output: Tensor, truth: Tensor, *, epsilon: float = 1e-3) -> Tensor:
    """A smooth L1: mean of ``sqrt(difference² + epsilon²)`` (Charbonnier et al., ICIP 1994)."""
    return torch.sqrt((output - truth).square() + epsilon * epsilon).mean()


def structure(output: Tensor, truth: Tensor, *, scales: int = 2) -> Tensor:
    """1 - SSIM over a uniform 7×7 window, averaged over `scales` halvings of the size.

    Wang et al., "Image quality assessment: from error visibility to structural similarity" (TIP
    2004), with the multi-scale idea of Wang et al. (Asilomar 2003): fine scales mind grain, coarse
    ones shape. Scales whose images are smaller than the window are left out.
    """
    terms: list[Tensor] = []
    for scale in range(scales):
        if scale:
            output, truth = F.avg_pool2d(output, 2), F.avg_pool2d(truth, 2)
        if min(output.shape[2:]) < _WINDOW:
            break
        terms.append(1.0 - _ssim(output.contiguous(), truth.contiguous()))
    return torch.stack(terms).mean()


def _ssim(output: Tensor, truth: Tensor) -> Tensor:
    unbiased = _WINDOW**2 / (_WINDOW**2 - 1.0)
    with torch.no_grad():
        mean2, square2 = _box(torch.cat((truth, truth * truth))).chunk(2)
        variance2 = unbiased * (square2 - mean2 * mean2)
    mean1, square1, product = _box(torch.cat((output, output * output, output * truth))).chunk(3)
    variance1 = unbiased * (square1 - mean1 * mean1)
    covariance = unbiased * (product - mean1 * mean2)
    c1, c2 = 0.01**2, 0.03**2
    top = (2.0 * mean1 * mean2 + c1) * (2.0 * covariance + c2)
    bottom = (mean1.square() + mean2.square() + c1) * (variance1 + variance2 + c2)
    return (top / bottom).mean()


def _box(values: Tensor) -> Tensor:
    """Means over all whole 7×7 windows; sums of 2, 4 and 7 cost a third of pooling on a CPU."""
    for dim in (2, 3):
        size = values.shape[dim] - 6
        two = values.narrow(dim, 0, size + 5) + values.narrow(dim, 1, size + 5)
        four = two.narrow(dim, 0, size) + two.narrow(dim, 2, size)
        values = four + two.narrow(dim, 4, size) + values.narrow(dim, 6, size)
    return values / float(_WINDOW**2)


def match_means(output: Tensor, truth: Tensor) -> Tensor:
    """`output` scaled, image by image, to the truth's mean; no gradient through the scale.

    How bright the truth is cannot be read from the dark image; a loss on matched images
    teaches structure where brightness is a matter of taste.
    """
    with torch.no_grad():
        dims = (1, 2, 3)
        ratio = truth.mean(dims, keepdim=True) / output.mean(dims, keepdim=True).clamp(min=1e-3)
    return output * ratio.clamp(0.25, 4.0)


def colour(output: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference of smoothed chromaticity (R, G, B over their sum).

    Blind to brightness, and smoothed over 8×8 pixels so that noise in shadows does not count.
    """
    output, truth = F.avg_pool2d(output.clamp(min=0.0), 8), F.avg_pool2d(truth, 8)
    first = (output + 0.02) / (output + 0.02).sum(1, keepdim=True)
    second = (truth + 0.02) / (truth + 0.02).sum(1, keepdim=True)
    return 3.0 * (first - second).abs().mean()


def periodic(output: Tensor, truth: Tensor, *, period: int = 4, repeats: int = 8) -> Tensor:
    """How much of the error repeats every `period` pixels, as strides and shuffles leave it.

    The error is averaged over `repeats`² periods; what then differs between the places within the
    period, in mean absolute value. Sides that fill no whole window are cut off; 0 where none fits.
    """
    side = period * repeats
    rows, columns = output.shape[2] // side, output.shape[3] // side
    if not rows or not columns:
        return output.new_zeros(())
    error = (output - truth)[:, :, : rows * side, : columns * side]
    cells = error.reshape(*error.shape[:2], rows, repeats, period, columns, repeats, period)
    means = cells.mean((3, 6)).transpose(3, 4).flatten(4)
    return (means - means.mean(-1, keepdim=True)).abs().mean()


def exposure(relit: Tensor, truth: Tensor) -> Tensor:
    """What the glance decided, against the whole photo's truth.

    Mean absolute difference in EV of the images' mean levels, a quarter of it, plus the mean
    absolute difference of the relit glance, both channel by channel.
    """
    level = torch.log2(relit.mean((2, 3)) + 0.01) - torch.log2(truth.mean((2, 3)) + 0.01)
    apart = F.avg_pool2d(relit, 4) - F.avg_pool2d(truth, 4)
    return 0.25 * level.abs().mean() + apart.abs().mean()


def likeness(relit: Tensor, truth: Tensor) -> Tensor:
    """How far the relit glance is from the truth's: what its light alone costs in PSNR, over -10.

    The mean over images of log10 of the mean squared difference, to which that of a restoration
    of 28 dB is added: so an image that is nearly right counts for little more than one that is.
    """
    apart = (relit - truth).square().mean((1, 2, 3))
    return torch.log10(apart + _RESTORED).mean()


def against_truth(output: Tensor, truth: Tensor, weight: Loss) -> dict[str, Tensor]:
    """The terms by name, unweighted, that hold an image against its truth: those of any weight."""
    terms = {"pixel": charbonnier(output, truth)}
    if weight.structure:
        terms["structure"] = structure(output, truth)
    if weight.matched:
        terms["matched"] = charbonnier(match_means(output, truth), truth)
    if weight.colour:
        terms["colour"] = colour(output, truth)
    if weight.periodic:
        terms["periodic"] = periodic(output, truth)
    return terms


def weighted(terms: dict[str, Tensor], weight: Loss) -> Tensor:
    """The sum of the terms, each times its weight."""
    return torch.stack([getattr(weight, name) * value for name, value in terms.items()]).sum()
