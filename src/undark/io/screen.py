"""A photo as a web page shows it: 8 bits, sRGB, no larger than asked, without metadata."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from undark.io.metadata.cicp import fitted_colours
from undark.io.metadata.icc import fitting_icc, srgb_converter
from undark.photo import FloatImage, Photo, area_resize, from_float, to_float

__all__ = ["for_screen", "size_within"]


def size_within(width: int, height: int, max_side: int) -> tuple[int, int]:
    """Width and height, shrunk in proportion so that the longer side is at most `max_side`."""
    factor = min(1.0, max_side / max(width, height))
    return max(1, round(width * factor)), max(1, round(height * factor))


def for_screen(photo: Photo, size: tuple[int, int] | None = None) -> Photo:
    """The photo in 8 bits and sRGB: wide gamut is converted, HDR tone-mapped.

    Args:
        photo: Of any depth and colours.
        size: Width and height that it is scaled to; by default its own.

    Returns:
        A photo of uint8 with its alpha and without profile, metadata and format.
    """
    width, height = size or (photo.width, photo.height)
    if (width, height) != (photo.width, photo.height):
        photo = _scaled(photo, width, height)
    photo = fitted_colours(photo, cicp=False, icc=False)
    pixels = _as_bytes(photo.pixels)
    icc = fitting_icc(photo.icc, gray=photo.gray)
    if icc is not None:
        pixels = _in_srgb(pixels, icc, gray=photo.gray)
    alpha = None if photo.alpha is None else _as_bytes(photo.alpha)
    return Photo(pixels, alpha, gray=photo.gray)


def _scaled(photo: Photo, width: int, height: int) -> Photo:
    """In 16 bits, so that what follows has something to round; light behind alpha counts by it."""
    deep = np.dtype(np.uint16)
    if photo.alpha is None:
        pixels = area_resize(photo.pixels, height, width)
        return replace(photo, pixels=from_float(pixels, deep))
    alpha = to_float(photo.alpha)[..., None]
    seen = area_resize(to_float(photo.pixels) * alpha, height, width)
    opacity: FloatImage = area_resize(np.repeat(alpha, 3, axis=2), height, width)
    pixels = np.divide(seen, opacity, out=np.zeros_like(seen), where=opacity > 0)
    return replace(photo, pixels=from_float(pixels, deep), alpha=from_float(opacity[..., 0], deep))


def _as_bytes(samples: NDArray[np.generic]) -> NDArray[np.uint8]:
    if samples.dtype == np.uint8:
        return np.asarray(samples, np.uint8)
    return from_float(to_float(samples), np.dtype(np.uint8))


def _in_srgb(pixels: NDArray[np.uint8], icc: bytes, *, gray: bool) -> NDArray[np.uint8]:
    convert = srgb_converter(icc, "L" if gray else "RGB")
    if convert is None:
        return pixels
    samples = np.ascontiguousarray(pixels[..., 0] if gray else pixels)
    return np.asarray(convert(Image.fromarray(samples)), np.uint8)
