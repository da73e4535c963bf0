"""A Photo to an open file in a chosen format, with all the metadata that the format can hold."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from undark.errors import OutputError, UsageError
from undark.io import png, tiff
from undark.io.exif import shortened_block, without_orientation
from undark.io.metadata import fitting_icc
from undark.photo import Photo, from_float, to_float

__all__ = ["encode"]

# A brightened picture shows the blocks of a low quality, so the default never goes below.
_LEAST_JPEG_QUALITY = 92
_QUALITY = {"WEBP": 92, "AVIF": 88, "HEIF": 90}
# AVIF's slower steps cost minutes on large photos and save a few per cent.
_AVIF_SPEED = 8
_MAX_SEGMENT = 65533
_MAX_SIDE = {"JPEG": 65500, "WEBP": 16383, "AVIF": 65536, "HEIF": 65536}
_BAND_SAMPLES = 1 << 22


def encode(photo: Photo, file: BinaryIO, kind: str, quality: int | None = None) -> None:
    """Write `photo` to an empty, seekable and readable file.

    Args:
        photo: The photo; more depth than the format has is rounded off.
        file: Where to.
        kind: One of `undark.io.formats.WRITABLE_FORMATS`.
        quality: 1..100 for JPEG, WebP (lossy then), AVIF and HEIF; by default it follows the
            source, and is high. Formats without loss do not mind it.

    Raises:
        UsageError: The quality is out of range.
        OutputError: The format cannot hold the photo's alpha or its size.
    """
    if quality is not None and not 1 <= quality <= 100:
        raise UsageError(f"quality must be from 1 to 100, not {quality}")
    if max(photo.width, photo.height) > _MAX_SIDE.get(kind, photo.width + photo.height):
        raise OutputError(
            f"{kind} takes at most {_MAX_SIDE[kind]} pixels a side, this photo has"
            f" {photo.width}×{photo.height}; choose PNG or TIFF with --format"
        )
    if kind in ("JPEG", "BMP") and photo.alpha is not None and not _is_opaque(photo.alpha):
        raise OutputError(f"{kind} cannot hold transparency; choose PNG or WebP with --format")
    _ENCODERS[kind](photo, file, quality)


def _is_opaque(alpha: NDArray[Any]) -> bool:
    top = 1.0 if alpha.dtype.kind == "f" else np.iinfo(alpha.dtype).max
    return bool(alpha.min() >= top)


def _converted(samples: NDArray[Any], dtype: type[np.uint8] | type[np.uint16]) -> NDArray[Any]:
    """Samples in another depth, rounded to nearest, a few rows at a time."""
    if samples.dtype == dtype:
        return samples
    result = np.empty(samples.shape, dtype)
    step = max(1, _BAND_SAMPLES // max(1, samples[0].size))
    for top in range(0, samples.shape[0], step):
        result[top : top + step] = from_float(to_float(samples[top : top + step]), np.dtype(dtype))
    return result


def _luma(pixels: NDArray[Any]) -> NDArray[Any]:
    """One grey channel: the common value, or where an edit made them differ, their luma."""
    first = pixels[..., 0]
    if all(np.array_equal(first, pixels[..., n]) for n in (1, 2)):
        return np.ascontiguousarray(first)
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)


def _channels(photo: Photo, dtype: type[np.uint8] | type[np.uint16] | None) -> list[NDArray[Any]]:
    """Grey or RGB, then alpha where there is one, in the depth `dtype` or the photo's own."""
    colours = _luma(photo.pixels) if photo.gray else photo.pixels
    found = [colours] if photo.alpha is None else [colours, photo.alpha]
    return [_converted(item, dtype) if dtype else item for item in found]


def _picture(photo: Photo, *, gray: bool = False, alpha: bool = True) -> Image.Image:
    """An 8-bit Pillow picture; grey only where there is no alpha to go with it."""
    if photo.gray and gray and (photo.alpha is None or not alpha):
        return Image.fromarray(_channels(photo, np.uint8)[0])
    pixels = _converted(photo.pixels, np.uint8)
    if photo.alpha is not None and alpha:
        pixels = np.dstack([pixels, _converted(photo.alpha, np.uint8)])
    return Image.fromarray(np.ascontiguousarray(pixels))


def _save(picture: Image.Image, file: BinaryIO, kind: str, **options: Any) -> None:
    # Into memory first: when the disk is full, Pillow would not say so.
    buffer = io.BytesIO()
    picture.save(
        buffer, kind, **{key: value for key, value in options.items() if value is not None}
    )
    file.write(buffer.getbuffer())


def _icc(photo: Photo, picture: Image.Image) -> bytes | None:
    return photo.icc if picture.mode == "L" else fitting_icc(photo.icc, gray=False)


