"""JPEG: the quality and the subsampling of the source are followed."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import BinaryIO, Final

from PIL import JpegImagePlugin

from undark.io.formats.base import Decoded
from undark.io.formats.pillow import (
    decoded,
    dpi_of,
    image_of,
    open_image,
    profile_for,
    save,
    whole_dpi,
)
from undark.io.metadata.appended import semantics_of
from undark.io.metadata.exif import shortened_block
from undark.io.metadata.mpf import append_parts, split_parts
from undark.photo import Encoding, Photo

__all__ = ["read", "write"]

# A brightened photo shows the blocks of a low quality, so the default never goes below.
_LEAST_QUALITY: Final = 92
_MAX_SEGMENT: Final = 65533
_EXIF_PREFIX: Final = b"Exif\0\0"
_XMP_PREFIX: Final = b"http://ns.adobe.com/xap/1.0/\0"


def read(file: BinaryIO) -> Decoded:
    """Decode a JPEG; of several images in one file, the first, with a gain map and a video."""
    image = open_image(file, JpegImagePlugin.JpegImageFile)
    assert isinstance(image, JpegImagePlugin.JpegImageFile)
    # Before the pixels are decoded: Pillow drops the tables then.
    sampling = JpegImagePlugin.get_sampling(image)
    encoding = Encoding(
        quality=_quality(image.quantization),
        subsampling=sampling if sampling in (0, 1, 2) else None,
        dpi=dpi_of(image),
    )
    found = decoded(image, encoding)
    file.seek(0)
    appended, lost = split_parts(file.read(), semantics_of(found.xmp))
    notices = (f"holds {lost + 1} pictures; the primary one is taken",) if lost else ()
    return replace(found, appended=appended, notices=notices)


def _quality(tables: dict[int, list[int]]) -> int | None:
    """The quality at which libjpeg would make about these tables (its jpeg_set_quality)."""
    if not tables:
        return None
    # Sum of the luma table of ITU-T T.81, K.1; libjpeg scales it by a percentage.
    percent = 100.0 * sum(tables[min(tables)]) / 3688.0
    quality = (200.0 - percent) / 2.0 if percent <= 100.0 else 5000.0 / percent
    return min(max(round(quality), 1), 100)


def write(photo: Photo, file: BinaryIO, quality: int | None) -> None:
    """Write a JPEG; a maker's note that no segment can hold is left out, as is such an XMP."""
    image = image_of(photo, gray=True, alpha=False)
    exif = shortened_block(photo.exif, _MAX_SEGMENT - len(_EXIF_PREFIX)) if photo.exif else None
    fits = photo.xmp and len(photo.xmp) <= _MAX_SEGMENT - len(_XMP_PREFIX)
    buffer = io.BytesIO()
    save(
        image,
        buffer,
        "JPEG",
        quality=quality or max(_LEAST_QUALITY, photo.encoding.quality or 0),
        subsampling=photo.encoding.subsampling or 0,
        icc_profile=profile_for(photo, image),
        exif=_EXIF_PREFIX + exif if exif else None,
        xmp=photo.xmp if fits else None,
        dpi=whole_dpi(photo),
    )
    data = buffer.getvalue()
    file.write(append_parts(data, photo.appended) if photo.appended else data)
