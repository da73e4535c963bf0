"""Other decoders for whole files that their format's own decoder did not understand.

Files that end too soon never come here: these decoders would show grey where pixels are missing.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, BinaryIO, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from undark.errors import InputError, MissingExtraError
from undark.io.formats.base import Decoded, check_size, full_range, quiet
from undark.io.formats.segments import comments_in, iptc_in, whole_xmp
from undark.io.metadata.appended import around_pixels
from undark.io.metadata.exif import orientation_of
from undark.io.metadata.tags import check_extent, read_tags

__all__ = ["decoded_otherwise"]

_Samples = NDArray[Any]
_LEAST_SIDE: Final = 1
_BOXED: Final = ("AVIF", "HEIF")


def decoded_otherwise(file: BinaryIO, kind: str) -> Decoded | None:
    """What another decoder makes of a file of the format `kind`.

    Returns:
        The image, with a notice and with what metadata Pillow finds; None where the file is not
        whole, or no decoder understands it either.
    """
    if kind not in _WHOLE:
        return None
    file.seek(0)
    data = file.read()
    with suppress(ValueError, LookupError, struct.error, InputError):
        if _WHOLE[kind](data):
            for name, decode in _DECODERS.items():
                # Whatever a decoder raises, the next one may do better.
                with suppress(Exception), quiet():
                    samples = decode(data)
                    if samples is not None and min(samples.shape[:2]) >= _LEAST_SIDE:
                        return _with_metadata(samples, data, kind, name)
    return None


def _with_metadata(samples: _Samples, data: bytes, kind: str, name: str) -> Decoded:
    info: dict[Any, Any] = {}
    segments: list[tuple[str, bytes]] = []
    with suppress(Exception), Image.open(io.BytesIO(data)) as image:
        info = dict(image.info)
        found: list[tuple[str, bytes]] = getattr(image, "applist", [])
        segments = [(marker, bytes(content)) for marker, content in found]
    exif: bytes = info.get("exif") or b""
    exif = exif.removeprefix(b"Exif\0\0")
    icc, xmp = info.get("icc_profile"), whole_xmp(segments, info.get("xmp"))
    boxed = kind in _BOXED
    appended, cicp, lost = around_pixels(io.BytesIO(data), icc) if boxed else (None, None, ())
    unusual = f"is unusual: {name} had to decode it; some of its metadata may be lost"
    return Decoded(
        np.atleast_3d(samples),
        icc,
        exif or None,
        xmp,
        # A file of boxes is turned by these alone (MIAF, 7.3.9).
        orientation=orientation_of(exif, None if boxed else xmp),
        cicp=cicp,
        appended=appended,
        iptc=iptc_in(segments),
        texts=comments_in(segments),
        notices=(unusual, *lost),
    )


def _by_opencv(data: bytes) -> _Samples | None:
    stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if stored is None or stored.dtype.name not in ("uint8", "uint16"):
        return None
    samples: _Samples = np.atleast_3d(stored)
    count = samples.shape[2]
    return samples if count < 3 else samples[..., [2, 1, 0, 3][:count]]


def _by_pillow(data: bytes) -> _Samples | None:
    with Image.open(io.BytesIO(data)) as image:
        check_size(*image.size)
        mode = "RGBA" if image.has_transparency_data else "RGB"
        return np.asarray(image.convert("L" if image.mode in ("1", "L") else mode))


def _by_libheif(data: bytes) -> _Samples | None:
    import pillow_heif

    heif: Any = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)  # pyright: ignore[reportUnknownMemberType]
    samples = np.asarray(heif)
    depth = int(heif.info.get("bit_depth", 8))
    return full_range(samples, depth) if samples.dtype == np.uint16 else samples


def _by_ffmpeg(data: bytes) -> _Samples | None:
    try:
        import av
    except ImportError as error:
        raise MissingExtraError("video files", "video") from error
    with av.open(io.BytesIO(data), "r", options={"err_detect": "explode"}) as container:
        frame = next(container.decode(video=0))
        check_size(frame.width, frame.height)
        parts = frame.format.components
        deep = parts[0].bits > 8
        if len(parts) in (2, 4):
            return frame.to_ndarray(format="rgba64le" if deep else "rgba")
        return frame.to_ndarray(format="rgb48le" if deep else "rgb24")


# Those first that keep more than 8 bits.
_DECODERS: Final[Mapping[str, Callable[[bytes], _Samples | None]]] = {
    "OpenCV": _by_opencv,
    "libheif": _by_libheif,
    "Pillow": _by_pillow,
    "FFmpeg": _by_ffmpeg,
}


def _whole_jpeg(data: bytes) -> bool:
    """Whether an end (EOI) comes after the last scan (SOS); that of a thumbnail comes before."""
    scan = data.rfind(b"\xff\xda")
    return 0 < scan < data.rfind(b"\xff\xd9")


def _whole_png(data: bytes) -> bool:
    """Whether the chunks that the pixels need are all there and unaltered."""
    at = 8
    while at + 12 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + 8 + size]
        check = int.from_bytes(data[at + 8 + size : at + 12 + size], "big")
        if kind[:1].isupper() and zlib.crc32(kind + content) != check:
            return False
        if kind == b"IEND":
            return True
        at += 12 + size
    return False


def _whole_boxes(data: bytes) -> bool:
    """Whether the boxes of an ISO base media file fill it (ISO/IEC 14496-12, 4.2)."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        if size < 8:
            return False
        at += size
    return at == len(data)


def _whole_tiff(data: bytes) -> bool:
    file = io.BytesIO(data)
    tags = read_tags(file)
    check_extent(file, tags.directories[0], tags)
    return True


_WHOLE: Final[Mapping[str, Callable[[bytes], bool]]] = {
    "JPEG": _whole_jpeg,
    "PNG": _whole_png,
    "TIFF": _whole_tiff,
    "WEBP": lambda data: 8 + int.from_bytes(data[4:8], "little") <= len(data),
    "AVIF": _whole_boxes,
    "HEIF": _whole_boxes,
    "BMP": lambda data: 54 < int.from_bytes(data[2:6], "little") <= len(data),
    "GIF": lambda data: data.rstrip(b"\0").endswith(b";"),
}
"""Whether a file of a format is whole, by its structure alone."""
