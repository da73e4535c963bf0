"""Tags in TIFF structure: how TIFF files, camera RAW files and EXIF blocks store their metadata.

Structure: Adobe TIFF 6.0 (1992), the BigTIFF extension, and CIPA DC-008 (Exif 2.32).
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final, NamedTuple

from undark.errors import DamagedError

__all__ = [
    "CHILD_TAGS",
    "EXIF_IFD",
    "GPS_IFD",
    "INTEROP_IFD",
    "KIND_CODES",
    "KIND_SIZES",
    "SUB_IFDS",
    "Directory",
    "Entry",
    "Layout",
    "TagFile",
    "check_extent",
    "directory_bytes",
    "is_mosaic",
    "is_raw",
    "read_tags",
]

EXIF_IFD, GPS_IFD, INTEROP_IFD, SUB_IFDS = 0x8769, 0x8825, 0xA005, 0x014A
CHILD_TAGS: Final = (EXIF_IFD, GPS_IFD, INTEROP_IFD)
"""Tags that point to directories which describe the image."""

KIND_SIZES: Final = {
    **{1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4},
    **{16: 8, 17: 8, 18: 8},
    129: 1,  # UTF-8, since Exif 3.0
}
"""Bytes of one value, by TIFF type."""

KIND_CODES: Final = {
    **{1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I"},
    **{16: "Q", 17: "q", 18: "Q"},
}
"""Code for `struct` of one value, by TIFF type; rationals and text have none."""

_BYTE, _LONG, _LONG8 = 1, 4, 16
_PIXEL_TAGS: Final = (273, 324)
_MAX_VALUE_BYTES = 1 << 24
_MAX_DIRECTORIES = 4096
_MAX_DEPTH = 8
_MAX_OFFSET = (1 << 63) - 1
_CFA, _LINEAR_RAW, _DNG_VERSION = 32803, 34892, 50706


class Layout(NamedTuple):
    """Byte order ("<" or ">") and whether offsets have 64 bits (BigTIFF)."""

    order: str
    big: bool = False


class Entry(NamedTuple):
    """One tag: its TIFF type, number of values, their bytes, and where those lie in the file."""

    kind: int
    number: int
    data: bytes
    at: int

    def numbers(self, layout: Layout) -> tuple[int, ...]:
        """The values of an integer tag; empty for any other type."""
        code = KIND_CODES.get(self.kind, "")
        if code in ("", "f", "d"):
            return ()
        return struct.unpack(f"{layout.order}{self.number}{code}", self.data)

    def whole(self, layout: Layout) -> int | None:
        """The first value where it is a whole number, of whatever type.

        Bytes are none: viewers (Pillow, browsers) do not take them for numbers.
        """
        if self.kind == _BYTE:
            return None
        if numbers := self.numbers(layout):
            return numbers[0]
        if codes := {5: "II", 10: "ii"}.get(self.kind):
            top, bottom = struct.unpack_from(layout.order + codes, self.data)
            return top // bottom if bottom and top % bottom == 0 else None
        if code := KIND_CODES.get(self.kind):
            (value,) = struct.unpack_from(layout.order + code, self.data)
            return int(value) if math.isfinite(value) and value == int(value) else None
        return None


@dataclass(slots=True)
class Directory:
    """The tags of one image (an IFD) and the directories its tags point to.

    Attributes:
        at: Offset of the directory.
        next_at: Offset of its pointer to the next one: the end of the table's rows.
        has_next: There is such a pointer. Some writers leave it out: the file ends there, or a
            value takes its place.
        missing: Rows that the table should have beyond the file's end.
        entries: Tags by number.
        children: Directories pointed to, by the tag that points.
    """

    at: int
    next_at: int
    has_next: bool = True
    missing: int = 0
    entries: dict[int, Entry] = field(default_factory=dict[int, Entry])
    children: dict[int, list[Directory]] = field(default_factory=dict[int, "list[Directory]"])

    def numbers(self, tag: int, layout: Layout, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """The integers of a tag, or `default` where it is missing."""
        entry = self.entries.get(tag)
        return entry.numbers(layout) if entry else default


class TagFile(NamedTuple):
    """All directories of a file: the chain of images, each with its children."""

    layout: Layout
    directories: list[Directory]

    def walk(self) -> Iterator[Directory]:
        """Every directory, children included."""
        waiting = list(self.directories)
        while waiting:
            directory = waiting.pop()
            yield directory
            waiting += [child for group in directory.children.values() for child in group]


def read_tags(file: BinaryIO) -> TagFile:
    """Read the directories of a TIFF structure; pixels and very large values are left alone.

    Panasonic's and Olympus's RAW files, which are TIFF but for their second number, are taken. An
    entry that makes no sense is passed over, and of a table that the file's end cuts off, the rows
    that are there are taken.

    Raises:
        ValueError: It is not TIFF, or its first directory cannot be read.
    """
    head = _read_at(file, 0, 8)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None:
        raise ValueError("no TIFF structure")
    (magic,) = struct.unpack(order + "H", head[2:4])
    layout = Layout(order, magic == 43)
    reading = _Reading(file, layout)
    first = reading.pointer(8 if layout.big else 4)
    directories: list[Directory] = []
    while first and first not in reading.seen and len(reading.seen) < _MAX_DIRECTORIES:
        try:
            directory = reading.directory(first)
        except ValueError:
            if not directories:
                raise
            break
        if directory.missing and directories:
            break
        directories.append(directory)
        first = reading.pointer(directory.next_at) if directory.has_next else 0
    if not directories:
        raise ValueError("the TIFF structure is empty")
    return TagFile(layout, directories)


def _read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    if offset > _MAX_OFFSET:
        raise ValueError("the TIFF structure is damaged")
    file.seek(offset)
    data = file.read(size)
    if len(data) != size:
        raise ValueError("the TIFF structure is truncated")
    return data


class _Reading:
    """The reading of one file: what has been seen of it."""

    def __init__(self, file: BinaryIO, layout: Layout) -> None:
        self.seen: set[int] = set()
        self._file = file
        self._layout = layout
        self._end = file.seek(0, os.SEEK_END)
        # The head and the tables so far. No table overlaps another in a sound file, and what is
        # taken out of one must not spoil another.
        self._taken = [(0, 16 if layout.big else 8)]
        # Values may overlap, and so many entries could name the same bytes without end.
        self._budget = 4 * self._end + _MAX_VALUE_BYTES

    def pointer(self, at: int) -> int:
        """An offset that is stored at `at`."""
        code, size = ("Q", 8) if self._layout.big else ("I", 4)
        (value,) = struct.unpack(self._layout.order + code, _read_at(self._file, at, size))
        return value

    def directory(self, at: int, depth: int = 0) -> Directory:
        """The directory at `at`, with its children."""
        self.seen.add(at)
        order, big = self._layout
        head, row, word = ("Q", 20, 8) if big else ("H", 12, 4)
        start = at + struct.calcsize(order + head)
        (count,) = struct.unpack(order + head, _read_at(self._file, at, start - at))
        if count > _MAX_DIRECTORIES:
            raise ValueError("the TIFF structure is damaged")
        there = min(count, max(0, self._end - start) // row)
        table = _read_at(self._file, start, there * row)
        next_at = start + there * row
        if any(at < stop and begin < next_at for begin, stop in self._taken):
            raise ValueError("the TIFF structure is damaged")
        self._taken.append((at, next_at))
        directory = Directory(at, next_at, next_at + word <= self._end, count - there)
        for index in range(there):
            tag, entry = self._entry(table[index * row : (index + 1) * row], start + index * row)
            if entry is None or tag in directory.entries:  # of two, readers take the first
                continue
            directory.entries[tag] = entry
            places = [entry.at]
            if tag in (*CHILD_TAGS, SUB_IFDS):
                children = self._children(entry, depth + 1)
                directory.children[tag] = children
                places += [child.at for child in children]
            elif tag in _PIXEL_TAGS:
                places += entry.numbers(self._layout)
            directory.has_next &= not any(next_at <= item < next_at + word for item in places)
        return directory

    def _entry(self, line: bytes, at: int) -> tuple[int, Entry | None]:
        """A row's tag and, where it makes sense, the entry."""
        order, big = self._layout
        word = 8 if big else 4
        tag, kind, number = struct.unpack(order + ("HHQ" if big else "HHI"), line[:-word])
        size = KIND_SIZES.get(kind, 0) * number
        where = at + len(line) - word
        if size > word:
            (where,) = struct.unpack(order + ("Q" if big else "I"), line[-word:])
        if not 0 < size <= min(_MAX_VALUE_BYTES, self._budget) or where + size > self._end:
            return tag, None
        self._budget -= size
        return tag, Entry(kind, number, _read_at(self._file, where, size), where)

    def _children(self, entry: Entry, depth: int) -> list[Directory]:
        children: list[Directory] = []
        for at in entry.numbers(self._layout)[:64] if depth <= _MAX_DEPTH else ():
            if at > 0 and at not in self.seen and len(self.seen) < _MAX_DIRECTORIES:
                try:
                    children.append(self.directory(at, depth))
                except ValueError:
                    continue
        return children


