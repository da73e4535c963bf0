"""AVIF: 8 bits by Pillow, 10 and 12 bits by OpenCV, which Pillow would round to 8."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, BinaryIO, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import AvifImagePlugin

from undark.errors import DamagedError, OutputError
from undark.io.formats.base import Decoded, converted, full_range, quiet
from undark.io.formats.pillow import decoded, image_of, open_image, profile_for, save
from undark.io.metadata.exif import orientation_of, without_orientation
from undark.io.metadata.icc import fitting_icc
from undark.photo import Photo

__all__ = ["read", "write"]

_QUALITY: Final = 88
# The slower steps cost minutes on large photos and save a few per cent.
_SPEED: Final = 8
_HEAD: Final = 1 << 16


def read(file: BinaryIO) -> Decoded:
    """Decode a still AVIF; 10 and 12 bits become 16."""
    file.seek(0)
    depth = _depth(file.read(_HEAD))
    image = open_image(file, AvifImagePlugin.AvifImageFile)
    # The file's own turns count alone (MIAF, 7.3.9), which Pillow puts into the EXIF.
    orientation = orientation_of(image.info.get("exif"))
    if depth == 8:
        return replace(decoded(image), orientation=orientation)
    # All but the pixels comes from Pillow.
    info: dict[Any, Any] = dict(image.info)
    file.seek(0)
    with quiet():
        stored = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    if stored is None:
        raise DamagedError("is damaged: its pixels cannot be decoded")
    samples: NDArray[Any] = stored.reshape(image.height, image.width, -1)
    if samples.shape[2] > 1:
        samples = samples[..., [2, 1, 0, 3][: samples.shape[2]]]
    samples = full_range(np.left_shift(samples, 16 - depth), depth)
    return Decoded(
        samples,
        info.get("icc_profile"),
        info.get("exif"),
        info.get("xmp"),
        orientation=orientation,
    )


def _depth(head: bytes) -> int:
    """Bits per sample, by the AV1 configuration (AV1-ISOBMFF, section 2.3.3)."""
    at = head.find(b"av1C")
    flags = head[at + 6] if 0 <= at < len(head) - 6 else 0
    return (12 if flags & 0x20 else 10) if flags & 0x40 else 8


def write(photo: Photo, file: BinaryIO, quality: int | None) -> None:
    """Write an AVIF, of 10 bits where the photo has more than 8."""
    quality = quality or _QUALITY
    exif = without_orientation(photo.exif) if photo.exif else None
    if photo.bit_depth > 8 and hasattr(cv2, "imencodeWithMetadata"):
        file.write(_deep(photo, exif, quality))
        return
    image = image_of(photo)
    save(
        image,
        file,
        "AVIF",
        quality=quality,
        speed=_SPEED,
        subsampling="4:4:4",
        icc_profile=profile_for(photo, image),
        exif=exif,
        xmp=photo.xmp,
    )


def _deep(photo: Photo, exif: bytes | None, quality: int) -> bytes:
    """A 10-bit AVIF, which Pillow cannot write."""
    samples = np.dstack(
        [
            item[..., ::-1] if item.ndim == 3 else item
            for item in (
                converted(photo.pixels, np.uint16),
                *([] if photo.alpha is None else [converted(photo.alpha, np.uint16)]),
            )
        ]
    )
    blocks = {
        cv2.IMAGE_METADATA_EXIF: exif,
        cv2.IMAGE_METADATA_XMP: photo.xmp,
        cv2.IMAGE_METADATA_ICCP: fitting_icc(photo.icc, gray=False),
    }
    present = {key: np.frombuffer(data, np.uint8) for key, data in blocks.items() if data}
    done, packed = cv2.imencodeWithMetadata(
        ".avif",
        np.ascontiguousarray(samples >> 6),
        list(present),
        list(present.values()),
        [
            *(cv2.IMWRITE_AVIF_DEPTH, 10),
            *(cv2.IMWRITE_AVIF_QUALITY, quality),
            *(cv2.IMWRITE_AVIF_SPEED, _SPEED),
        ],
    )
    if not done:
        raise OutputError("could not be encoded as AVIF")
    return packed.tobytes()
