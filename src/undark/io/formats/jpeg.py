"""JPEG: the quality and the subsampling of the source are followed."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import BinaryIO, Final

from PIL import JpegImagePlugin

from undark.io.formats.base import Decoded, salvaged, several_pictures
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
    MAX_EXIF,
    comments_in,
    iptc_in,
    text_segments,
    whole_xmp,
    xmp_segments,
)
from undark.io.metadata.appended import semantics_of
from undark.io.metadata.exif import shortened_block
from undark.io.metadata.mpf import append_parts, split_parts
from undark.photo import Encoding, Photo

__all__ = ["read", "salvage", "write"]

# A brightened photo shows the blocks of a low quality, so the default never goes below.
_LEAST_QUALITY: Final = 92
_MARK, _PROGRESSIVE = 0xFF, 0xC2
_SCAN: Final = b"\xff\xda"
_END: Final = b"\xff\xd9"
_NO_END: Final = "lacks its end; all its pixels are there"
# Any bytes will do that are no marks and stand for some pixels, whatever the tables.
_OTHER_PIXELS: Final = bytes(37 * number % 251 for number in range(4096))
_EXIF_PREFIX: Final = b"Exif\0\0"


def read(file: BinaryIO) -> Decoded:
    """Decode a JPEG; of several images in one file, the first, with a gain map and a video."""
    try:
        return _decode(file)
    except OSError as error:
        # Pillow wants an end (EOI), which some files lack that have all their pixels.
        found = salvage(file) if error.errno is None else None
        if found is None or _NO_END not in found.notices:
            raise
        return found


def salvage(file: BinaryIO) -> Decoded | None:
    """Decode what is there of a JPEG that ends too soon."""
    file.seek(0)
    data = file.read()
    progressive, scans = _scans(data)
    if not scans:
        return None
    found = _decode(io.BytesIO(data + _END))
    # Whatever is appended instead changes what the decoder had to make up, from there on.
    other = _decode(io.BytesIO(data + _OTHER_PIXELS + _END))
    changed = (found.samples != other.samples).any(axis=(1, 2))
    rows = int(changed.argmax()) if changed.any() else len(changed)
    if rows == len(changed):
        lost = _NO_END
    elif progressive and scans > 1:
        lost = "is truncated: salvaged in less detail"
    elif rows:
        lost = salvaged(rows, len(changed))
    else:
        return None
    return replace(found, notices=(*found.notices, lost))


def _decode(file: BinaryIO) -> Decoded:
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
    xmp = whole_xmp(segments, found.xmp)
    file.seek(0)
    appended, lost = split_parts(file.read(), semantics_of(xmp))
    return replace(
        found,
        xmp=xmp,
        iptc=iptc_in(segments),
        texts=comments_in(segments),
        appended=appended,
        notices=several_pictures(lost + 1),
    )


def _scans(data: bytes) -> tuple[bool, int]:
    """Whether an image is progressive, and how many of its scans have begun (T.81, annex B)."""
    progressive, at = False, 2
    while at + 4 <= len(data) and data[at] == _MARK:
        kind = data[at + 1]
        if kind == _SCAN[1]:
            return progressive, data.count(_SCAN, at)
        progressive |= kind == _PROGRESSIVE
        # Marks may be filled up with further 0xFF.
        at += 1 if kind == _MARK else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return progressive, 0


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
    exif = shortened_block(photo.exif, MAX_EXIF) if photo.exif else None
    buffer = io.BytesIO()
    save(
        image,
        buffer,
        "JPEG",
        quality=quality or max(_LEAST_QUALITY, photo.encoding.quality or 0),
        subsampling=photo.encoding.subsampling or 0,
        icc_profile=profile_for(photo, image),
        exif=_EXIF_PREFIX + exif if exif else None,
        dpi=whole_dpi(photo),
        extra=xmp_segments(photo.xmp) + text_segments(photo),
    )
    data = buffer.getvalue()
    file.write(append_parts(data, photo.appended) if photo.appended else data)
