"""Structural similarity at five scales."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.evaluate.arrays import check_pair, to_double
from undark.evaluate.metrics.base import Metric

__all__ = ["MS_SSIM", "MS_SSIM_MINIMUM", "ms_ssim"]

MS_SSIM_MINIMUM: Final = 176
"""Shorter side, in pixels, from which :func:`ms_ssim` is defined: 11 at the last of 5 scales."""

# Exponents of the five scales, finest first, and the stabilisers of Wang et al., 2003 and 2004.
_SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_C1, _C2 = 0.01**2, 0.03**2
_GAUSSIAN, _SIGMA = 11, 1.5

Doubles = NDArray[np.float64]


def ms_ssim(output: NDArray[Any], truth: NDArray[Any]) -> float:
    """Multi-scale structural similarity: Gaussian 11×11 window (sigma 1.5), 5 scales, RGB mean.

    Contrast and structure are compared at five scales, each half as fine as the one before (2×2
    means), and luminance at the coarsest; the means over pixels and channels are raised to the
    paper's exponents and multiplied. A negative mean counts as 0. NaN where the shorter side is
    below :data:`MS_SSIM_MINIMUM`: fewer scales would be another metric.

    >>> import numpy as np
    >>> noise = np.random.default_rng(0).integers(0, 256, (176, 180, 3)).astype(np.uint8)
    >>> round(ms_ssim(noise, noise), 6)
    1.0
    >>> ms_ssim(noise[:175], noise[:175])
    nan

    Wang, Simoncelli and Bovik, "Multiscale structural similarity for image quality assessment",
    2003.

    Raises:
        UsageError: The images differ in size or are not H×W×3.
    """
    check_pair(output, truth)
    first, second = to_double(output), to_double(truth)
    if min(first.shape[:2]) < MS_SSIM_MINIMUM:
        return float("nan")
    result = 1.0
    for scale, exponent in enumerate(_SCALES):
        luminance, structure = _similarity(first, second)
        last = scale == len(_SCALES) - 1
        value = float(np.mean(luminance * structure if last else structure))
        result *= max(value, 0.0) ** exponent
        first, second = _halved(first), _halved(second)
    return result


def _similarity(first: Doubles, second: Doubles) -> tuple[Doubles, Doubles]:
    """Luminance and contrast-structure terms of SSIM where the window lies within the image."""
    mean, other = _windowed(first), _windowed(second)
    variances = _windowed(first * first) + _windowed(second * second) - mean * mean - other * other
    covariance = _windowed(first * second) - mean * other
    luminance = (2 * mean * other + _C1) / (mean * mean + other * other + _C1)
    return luminance, (2 * covariance + _C2) / (variances + _C2)


def _windowed(values: Doubles) -> Doubles:
    edge = _GAUSSIAN // 2
    blurred = cv2.GaussianBlur(values, (_GAUSSIAN, _GAUSSIAN), _SIGMA)
    return np.asarray(blurred, np.float64)[edge:-edge, edge:-edge]


def _halved(values: Doubles) -> Doubles:
    """Means of 2×2; an odd last row or column is left out."""
    rows, columns = (side // 2 * 2 for side in values.shape[:2])
    even = values[:rows, :columns]
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4


MS_SSIM: Final = Metric(
    "MS-SSIM",
    "{:.4f}",
    "more",
    "five scales, Gaussian 11×11 window, mean of R, G and B;"
    f" needs {MS_SSIM_MINIMUM} pixels on the shorter side",
    compare=ms_ssim,
)
