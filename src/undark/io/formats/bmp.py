"""BMP: 8 bits, with transparency where its header names an alpha mask; of metadata, resolution.

Format: Microsoft, BITMAPV4HEADER and BITMAPV5HEADER.
"""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from typing import BinaryIO, Final

import numpy as np
from PIL import BmpImagePlugin

from undark.io.formats.base import Decoded, converted, is_opaque, salvaged
from undark.io.formats.pillow import decoded, image_of, open_image, save, whole_dpi
from undark.photo import Photo

__all__ = ["read", "salvage", "write"]

_HEADERS: Final = 14 + 108
_BITFIELDS: Final = 3
_MASKS: Final = (0x00FF0000, 0x0000FF00, 0x000000FF, 0xFF000000)
_PER_INCH: Final = 39.37007874


def read(file: BinaryIO) -> Decoded:
    """Decode a BMP.

    Of 32 bits, the last 8 are alpha where the header has a mask for them; where all of them are 0
    they are none, for programs that keep no transparency write such files.
    """
    found = decoded(open_image(file, BmpImagePlugin.BmpImageFile))
    if found.samples.shape[2] == 4 and not found.samples[..., 3].any():
        return replace(found, samples=found.samples[..., :3])
    return found


def salvage(file: BinaryIO) -> Decoded | None:
    """Decode what is there of a BMP without compression that ends too soon."""
    file.seek(0)
    data = file.read()
    image = open_image(io.BytesIO(data), BmpImagePlugin.BmpImageFile)
    codec, _, start, arguments = image.tile[0]
    if codec != "raw" or not isinstance(arguments, tuple):
        return None
    height, stride, direction = image.height, int(arguments[1]), int(arguments[2])
    rows = min((len(data) - start) // stride, height)
    if rows < 1:
        return None
    found = read(io.BytesIO(data.ljust(start + stride * height, b"\0")))
    lost = salvaged(rows, height, from_top=direction > 0)
    return replace(found, notices=(lost,))


def write(photo: Photo, file: BinaryIO, quality: int | None) -> None:
    """Write a BMP, without compression."""
    del quality
    if photo.alpha is None or is_opaque(photo.alpha):
        save(image_of(photo, gray=True, alpha=False), file, "BMP", dpi=whole_dpi(photo))
        return
    # Pillow writes the alpha, but no mask by which programs would know it.
    planes = [photo.pixels[..., n] for n in (2, 1, 0)] + [photo.alpha]
    samples = np.dstack([converted(item, np.uint8) for item in planes])[::-1]
    x, y = (round(value * _PER_INCH) for value in whole_dpi(photo) or (0, 0))
    size = samples.size
    file.write(struct.pack("<2sIII", b"BM", _HEADERS + size, 0, _HEADERS))
    sides = (photo.width, photo.height)
    file.write(struct.pack("<IiiHHIIiiII", 108, *sides, 1, 32, _BITFIELDS, size, x, y, 0, 0))
    file.write(struct.pack("<4I4s36x12x", *_MASKS, b"BGRs"))
    file.write(np.ascontiguousarray(samples).data)
