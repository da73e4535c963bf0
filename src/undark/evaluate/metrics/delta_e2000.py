"""CIEDE2000: how different two colours look."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from undark.evaluate.arrays import check_pair
from undark.evaluate.metrics.base import Metric
from undark.evaluate.metrics.colour import colour_module, lab

__all__ = ["DELTA_E2000", "delta_e2000"]


def delta_e2000(output: NDArray[Any], truth: NDArray[Any]) -> float:
    """Mean CIEDE2000 colour difference, both images taken as sRGB under D65.

    >>> import numpy as np
    >>> red = np.tile(np.array([255, 0, 0], np.uint8), (8, 8, 1))
    >>> round(delta_e2000(red, red[..., ::-1]), 1)
    52.9

    Sharma, Wu and Dalal, "The CIEDE2000 color-difference formula", 2005.

    Raises:
        UsageError: The images differ in size or are not H×W×3.
        MissingExtraError: scikit-image is not installed.
    """
    difference = colour_module().deltaE_ciede2000
    check_pair(output, truth)
    apart = np.asarray(difference(lab(output), lab(truth)), np.float64)
    return float(apart.mean())


DELTA_E2000: Final = Metric(
    "ΔE2000", "{:.2f}", "less", "mean CIEDE2000 colour difference", compare=delta_e2000
)
