"""Statistics of natural images, which NIQE and BRISQUE share.

Both divide an image by its local contrast and fit generalised Gaussians to what remains and to the
products of neighbours. NIQE measures how far that is from undistorted photos; BRISQUE asks a
support vector regression what people would say. Neither was made for dark photos: they judge noise,
blur and blocks, not exposure or colour.

The parameters are those of the authors' releases; ``parameters/README.md`` beside this module says
where they come from and under which licence.
"""

from __future__ import annotations

import math
from functools import lru_cache
from importlib import resources

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["SHIFTS", "Doubles", "fit", "local_contrast", "parameters", "scale_of", "skew_of"]

Doubles = NDArray[np.float64]

SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Rows and columns from a pixel to each neighbour that it is multiplied with."""

_WINDOW, _SIGMA = 7, 7 / 6
_SHAPES = np.arange(0.2, 10.001, 0.001)


@lru_cache
def parameters(name: str) -> dict[str, Doubles]:
    """The released parameters of a metric: the arrays in ``parameters/NAME.npz``."""
    found = resources.files("undark.evaluate.metrics").joinpath("parameters", f"{name}.npz")
    with resources.as_file(found) as path, np.load(path, allow_pickle=False) as file:
        return {key: file[key].astype(np.float64) for key in file.files}


def local_contrast(luma: Doubles, border: int) -> Doubles:
    """Luma in levels of 255, less its local mean and divided by its local deviation."""

    def local(values: Doubles) -> Doubles:
        blurred = cv2.GaussianBlur(values, (_WINDOW, _WINDOW), _SIGMA, borderType=border)
        return np.asarray(blurred, np.float64)

    mean = local(luma)
    deviation = np.sqrt(np.abs(local(luma * luma) - mean * mean))
    return (luma - mean) / (deviation + 1)


def fit(values: Doubles) -> tuple[float, float, float]:
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
def _moments() -> Doubles:
    """Squared mean magnitude over mean square, for each shape; it grows with the shape."""
    log = np.vectorize(math.lgamma)
    return np.exp(2 * log(2 / _SHAPES) - log(1 / _SHAPES) - log(3 / _SHAPES))


def scale_of(shape: float) -> float:
    """Scale of a generalised Gaussian of this shape, over its deviation; NaN for NaN."""
    if math.isnan(shape):
        return shape
    return math.sqrt(math.gamma(1 / shape) / math.gamma(3 / shape))


def skew_of(shape: float, left: float, right: float) -> float:
    """Mean of an asymmetric generalised Gaussian; NaN where its shape is."""
    if math.isnan(shape):
        return shape
    return (right - left) * scale_of(shape) * math.gamma(2 / shape) / math.gamma(1 / shape)
