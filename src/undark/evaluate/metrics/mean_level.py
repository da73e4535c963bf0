"""The mean level: how bright an image is."""

from __future__ import annotations

from typing import Any, Final

from numpy.typing import NDArray

from undark.evaluate.arrays import to_double
from undark.evaluate.metrics.base import Metric

__all__ = ["MEAN_LEVEL", "mean_level"]


def mean_level(image: NDArray[Any]) -> float:
    """Mean of all samples of one image, in [0, 1].

    >>> import numpy as np
    >>> round(mean_level(np.full((2, 2, 3), 51, np.uint8)), 6)
    0.2

    Raises:
        UsageError: The image is not H×W×3.
    """
    return float(to_double(image).mean())


MEAN_LEVEL: Final = Metric(
    "mean", "{:.3f}", None, "mean sample of the output, 0 to 1", alone=mean_level
)
