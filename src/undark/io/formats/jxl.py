"""JPEG XL: 8 and 16 bits and float in and out; a source without loss gives a result without loss.

Needs the ``jxl`` extra (pyjpegxl, which brings libjxl).

Format: ISO/IEC 18181-1 (codestream), 18181-2 (boxes).
"""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import BinaryIO, Final, NamedTuple

import numpy as np

from undark.errors import DamagedError, MissingExtraError, UnsupportedError
from undark.io.formats.base import Decoded, channels, check_size
from undark.io.metadata.icc import fitting_icc
from undark.photo import Encoding, Photo

__all__ = ["read", "write"]

_QUALITY: Final = 95
_MAX_HEADER: Final = 4096
_CODESTREAM: Final = b"\xff\x0a"
# A signature and a file type (18181-2, clauses 8.1 and 8.2).
_CONTAINER: Final = b"\0\0\0\x0cJXL \r\n\x87\n" + b"\0\0\0\x14ftypjxl \0\0\0\0jxl "
_ALPHA, _SPOT, _FILTER = 0, 2, 5


def read(file: BinaryIO) -> Decoded:
    """Decode a still JPEG XL, upright."""
    library = _library()
    file.seek(0)
    data = file.read()
    stream, recompressed = _codestream(data)
    header = _header(stream)
    if header.animated:
        raise UnsupportedError("is animated; save one of its frames as an image")
    found = library.probe(data)
    check_size(found.width, found.height)
    # libjxl turns it upright, whatever the EXIF block says (18181-1, annex D.3.2).
    found, samples = library.decode_to_numpy(data)
    gray = found.num_color_channels == 1
    return Decoded(
        samples,
        None if found.icc == _own_srgb(gray=gray) else found.icc,
        found.exif,
        found.xmp,
        Encoding(lossless=header.lossless and not recompressed),
    )


def write(photo: Photo, file: BinaryIO, quality: int | None) -> None:
    """Write a JPEG XL, without loss if the source was and no quality is asked for."""
    library = _library()
    lossless = photo.encoding.lossless and quality is None
    samples = np.dstack(channels(photo, None))
    icc = fitting_icc(photo.icc, gray=photo.gray)
    if icc is None and samples.dtype == np.float32:  # which libjxl would take for linear light
        icc = _own_srgb(gray=photo.gray)
    packed = library.encode_from_numpy(
        np.ascontiguousarray(samples),
        lossless=lossless,
        quality=_distance(quality or _QUALITY),
        exif=photo.exif,
        icc=icc,
    )
    file.write(packed if photo.xmp is None else _with_xmp(packed, photo.xmp))


def _with_xmp(packed: bytes, xmp: bytes) -> bytes:
    """A file with an XMP box: as it is, since libjxl would compress it out of scanners' sight."""
    if packed.startswith(_CODESTREAM):
        packed = _CONTAINER + _box(b"jxlc", packed)
    return packed + _box(b"xml ", xmp)


def _box(kind: bytes, data: bytes) -> bytes:
    return (8 + len(data)).to_bytes(4, "big") + kind + data


def _library() -> ModuleType:
    try:
        import pyjpegxl
    except ImportError as error:
        raise MissingExtraError("JPEG XL files", "jxl") from error
    return pyjpegxl


@cache
def _own_srgb(*, gray: bool) -> bytes:
    """The profile that libjxl makes up for a file that has none, which is then sRGB."""
    library = _library()
    pixel = np.zeros((1, 1, 1 if gray else 3), np.uint8)
    return library.probe(library.encode_from_numpy(pixel)).icc


def _distance(quality: int) -> float:
    """Butteraugli's distance for a quality (libjxl, ``JxlEncoderDistanceFromQuality``)."""
    if quality >= 100:
        return 0.0
    if quality >= 30:
        return 0.1 + (100 - quality) * 0.09
    return 53 / 3000 * quality * quality - 23 / 20 * quality + 25


def _codestream(data: bytes) -> tuple[bytes, bool]:
    """The first part of the codestream, and whether it is a JPEG packed further.

    Raises:
        DamagedError: There is none.
    """
    if data.startswith(_CODESTREAM):
        return data[:_MAX_HEADER], False
    at, stream, recompressed = 0, b"", False
    while at + 8 <= len(data):
        size, kind, start = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], at + 8
        if size == 1:
            size, start = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        recompressed |= kind == b"jbrd"
        if kind in (b"jxlc", b"jxlp") and not stream:
            start += 4 if kind == b"jxlp" else 0
            stream = data[start : start + _MAX_HEADER]
        if size < 8:
            break
        at += size
    if not stream.startswith(_CODESTREAM):
        raise DamagedError("is damaged or truncated: it has no pixels")
    return stream, recompressed


class _Header(NamedTuple):
    """Whether there are frames with times, and whether the pixels are stored as they are."""

    animated: bool
    lossless: bool


def _header(stream: bytes) -> _Header:
    """What the codestream's header says that pyjpegxl does not (18181-1, annexes D.1 to D.3)."""
    bits = _Bits(stream[2:])
    bits.size((9, 13, 18, 30))
    if bits.flag():  # all as usual: 8 bits, in the colour space for compression with loss
        return _Header(animated=False, lossless=False)
    animated = False
    if bits.flag():
        bits.number(3)  # orientation
        if bits.flag():
            bits.size((9, 13, 18, 30))
        if bits.flag():
            bits.preview()
        animated = bits.flag()
        if animated:
            return _Header(animated=True, lossless=False)
    bits.depth()
    bits.flag()  # whether 16 bits are enough for the decoder
    for _ in range(bits.choice((0, 0), (1, 0), (2, 4), (1, 12))):
        bits.extra_channel()
    return _Header(animated=animated, lossless=not bits.flag())


class _Bits:
    """The fields of a codestream's header (18181-1, annex B.2)."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "little")
        self._at = 0

    def number(self, width: int) -> int:
        found = self._value >> self._at & ((1 << width) - 1)
        self._at += width
        return found

    def flag(self) -> bool:
        return bool(self.number(1))

    def choice(self, *ways: tuple[int, int]) -> int:
        """A number stored in one of four ways: what is added to a number of so many bits."""
        least, width = ways[self.number(2)]
        return least + self.number(width)

    def size(self, widths: tuple[int, ...]) -> None:
        small = self.flag()
        ways = [(1, width) for width in widths]
        for side in range(2):
            if side == 1 and self.number(3):  # a ratio stands for the width
                return
            if small:
                self.number(5)
            else:
                self.choice(*ways)

    def preview(self) -> None:
        small = self.flag()
        ways = ((1, 6), (65, 8), (321, 10), (1345, 12))
        if small:
            ways = ((16, 0), (32, 0), (1, 5), (33, 9))
        self.choice(*ways)
        if not self.number(3):
            self.choice(*ways)

    def depth(self) -> None:
        if self.flag():
            self.choice((32, 0), (16, 0), (24, 0), (1, 6))
            self.number(4)
        else:
            self.choice((8, 0), (10, 0), (12, 0), (1, 6))

    def extra_channel(self) -> None:
        if self.flag():  # an alpha channel of 8 bits
            return
        kind = self.choice((0, 0), (1, 0), (2, 4), (18, 6))
        self.depth()
        self.choice((0, 0), (3, 0), (4, 0), (1, 3))
        self.number(8 * self.choice((0, 0), (0, 4), (16, 5), (48, 10)))
        if kind == _ALPHA:
            self.flag()
        elif kind == _SPOT:
            self.number(4 * 16)
        elif kind == _FILTER:
            self.choice((1, 0), (0, 2), (3, 4), (19, 8))
