"""BRISQUE: what people would say of an image's noise, blur and blocks."""

from __future__ import annotations

import math
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.evaluate.arrays import grey
from undark.evaluate.metrics.base import Metric
from undark.evaluate.metrics.natural import (
    SHIFTS,
    Doubles,
    fit,
    local_contrast,
    parameters,
    skew_of,
)

__all__ = ["BRISQUE", "BRISQUE_MINIMUM", "brisque"]

BRISQUE_MINIMUM: Final = 32
"""Shorter side, in pixels, from which :func:`brisque` is defined."""


def brisque(image: NDArray[Any]) -> float:
    """Blind/referenceless image spatial quality evaluator: about 0 to 100; less is better.

    NaN for an image below :data:`BRISQUE_MINIMUM` or with no contrast at all.

    >>> import numpy as np
    >>> noise = np.random.default_rng(0).integers(0, 256, (192, 192, 3)).astype(np.uint8)
    >>> round(brisque(noise))
    84
    >>> brisque(noise[:31])
    nan

    Args:
        image: H×W×3 RGB, uint8, uint16 or float in [0, 1].

    Mittal, Moorthy and Bovik, "No-reference image quality assessment in the spatial domain", 2012.

    Raises:
        UsageError: The image is not H×W×3.
    """
    luma = 255 * grey(image)
    if min(luma.shape) < BRISQUE_MINIMUM:
        return math.nan
    half = cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_CUBIC)
    scales = (luma, np.asarray(half, np.float64))
    features = np.hstack([_image_features(values) for values in scales])
    if not np.isfinite(features).all():
        return math.nan
    known = parameters("brisque")
    scaled = 2 * (features - known["low"]) / (known["high"] - known["low"]) - 1
    distances = ((known["vectors"] - scaled) ** 2).sum(axis=1)
    kernel = np.exp(-known["gamma"] * distances)
    return float(known["weights"] @ kernel - known["offset"])


def _image_features(luma: Doubles) -> list[float]:
    """BRISQUE's 18 features of an image at one scale."""
    contrast = local_contrast(luma, cv2.BORDER_CONSTANT)
    rows, columns = contrast.shape
    shape, left, right = fit(contrast)
    features = [shape, (left * left + right * right) / 2]
    for down, across in SHIFTS:
        first = contrast[: rows - down, max(-across, 0) : columns - max(across, 0)]
        second = contrast[down:, max(across, 0) : columns - max(-across, 0)]
        shape, left, right = fit(first * second)
        features += [shape, skew_of(shape, left, right), left * left, right * right]
    return features


BRISQUE: Final = Metric(
    "BRISQUE",
    "{:.1f}",
    "less",
    "learned from people's scores, about 0 to 100;"
    f" needs {BRISQUE_MINIMUM} pixels on the shorter side",
    alone=brisque,
)
