"""Structural similarity at one scale."""

from __future__ import annotations

from typing import Any, Final

from numpy.typing import NDArray

from undark.errors import UsageError
from undark.evaluate.arrays import check_pair, to_double
from undark.evaluate.metrics.base import Metric
from undark.evaluate.optional import optional

__all__ = ["LEAST_SIDE", "SSIM", "ssim"]

LEAST_SIDE: Final = 7
"""So many pixels high and wide must be what is measured: the side of the window."""


def ssim(output: NDArray[Any], truth: NDArray[Any]) -> float:
    """Structural similarity as scikit-image computes it by default: uniform 7×7 window, RGB mean.

    >>> import numpy as np
    >>> ramp = np.tile(np.arange(0, 240, 8, dtype=np.uint8)[:, None, None], (1, 30, 3))
    >>> round(ssim(ramp, ramp), 6)
    1.0
    >>> round(ssim(ramp[::-1], ramp), 3)
    -0.536

    Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004.

    Raises:
        UsageError: The images differ in size, are not H×W×3 or are smaller than 7×7.
        MissingExtraError: scikit-image is not installed.
    """
    compute = optional("skimage.metrics", "SSIM and colour differences").structural_similarity
    check_pair(output, truth)
    if min(output.shape[:2]) < LEAST_SIDE:
        raise UsageError(f"SSIM needs images of at least {LEAST_SIDE}×{LEAST_SIDE} pixels")
    return float(compute(to_double(output), to_double(truth), channel_axis=2, data_range=1.0))


SSIM: Final = Metric(
    "SSIM",
    "{:.4f}",
    "more",
    "scikit-image's default 7×7 window, mean of R, G and B",
    compare=ssim,
)
