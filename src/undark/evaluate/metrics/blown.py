"""Blown pixels: places so bright that what they showed is lost."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from undark.evaluate.arrays import check_pair, to_double
from undark.evaluate.metrics.base import Metric

__all__ = ["BLOWN", "BLOWN_ADDED", "blown", "blown_added"]

_BLOWN = 254 / 255 - 1e-6


def blown(image: NDArray[Any]) -> float:
    """Fraction of pixels, 0 to 1, of which any channel is at least 254/255.

    >>> import numpy as np
    >>> image = np.zeros((2, 2, 3), np.uint8)
    >>> image[0, 0] = (254, 9, 9)
    >>> blown(image)
    0.25

    Raises:
        UsageError: The image is not H×W×3.
    """
    return float(np.mean(_is_blown(image)))


def blown_added(output: NDArray[Any], truth: NDArray[Any]) -> float:
    """Fraction of pixels, 0 to 1, that the output blows out and the truth does not.

    >>> import numpy as np
    >>> truth = np.full((2, 2, 3), 99, np.uint8)
    >>> truth[0] = 255
    >>> output = np.full((2, 2, 3), 255, np.uint8)
    >>> blown_added(output, truth)
    0.5

    Raises:
        UsageError: The images differ in size or are not H×W×3.
    """
    check_pair(output, truth)
    return float(np.mean(_is_blown(output) & ~_is_blown(truth)))


def _is_blown(image: NDArray[Any]) -> NDArray[np.bool_]:
    return to_double(image).max(axis=2) >= _BLOWN


BLOWN: Final = Metric(
    "blown", "{:.2%}", None, "fraction of pixels with a channel of 254/255 or more", alone=blown
)
BLOWN_ADDED: Final = Metric(
    "blown +",
    "{:.2%}",
    "less",
    "fraction of pixels blown out that the truth holds",
    compare=blown_added,
)
