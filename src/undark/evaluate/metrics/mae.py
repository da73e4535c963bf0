"""Mean absolute error."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from undark.evaluate.arrays import check_pair, to_double
from undark.evaluate.metrics.base import Metric

__all__ = ["MAE", "mae"]


def mae(output: NDArray[Any], truth: NDArray[Any]) -> float:
    """Mean absolute error over all RGB samples, in [0, 1].

    >>> import numpy as np
    >>> black = np.zeros((8, 8, 3), np.uint8)
    >>> round(mae(black + np.uint8(51), black), 3)
    0.2

    Raises:
        UsageError: The images differ in size or are not H×W×3.
    """
    check_pair(output, truth)
    return float(np.mean(np.abs(to_double(output) - to_double(truth))))


MAE: Final = Metric("MAE", "{:.4f}", "less", "mean absolute error over RGB, 0 to 1", compare=mae)
