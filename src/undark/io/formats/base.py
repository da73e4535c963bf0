"""What a format's module gives, and what all formats share: checks, samples in a chosen depth."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.errors import DamagedError, UnsupportedError
from undark.photo import Appended, Cicp, Encoding, Photo, Text, from_float, to_float

__all__ = [
    "MAX_PIXELS",
    "Decoded",
    "Reader",
    "Salvager",
    "TooManyPixelsError",
    "Writer",
    "channels",
    "check_size",
    "converted",
    "full_range",
    "is_opaque",
    "pixel_limit",
    "quiet",
    "salvaged",
    "several_pictures",
]

MAX_PIXELS: Final = 500_000_000
"""Larger images are refused by their header, before anything is decoded."""

_BAND_SAMPLES: Final = 1 << 22
_quiet_lock = threading.Lock()
_most_pixels: ContextVar[int | None] = ContextVar("most_pixels", default=None)
# Pillow logs what it meets; without a handler that would land on stderr.
logging.getLogger("PIL").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """What a format's module found in a file.

    Attributes:
        samples: H×W×C, uint8, uint16 or float32; C is 1 (grey), 2 (grey and alpha), 3 (RGB) or 4.
        icc: Colour profile of these samples.
        exif: EXIF block, with or without a leading ``Exif\\0\\0``.
        xmp: XMP packet.
        encoding: How the file was encoded.
        orientation: 1 to 8, as in EXIF: what is still to be applied to `samples`.
        cicp: What the samples mean by H.273, where the file says; it outranks the profile.
        appended: Gain map and video after the image; the map turned as `samples`.
        iptc: IPTC block, without what wraps it.
        texts: Comments, and the texts of a PNG.
        notices: Lines for the user: what of the file was left out, or is not as usual.
    """

    samples: NDArray[Any]
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    encoding: Encoding = field(default_factory=Encoding)
    orientation: int = 1
    cicp: Cicp | None = None
    appended: Appended | None = None
    iptc: bytes | None = None
    texts: tuple[Text, ...] = ()
    notices: tuple[str, ...] = ()


class Reader(Protocol):
    """A module of a format that is read."""

    def read(self, file: BinaryIO) -> Decoded:
        """Decode an open, seekable file of this format.

        Raises:
            DamagedError: It is truncated, damaged, or has too many pixels.
            UnsupportedError: It is animated, or of a kind that undark does not take.
            MissingExtraError: The package that decodes it is not installed.
        """
        ...


class Salvager(Protocol):
    """A module of a format of which a part can be viewed."""

    def salvage(self, file: BinaryIO) -> Decoded | None:
        """Decode what is there of a file that is truncated or damaged.

        What is missing is as the decoder leaves it, and a notice says how much is there. What
        cannot be decoded raises what decoders raise.

        Returns:
            None where no pixel is there.
        """
        ...


class Writer(Protocol):
    """A module of a format that is written."""

    def write(self, photo: Photo, file: BinaryIO, quality: int | None) -> None:
        """Write `photo`, with all the metadata that the format can hold.

        Args:
            photo: Of a size and transparency that the format takes; more depth than it has is
                rounded off.
            file: Empty, seekable and readable.
            quality: 1 to 100 for formats with loss; None follows the source, and is high. Formats
                without loss ignore it.
        """
        ...


class TooManyPixelsError(UnsupportedError):
    """A photo has more pixels than :func:`pixel_limit` allows; `size` is its width and height."""

    size: tuple[int, int] = (0, 0)


@contextmanager
def pixel_limit(most: int | None) -> Generator[None]:
    """Within it, photos of more than `most` pixels are refused by their header; None adds none."""
    token = _most_pixels.set(_most_pixels.get() if most is None else most)
    try:
        yield
    finally:
        _most_pixels.reset(token)


def check_size(width: int, height: int) -> None:
    """Refuse what has too many pixels, or none.

    Raises:
        DamagedError: It has more than `MAX_PIXELS`, or none.
        TooManyPixelsError: It has more than :func:`pixel_limit` allows.
    """
    most = _most_pixels.get()
    if width * height > MAX_PIXELS:
        raise DamagedError(
            f"{width}×{height} pixels are more than the {MAX_PIXELS // 10**6} million that undark"
            " takes; a decompression bomb?",
            argument="pixels",
        )
    if most is not None and width * height > most:
        error = TooManyPixelsError(
            f"has {width}×{height} pixels, more than the limit of {most}; make it"
            " smaller or raise the limit",
            argument="pixels",
        )
        error.size = (width, height)
        raise error
    if not width or not height:
        raise DamagedError("is damaged: it has no pixels")


@contextmanager
def quiet() -> Generator[None]:
    """Keep decoders' warnings from the user: what matters becomes an error anyway.

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


def salvaged(rows: int, height: int, *, from_top: bool = True) -> str:
    """What to tell of a truncated image of which `rows` of `height` rows are there."""
    side = "top" if from_top else "bottom"
    return f"is truncated: salvaged {max(100 * rows // height, 1)} %, from the {side}"


def several_pictures(count: int) -> tuple[str, ...]:
    """What to tell of a file of `count` pictures of which the primary one is taken."""
    return (f"holds {count} pictures; the primary one is taken",) if count > 1 else ()


def full_range(samples: NDArray[Any], depth: int) -> NDArray[Any]:
    """Left-aligned samples of `depth` bits stretched so that white is 65535."""
    return np.bitwise_or(samples, np.right_shift(samples, depth))


def is_opaque(alpha: NDArray[Any]) -> bool:
    """Whether nothing is transparent."""
    top = 1.0 if alpha.dtype.kind == "f" else np.iinfo(alpha.dtype).max
    return bool(alpha.min() >= top)


def converted(samples: NDArray[Any], dtype: type[np.uint8] | type[np.uint16]) -> NDArray[Any]:
    """Samples in another depth, rounded to nearest, a few rows at a time."""
    if samples.dtype == dtype:
        return samples
    result = np.empty(samples.shape, dtype)
    step = max(1, _BAND_SAMPLES // max(1, samples[0].size))
    for top in range(0, samples.shape[0], step):
        result[top : top + step] = from_float(to_float(samples[top : top + step]), np.dtype(dtype))
    return result


def channels(photo: Photo, dtype: type[np.uint8] | type[np.uint16] | None) -> list[NDArray[Any]]:
    """Grey or RGB, then alpha where there is one, in the depth `dtype` or the photo's own."""
    colours = _luma(photo.pixels) if photo.gray else photo.pixels
    found = [colours] if photo.alpha is None else [colours, photo.alpha]
    return [converted(item, dtype) if dtype else item for item in found]


def _luma(pixels: NDArray[Any]) -> NDArray[Any]:
    """One grey channel: the common value, or where an edit made them differ, their luma."""
    first = pixels[..., 0]
    if all(np.array_equal(first, pixels[..., n]) for n in (1, 2)):
        return np.ascontiguousarray(first)
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