def directory_bytes(directory: Directory, layout: Layout, at: int) -> bytes:
    """A directory, its values and its first children as they are stored from offset `at` on.

    Args:
        directory: Tags whose bytes are already in the byte order of `layout`.
        layout: Byte order and offset size of the file.
        at: Offset at which the result will lie; even.
    """
    order, big = layout
    word, head, row = (8, "Q", "HHQ") if big else (4, "H", "HHI")
    pointers = {tag: group[0] for tag, group in directory.children.items() if group}
    plain = {tag: entry for tag, entry in directory.entries.items() if tag not in pointers}
    numbers = sorted([*plain, *pointers])
    table = bytearray(struct.pack(order + head, len(numbers)))
    size = len(table) + len(numbers) * (struct.calcsize(order + row) + word) + word
    tail = bytearray()
    for tag in numbers:
        where = at + size + len(tail)
        if tag in pointers:
            kind, count = (_LONG8, 1) if big else (_LONG, 1)
            value = struct.pack(order + ("Q" if big else "I"), where)
            tail += directory_bytes(pointers[tag], layout, where)
        else:
            kind, count, data, _ = plain[tag]
            value = data.ljust(word, b"\0")
            if len(data) > word:
                value = struct.pack(order + ("Q" if big else "I"), where)
                tail += data
        tail += bytes(len(tail) % 2)
        table += struct.pack(order + row, tag, kind, count) + value
    return bytes(table + bytes(word) + tail)


def is_raw(tags: TagFile) -> bool:
    """Whether these are the tags of a camera RAW file: DNG, or a colour filter array somewhere."""
    return any(_DNG_VERSION in item.entries or is_mosaic(item, tags.layout) for item in tags.walk())


def is_mosaic(directory: Directory, layout: Layout) -> bool:
    """Whether a directory is of an image as a sensor sees it."""
    return directory.numbers(262, layout) in ((_CFA,), (_LINEAR_RAW,))


def check_extent(file: BinaryIO, directory: Directory, tags: TagFile) -> None:
    """Check that the strips or tiles of an image lie within the file.

    Raises:
        DamagedError: The file ends before they do.
    """
    end = file.seek(0, os.SEEK_END)
    for offset_tag, size_tag in ((273, 279), (324, 325)):
        offsets, sizes = (directory.numbers(tag, tags.layout) for tag in (offset_tag, size_tag))
        if any(a + b > end for a, b in zip(offsets, sizes, strict=False)):
            raise DamagedError("is truncated: some of its pixels are missing")
