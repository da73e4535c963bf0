"""Metrics: how near a picture is to its truth, and what can be told of it alone.

Each takes H×W×3 RGB pictures, uint8, uint16 or float in [0, 1] (floats are clipped), and gives a
Python float; two pictures must be of one size. Nothing is rescaled, shifted or cropped here; what
a protocol does to an output beforehand is written in :mod:`undark.evaluate.protocol`. Statistics
of natural pictures are in :mod:`undark.evaluate.natural`, features of a network in
:mod:`undark.evaluate.features`; :mod:`undark.evaluate.measure` gathers all.

SSIM and ΔE2000 call scikit-image (extra ``evaluate``); the others need NumPy and OpenCV alone.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.errors import MissingExtraError, UsageError
from undark.photo import to_float

__all__ = [
    "MS_SSIM_MINIMUM",
    "blown",
    "blown_added",
    "crushed",
    "crushed_added",
    "delta_e2000",
    "grey",
    "mae",
    "mean_level",
    "ms_ssim",
    "noise_level",
    "psnr",
    "ssim",
]

MS_SSIM_MINIMUM = 176
"""Shorter side, in pixels, from which :func:`ms_ssim` is defined: 11 at the last of 5 scales."""

_WINDOW = 7
_BLOWN = 254 / 255 - 1e-6
_CRUSHED = 1 / 255 + 1e-6
_GREY = np.array([0.299, 0.587, 0.114])
# Exponents of the five scales, finest first, and the stabilisers of Wang et al., 2003 and 2004.
_SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_C1, _C2 = 0.01**2, 0.03**2
_GAUSSIAN, _SIGMA = 11, 1.5
# Immerkær's mask: the difference of two Laplacians, blind to planes and straight edges.
_MASK = np.array([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]])


def _doubles(pixels: NDArray[Any]) -> NDArray[np.float64]:
    # Integers are divided in double, so that 8-bit scores agree with the field's to all digits.
    if np.issubdtype(pixels.dtype, np.integer):
        if pixels.dtype not in (np.uint8, np.uint16):
            raise UsageError(f"pictures must be uint8, uint16 or float, not {pixels.dtype}")
        return pixels.astype(np.float64) / np.iinfo(pixels.dtype).max
    return to_float(pixels).astype(np.float64)


def _pair(
    output: NDArray[Any], truth: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    for picture in (output, truth):
        if picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
            raise UsageError(f"pictures must be height×width×3, not {picture.shape}")
    if output.shape != truth.shape:
        raise UsageError(f"output {output.shape[:2]} and truth {truth.shape[:2]} differ in size")
    return _doubles(output), _doubles(truth)


def _one(picture: NDArray[Any]) -> NDArray[np.float64]:
    return _pair(picture, picture)[0]


def grey(picture: NDArray[Any]) -> NDArray[np.float64]:
    """H×W luma of one picture, 0.299 R + 0.587 G + 0.114 B, in [0, 1].

    Raises:
        UsageError: The picture is not H×W×3.
    """
    return _one(picture) @ _GREY


def psnr(output: NDArray[Any], truth: NDArray[Any]) -> float:
    """Peak signal-to-noise ratio over all RGB samples, in dB; infinite for equal pictures.

    >>> import numpy as np
    >>> black = np.zeros((8, 8, 3), np.uint8)
    >>> round(psnr(black + np.uint8(51), black), 3)
    13.979

    Raises:
        UsageError: The pictures differ in size or are not H×W×3.
    """
    first, second = _pair(output, truth)
    error = float(np.mean((first - second) ** 2))
    return float("inf") if error == 0 else -10.0 * float(np.log10(error))


def ssim(output: NDArray[Any], truth: NDArray[Any]) -> float:
    """Structural similarity as scikit-image computes it by default: uniform 7×7 window, RGB mean.

    Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004.

    Raises:
        UsageError: The pictures differ in size, are not H×W×3 or are smaller than 7×7.
        MissingExtraError: scikit-image is not installed.
    """
    try:
        from skimage.metrics import structural_similarity
    except ImportError as error:
        raise MissingExtraError("SSIM and colour differences", "evaluate") from error
    first, second = _pair(output, truth)
    if min(first.shape[:2]) < _WINDOW:
        raise UsageError(f"SSIM needs pictures of at least {_WINDOW}×{_WINDOW} pixels")
    value: Any = structural_similarity(first, second, channel_axis=2, data_range=1.0)
    return float(value)


def ms_ssim(output: NDArray[Any], truth: NDArray[Any]) -> float:
    """Multi-scale structural similarity: Gaussian 11×11 window (sigma 1.5), 5 scales, RGB mean.

    Contrast and structure are compared at five scales, each half as fine as the one before (2×2
    means), and luminance at the coarsest; the means over pixels and channels are raised to the
    paper's exponents and multiplied. A negative mean counts as 0. NaN where the shorter side is
    below :data:`MS_SSIM_MINIMUM`: fewer scales would be another metric.

    Wang, Simoncelli and Bovik, "Multiscale structural similarity for image quality assessment",
    2003.

    Raises:
        UsageError: The pictures differ in size or are not H×W×3.
    """
    first, second = _pair(output, truth)
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


def _similarity(
    first: NDArray[np.float64], second: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Luminance and contrast-structure terms of SSIM where the window lies within the picture."""
    mean, other = _windowed(first), _windowed(second)
    variances = _windowed(first * first) + _windowed(second * second) - mean * mean - other * other
    covariance = _windowed(first * second) - mean * other
    luminance = (2 * mean * other + _C1) / (mean * mean + other * other + _C1)
    return luminance, (2 * covariance + _C2) / (variances + _C2)


