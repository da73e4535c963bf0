"""WebP: a source without loss gives a result without loss."""

from __future__ import annotations

import io
import struct
from typing import BinaryIO, Final

from PIL import WebPImagePlugin

from undark.io.formats.base import Decoded
from undark.io.formats.pillow import decoded, image_of, open_image, profile_for, save
from undark.photo import Encoding, Photo

__all__ = ["read", "write"]

_QUALITY: Final = 92


def read(file: BinaryIO) -> Decoded:
    """Decode a still WebP."""
    encoding = Encoding(lossless=_is_lossless(file))
    return decoded(open_image(file, WebPImagePlugin.WebPImageFile), encoding)


def _is_lossless(file: BinaryIO) -> bool:
    """Whether the image's chunk is VP8L (RFC 9649)."""
    file.seek(12)
    while len(head := file.read(8)) == 8:
        kind, size = struct.unpack("<4sI", head)
        if kind in (b"VP8L", b"VP8 "):
            return kind == b"VP8L"
        file.seek(size + size % 2, io.SEEK_CUR)
    return False


def write(photo: Photo, file: BinaryIO, quality: int | None) -> None:
    """Write a WebP, without loss if the source was and no quality is asked for."""
    image = image_of(photo)
    lossless = photo.encoding.lossless and quality is None
    save(
        image,
        file,
        "WEBP",
        lossless=lossless,
        # Without loss it is the effort that this number sets, not the quality.
        quality=50 if lossless else quality or _QUALITY,
        alpha_quality=100,
        exact=True,
        icc_profile=profile_for(photo, image),
        exif=photo.exif,
        xmp=photo.xmp,
    )
