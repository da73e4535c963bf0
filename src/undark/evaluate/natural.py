"""Metrics without a truth, from the statistics of natural pictures: NIQE and BRISQUE.

Both divide a picture by its local contrast and fit generalised Gaussians to what remains and to the
products of neighbours. NIQE measures how far that is from undistorted photos; BRISQUE asks a
support vector regression what people would say. Less is better in both. Neither was made for dark
photos: they judge noise, blur and blocks, not exposure or colour.

The parameters are those of the authors' releases; where they come from, and under which licence, is
told in ``parameters/README.md`` beside this module.
"""

from __future__ import annotations

import math
from functools import lru_cache
from importlib import resources
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from undark.evaluate.metrics import grey

__all__ = ["BLOCK", "BRISQUE_MINIMUM", "brisque", "niqe"]

BLOCK = 96
"""Side of NIQE's blocks in pixels; a picture must hold two of them."""

BRISQUE_MINIMUM = 32
"""Shorter side, in pixels, from which :func:`brisque` is defined."""

_WINDOW, _SIGMA = 7, 7 / 6
_SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))
_SHAPES = np.arange(0.2, 10.001, 0.001)

Floats = NDArray[np.float64]


def niqe(picture: NDArray[Any]) -> float:
    """Natural image quality evaluator: distance from undistorted photos, 0 upwards; less is better.

    Features of whole 96×96 blocks, at full and at half size, against the release's Gaussian. NaN
    for a picture that holds fewer than two blocks with anything in them.

    Args:
        picture: H×W×3 RGB, uint8, uint16 or float in [0, 1].

    Mittal, Soundararajan and Bovik, "Making a 'completely blind' image quality analyzer", 2013.

    Raises:
        UsageError: The picture is not H×W×3.
    """
    luma = np.rint(255 * grey(picture))
    down, across = (side // BLOCK for side in luma.shape)
    if down * across < 2:
        return math.nan
    luma = luma[: down * BLOCK, : across * BLOCK]
    half = (luma.shape[1] // 2, luma.shape[0] // 2)
    small = Image.fromarray(luma.astype(np.float32)).resize(half, Image.Resampling.BICUBIC)
    scales: list[Floats] = []
    for values, side in ((luma, BLOCK), (np.asarray(small, np.float64), BLOCK // 2)):
        contrast = _contrast(values, cv2.BORDER_REPLICATE)
        blocks = contrast.reshape(down, side, across, side).swapaxes(1, 2).reshape(-1, side, side)
        scales.append(np.array([_block_features(block) for block in blocks]))
    features = np.hstack(scales)
    whole = features[np.isfinite(features).all(axis=1)]
    if len(whole) < 2:
        return math.nan
    known = _parameters("niqe")
    # A block's features that are defined count for the mean even where its others are not.
    apart = known["mean"] - np.nanmean(features, axis=0)
    spread = (known["covariance"] + np.cov(whole, rowvar=False)) / 2
    return float(np.sqrt(apart @ np.linalg.pinv(spread) @ apart))


def brisque(picture: NDArray[Any]) -> float:
    """Blind/referenceless image spatial quality evaluator: about 0 to 100; less is better.

    NaN for a picture below :data:`BRISQUE_MINIMUM` or with no contrast at all.

    Args:
        picture: H×W×3 RGB, uint8, uint16 or float in [0, 1].

    Mittal, Moorthy and Bovik, "No-reference image quality assessment in the spatial domain", 2012.

    Raises:
        UsageError: The picture is not H×W×3.
    """
    luma = 255 * grey(picture)
    if min(luma.shape) < BRISQUE_MINIMUM:
        return math.nan
    half = cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_CUBIC)
    scales = (luma, np.asarray(half, np.float64))
    features = np.hstack([_picture_features(values) for values in scales])
    if not np.isfinite(features).all():
        return math.nan
    known = _parameters("brisque")
    scaled = 2 * (features - known["low"]) / (known["high"] - known["low"]) - 1
    distances = ((known["vectors"] - scaled) ** 2).sum(axis=1)
    kernel = np.exp(-known["gamma"] * distances)
    return float(known["weights"] @ kernel - known["offset"])


@lru_cache
def _parameters(name: str) -> dict[str, Floats]:
    found = resources.files("undark.evaluate").joinpath("parameters", f"{name}.npz")
    with resources.as_file(found) as path, np.load(path, allow_pickle=False) as file:
        return {key: file[key].astype(np.float64) for key in file.files}


def _contrast(luma: Floats, border: int) -> Floats:
    """Luma in levels of 255, less its local mean and divided by its local deviation."""

    def local(values: Floats) -> Floats:
        blurred = cv2.GaussianBlur(values, (_WINDOW, _WINDOW), _SIGMA, borderType=border)
        return np.asarray(blurred, np.float64)

    mean = local(luma)
    deviation = np.sqrt(np.abs(local(luma * luma) - mean * mean))
    return (luma - mean) / (deviation + 1)


def _block_features(block: Floats) -> list[float]:
    """NIQE's 18 features of a block; neighbours wrap around, as in the release."""
    shape, left, right = _fit(block)
    features = [shape, _scale(shape) * (left + right) / 2]
    for shift in _SHIFTS:
        shape, left, right = _fit(block * np.roll(block, shift, axis=(0, 1)))
        scale = _scale(shape)
        features += [shape, _skew(shape, left, right), scale * left, scale * right]
    return features


def _picture_features(luma: Floats) -> list[float]:
    """BRISQUE's 18 features of a picture at one scale."""
    contrast = _contrast(luma, cv2.BORDER_CONSTANT)
    rows, columns = contrast.shape
    shape, left, right = _fit(contrast)
    features = [shape, (left * left + right * right) / 2]
    for down, across in _SHIFTS:
        first = contrast[: rows - down, max(-across, 0) : columns - max(across, 0)]
        second = contrast[down:, max(across, 0) : columns - max(-across, 0)]
        shape, left, right = _fit(first * second)
        features += [shape, _skew(shape, left, right), left * left, right * right]
    return features


def _fit(values: Floats) -> tuple[float, float, float]:
    """Shape and the two deviations of an asymmetric generalised Gaussian, by moments; NaN if flat.

    Lasmar, Stitou and Berthoumieu, "Multiscale skewed heavy tailed model for texture analysis",
    2009.
    """
    negative, positive = values[values < 0], values[values > 0]
    if not (negative.size and positive.size):
        return math.nan, math.nan, math.nan
    left, right = (float(np.sqrt(np.mean(side * side))) for side in (negative, positive))
    ratio = left / right
    moments = float(np.mean(np.abs(values)) ** 2 / np.mean(values * values))
    target = moments * (ratio**3 + 1) * (ratio + 1) / (ratio * ratio + 1) ** 2
    return float(np.interp(target, _moments(), _SHAPES)), left, right


@lru_cache
def _moments() -> Floats:
    """Squared mean magnitude over mean square, for each shape; it grows with the shape."""
    log = np.vectorize(math.lgamma)
    return np.exp(2 * log(2 / _SHAPES) - log(1 / _SHAPES) - log(3 / _SHAPES))


def _scale(shape: float) -> float:
    if math.isnan(shape):
        return shape
    return math.sqrt(math.gamma(1 / shape) / math.gamma(3 / shape))


def _skew(shape: float, left: float, right: float) -> float:
    """Mean of the asymmetric distribution."""
    if math.isnan(shape):
        return shape
    return (right - left) * _scale(shape) * math.gamma(2 / shape) / math.gamma(1 / shape)
