"""CIELAB for the metrics of colour."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from undark.evaluate.arrays import to_double
from undark.evaluate.optional import optional

__all__ = ["chroma", "colour_module", "lab"]


def colour_module() -> Any:
    """scikit-image's module of colour.

    Raises:
        MissingExtraError: scikit-image is not installed.
    """
    return optional("skimage.color", "SSIM and colour differences")


def lab(image: NDArray[Any]) -> NDArray[np.float64]:
    """CIELAB of an image, H×W×3 (L* from 0 to 100, a*, b*), taken as sRGB under D65.

    Raises:
        UsageError: The image is not H×W×3.
        MissingExtraError: scikit-image is not installed.
    """
    convert = colour_module().rgb2lab
    return np.asarray(convert(to_double(image)), np.float64)


def chroma(image: NDArray[Any]) -> NDArray[np.float64]:
    """C*ab of each pixel, H×W: its distance in CIELAB from the grey of its lightness.

    Raises:
        UsageError: The image is not H×W×3.
        MissingExtraError: scikit-image is not installed.
    """
    return np.hypot(*np.moveaxis(lab(image)[..., 1:], 2, 0))
