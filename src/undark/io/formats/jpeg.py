"""JPEG: the quality and the subsampling of the source are followed."""

from __future__ import annotations

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
from undark.io.formats.segments import (
    MAX_SEGMENT,
    comments_in,
    iptc_in,
    split_xmp,
    text_segments,
    whole_xmp,
)
from undark.io.metadata.exif import shortened_block
from undark.photo import Encoding, Photo

__all__ = ["read", "write"]

# A brightened photo shows the blocks of a low quality, so the default never goes below.
_LEAST_QUALITY: Final = 92
_EXIF_PREFIX: Final = b"Exif\0\0"


def read(file: BinaryIO) -> Decoded:
    """Decode a JPEG; of several images in one file, as phones write them, the first."""
    image = open_image(file, JpegImagePlugin.JpegImageFile)
    assert isinstance(image, JpegImagePlugin.JpegImageFile)
    # Before the pixels are decoded: Pillow drops the tables then.
    sampling = JpegImagePlugin.get_sampling(image)
    encoding = Encoding(
        quality=_quality(image.quantization),
        subsampling=sampling if sampling in (0, 1, 2) else None,
        dpi=dpi_of(image),
    )
    segments = [(name, bytes(data)) for name, data in image.applist]
    found = decoded(image, encoding)
    return replace(
        found,
        xmp=whole_xmp(segments, found.xmp),
        iptc=iptc_in(segments),
        texts=comments_in(segments),
    )


def _quality(tables: dict[int, list[int]]) -> int | None:
    """The quality at which libjpeg would make about these tables (its jpeg_set_quality)."""
    if not tables:
        return None
    # Sum of the luma table of ITU-T T.81, K.1; libjpeg scales it by a percentage.
    percent = 100.0 * sum(tables[min(tables)]) / 3688.0
    quality = (200.0 - percent) / 2.0 if percent <= 100.0 else 5000.0 / percent
    return min(max(round(quality), 1), 100)


def write(photo: Photo, file: BinaryIO, quality: int | None) -> None:
    """Write a JPEG; a maker's note that no segment can hold is left out."""
    image = image_of(photo, gray=True, alpha=False)
    exif = shortened_block(photo.exif, MAX_SEGMENT - len(_EXIF_PREFIX)) if photo.exif else None
    xmp, more = split_xmp(photo.xmp)
    save(
        image,
        file,
        "JPEG",
        quality=quality or max(_LEAST_QUALITY, photo.encoding.quality or 0),
        subsampling=photo.encoding.subsampling or 0,
        icc_profile=profile_for(photo, image),
        exif=_EXIF_PREFIX + exif if exif else None,
        xmp=xmp,
        dpi=whole_dpi(photo),
        # XMP comes first: Pillow adds it to these.
        extra=more + text_segments(photo),
    )
