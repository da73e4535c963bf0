"""Tags in TIFF structure: those of TIFF files, of camera RAW files and of EXIF blocks.

An EXIF block is cleaned in place, byte for byte, because a maker's note points into the block by
absolute offsets: laying the block out anew would break it.

Structure: Adobe TIFF 6.0 (1992), the BigTIFF extension, and CIPA DC-008 (Exif 2.32).
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

__all__ = [
    "Directory",
    "Entry",
    "Layout",
    "TagFile",
    "block_from_tags",
    "clean_block",
    "descriptive_tags",
    "directory_bytes",
    "orientation_of",
    "read_tags",
    "shortened_block",
    "without_orientation",
]

EXIF_IFD, GPS_IFD, INTEROP_IFD, SUB_IFDS = 0x8769, 0x8825, 0xA005, 0x014A
ORIENTATION = 0x0112
MAKER_NOTE = 0x927C
_CHILDREN = (EXIF_IFD, GPS_IFD, INTEROP_IFD)

_KIND_SIZES = {
    **{1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4},
    **{16: 8, 17: 8, 18: 8},
}
_KIND_CODES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I"} | {
    **{16: "Q", 17: "q", 18: "Q"},
}
_SHORT, _LONG, _LONG8 = 3, 4, 16
_MAX_VALUE_BYTES = 1 << 24
_MAX_DIRECTORIES = 4096

# Tags that describe how this file stores its pixels, not the picture: a new file has its own.
_STRUCTURE = frozenset(
    [
        *(254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281),
        *(284, 288, 289, 290, 291, 292, 293, 297, 301, 317, 318, 319, 320, 321, 322, 323, 324),
        *(325, 326, 327, 328, 330, 332, 333, 334, 336, 337, 338, 339, 340, 341, 342, 343, 344),
        *(345, 346, 347, 351, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532),
        *(700, 32781, 33421, 33422, 34377, 34675, 37724, 40965),
    ]
)
_DNG_TAGS = range(50706, 52600)


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
        code = _KIND_CODES.get(self.kind, "")
        if code in ("", "f", "d"):
            return ()
        return struct.unpack(f"{layout.order}{self.number}{code}", self.data)


@dataclass(slots=True)
class Directory:
    """The tags of one picture (an IFD) and the directories its tags point to.

    Attributes:
        at: Offset of the directory.
        next_at: Offset of its pointer to the next one.
        entries: Tags by number.
        children: Directories pointed to, by the tag that points.
    """

    at: int
    next_at: int
    entries: dict[int, Entry] = field(default_factory=dict[int, Entry])
    children: dict[int, list[Directory]] = field(default_factory=dict[int, "list[Directory]"])

    def numbers(self, tag: int, layout: Layout, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """The integers of a tag, or `default` where it is missing."""
        entry = self.entries.get(tag)
        return entry.numbers(layout) if entry else default


class TagFile(NamedTuple):
    """All directories of a file: the chain of pictures, each with its children."""

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

    Panasonic's and Olympus's RAW files, which are TIFF but for their second number, are taken.

    Raises:
        ValueError: It is not TIFF, or its first directory cannot be read.
    """
    head = _read_at(file, 0, 16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None:
        raise ValueError("no TIFF structure")
    (magic,) = struct.unpack(order + "H", head[2:4])
    layout = Layout(order, magic == 43)
    offset = struct.unpack(order + "Q", head[8:16]) if layout.big else None
    (first,) = offset or struct.unpack(order + "I", head[4:8])
    seen: set[int] = set()
    directories: list[Directory] = []
    while first and first not in seen and len(seen) < _MAX_DIRECTORIES:
        try:
            directory = _read_directory(file, first, layout, seen)
            pointer = _read_at(file, directory.next_at, 8 if layout.big else 4)
        except ValueError:
            if not directories:
                raise
            break
        directories.append(directory)
        (first,) = struct.unpack(order + ("Q" if layout.big else "I"), pointer)
    if not directories:
        raise ValueError("the TIFF structure is empty")
    return TagFile(layout, directories)


def _read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    data = file.read(size)
    if len(data) != size:
        raise ValueError("the TIFF structure is cut short")
    return data


def _read_directory(file: BinaryIO, at: int, layout: Layout, seen: set[int]) -> Directory:
    seen.add(at)
    order, big = layout
    head, row, word = ("Q", 20, 8) if big else ("H", 12, 4)
    start = at + struct.calcsize(order + head)
    (count,) = struct.unpack(order + head, _read_at(file, at, start - at))
    if count > _MAX_DIRECTORIES:
        raise ValueError("the TIFF structure is damaged")
    table = _read_at(file, start, count * row)
    end = file.seek(0, os.SEEK_END)
    directory = Directory(at, start + count * row)
    for index in range(count):
        line = table[index * row : (index + 1) * row]
        tag, kind, number = struct.unpack(order + ("HHQ" if big else "HHI"), line[: row - word])
        size = _KIND_SIZES.get(kind, 0) * number
        where = start + index * row + row - word
        if size > word:
            (where,) = struct.unpack(order + ("Q" if big else "I"), line[row - word :])
        if not 0 < size <= _MAX_VALUE_BYTES or where + size > end:
            continue
        entry = Entry(kind, number, _read_at(file, where, size), where)
        directory.entries[tag] = entry
        if tag in (*_CHILDREN, SUB_IFDS):
            children: list[Directory] = []
            for child in entry.numbers(layout)[:64]:
                if child and child not in seen and len(seen) < _MAX_DIRECTORIES:
                    try:
                        children.append(_read_directory(file, child, layout, seen))
                    except ValueError:
                        continue
            directory.children[tag] = children
    return directory


def orientation_of(block: bytes) -> int:
    """The orientation (1..8) that an EXIF block gives; 1 where it gives none that is sound."""
    try:
        layout, directories = read_tags(io.BytesIO(block))
    except ValueError:
        return 1
    (value, *_) = directories[0].numbers(ORIENTATION, layout) or (1,)
    return value if 1 <= value <= 8 else 1


def clean_block(block: bytes, *, width: int, height: int) -> bytes | None:
    """An EXIF block for an upright picture of this size, without its thumbnail.

    Only the orientation, the tags that repeat the picture's size, the pointer to the thumbnail
    and the thumbnail's own bytes change; all else keeps its place.

    Args:
        block: TIFF structure, without a leading ``Exif\\0\\0``.
        width: Columns of the upright picture.
        height: Rows of the upright picture.

    Returns:
        The cleaned block, or None where it cannot be read at all.
    """
    try:
        tags = read_tags(io.BytesIO(block))
    except ValueError:
        return None
    layout, (main, *others) = tags
    patched = bytearray(block)

    def put(directory: Directory, tag: int, value: int) -> None:
        entry = directory.entries.get(tag)
        limit = {_SHORT: 0xFFFF, _LONG: 0xFFFFFFFF}.get(entry.kind, 0) if entry else 0
        if entry and entry.number == 1 and value <= limit:
            code = layout.order + _KIND_CODES[entry.kind]
            struct.pack_into(code, patched, entry.at, value)

    put(main, ORIENTATION, 1)
    put(main, 0x0100, width)
    put(main, 0x0101, height)
    for child in main.children.get(EXIF_IFD, []):
        put(child, 0xA002, width)
        put(child, 0xA003, height)
    word = 8 if layout.big else 4
    patched[main.next_at : main.next_at + word] = bytes(word)
    for start, size in _thumbnails(others, layout):
        stop = min(start + size, len(patched))
        if stop == len(patched):
            del patched[start:]
        else:
            patched[start:stop] = bytes(max(stop - start, 0))
    return bytes(patched)


def _thumbnails(directories: list[Directory], layout: Layout) -> list[tuple[int, int]]:
    """Offset and size of the pictures that further directories hold, last in the block first."""
    found: list[tuple[int, int]] = []
    for directory in directories:
        for offset_tag, size_tag in ((0x0201, 0x0202), (0x0111, 0x0117)):
            offsets, sizes = (directory.numbers(tag, layout) for tag in (offset_tag, size_tag))
            found += [pair for pair in zip(offsets, sizes, strict=False) if pair[0] > 8]
    return sorted(found, reverse=True)


def without_orientation(block: bytes) -> bytes:
    """The block with its orientation tag taken out of the table; every offset stays."""
    layout, (main, *_) = read_tags(io.BytesIO(block))
    if ORIENTATION not in main.entries or layout.big:
        return block
    (count,) = struct.unpack_from(layout.order + "H", block, main.at)
    start = main.at + 2
    rows = [block[start + 12 * n : start + 12 * (n + 1)] for n in range(count)]
    tag = struct.pack(layout.order + "H", ORIENTATION)
    kept = [row for row in rows if row[:2] != tag]
    rest = b"".join(kept) + bytes(4)
    head = struct.pack(layout.order + "H", len(kept))
    gap = bytes(12 * (count - len(kept)))
    return block[: main.at] + head + rest + gap + block[main.next_at + 4 :]


def descriptive_tags(tags: TagFile, directory: Directory, order: str = "<") -> Directory:
    """The tags of a picture that say what it is and how it was taken, in byte order `order`.

    Leaves out those that say how its pixels are stored, and keeps the EXIF and GPS directories.
    """
    result = Directory(0, 0)
    top = directory.at in {item.at for item in tags.directories}
    for tag, entry in directory.entries.items():
        pointer = tag in (*_CHILDREN, SUB_IFDS)
        if pointer or (top and (tag in _STRUCTURE or tag in _DNG_TAGS)):
            continue
        result.entries[tag] = _reordered(entry, tags.layout.order, order)
    for tag in _CHILDREN:
        if group := directory.children.get(tag):
            result.children[tag] = [descriptive_tags(tags, group[0], order)]
    return result


def _reordered(entry: Entry, source: str, target: str) -> Entry:
    unit = 4 if entry.kind in (5, 10) else _KIND_SIZES[entry.kind]
    if source == target or unit == 1:
        return entry
    data = b"".join(entry.data[n : n + unit][::-1] for n in range(0, len(entry.data), unit))
    return entry._replace(data=data)


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


def block_from_tags(tags: TagFile, directory: Directory) -> bytes | None:
    """An EXIF block with the descriptive tags of one picture, or None where it has none."""
    kept = descriptive_tags(tags, directory)
    if not kept.entries and not kept.children:
        return None
    return b"II*\0\x08\0\0\0" + directory_bytes(kept, Layout("<"), 8)


def shortened_block(block: bytes, limit: int) -> bytes | None:
    """The block if it has at most `limit` bytes, else without its maker's note, else None."""
    if len(block) <= limit:
        return block
    tags = read_tags(io.BytesIO(block))
    main = tags.directories[0]
    for child in main.children.get(EXIF_IFD, []):
        child.entries.pop(MAKER_NOTE, None)
    shorter = block_from_tags(tags, main)
    return shorter if shorter and len(shorter) <= limit else None
