"""How much of the truth's colour an output has, where the truth is coloured."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from undark.evaluate.arrays import check_pair
from undark.evaluate.metrics.base import Metric
from undark.evaluate.metrics.colour import chroma

__all__ = ["CHROMA_RATIO", "COLOURED", "chroma_ratio"]

COLOURED: Final = 20.0
"""C*ab above which a pixel of the truth counts as coloured; CIELAB's strongest sRGB colours reach
about 100 and more."""


def chroma_ratio(output: NDArray[Any], truth: NDArray[Any]) -> float:
    """Mean chroma of the output over mean chroma of the truth, where the truth is coloured.

    Chroma is C*ab of CIELAB, both images taken as sRGB under D65; coloured are the pixels whose
    chroma in the truth is above :data:`COLOURED`. 1 is as colourful as the truth, less is paler,
    more is gaudier. NaN where the truth has no such pixel.

    >>> import numpy as np
    >>> red = np.tile(np.array([200, 60, 60], np.uint8), (8, 8, 1))
    >>> chroma_ratio(red, red)
    1.0
    >>> paler = np.tile(np.array([165, 95, 95], np.uint8), (8, 8, 1))
    >>> round(chroma_ratio(paler, red), 2)
    0.49
    >>> chroma_ratio(red, np.full_like(red, 99))
    nan

    CIE 15:2018, "Colorimetry", for C*ab.

    Raises:
        UsageError: The images differ in size or are not H×W×3.
        MissingExtraError: scikit-image is not installed.
    """
    check_pair(output, truth)
    wanted = chroma(truth)
    coloured = wanted > COLOURED
    if not coloured.any():
        return math.nan
    return float(np.mean(chroma(output)[coloured]) / np.mean(wanted[coloured]))


CHROMA_RATIO: Final = Metric(
    "chroma",
    "{:.2f}",
    None,
    "mean C*ab over that of the truth, where the truth's is above"
    f" {COLOURED:.0f}; 1 is as colourful as the truth",
    compare=chroma_ratio,
)
