"""The noise of one image, as far as that image shows it."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.evaluate.arrays import grey
from undark.evaluate.metrics.base import Metric

__all__ = ["NOISE", "noise_level"]

# Immerkær's mask: the difference of two Laplacians, blind to planes and straight edges.
_MASK = np.array([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]])


def noise_level(image: NDArray[Any]) -> float:
    """Standard deviation of white Gaussian noise in the luma, in levels of 255, as estimated.

    Fine texture counts as noise, and noise with a grain of several pixels hardly counts, so compare
    it between renderings of one image only. NaN below 3×3 pixels.

    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(0.5, 6 / 255, (300, 300, 1))
    >>> round(noise_level(np.repeat(noise, 3, axis=2)))
    6

    Immerkær, "Fast noise variance estimation", 1996.

    Raises:
        UsageError: The image is not H×W×3.
    """
    luma = grey(image)
    if min(luma.shape) < 3:
        return float("nan")
    filtered = np.asarray(cv2.filter2D(luma, cv2.CV_64F, _MASK))[1:-1, 1:-1]
    return float(255 * np.sqrt(np.pi / 2) / 6 * np.mean(np.abs(filtered)))


NOISE: Final = Metric(
    "noise",
    "{:.2f}",
    None,
    "noise in the luma as Immerkær estimates it, in levels of 255; texture counts in",
    alone=noise_level,
)
