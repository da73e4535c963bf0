"""An open file of a known format to a Photo: depth by its header, upright, metadata in order."""

from __future__ import annotations

import io
import logging
import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageCms,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from undark.errors import DamagedError, UnsupportedError
from undark.io import png, raw, tiff
from undark.io.exif import clean_block, orientation_of
from undark.io.metadata import clean_xmp, srgb_profile
from undark.photo import Encoding, Photo

__all__ = ["MAX_PIXELS", "decode"]

MAX_PIXELS = 500_000_000
"""Larger pictures are refused by their header, before anything is decoded."""

_BAND_BYTES = 1 << 23
# Opened by class: `Image.open` would apply Pillow's own, lower limit, and split phone pictures
# (MPO) into their parts.
_PLUGINS: dict[str, Callable[[BinaryIO], ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
}
_GRAY_MODES = ("1", "L", "LA")
_MODES = (*_GRAY_MODES, "P", "PA", "RGB", "RGBA", "RGBX", "YCbCr", "CMYK")
_quiet_lock = threading.Lock()
# Pillow logs what it meets; without a handler that would land on stderr.
logging.getLogger("PIL").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a decoder found; `orientation` is what is still to be applied to `samples`.

    `samples` are H×W×C: 1 (grey), 2 (grey and alpha), 3 (RGB) or 4 channels.
    """

    samples: NDArray[Any]
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    encoding: Encoding = field(default_factory=Encoding)
    orientation: int = 1


def decode(file: BinaryIO, kind: str) -> Photo:
    """Decode an open, seekable file.

    Args:
        file: The file.
        kind: Its format, as `undark.io.sniff.sniff` names it.

    Raises:
        DamagedError: It is cut short, damaged, or has too many pixels.
        UnsupportedError: It is animated, or of a kind that undark does not take.
        MissingExtraError: It is camera RAW and rawpy is not installed.
    """
    parts = _DECODERS[kind](file)
    samples = _upright(parts.samples, parts.orientation)
    height, width, count = samples.shape
    colours = samples[..., :1] if count < 3 else samples[..., :3]
    if count < 3:
        colours = np.repeat(colours, 3, axis=2)
    exif = parts.exif.removeprefix(b"Exif\0\0") if parts.exif else None
    return Photo(
        pixels=np.ascontiguousarray(colours),
        alpha=np.ascontiguousarray(samples[..., -1]) if count in (2, 4) else None,
        gray=count < 3,
        icc=parts.icc or None,
        exif=clean_block(exif, width=width, height=height) if exif else None,
        xmp=clean_xmp(parts.xmp, width=width, height=height),
        format=kind,
        encoding=_turned(parts.encoding) if parts.orientation >= 5 else parts.encoding,
    )


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise DamagedError(
            f"{width}×{height} pixels are more than the {MAX_PIXELS // 10**6} million that undark"
            " takes; a decompression bomb?"
        )
    if not width or not height:
        raise DamagedError("damaged: it has no pixels")


def _upright(samples: NDArray[Any], orientation: int) -> NDArray[Any]:
    """A view of stored samples as the EXIF `orientation` (1..8) says they are to be seen."""
    if orientation >= 5:
        samples = samples.swapaxes(0, 1)
    rows = slice(None, None, -1 if orientation in (3, 4, 7, 8) else 1)
    columns = slice(None, None, -1 if orientation in (2, 3, 6, 7) else 1)
    return samples[rows, columns]


def _turned(encoding: Encoding) -> Encoding:
    return replace(encoding, dpi=encoding.dpi[::-1]) if encoding.dpi else encoding


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what decoders warn of to ourselves: what matters becomes an error anyway.

    Under a lock, because the filters belong to the whole process.
    """
    with _quiet_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        level = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(0)
        try:
            yield
        finally:
            cv2.utils.logging.setLogLevel(level)


def _open(file: BinaryIO, kind: str) -> ImageFile.ImageFile:
    file.seek(0)
    with _quiet():
        picture = _PLUGINS[kind](file)
        animated = getattr(picture, "is_animated", False)
    _check_size(*picture.size)
    if animated:
        raise UnsupportedError("is animated or holds several pictures; save one as PNG")
    return picture


def _pillow_samples(picture: ImageFile.ImageFile, icc: bytes | None) -> NDArray[Any]:
    """The samples of a Pillow picture, band by band, so that only one copy is ever held."""
    if picture.mode not in _MODES:
        raise UnsupportedError(f"its colour model ({picture.mode}) is not taken; save it as RGB")
    picture.load()
    gray = picture.mode in _GRAY_MODES
    mode = ("LA" if gray else "RGBA") if picture.has_transparency_data else "L" if gray else "RGB"
    convert = _cmyk_converter(icc) if picture.mode == "CMYK" and icc else None
    width, height = picture.size
    samples = np.empty((height, width, len(mode)), np.uint8)
    step = max(1, _BAND_BYTES // (4 * width))
    for top in range(0, height, step):
        band: Image.Image = picture.crop((0, top, width, min(top + step, height)))
        band = convert(band) if convert else band.convert(mode)
        samples[top : top + step] = np.asarray(band).reshape(-1, width, len(mode))
    return samples


def _cmyk_converter(icc: bytes) -> Callable[[Image.Image], Image.Image] | None:
    """From the print colours of a profile to sRGB; None where the profile is of no use."""
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(icc)),
            ImageCms.createProfile("sRGB"),
            "CMYK",
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError):
        return None

    def convert(band: Image.Image) -> Image.Image:
        result = ImageCms.applyTransform(band, transform)
        return result or band.convert("RGB")

    return convert


