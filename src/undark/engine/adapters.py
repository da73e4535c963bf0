"""What a caller hands in as a Photo, and a Photo back as what was handed in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from undark.errors import UnsupportedError, UsageError
from undark.photo import Photo

__all__ = ["Enhanceable", "apply"]

Enhanceable = str | Path | bytes | Image.Image | NDArray[Any] | Photo
"""What can be enhanced."""

_MODES = ("L", "LA", "RGB", "RGBA", "I;16")


def apply(change: Callable[[Photo], Photo], x: object) -> Any:
    """`change` applied to whatever `x` is, and the result as the same type, size and depth.

    Args:
        change: Gives a Photo of the same size and pixel type. May give back its argument, which
            then comes out bit for bit.
        x: A path, bytes of an image file, a PIL image, an array or a Photo.

    Returns:
        For a path, a Photo; else what `x` is.

    Raises:
        UsageError: The type or shape is not one that can be enhanced.
        InputError: A file is missing, damaged or of a kind that undark does not take.
    """
    if isinstance(x, Photo):
        return change(x)
    if isinstance(x, str | Path):
        from undark.io.photo import read_photo

        return change(read_photo(x))
    if isinstance(x, bytes):
        return _bytes(change, x)
    if isinstance(x, Image.Image):
        return _pil(change, x)
    if isinstance(x, np.ndarray):
        return _array(change, cast("NDArray[Any]", x))
    raise UsageError(
        f"cannot enhance a {type(x).__name__}; "
        "give a path, bytes, a PIL image, a NumPy array or a Photo"
    )


def _bytes(change: Callable[[Photo], Photo], data: bytes) -> bytes:
    from undark.io.photo import encode_photo, output_format, read_photo

    photo = read_photo(data)
    result = change(photo)
    if result is photo:
        return data
    return encode_photo(result, format=output_format(photo)[0])


def _pil(change: Callable[[Photo], Photo], image: Image.Image) -> Image.Image:
    if image.mode not in _MODES:
        raise UnsupportedError(
            f"cannot enhance a PIL image of mode {image.mode}; "
            f"convert it to one of {', '.join(_MODES)} first"
        )
    pixels = np.asarray(image)
    # Pixels stay as they lie and the orientation tag stays in `info`, so nothing turns twice.
    enhanced = _array(change, pixels)
    if enhanced is pixels:
        return image.copy()
    result = Image.fromarray(enhanced)
    result.info = image.info.copy()
    exif = image.getexif()
    if exif and "exif" not in result.info:
        # TIFF keeps it in its own tags, which a new image does not have.
        result.info["exif"] = exif.tobytes()
    return result


def _array(change: Callable[[Photo], Photo], array: NDArray[Any]) -> NDArray[Any]:
    """Arrays: H×W, H×W×1, H×W×2 (with alpha), H×W×3 or H×W×4 (with alpha)."""
    floats = np.issubdtype(array.dtype, np.floating)
    if not (floats or array.dtype in (np.uint8, np.uint16)):
        raise UsageError(f"an array must be uint8, uint16 or float, not {array.dtype}")
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 2, 3, 4) or 0 in array.shape:
        raise UsageError(
            f"an array must be height×width or height×width×channels (1 to 4), not {array.shape}"
        )
    if floats and float(np.nanmax(array, initial=0.0)) > 1.5:
        # Clipping it would make it white, and guessing its scale is not ours to do.
        raise UsageError("a float array must hold values from 0 to 1; divide it by its white level")
    native = array.astype(np.float32) if floats else array
    layers = native if native.ndim == 3 else native[:, :, None]
    gray = channels <= 2
    photo = Photo(
        pixels=np.broadcast_to(layers[:, :, :1], (*layers.shape[:2], 3))
        if gray
        else layers[:, :, :3],
        alpha=layers[:, :, -1] if channels in (2, 4) else None,
        gray=gray,
    )
    result = change(photo)
    if result is photo:
        return array
    colour = result.pixels[:, :, :1] if gray else result.pixels
    if channels in (2, 4):
        enhanced = np.empty(array.shape, dtype=array.dtype)
        enhanced[:, :, :-1] = colour
        enhanced[:, :, -1] = array[:, :, -1]
        return enhanced
    return np.ascontiguousarray(colour.reshape(array.shape), dtype=array.dtype)
