"""HEIF (HEIC): by libheif, 8 to 12 bits."""

from __future__ import annotations

import io
from typing import Any, BinaryIO, Final

import numpy as np
import pillow_heif

from undark.io.formats.base import (
    Decoded,
    channels,
    check_size,
    converted,
    full_range,
    several_pictures,
)
from undark.io.metadata.icc import fitting_icc
from undark.photo import Photo

__all__ = ["read", "write"]

_QUALITY: Final = 90
# libheif's own choice, "slow", takes 2.3 times as long for files that are no smaller.
_PRESET: Final = "veryfast"


def read(file: BinaryIO) -> Decoded:
    """Decode the primary image of an HEIF file; 10 and 12 bits become 16."""
    file.seek(0)
    heif: Any = pillow_heif.open_heif(file, convert_hdr_to_8bit=False)  # pyright: ignore[reportUnknownMemberType]
    check_size(*heif.size)
    width, height = heif.size
    samples = np.array(heif).reshape(height, width, -1)
    info: dict[str, Any] = heif.info
    if samples.dtype == np.uint16:
        samples = full_range(samples, int(info.get("bit_depth", 8)))
    # libheif has turned it upright.
    return Decoded(
        samples,
        info.get("icc_profile"),
        info.get("exif"),
        info.get("xmp"),
        notices=several_pictures(len(heif)),
    )


def write(photo: Photo, file: BinaryIO, quality: int | None) -> None:
    """Write an HEIF file, of 10 bits where the photo has more than 8."""
    deep = photo.bit_depth > 8
    dtype = np.uint16 if deep else np.uint8
    if photo.gray and photo.alpha is None:
        mode, samples = "L", channels(photo, dtype)[0]
    else:
        mode, samples = "RGB", converted(photo.pixels, dtype)
        if photo.alpha is not None:
            mode, samples = "RGBA", np.dstack([samples, converted(photo.alpha, dtype)])
    size = (photo.width, photo.height)
    stored = samples.tobytes()
    heif: Any = pillow_heif.from_bytes(mode + ";16" * deep, size, stored)  # pyright: ignore[reportUnknownMemberType]
    options = {
        "exif": photo.exif and b"Exif\0\0" + photo.exif,
        "xmp": photo.xmp,
        "icc_profile": photo.icc if mode == "L" else fitting_icc(photo.icc, gray=False),
        "chroma": 444,
        "quality": quality or _QUALITY,
    }
    buffer = io.BytesIO()
    heif.save(
        buffer,
        enc_params={"preset": _PRESET},
        **{key: value for key, value in options.items() if value},
    )
    file.write(buffer.getbuffer())
