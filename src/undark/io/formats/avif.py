"""AVIF: 8 bits by Pillow, 10 and 12 bits by OpenCV, which Pillow would round to 8."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import Any, BinaryIO, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import AvifImagePlugin, ImageFile

from undark.errors import OutputError
from undark.io.formats.base import Decoded, converted, full_range, quiet
from undark.io.formats.pillow import decoded, image_of, open_image, profile_for, save
from undark.io.metadata.appended import around_pixels, video_box
from undark.io.metadata.boxes import with_nclx
from undark.io.metadata.exif import orientation_of, without_orientation
from undark.io.metadata.icc import fitting_icc
from undark.photo import Encoding, Photo

__all__ = ["read", "write"]

_QUALITY: Final = 88
# The slower steps cost minutes on large photos and save a few per cent.
_SPEED: Final = 8
# A configuration box: its size, kind and version (AV1-ISOBMFF, section 2.3), and the next bytes.
_CONFIGURATION: Final = re.compile(rb"\0\0\0[\x0c-\xff]av1C\x81.(.)", re.DOTALL)
# An entry of the table of items that is EXIF or XMP (ISO/IEC 14496-12, 8.11.6).
_METADATA_ITEM: Final = re.compile(
    rb"(infe(?:\x02..[\0\x01]....|\x03..[\0\x01]......))(?:Exif|mime)", re.DOTALL
)


def read(file: BinaryIO) -> Decoded:
    """Decode a still AVIF; 10 and 12 bits become 16."""
    file.seek(0)
    data = file.read()
    depth = _depth(data)
    image = open_image(file, AvifImagePlugin.AvifImageFile)
    appended, cicp, lost = around_pixels(file, image.info.get("icc_profile"))
    # The file's own turns count alone (MIAF, 7.3.9), which Pillow puts into the EXIF.
    orientation = orientation_of(image.info.get("exif"))
    samples = None if depth == 8 else _deep_samples(data, image, depth)
    if samples is None:
        if depth > 8:
            lost = (*lost, f"only 8 of its {depth} bits per sample could be read")
        found = decoded(image)
        return replace(found, orientation=orientation, cicp=cicp, appended=appended, notices=lost)
    # All but the pixels comes from Pillow.
    info: dict[Any, Any] = dict(image.info)
    return Decoded(
        samples,
        info.get("icc_profile"),
        info.get("exif"),
        info.get("xmp"),
        Encoding(depth=depth),
        orientation,
        cicp=cicp,
        appended=appended,
        notices=lost,
    )


def _depth(data: bytes) -> int:
    """Bits per sample, by the AV1 configurations (AV1-ISOBMFF, section 2.3.3)."""
    flags = [found[1][0] for found in _CONFIGURATION.finditer(data)]
    return max(((12 if flag & 0x20 else 10) if flag & 0x40 else 8 for flag in flags), default=8)


def _deep_samples(data: bytes, image: ImageFile.ImageFile, depth: int) -> NDArray[Any] | None:
    """The samples of an AVIF of 10 or 12 bits, as 16; None where OpenCV cannot decode it."""
    # OpenCV gives up a file whose metadata lies further down than it looks; without these items
    # nothing is left to look for, and all else keeps its place.
    bare = np.frombuffer(_METADATA_ITEM.sub(rb"\1skip", data), np.uint8)
    with quiet():
        stored = cv2.imdecode(bare, cv2.IMREAD_UNCHANGED)
    if stored is None or stored.dtype != np.uint16:
        return None
    samples: NDArray[Any] = stored.reshape(image.height, image.width, -1)
    if samples.shape[2] == 1 and _is_limited(samples[..., 0], image, depth):
        samples = _expanded(samples, depth)
    elif samples.shape[2] > 1:
        samples = samples[..., [2, 1, 0, 3][: samples.shape[2]]]
    return full_range(np.left_shift(samples, 16 - depth), depth)


def _is_limited(gray: NDArray[Any], image: ImageFile.ImageFile, depth: int) -> bool:
    """Whether grey samples are of limited range, which OpenCV neither undoes nor tells.

    Pillow undoes it, in 8 bits, so the samples are compared with its.
    """
    shown = np.asarray(image.convert("L"), np.float32)
    ranges = gray, _expanded(gray, depth)
    as_is, expanded = (
        np.abs(item / np.float32(1 << (depth - 8)) - shown).mean() for item in ranges
    )
    return bool(expanded < as_is)


def _expanded(samples: NDArray[Any], depth: int) -> NDArray[Any]:
    """Luma of limited range as full range (ITU-T H.273, equation 20)."""
    unit, top = 1 << (depth - 8), (1 << depth) - 1
    values = (samples.astype(np.float32) - 16 * unit) * (top / (219 * unit))
    return np.rint(np.clip(values, 0, top)).astype(np.uint16)


def write(photo: Photo, file: BinaryIO, quality: int | None) -> None:
    """Write an AVIF, of 10 bits where the photo has more than 8."""
    quality = quality or _QUALITY
    exif = without_orientation(photo.exif) if photo.exif else None
    if photo.bit_depth > 8 and hasattr(cv2, "imencodeWithMetadata"):
        _finish(photo, _deep(photo, exif, quality), file)
        return
    image, buffer = image_of(photo), io.BytesIO()
    save(
        image,
        buffer,
        "AVIF",
        quality=quality,
        speed=_SPEED,
        subsampling="4:4:4",
        icc_profile=None if photo.cicp else profile_for(photo, image),
        exif=exif,
        xmp=photo.xmp,
    )
    _finish(photo, buffer.getvalue(), file)


def _finish(photo: Photo, data: bytes, file: BinaryIO) -> None:
    """Write an encoded file, with what no encoder writes: code points and a phone's video."""
    file.write(with_nclx(data, photo.cicp) if photo.cicp else data)
    file.write(video_box(photo))


def _deep(photo: Photo, exif: bytes | None, quality: int) -> bytes:
    """An AVIF of 10 bits, or 12 where an HDR source had as many, which Pillow cannot write."""
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
        cv2.IMAGE_METADATA_ICCP: None if photo.cicp else fitting_icc(photo.icc, gray=False),
    }
    follows = photo.cicp is not None and photo.cicp.is_hdr and photo.encoding.depth == 12
    depth = 12 if follows else 10
    present = {key: np.frombuffer(data, np.uint8) for key, data in blocks.items() if data}
    done, packed = cv2.imencodeWithMetadata(
        ".avif",
        np.ascontiguousarray(samples >> (16 - depth)),
        list(present),
        list(present.values()),
        [
            *(cv2.IMWRITE_AVIF_DEPTH, depth),
            *(cv2.IMWRITE_AVIF_QUALITY, quality),
            *(cv2.IMWRITE_AVIF_SPEED, _SPEED),
        ],
    )
    if not done:
        raise OutputError("could not be encoded as AVIF")
    return packed.tobytes()
