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
from undark.io.metadata.appended import around_pixels, video_box
from undark.io.metadata.icc import fitting_icc
from undark.io.metadata.maps import map_of_heif, with_map_in_heif
from undark.photo import Encoding, Photo

__all__ = ["read", "write"]

_QUALITY: Final = 90
_MATRICES: Final = (1, 5, 6, 9)
_USUAL_MATRIX, _WIDE_MATRIX = 6, 9
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
    file.seek(0)
    gain_map = map_of_heif(heif, file.read()) if info.get("aux") else None
    appended, cicp, lost = around_pixels(file, info.get("icc_profile"), gain_map)
    # libheif has turned it upright.
    return Decoded(
        samples,
        info.get("icc_profile"),
        info.get("exif"),
        info.get("xmp"),
        Encoding(depth=int(info["bit_depth"]) if samples.dtype == np.uint16 else None),
        cicp=cicp,
        appended=appended,
        notices=(*several_pictures(len(heif)), *lost),
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
    profile = photo.icc if mode == "L" else fitting_icc(photo.icc, gray=False)
    options = {
        "exif": photo.exif and b"Exif\0\0" + photo.exif,
        "xmp": photo.xmp,
        "icc_profile": None if photo.cicp else profile,
        "chroma": 444,
        "quality": quality or _QUALITY,
        **_colours(photo),
    }
    if deep and photo.cicp and photo.cicp.is_hdr and photo.encoding.depth == 12:
        options["bit_depth"] = 12
    buffer = io.BytesIO()
    heif.save(
        buffer,
        enc_params={"preset": _PRESET},
        **{key: value for key, value in options.items() if value},
    )
    data = buffer.getvalue()
    if photo.appended and photo.appended.gain_map:
        data = with_map_in_heif(data, photo.appended.gain_map)
    file.write(data)
    file.write(video_box(photo))


def _colours(photo: Photo) -> dict[str, int]:
    """What libheif writes into the file's nclx, and by which matrix it stores the pixels."""
    if photo.cicp is None:
        return {}
    matrix = photo.cicp.matrix
    if matrix not in _MATRICES:
        matrix = _WIDE_MATRIX if photo.cicp.primaries == _WIDE_MATRIX else _USUAL_MATRIX
    return {
        "color_primaries": photo.cicp.primaries,
        "transfer_characteristics": photo.cicp.transfer,
        "matrix_coefficients": matrix,
        "full_range_flag": 1,
    }