def _fitting(picture: ImageFile.ImageFile, icc: bytes | None) -> bytes | None:
    """The profile of the samples that `_pillow_samples` makes of this picture."""
    return srgb_profile() if icc and picture.mode == "CMYK" else icc


def _decode_pillow(file: BinaryIO, kind: str, encoding: Encoding | None = None) -> _Parts:
    picture = _open(file, kind)
    icc, exif = picture.info.get("icc_profile"), picture.info.get("exif")
    return _Parts(
        _pillow_samples(picture, icc),
        _fitting(picture, icc),
        exif,
        picture.info.get("xmp"),
        encoding or Encoding(dpi=_pillow_dpi(picture)),
        orientation_of(exif.removeprefix(b"Exif\0\0")) if exif else 1,
    )


def _pillow_dpi(picture: ImageFile.ImageFile) -> tuple[float, float] | None:
    try:
        x, y = (float(value) for value in picture.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if 1 <= x < 1e6 and 1 <= y < 1e6 else None


def _decode_jpeg(file: BinaryIO) -> _Parts:
    # Before the pixels are decoded: Pillow drops the tables then.
    picture = _open(file, "JPEG")
    assert isinstance(picture, JpegImagePlugin.JpegImageFile)
    sampling = JpegImagePlugin.get_sampling(picture)
    encoding = Encoding(
        quality=_jpeg_quality(picture.quantization),
        subsampling=sampling if sampling in (0, 1, 2) else None,
        dpi=_pillow_dpi(picture),
    )
    return _decode_pillow(file, "JPEG", encoding)


def _jpeg_quality(tables: dict[int, list[int]]) -> int | None:
    """The quality at which libjpeg would make about these tables (its jpeg_set_quality)."""
    if not tables:
        return None
    # Sum of the luma table of ITU-T T.81, K.1; libjpeg scales it by a percentage.
    percent = 100.0 * sum(tables[min(tables)]) / 3688.0
    quality = (200.0 - percent) / 2.0 if percent <= 100.0 else 5000.0 / percent
    return min(max(round(quality), 1), 100)


def _decode_png(file: BinaryIO) -> _Parts:
    info = png.inspect_png(file)
    _check_size(info.width, info.height)
    if info.frames > 1:
        raise UnsupportedError("is animated; save one of its frames as a picture")
    if info.depth == 16:
        samples = png.read_deep_pixels(file, info)
    else:
        samples = _pillow_samples(_open(file, "PNG"), None)
    orientation = orientation_of(info.exif) if info.exif else 1
    return _Parts(samples, info.icc, info.exif, info.xmp, info.encoding, orientation)


def _decode_tiff(file: BinaryIO) -> _Parts:
    info = tiff.inspect_tiff(file)
    _check_size(info.width, info.height)
    icc, orientation = info.icc, info.orientation
    if info.plain:
        with _quiet():
            samples = tiff.read_pixels(file, info)
        if info.premultiplied and samples.shape[2] in (2, 4):
            samples = _unmultiplied(samples)
    else:
        file.seek(0)
        with _quiet():
            picture = TiffImagePlugin.TiffImageFile(file)
            if info.page:
                picture.seek(info.page)
            picture.load()
        # Pillow has turned it upright.
        samples, orientation = _pillow_samples(picture, icc), 1
        icc = _fitting(picture, icc)
    return _Parts(samples, icc, info.exif, info.xmp, Encoding(dpi=info.dpi), orientation)


def _unmultiplied(samples: NDArray[Any]) -> NDArray[Any]:
    """Samples whose colours were multiplied by their alpha, the last channel, as they were."""
    top = 1.0 if samples.dtype.kind == "f" else float(np.iinfo(samples.dtype).max)
    for row in samples:
        alpha = row[:, -1:].astype(np.float64)
        colours = np.divide(
            row[:, :-1] * top, alpha, where=alpha > 0, out=np.zeros(row[:, :-1].shape)
        )
        row[:, :-1] = colours if samples.dtype.kind == "f" else np.minimum(np.rint(colours), top)
    return samples


def _decode_webp(file: BinaryIO) -> _Parts:
    return _decode_pillow(file, "WEBP", Encoding(lossless=_is_lossless_webp(file)))


def _is_lossless_webp(file: BinaryIO) -> bool:
    """Whether the picture's chunk is VP8L (RFC 9649)."""
    file.seek(12)
    while len(head := file.read(8)) == 8:
        kind, size = struct.unpack("<4sI", head)
        if kind in (b"VP8L", b"VP8 "):
            return kind == b"VP8L"
        file.seek(size + size % 2, io.SEEK_CUR)
    return False


def _decode_avif(file: BinaryIO) -> _Parts:
    file.seek(0)
    depth = _avif_depth(file.read(1 << 16))
    if depth == 8:
        return _decode_pillow(file, "AVIF")
    # Pillow would make 8 bits of it; all but the pixels still comes from Pillow.
    picture = _open(file, "AVIF")
    info, size = picture.info, picture.size
    file.seek(0)
    with _quiet():
        decoded = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise DamagedError("damaged: its pixels cannot be decoded")
    samples: NDArray[Any] = decoded.reshape(size[1], size[0], -1)
    if samples.shape[2] > 1:
        samples = samples[..., [2, 1, 0, 3][: samples.shape[2]]]
    samples = _full_range(np.left_shift(samples, 16 - depth), depth)
    exif: bytes = info.get("exif", b"").removeprefix(b"Exif\0\0")
    return _Parts(
        samples,
        info.get("icc_profile"),
        exif,
        info.get("xmp"),
        orientation=orientation_of(exif) if exif else 1,
    )


def _avif_depth(head: bytes) -> int:
    """Bits per sample, by the AV1 configuration (AV1-ISOBMFF, section 2.3.3)."""
    at = head.find(b"av1C")
    flags = head[at + 6] if 0 <= at < len(head) - 6 else 0
    return (12 if flags & 0x20 else 10) if flags & 0x40 else 8


def _full_range(samples: NDArray[Any], depth: int) -> NDArray[Any]:
    """Left-aligned samples of `depth` bits stretched so that white is 65535."""
    return np.bitwise_or(samples, np.right_shift(samples, depth))


def _decode_heif(file: BinaryIO) -> _Parts:
    import pillow_heif

    file.seek(0)
    heif = pillow_heif.open_heif(file, convert_hdr_to_8bit=False)
    if len(heif) > 1:
        raise UnsupportedError(f"holds {len(heif)} pictures; save the one you want on its own")
    _check_size(*heif.size)
    width, height = heif.size
    samples = np.array(heif).reshape(height, width, -1)
    depth = int(heif.info.get("bit_depth", 8))
    if samples.dtype == np.uint16:
        samples = _full_range(samples, depth)
    info = heif.info
    # libheif has turned it upright.
    return _Parts(samples, info.get("icc_profile"), info.get("exif"), info.get("xmp"))


def _decode_raw(file: BinaryIO) -> _Parts:
    samples = raw.develop(file, max_pixels=MAX_PIXELS)
    return _Parts(samples, srgb_profile(), raw.raw_exif(file))


_DECODERS: dict[str, Callable[[BinaryIO], _Parts]] = {
    "JPEG": _decode_jpeg,
    "PNG": _decode_png,
    "TIFF": _decode_tiff,
    "WEBP": _decode_webp,
    "AVIF": _decode_avif,
    "HEIF": _decode_heif,
    "BMP": lambda file: _decode_pillow(file, "BMP"),
    "GIF": lambda file: _decode_pillow(file, "GIF"),
    "RAW": _decode_raw,
}