def _windowed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    edge = _GAUSSIAN // 2
    blurred = cv2.GaussianBlur(values, (_GAUSSIAN, _GAUSSIAN), _SIGMA)
    return np.asarray(blurred, np.float64)[edge:-edge, edge:-edge]


def _halved(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of 2×2; an odd last row or column is left out."""
    rows, columns = (side // 2 * 2 for side in values.shape[:2])
    even = values[:rows, :columns]
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4


def mae(output: NDArray[Any], truth: NDArray[Any]) -> float:
    """Mean absolute error over all RGB samples, in [0, 1].

    Raises:
        UsageError: The pictures differ in size or are not H×W×3.
    """
    first, second = _pair(output, truth)
    return float(np.mean(np.abs(first - second)))


def delta_e2000(output: NDArray[Any], truth: NDArray[Any]) -> float:
    """Mean CIEDE2000 colour difference, both pictures taken as sRGB under D65.

    Sharma, Wu and Dalal, "The CIEDE2000 color-difference formula", 2005.

    Raises:
        UsageError: The pictures differ in size or are not H×W×3.
        MissingExtraError: scikit-image is not installed.
    """
    try:
        from skimage.color import deltaE_ciede2000, rgb2lab
    except ImportError as error:
        raise MissingExtraError("SSIM and colour differences", "evaluate") from error
    first, second = _pair(output, truth)
    return float(np.mean(deltaE_ciede2000(rgb2lab(first), rgb2lab(second))))


def blown_added(output: NDArray[Any], truth: NDArray[Any]) -> float:
    """Share of pixels, 0 to 1, that the output blows out and the truth does not.

    Raises:
        UsageError: The pictures differ in size or are not H×W×3.
    """
    first, second = _pair(output, truth)
    return float(np.mean(_is_blown(first) & ~_is_blown(second)))


def crushed_added(output: NDArray[Any], truth: NDArray[Any]) -> float:
    """Share of pixels, 0 to 1, that the output crushes to black and the truth does not.

    Raises:
        UsageError: The pictures differ in size or are not H×W×3.
    """
    first, second = _pair(output, truth)
    return float(np.mean(_is_crushed(first) & ~_is_crushed(second)))


def blown(picture: NDArray[Any]) -> float:
    """Share of pixels, 0 to 1, of which any channel is at least 254/255.

    Raises:
        UsageError: The picture is not H×W×3.
    """
    return float(np.mean(_is_blown(_one(picture))))


def crushed(picture: NDArray[Any]) -> float:
    """Share of pixels, 0 to 1, of which all channels are at most 1/255.

    Raises:
        UsageError: The picture is not H×W×3.
    """
    return float(np.mean(_is_crushed(_one(picture))))


def _is_blown(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    return values.max(axis=2) >= _BLOWN


def _is_crushed(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    return values.max(axis=2) <= _CRUSHED


def mean_level(picture: NDArray[Any]) -> float:
    """Mean of all samples of one picture, in [0, 1].

    Raises:
        UsageError: The picture is not H×W×3.
    """
    return float(_one(picture).mean())


def noise_level(picture: NDArray[Any]) -> float:
    """Standard deviation of white Gaussian noise in the luma, in levels of 255, as estimated.

    Fine texture counts as noise, and noise with a grain of several pixels hardly counts, so compare
    it between renderings of one picture only. NaN below 3×3 pixels.

    Immerkær, "Fast noise variance estimation", 1996.

    Raises:
        UsageError: The picture is not H×W×3.
    """
    luma = grey(picture)
    if min(luma.shape) < 3:
        return float("nan")
    filtered = np.asarray(cv2.filter2D(luma, cv2.CV_64F, _MASK))[1:-1, 1:-1]
    return float(255 * np.sqrt(np.pi / 2) / 6 * np.mean(np.abs(filtered)))
