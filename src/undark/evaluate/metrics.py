"""Full-reference metrics between an enhanced picture and its truth.

Each takes two H×W×3 RGB pictures of one size, uint8, uint16 or float in [0, 1] (floats are
clipped), and gives a Python float. Nothing is rescaled, shifted or cropped here; what a protocol
does to an output beforehand is written in :mod:`undark.evaluate.protocol`.

SSIM and ΔE2000 call scikit-image (extra ``evaluate``); the others need NumPy alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from undark.errors import MissingExtraError, UsageError
from undark.photo import to_float

__all__ = [
    "METRICS",
    "blown_share",
    "crushed_share",
    "delta_e2000",
    "mae",
    "mean_level",
    "measure",
    "psnr",
    "ssim",
]

METRICS: dict[str, str] = {
    "psnr": "PSNR over RGB, dB; more is better",
    "ssim": "SSIM, scikit-image's default 7×7 window, mean of R, G and B; more is better",
    "mae": "mean absolute error over RGB, 0 to 1; less is better",
    "delta_e2000": "mean CIEDE2000 colour difference; less is better",
    "blown_share": "share of pixels blown out that the truth holds, 0 to 1; less is better",
    "crushed_share": "share of pixels crushed that the truth holds, 0 to 1; less is better",
    "mean_level": "mean sample of the output, 0 to 1",
}
"""Every value that :func:`measure` gives, with what it means and its unit."""

_WINDOW = 7
_BLOWN = 254 / 255 - 1e-6
_CRUSHED = 1 / 255 + 1e-6


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


def blown_share(output: NDArray[Any], truth: NDArray[Any]) -> float:
    """Share of pixels, 0 to 1, that the output blows out and the truth does not.

    A pixel is blown where any of its channels is at least 254/255.

    Raises:
        UsageError: The pictures differ in size or are not H×W×3.
    """
    first, second = _pair(output, truth)
    return float(np.mean((first.max(axis=2) >= _BLOWN) & (second.max(axis=2) < _BLOWN)))


def crushed_share(output: NDArray[Any], truth: NDArray[Any]) -> float:
    """Share of pixels, 0 to 1, that the output crushes to black and the truth does not.

    A pixel is crushed where all of its channels are at most 1/255.

    Raises:
        UsageError: The pictures differ in size or are not H×W×3.
    """
    first, second = _pair(output, truth)
    return float(np.mean((first.max(axis=2) <= _CRUSHED) & (second.max(axis=2) > _CRUSHED)))


def mean_level(picture: NDArray[Any]) -> float:
    """Mean of all samples of one picture, in [0, 1].

    Raises:
        UsageError: The picture is not H×W×3.
    """
    return float(_pair(picture, picture)[0].mean())


def measure(output: NDArray[Any], truth: NDArray[Any]) -> dict[str, float]:
    """All of :data:`METRICS` for one picture, by name.

    Raises:
        UsageError: The pictures differ in size, are not H×W×3 or are smaller than 7×7.
        MissingExtraError: scikit-image is not installed.
    """
    return {
        "psnr": psnr(output, truth),
        "ssim": ssim(output, truth),
        "mae": mae(output, truth),
        "delta_e2000": delta_e2000(output, truth),
        "blown_share": blown_share(output, truth),
        "crushed_share": crushed_share(output, truth),
        "mean_level": mean_level(output),
    }
