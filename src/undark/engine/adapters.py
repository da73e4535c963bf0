"""What a caller hands in as Photos, and Photos back as what was handed in."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from undark.errors import UnsupportedError, UsageError
from undark.photo import Photo, is_whole

__all__ = ["PIL_MODES", "apply", "as_photo", "check_numbers", "is_many"]

Back = Callable[[Photo], Any]
"""Gives a result as what was handed in."""

PIL_MODES: Final[dict[str, str]] = {
    "L": "L",
    "LA": "LA",
    "RGB": "RGB",
    "RGBA": "RGBA",
    "I;16": "I;16",
    "I;16B": "I;16B",
    "1": "L",
    "P": "RGB",
    "PA": "RGBA",
    "La": "LA",
    "RGBX": "RGB",
    "RGBa": "RGBA",
    "CMYK": "RGB",
    "YCbCr": "RGB",
    "HSV": "RGB",
}
"""PIL modes that are taken, and the mode of the result: the first six keep theirs, the others are
converted as Pillow does. A palette with transparency becomes RGBA."""

_REFUSED: Final[dict[str, str]] = {
    "F": "divide it by its white level and give it as a NumPy array in [0, 1]",
    "I": "convert it to I;16 or L first",
    "LAB": "convert it to RGB with PIL.ImageCms first",
}

_WHITE: Final = 1.5  # a float array that goes beyond is not scaled to [0, 1]


def apply(change: Callable[[Photo], Photo], x: object, progress: Callable[[float], None]) -> Any:
    """`change` applied to whatever `x` is, and the result as the same type, size and depth.

    Args:
        change: Gives a Photo of the same size and pixel type. May give back its argument, which
            then comes out bit for bit.
        x: What :func:`as_photo` takes, a list of such things, or a batch N×H×W×C.
        progress: Called with the fraction of a list or batch that is done, after each photo.

    Returns:
        A list for a list, an array for a batch, else as :func:`as_photo` gives back.

    Raises:
        UsageError: The type or shape is not one that can be enhanced.
        InputError: A file is missing, damaged or of a kind that undark does not take.
    """

    def each(items: list[Any]) -> list[Any]:
        found: list[Any] = []
        for number, item in enumerate(items, start=1):
            found.append(one(item))
            progress(number / len(items))
        return found

    def one(item: object) -> Any:
        photo, back = as_photo(item)
        return back(change(photo))

    if not is_many(x):
        return one(x)
    many = cast("list[Any] | NDArray[Any]", x)
    if isinstance(many, list):
        return each(many)
    if not len(many):
        _refuse_shape(many)
    return np.stack(each(list(many)))


def is_many(x: object) -> bool:
    """Whether `x` is a list or a batch."""
    return isinstance(x, list) or (isinstance(x, np.ndarray) and cast("NDArray[Any]", x).ndim == 4)


def as_photo(x: object) -> tuple[Photo, Back]:
    """A Photo of `x`, and how to give a result back.

    Args:
        x: A path, bytes of an image file, a binary file open for reading, a PIL image, an array or
            a Photo. For a path and an open file, a Photo comes back; else what `x` is.

    Raises:
        UsageError: The type or shape is not one that can be enhanced.
        InputError: A file is missing, damaged or of a kind that undark does not take.
    """
    if isinstance(x, Photo):
        check_numbers(x.pixels, "a photo")
        return x, _same
    if isinstance(x, str | Path):
        from undark.io.photo import read_photo

        return read_photo(x), _same
    if isinstance(x, bytes):
        return _bytes(x)
    if isinstance(x, Image.Image):
        return _pil(x)
    if isinstance(x, np.ndarray):
        return _array(cast("NDArray[Any]", x))
    if isinstance(x, io.IOBase) or hasattr(x, "read"):
        return _file(x)
    raise UsageError(
        f"cannot enhance a {type(x).__name__}; "
        "give a path, bytes, an open file, a PIL image, a NumPy array, a Photo, or a list of them"
    )


def check_numbers(values: NDArray[Any], what: str) -> None:
    """See that floats are numbers.

    Raises:
        UsageError: Some are NaN or infinite.
    """
    if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
        count = int(values.size - np.isfinite(values).sum())
        raise UsageError(
            f"{what} must hold numbers; {count} of its values are NaN or infinite:"
            " replace them, with numpy.nan_to_num for instance"
        )


def _same(result: Photo) -> Photo:
    return result


def _file(file: object) -> tuple[Photo, Back]:
    from undark.io.photo import read_photo

    if isinstance(file, io.TextIOBase):
        raise UsageError("cannot enhance a file that is open as text; open it with mode 'rb'")
    name = getattr(file, "name", None)
    label = name if isinstance(name, str) else None
    return read_photo(cast(BinaryIO, file), name=label), _same


def _bytes(data: bytes) -> tuple[Photo, Back]:
    from undark.io.photo import encode_photo, output_format, read_photo

    photo = read_photo(data)

    def back(result: Photo) -> bytes:
        return data if result is photo else encode_photo(result, format=output_format(photo)[0])

    return photo, back


def _pil(image: Image.Image) -> tuple[Photo, Back]:
    source = _converted(image)
    # Pixels stay as they lie and the orientation tag stays in `info`, so nothing turns twice.
    pixels = np.asarray(source)
    photo, array_back = _array(pixels)

    def back(result: Photo) -> Image.Image:
        if result is photo:
            return source.copy()
        enhanced = Image.fromarray(array_back(result))
        enhanced.info = source.info.copy()
        exif = source.getexif()
        if exif and "exif" not in enhanced.info:
            # TIFF keeps it in its own tags, which a new image does not have.
            enhanced.info["exif"] = exif.tobytes()
        return enhanced

    return photo, back


def _converted(image: Image.Image) -> Image.Image:
    """`image` in the mode of its result."""
    mode = PIL_MODES.get(image.mode)
    if mode is None:
        advice = _REFUSED.get(image.mode, f"convert it to one of {', '.join(list(PIL_MODES)[:5])}")
        raise UnsupportedError(f"cannot enhance a PIL image of mode {image.mode}; {advice}")
    if image.mode == "P" and "transparency" in image.info:
        mode = "RGBA"
    if mode == image.mode:
        return image
    converted = image.convert(mode)
    if image.mode == "CMYK":
        converted.info.pop("icc_profile", None)  # it speaks of inks that are no more
    return converted


def _array(array: NDArray[Any]) -> tuple[Photo, Back]:
    """Arrays: H×W, H×W×1, H×W×2 (with alpha), H×W×3 or H×W×4 (with alpha)."""
    floats = np.issubdtype(array.dtype, np.floating)
    if not (floats or is_whole(array.dtype)):
        raise UsageError(f"an array must be uint8, uint16 or float, not {array.dtype}")
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 2, 3, 4) or 0 in array.shape:
        _refuse_shape(array)
    check_numbers(array, "a float array")
    if floats and float(array.max()) > _WHITE:
        # Clipping it would make it white, and guessing its scale is not ours to do.
        raise UsageError("a float array must hold values from 0 to 1; divide it by its white level")
    kind = np.dtype(np.float32) if floats else array.dtype.newbyteorder("=")
    native = array.astype(kind, copy=False)
    layers = native if native.ndim == 3 else native[:, :, None]
    gray = channels <= 2
    photo = Photo(
        pixels=np.broadcast_to(layers[:, :, :1], (*layers.shape[:2], 3))
        if gray
        else layers[:, :, :3],
        alpha=layers[:, :, -1] if channels in (2, 4) else None,
        gray=gray,
    )

    def back(result: Photo) -> NDArray[Any]:
        if result is photo:
            return array
        colour = result.pixels[:, :, :1] if gray else result.pixels
        if channels in (2, 4):
            enhanced = np.empty(array.shape, dtype=array.dtype)
            enhanced[:, :, :-1] = colour
            enhanced[:, :, -1] = array[:, :, -1]
            return enhanced
        return np.ascontiguousarray(colour.reshape(array.shape), dtype=array.dtype)

    return photo, back


def _refuse_shape(array: NDArray[Any]) -> NoReturn:
    raise UsageError(
        "an array must be height×width or height×width×channels (1 to 4), or a batch of these,"
        f" number×height×width×channels, not {array.shape}"
    )
