"""Crushed pixels: places so dark that what they showed is lost."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from undark.evaluate.arrays import check_pair, to_double
from undark.evaluate.metrics.base import Metric

__all__ = ["CRUSHED", "CRUSHED_ADDED", "crushed", "crushed_added"]

_CRUSHED = 1 / 255 + 1e-6


def crushed(image: NDArray[Any]) -> float:
    """Fraction of pixels, 0 to 1, of which all channels are at most 1/255.

    >>> import numpy as np
    >>> image = np.full((2, 2, 3), 99, np.uint8)
    >>> image[0, 0] = (1, 0, 1)
    >>> crushed(image)
    0.25

    Raises:
        UsageError: The image is not H×W×3.
    """
    return float(np.mean(_is_crushed(image)))


def crushed_added(output: NDArray[Any], truth: NDArray[Any]) -> float:
    """Fraction of pixels, 0 to 1, that the output crushes to black and the truth does not.

    >>> import numpy as np
    >>> truth = np.full((2, 2, 3), 99, np.uint8)
    >>> truth[0] = 0
    >>> crushed_added(np.zeros_like(truth), truth)
    0.5

    Raises:
        UsageError: The images differ in size or are not H×W×3.
    """
    check_pair(output, truth)
    return float(np.mean(_is_crushed(output) & ~_is_crushed(truth)))


def _is_crushed(image: NDArray[Any]) -> NDArray[np.bool_]:
    return to_double(image).max(axis=2) <= _CRUSHED


CRUSHED: Final = Metric(
    "crushed",
    "{:.2%}",
    None,
    "fraction of pixels with all channels at 1/255 or less",
    alone=crushed,
)
CRUSHED_ADDED: Final = Metric(
    "crushed +",
    "{:.2%}",
    "less",
    "fraction of pixels crushed that the truth holds",
    compare=crushed_added,
)
