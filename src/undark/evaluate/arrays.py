"""What metrics, protocols and grids ask of an image's array: its shape, its type, its luma."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from undark.errors import UsageError
from undark.photo import is_whole, to_float

__all__ = ["LUMA_601", "check_image", "check_pair", "grey", "to_double"]

LUMA_601: Final = np.array([0.299, 0.587, 0.114])
"""Weights of R, G and B in the luma of Rec. 601, which the field's metrics and protocols use."""


def check_image(image: NDArray[Any]) -> None:
    """Check that an array is H×W×3 and not empty.

    Raises:
        UsageError: It is not.
    """
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise UsageError(f"images must be height×width×3, not {image.shape}")


def check_pair(output: NDArray[Any], truth: NDArray[Any]) -> None:
    """Check that two arrays are H×W×3 and of one size.

    Raises:
        UsageError: They are not.
    """
    check_image(output)
    check_image(truth)
    if output.shape != truth.shape:
        raise UsageError(f"output {output.shape[:2]} and truth {truth.shape[:2]} differ in size")


def to_double(image: NDArray[Any]) -> NDArray[np.float64]:
    """The samples of an H×W×3 image in [0, 1]; floats are clipped.

    Integers are divided in double precision, so that scores of 8-bit images agree with other
    implementations to all digits.

    Raises:
        UsageError: The image is not H×W×3, or its type is neither uint8, uint16 nor a float.
    """
    check_image(image)
    if np.issubdtype(image.dtype, np.integer):
        if not is_whole(image.dtype):
            raise UsageError(f"images must be uint8, uint16 or float, not {image.dtype}")
        return image.astype(np.float64) / np.iinfo(image.dtype).max
    return to_float(image).astype(np.float64)


def grey(image: NDArray[Any]) -> NDArray[np.float64]:
    """H×W luma of one image, 0.299 R + 0.587 G + 0.114 B, in [0, 1].

    >>> import numpy as np
    >>> green = np.zeros((1, 2, 3), np.uint8)
    >>> green[..., 1] = 255
    >>> grey(green).tolist()
    [[0.587, 0.587]]

    Raises:
        UsageError: The image is not H×W×3.
    """
    return to_double(image) @ LUMA_601
