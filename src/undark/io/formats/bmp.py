"""BMP: 8 bits, and no metadata but the resolution."""

from __future__ import annotations

from typing import BinaryIO

from PIL import BmpImagePlugin

from undark.io.formats.base import Decoded
from undark.io.formats.pillow import decoded, image_of, open_image, save, whole_dpi
from undark.photo import Photo

__all__ = ["read", "write"]


def read(file: BinaryIO) -> Decoded:
    """Decode a BMP."""
    return decoded(open_image(file, BmpImagePlugin.BmpImageFile))


def write(photo: Photo, file: BinaryIO, quality: int | None) -> None:
    """Write a BMP, without compression."""
    del quality
    save(image_of(photo, gray=True, alpha=False), file, "BMP", dpi=whole_dpi(photo))
