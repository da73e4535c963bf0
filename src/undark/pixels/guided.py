"""The guided filter's local linear model (He, Sun, Tang: Guided Image Filtering, TPAMI 2013)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["guided_coefficients"]


def _box(values: NDArray[np.floating], radius: int) -> NDArray[np.float32]:
    side = 2 * radius + 1
    mean = cv2.boxFilter(values, -1, (side, side), borderType=cv2.BORDER_REFLECT)
    return np.asarray(mean, dtype=np.float32).reshape(values.shape)


def guided_coefficients(
    guide: NDArray[np.float32], target: NDArray[np.float32], *, radius: int, epsilon: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The local linear model target ≈ a·guide + b.

    Args:
        guide: H×W or H×W×C.
        target: Of the guide's shape; channel c is modelled by the guide's channel c.
        radius: Half the side of the window, in pixels.
        epsilon: Variance of the guide below which a window counts as flat.

    Returns:
        a and b, averaged over the windows that hold a pixel, in the target's shape.
    """
    mean_guide = _box(guide, radius)
    mean_target = _box(target, radius)
    covariance = _box(guide * target, radius) - mean_guide * mean_target
    variance = np.maximum(_box(guide * guide, radius) - mean_guide * mean_guide, 0.0)
    slope = covariance / (variance + np.float32(epsilon))
    return _box(slope, radius), _box(mean_target - slope * mean_guide, radius)