def _encode_jpeg(photo: Photo, file: BinaryIO, quality: int | None) -> None:
    picture = _picture(photo, gray=True, alpha=False)
    prefix = b"Exif\0\0"
    exif = shortened_block(photo.exif, _MAX_SEGMENT - len(prefix)) if photo.exif else None
    overhead = len(b"http://ns.adobe.com/xap/1.0/\0")
    xmp = photo.xmp if photo.xmp and len(photo.xmp) <= _MAX_SEGMENT - overhead else None
    _save(
        picture,
        file,
        "JPEG",
        quality=quality or max(_LEAST_JPEG_QUALITY, photo.encoding.quality or 0),
        subsampling=photo.encoding.subsampling or 0,
        icc_profile=_icc(photo, picture),
        exif=prefix + exif if exif else None,
        xmp=xmp,
        dpi=_whole_dpi(photo),
    )


def _whole_dpi(photo: Photo) -> tuple[int, int] | None:
    if photo.encoding.dpi is None:
        return None
    x, y = (min(max(round(value), 1), 65535) for value in photo.encoding.dpi)
    return (x, y)


def _encode_png(photo: Photo, file: BinaryIO, quality: int | None) -> None:
    del quality
    png.write_png(
        file,
        _channels(photo, np.uint8 if photo.bit_depth == 8 else np.uint16),
        icc=fitting_icc(photo.icc, gray=photo.gray),
        exif=photo.exif,
        xmp=photo.xmp,
        encoding=photo.encoding,
    )


def _encode_tiff(photo: Photo, file: BinaryIO, quality: int | None) -> None:
    del quality
    tiff.write_tiff(
        file,
        _channels(photo, None),
        icc=photo.icc if photo.gray else fitting_icc(photo.icc, gray=False),
        exif=photo.exif,
        xmp=photo.xmp,
        dpi=photo.encoding.dpi,
    )


def _encode_webp(photo: Photo, file: BinaryIO, quality: int | None) -> None:
    picture = _picture(photo)
    lossless = photo.encoding.lossless and quality is None
    _save(
        picture,
        file,
        "WEBP",
        lossless=lossless,
        # Without loss it is the effort that this number sets, not the quality.
        quality=50 if lossless else quality or _QUALITY["WEBP"],
        alpha_quality=100,
        exact=True,
        icc_profile=_icc(photo, picture),
        exif=photo.exif,
        xmp=photo.xmp,
    )


def _encode_avif(photo: Photo, file: BinaryIO, quality: int | None) -> None:
    quality = quality or _QUALITY["AVIF"]
    exif = without_orientation(photo.exif) if photo.exif else None
    if photo.bit_depth > 8 and hasattr(cv2, "imencodeWithMetadata"):
        file.write(_deep_avif(photo, exif, quality))
        return
    picture = _picture(photo)
    _save(
        picture,
        file,
        "AVIF",
        quality=quality,
        speed=_AVIF_SPEED,
        subsampling="4:4:4",
        icc_profile=_icc(photo, picture),
        exif=exif,
        xmp=photo.xmp,
    )


def _deep_avif(photo: Photo, exif: bytes | None, quality: int) -> bytes:
    """A 10-bit AVIF, which Pillow cannot write."""
    samples = np.dstack(
        [
            item[..., ::-1] if item.ndim == 3 else item
            for item in (
                _converted(photo.pixels, np.uint16),
                *([] if photo.alpha is None else [_converted(photo.alpha, np.uint16)]),
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
            *(cv2.IMWRITE_AVIF_SPEED, _AVIF_SPEED),
        ],
    )
    if not done:
        raise OutputError("could not be encoded as AVIF")
    return packed.tobytes()


def _encode_heif(photo: Photo, file: BinaryIO, quality: int | None) -> None:
    import pillow_heif

    deep = photo.bit_depth > 8
    dtype = np.uint16 if deep else np.uint8
    if photo.gray and photo.alpha is None:
        mode, samples = "L", _channels(photo, dtype)[0]
    else:
        mode, samples = "RGB", _converted(photo.pixels, dtype)
        if photo.alpha is not None:
            mode, samples = "RGBA", np.dstack([samples, _converted(photo.alpha, dtype)])
    size = (photo.width, photo.height)
    heif = pillow_heif.from_bytes(mode + ";16" * deep, size, samples.tobytes())
    options = {
        "exif": photo.exif and b"Exif\0\0" + photo.exif,
        "xmp": photo.xmp,
        "icc_profile": photo.icc if mode == "L" else fitting_icc(photo.icc, gray=False),
        "chroma": 444,
        "quality": quality or _QUALITY["HEIF"],
    }
    buffer = io.BytesIO()
    heif.save(buffer, **{key: value for key, value in options.items() if value})
    file.write(buffer.getbuffer())


def _encode_bmp(photo: Photo, file: BinaryIO, quality: int | None) -> None:
    del quality
    _save(_picture(photo, gray=True, alpha=False), file, "BMP", dpi=_whole_dpi(photo))


_ENCODERS: dict[str, Callable[[Photo, BinaryIO, int | None], None]] = {
    "JPEG": _encode_jpeg,
    "PNG": _encode_png,
    "TIFF": _encode_tiff,
    "WEBP": _encode_webp,
    "AVIF": _encode_avif,
    "HEIF": _encode_heif,
    "BMP": _encode_bmp,
}
