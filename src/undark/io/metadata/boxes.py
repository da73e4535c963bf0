"""Boxes of HEIF and AVIF files that decoders do not tell of: colours, and what phones append.

Format: ISO/IEC 14496-12 (boxes), ISO/IEC 23008-12 (items and their properties).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final

from undark.photo import Cicp

__all__ = ["box_end", "boxes", "item_types", "motion_video", "nclx_of", "read_meta", "with_nclx"]

_MAX_META: Final = 1 << 24
_MIN_BOX: Final = 8


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Kind, first byte of the content and end of each whole box in `data`; damage ends it."""
    stop = len(data) if end is None else min(end, len(data))
    while start + _MIN_BOX <= stop:
        size, kind = struct.unpack_from(">I4s", data, start)
        head = _MIN_BOX
        if size == 1 and start + 16 <= stop:
            size, head = struct.unpack_from(">Q", data, start + 8)[0], 16
        elif size == 0:
            size = stop - start
        if size < head or start + size > stop:
            return
        yield kind, start + head, start + size
        start += size


def box_end(data: bytes, start: int) -> int:
    """Where the row of whole boxes from `start` ends: that of a video, say."""
    end = start
    for kind, _, after in boxes(data, start):
        if not all(32 <= byte < 127 or byte == 0xA9 for byte in kind):
            break
        end = after
    return end


def _top(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Kind and content's size of each top-level box; the file stands at the content."""
    at = file.seek(0)
    while len(head := file.read(16)) >= _MIN_BOX:
        size, kind = struct.unpack_from(">I4s", head)
        start = _MIN_BOX
        if size == 1 and len(head) == 16:
            size, start = struct.unpack_from(">Q", head, 8)[0], 16
        elif size == 0:
            size = 1 << 62
        if size < start:
            return
        file.seek(at + start)
        yield kind, size - start
        at = file.seek(at + size) if size < 1 << 62 else file.seek(0, 2)


def read_meta(file: BinaryIO) -> bytes:
    """Content of the ``meta`` box, which says what the items of a file are; else nothing."""
    for kind, size in _top(file):
        if kind == b"meta":
            return file.read(min(size, _MAX_META))[4:]
    return b""


def motion_video(file: BinaryIO) -> bytes:
    """The video that a phone appended in an ``mpvd`` box (Motion Photo format 1.0), or nothing."""
    for kind, size in _top(file):
        if kind == b"mpvd":
            return file.read(size)
    return b""


def item_types(meta: bytes) -> tuple[bytes, ...]:
    """The types of all items (``hvc1``, ``grid``, ``tmap``, ...)."""
    found: list[bytes] = []
    for kind, start, end in boxes(meta):
        if kind == b"iinf":
            first = start + (6 if meta[start] == 0 else 8)
            for entry, at, _ in boxes(meta, first, end):
                if entry == b"infe" and meta[at] >= 2:
                    skip = 8 if meta[at] == 2 else 10
                    found.append(meta[at + skip : at + skip + 4])
    return tuple(found)


def nclx_of(meta: bytes) -> Cicp | None:
    """Colours of the primary image by code points, if its properties name any."""
    primary = 0
    properties: list[tuple[bytes, int, int]] = []
    owned: list[int] = []
    for kind, start, end in boxes(meta):
        if kind == b"pitm":
            primary = int.from_bytes(meta[start + 4 : start + (6 if meta[start] == 0 else 8)])
        elif kind == b"iprp":
            for inner, first, last in boxes(meta, start, end):
                if inner == b"ipco":
                    properties = list(boxes(meta, first, last))
                elif inner == b"ipma":
                    owned += _associations(meta[first:last], primary)
    for number in owned:
        if 0 < number <= len(properties):
            kind, start, end = properties[number - 1]
            if kind == b"colr" and meta[start : start + 4] == b"nclx" and end - start >= 10:
                return Cicp(*struct.unpack_from(">HHH", meta, start + 4))
    return None


def _associations(data: bytes, item: int) -> list[int]:
    """Numbers of the properties of `item`, counted from 1 (ISO/IEC 14496-12, 8.11.14)."""
    try:
        version, wide = data[0], bool(data[3] & 1)
        at = 8
        for _ in range(int.from_bytes(data[4:8], "big")):
            size = 2 if version < 1 else 4
            owner, count = int.from_bytes(data[at : at + size], "big"), data[at + size]
            at += size + 1
            step = 2 if wide else 1
            if owner == item:
                numbers = (data[at + step * n : at + step * (n + 1)] for n in range(count))
                return [
                    int.from_bytes(part, "big") & (0x7FFF if wide else 0x7F) for part in numbers
                ]
            at += step * count
    except IndexError:
        pass
    return []


def with_nclx(data: bytes, cicp: Cicp) -> bytes:
    """A file with other primaries and transfer in its ``nclx`` boxes; its matrix stays."""
    head, mark, pixels = data.partition(b"mdat")
    parts = head.split(b"colrnclx")
    colours = struct.pack(">HH", cicp.primaries, cicp.transfer)
    return b"colrnclx".join([parts[0], *(colours + part[4:] for part in parts[1:])]) + mark + pixels
