"""NIQE: how far an image is from undistorted photos."""

from __future__ import annotations

import math
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from undark.evaluate.arrays import grey
from undark.evaluate.metrics.base import Metric
from undark.evaluate.metrics.natural import (
    SHIFTS,
    Doubles,
    fit,
    local_contrast,
    parameters,
    scale_of,
    skew_of,
)

__all__ = ["BLOCK", "NIQE", "niqe"]

BLOCK: Final = 96
"""Side of NIQE's blocks in pixels; an image must hold two of them."""


def niqe(image: NDArray[Any]) -> float:
    """Natural image quality evaluator: distance from undistorted photos, 0 upwards; less is better.

    Features of whole 96×96 blocks, at full and at half size, against the release's Gaussian. NaN
    for an image that holds fewer than two blocks with anything in them.

    >>> import numpy as np
    >>> noise = np.random.default_rng(0).integers(0, 256, (192, 192, 3)).astype(np.uint8)
    >>> round(niqe(noise))
    38
    >>> niqe(noise[:, :95])
    nan

    Args:
        image: H×W×3 RGB, uint8, uint16 or float in [0, 1].

    Mittal, Soundararajan and Bovik, "Making a 'completely blind' image quality analyzer", 2013.

    Raises:
        UsageError: The image is not H×W×3.
    """
    luma = np.rint(255 * grey(image))
    down, across = (side // BLOCK for side in luma.shape)
    if down * across < 2:
        return math.nan
    luma = luma[: down * BLOCK, : across * BLOCK]
    half = (luma.shape[1] // 2, luma.shape[0] // 2)
    small = Image.fromarray(luma.astype(np.float32)).resize(half, Image.Resampling.BICUBIC)
    scales: list[Doubles] = []
    for values, side in ((luma, BLOCK), (np.asarray(small, np.float64), BLOCK // 2)):
        contrast = local_contrast(values, cv2.BORDER_REPLICATE)
        blocks = contrast.reshape(down, side, across, side).swapaxes(1, 2).reshape(-1, side, side)
        scales.append(np.array([_block_features(block) for block in blocks]))
    features = np.hstack(scales)
    whole = features[np.isfinite(features).all(axis=1)]
    if len(whole) < 2:
        return math.nan
    known = parameters("niqe")
    # A block's features that are defined count for the mean even where its others are not.
    apart = known["mean"] - np.nanmean(features, axis=0)
    spread = (known["covariance"] + np.cov(whole, rowvar=False)) / 2
    return float(np.sqrt(apart @ np.linalg.pinv(spread) @ apart))


def _block_features(block: Doubles) -> list[float]:
    """NIQE's 18 features of a block; neighbours wrap around, as in the release."""
    shape, left, right = fit(block)
    features = [shape, scale_of(shape) * (left + right) / 2]
    for shift in SHIFTS:
        shape, left, right = fit(block * np.roll(block, shift, axis=(0, 1)))
        scale = scale_of(shape)
        features += [shape, skew_of(shape, left, right), scale * left, scale * right]
    return features


NIQE: Final = Metric(
    "NIQE",
    "{:.2f}",
    "less",
    f"distance from natural photos; needs two blocks of {BLOCK}×{BLOCK} pixels",
    alone=niqe,
)
