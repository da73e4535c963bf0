"""How arrays lie in memory: as float32, and as graphs take images."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.photo import FloatImage

__all__ = ["Floats", "as_floats", "low_quantile", "to_nchw"]

Floats = NDArray[np.float32]
"""float32 of any shape."""


def as_floats(values: Any) -> Floats:
    """`values` as a float32 array, not copied if it is one: OpenCV's stubs promise less."""
    return np.asarray(values, np.float32)


def low_quantile(values: Floats, fraction: float) -> float:
    """The value that this fraction of others lies below: NumPy's own takes several times as long.

    Args:
        values: 1-D, not empty.
        fraction: In [0, 1).
    """
    rank = min(int(fraction * len(values)), len(values) - 1)
    return float(np.partition(values, rank)[rank])


def to_nchw(image: FloatImage, memory: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """An H×W×C image as 1×C×H×W, contiguous; in `memory` where that is of the size."""
    shape = (1, image.shape[2], *image.shape[:2])
    planes = memory
    if planes is None or planes.shape != shape:
        planes = np.empty(shape, np.float32)
    cv2.split(image, list(planes[0]))  # several times as fast as a copy of the transpose
    return planes
