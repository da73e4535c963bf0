"""How strongly to clean, learned from dark photos alone.

A dark photo shrunk to a quarter is nearly clean, and shows what photos are made of; the same photo
at full size shows what its noise is made of: how strong at each level of brightness, how coarse,
how coloured. So noise like the photo's own is put on the shrunken one, and what cleaning gives is
held against it. After Moran et al., "Noisier2Noise" (CVPR 2020), and Zontak and Irani, "Internal
statistics of a single natural image" (CVPR 2011): images are alike across scales, noise is not.
Splitting one photo's pixels into two noisy ones (Huang et al., "Neighbor2Neighbor", CVPR 2021)
would not do: it takes noise to differ from pixel to pixel, which that of finished photos does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from undark.photo import FloatImage, area_resize
from undark.pixels.colour import LUMA, luma
from undark.pixels.noise import LEVELS, Noise, clean, measure_noise

__all__ = ["Twin", "noise_left", "shrunken_twin"]

_SHRINK = 4
_STEP = 0.1


class Twin(NamedTuple):
    """One image nearly clean, the same with noise put on it, and that noise."""

    truth: FloatImage
    noisy: FloatImage
    noise: Noise


def shrunken_twin(relit: FloatImage, random: np.random.Generator) -> Twin:
    """A pair made of one relit dark photo.

    Args:
        relit: H×W×3 in [0, 1], noise and all, best at least 64 pixels a side.
        random: Of the noise.
    """
    rows, columns = (side // _SHRINK for side in relit.shape[:2])
    truth = area_resize(relit, rows, columns)
    like = measure_noise([relit])
    level = np.clip(luma(truth) * (LEVELS - 1), 0, LEVELS - 1).astype(np.intp)
    grey = _grain(like.luma, level, random)
    red, blue = (_grain(like.colour, level, random) for _ in range(2))
    green = -(LUMA[0] * red + LUMA[2] * blue) / LUMA[1]
    grain = np.stack([grey + red, grey + green, grey + blue], axis=-1)
    noisy = np.clip(truth + grain, 0.0, 1.0).astype(np.float32)
    return Twin(truth, noisy, like)


def _grain(
    variance: NDArray[np.float32], level: NDArray[np.intp], random: np.random.Generator
) -> NDArray[np.float32]:
    """Noise at two scales, of that variance at each level: fine, and what coarse is left."""
    rows, columns = level.shape
    fine = random.standard_normal(level.shape, dtype=np.float32)
    half = random.standard_normal((-(-rows // 2), -(-columns // 2)), dtype=np.float32)
    coarse = np.repeat(np.repeat(half, 2, axis=0), 2, axis=1)[:rows, :columns]
    # Of white noise, halving the size leaves a quarter of the variance.
    rest = np.maximum(variance[1] - variance[0] / 4, 0.0)
    return fine * np.sqrt(variance[0][level]) + coarse * np.sqrt(rest[level])


def _left(twin: Twin, strength: Sequence[float]) -> float:
    """Error after cleaning, relative to that of the noise."""
    on_luma, on_colour = strength
    cleaned = clean(twin.noisy, twin.noise.times(on_luma, on_colour))
    before = float(np.square(twin.noisy - twin.truth).mean())
    return float(np.square(cleaned - twin.truth).mean()) / max(before, 1e-9)


class _Measured(torch.autograd.Function):
    """What :func:`noise_left` measures, with its slope by finite differences.

    The function that is learned for is the very one that is run; it knows nothing of PyTorch.
    """

    @staticmethod
    def forward(ctx: Any, logarithm: Tensor, twins: Sequence[Twin]) -> Tensor:  # pyright: ignore
        at = logarithm.detach().cpu().double().numpy()
        slopes = []
        for index in range(len(at)):
            step = np.zeros_like(at)
            step[index] = _STEP
            more, less = (
                np.mean([_left(twin, np.exp(point).tolist()) for twin in twins])
                for point in (at + step, at - step)
            )
            slopes.append((more - less) / (2 * _STEP))
        ctx.save_for_backward(logarithm.new_tensor(slopes))
        return logarithm.new_tensor(np.mean([_left(t, np.exp(at).tolist()) for t in twins]))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # pyright: ignore
        (slopes,) = ctx.saved_tensors
        return gradient * slopes, None


def noise_left(logarithm: Tensor, twins: Sequence[Twin]) -> Tensor:
    """Squared error of the cleaned `twins`, relative to that of the noisy ones; a scalar.

    Args:
        logarithm: Of the strengths for luma and for colour, on which it depends smoothly.
        twins: At least one.
    """
    measured: Any = _Measured.apply(logarithm, twins)
    return measured
