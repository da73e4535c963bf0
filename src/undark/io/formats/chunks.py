"""The chunks of PNG files: read, written, and mended where they are damaged or missing.

Format: PNG specification, third edition (W3C, 2025).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

import numpy as np

from undark.errors import DamagedError
from undark.io.formats.base import check_size, salvaged

__all__ = ["SIGNATURE", "Mended", "chunk", "chunks", "mended"]

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
"""First bytes of every PNG."""

_SAMPLES: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# First column and row of each pass of an interlaced image (Adam7), and the steps between them.
_PASSES: Final = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)
_PIECE: Final = 1 << 14
_LAST_FILTER: Final = 4


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk as it is stored."""
    crc = zlib.crc32(data, zlib.crc32(kind))
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Kind and data of each chunk.

    Raises:
        DamagedError: One is truncated or altered, or the end is missing.
    """
    file.seek(0)
    if file.read(8) != SIGNATURE:
        raise DamagedError("is not a PNG inside")
    while True:
        head = file.read(8)
        if len(head) < 8:
            raise DamagedError("is truncated: its end is missing")
        size, kind = struct.unpack(">I4s", head)
        data = file.read(size)
        check = file.read(4)
        if len(data) < size or len(check) < 4:
            raise DamagedError("is truncated: its end is missing")
        if zlib.crc32(data, zlib.crc32(kind)) != int.from_bytes(check, "big"):
            raise DamagedError("is damaged: a checksum does not match")
        yield kind, data
        if kind == b"IEND":
            return


class Mended(NamedTuple):
    """A sound file made of a damaged one; whether every pixel is there, and what to say of it."""

    data: bytes
    is_whole: bool
    lost: str


def mended(file: BinaryIO) -> Mended | None:
    """A PNG that readers take, made of what is there of one that they refuse.

    Chunks that no pixel needs are left out where they are damaged, missing pixels are 0, and the
    end is added. None where there is no row of pixels at all.

    Raises:
        DamagedError: It has too many pixels.
    """
    file.seek(len(SIGNATURE))
    kept, ended, header = [SIGNATURE], False, b""
    parts: list[bytes] = []
    sound = 0
    while len(head := file.read(8)) == 8 and not ended:
        size, kind = struct.unpack(">I4s", head)
        data, check = file.read(size), file.read(4)
        is_right = zlib.crc32(data, zlib.crc32(kind)) == int.from_bytes(check, "big")
        is_right = is_right and len(check) == 4
        ended = kind == b"IEND"
        if kind == b"IDAT":
            sound += is_right and sound == len(parts)
            parts.append(data)
        elif kind == b"IHDR" and is_right and len(data) == 13:
            header = data
            kept.append(chunk(kind, data))
        elif is_right and not ended:
            kept.append(chunk(kind, data))
        elif kind[:1].isupper() and not ended:
            return None
    if not header:
        return None
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    check_size(width, height)
    bits = depth * _SAMPLES.get(colour, 1)
    needed = _raw_size(width, height, bits, bool(interlaced))
    pixels, is_all = _inflated(b"".join(parts), needed)
    is_whole = len(pixels) >= needed and sound == len(parts)
    if is_whole:
        body, lost = b"".join(parts), "has damage that touches no pixel"
    else:
        if not is_all and sound < len(parts):
            # Behind what is altered, a decompressor may go on, with what are no pixels.
            pixels, _ = _inflated(b"".join(parts[: sound + 1]), needed)
        if not interlaced:
            stride = needed // height
            starts = np.frombuffer(pixels, np.uint8)[::stride]
            false = np.flatnonzero(starts > _LAST_FILTER)
            rows = int(false[0]) if len(false) else len(pixels) // stride
            pixels = pixels[: rows * stride]
        rows = len(pixels) * height // needed
        if not rows:
            return None
        body, lost = zlib.compress(pixels.ljust(needed, b"\0"), 1), salvaged(rows, height)
    end = [chunk(b"IDAT", body), chunk(b"IEND", b"")]
    return Mended(b"".join(kept + end), is_whole, lost)


def _raw_size(width: int, height: int, bits: int, interlaced: bool) -> int:
    """Bytes of all rows, each led by its filter's number."""
    if not interlaced:
        return height * (1 + (width * bits + 7) // 8)
    size = 0
    for left, top, across, down in _PASSES:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            size += rows * (1 + (columns * bits + 7) // 8)
    return size


def _inflated(packed: bytes, needed: int) -> tuple[bytes, bool]:
    """What can be decompressed, up to `needed` bytes: all before the place that is damaged.

    And whether that is all, by the stream's own checksum.
    """
    unpacker, found = zlib.decompressobj(), bytearray()
    step = _PIECE
    at = 0
    while at < len(packed) and len(found) <= needed and not unpacker.eof:
        before = unpacker.copy()
        try:
            found += unpacker.decompress(packed[at : at + step])
        except zlib.error:
            if step == 1:
                return bytes(found[:needed]), False
            unpacker, step = before, 1
            continue
        at += step
    return bytes(found[:needed]), unpacker.eof
