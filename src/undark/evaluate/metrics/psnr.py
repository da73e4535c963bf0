"""Peak signal-to-noise ratio."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from undark.evaluate.arrays import check_pair, to_double
from undark.evaluate.metrics.base import Metric

__all__ = ["PSNR", "psnr"]


def psnr(output: NDArray[Any], truth: NDArray[Any]) -> float:
    """Peak signal-to-noise ratio over all RGB samples, in dB; infinite for equal images.

    >>> import numpy as np
    >>> black = np.zeros((8, 8, 3), np.uint8)
    >>> round(psnr(black + np.uint8(51), black), 3)
    13.979

    Raises:
        UsageError: The images differ in size or are not H×W×3.
    """
    check_pair(output, truth)
    error = float(np.mean((to_double(output) - to_double(truth)) ** 2))
    return float("inf") if error == 0 else -10.0 * float(np.log10(error))


PSNR: Final = Metric(
    "PSNR dB", "{:.2f}", "more", "peak signal-to-noise ratio over RGB, dB", compare=psnr
)
