"""EXIF blocks: cleaned for an upright image, shortened, or made of a file's own tags.

An EXIF block is cleaned in place, byte for byte, because a maker's note points into the block by
absolute offsets: laying the block out anew would break it.

Structure: CIPA DC-008 (Exif 2.32).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Collection
from contextlib import suppress

from undark.io.metadata.tags import (
    CHILD_TAGS,
    EXIF_IFD,
    GPS_IFD,
    KIND_CODES,
    KIND_SIZES,
    SUB_IFDS,
    Directory,
    Entry,
    Layout,
    TagFile,
    directory_bytes,
    read_tags,
)
from undark.io.metadata.xmp import xmp_orientation

__all__ = [
    "bare_block",
    "block_from_tags",
    "clean_block",
    "descriptive_tags",
    "has_orientation",
    "orientation_of",
    "shortened_block",
    "without_orientation",
    "without_place",
]

_PREFIX = b"Exif\0\0"
_HEADS = (b"II*\0", b"MM\0*")
_LEAD = 16
_HEAD_SIZE = 8
_ORIENTATION = 0x0112
_MAKER_NOTE = 0x927C
_SHORT = 3
# The GPS directory, the tags of GeoTIFF (OGC 19-008r4), and IPTC, which may name a place too.
_PLACE = (GPS_IFD, 33550, 33920, 33922, 34264, 34735, 34736, 34737, 33723)

# Tags that describe how this file stores its pixels, not the image: a new file has its own.
_STRUCTURE = frozenset(
    [
        *(254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281),
        *(284, 288, 289, 290, 291, 292, 293, 297, 301, 317, 318, 319, 320, 321, 322, 323, 324),
        *(325, 326, 327, 328, 330, 332, 333, 334, 336, 337, 338, 339, 340, 341, 342, 343, 344),
        *(345, 346, 347, 351, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532),
        *(700, 32781, 33421, 33422, 33723, 34377, 34675, 37724, 40965),
    ]
)
_DNG_TAGS = range(50706, 52600)


def bare_block(data: bytes | None) -> bytes | None:
    """An EXIF block without what some writers put before it; None where there is none."""
    while data and data.startswith(_PREFIX):
        data = data.removeprefix(_PREFIX)
    if not data:
        return None
    at = min((n for n in map(data[:_LEAD].find, _HEADS) if n >= 0), default=0)
    return data[at:]


def orientation_of(exif: bytes | None, xmp: bytes | None = None) -> int:
    """The orientation (1..8) that a file's metadata give; 1 where they give none that is sound.

    Args:
        exif: EXIF block, with or without a leading ``Exif\\0\\0``. The tag's type does not matter,
            and of several values the first counts.
        xmp: XMP packet, which is asked where the block has no such tag.
    """
    tags = _first_directory(exif)
    if tags and _ORIENTATION in tags[1].entries:
        value = tags[1].entries[_ORIENTATION].whole(tags[0])
    else:
        value = xmp_orientation(xmp)
    return value if value is not None and 1 <= value <= 8 else 1


def has_orientation(exif: bytes | None) -> bool:
    """Whether an EXIF block has a tag for the orientation, sound or not."""
    tags = _first_directory(exif)
    return tags is not None and _ORIENTATION in tags[1].entries


def _first_directory(exif: bytes | None) -> tuple[Layout, Directory] | None:
    block = bare_block(exif)
    try:
        tags = read_tags(io.BytesIO(block or b""))
    except ValueError:
        return None
    return tags.layout, tags.directories[0]


def clean_block(block: bytes, *, width: int, height: int) -> bytes | None:
    """An EXIF block for an upright image of this size, without its thumbnail.

    Only the orientation, the tags that repeat the image's size, the pointer to the thumbnail
    and the thumbnail's own bytes change; all else keeps its place. A table that is cut off, or
    lacks the pointer to the next, gets an end, and a row whose value lies beyond the block's end,
    at which some readers would stop, goes.

    Args:
        block: TIFF structure, without a leading ``Exif\\0\\0``.
        width: Columns of the upright image.
        height: Rows of the upright image.

    Returns:
        The cleaned block, or None where it cannot be read at all.
    """
    try:
        tags = read_tags(io.BytesIO(block))
    except ValueError:
        return None
    layout, (main, *others) = tags
    patched = bytearray(block)
    if not layout.big:
        struct.pack_into(layout.order + "H", patched, 2, 42)  # which some readers insist on

    def put(directory: Directory, tag: int, value: int) -> None:
        entry = directory.entries.get(tag)
        if entry and entry.number == 1 and entry.numbers(layout):
            with suppress(struct.error):  # Its type has no room for so many pixels.
                struct.pack_into(layout.order + KIND_CODES[entry.kind], patched, entry.at, value)

    for at, tag in _rows(block, main, layout):
        if tag == _ORIENTATION:
            # In the type that all readers know, whatever it had.
            code = layout.order + ("HHQH6x" if layout.big else "HHIH2x")
            struct.pack_into(code, patched, at, tag, _SHORT, 1, 1)
    put(main, 0x0100, width)
    put(main, 0x0101, height)
    for child in main.children.get(EXIF_IFD, []):
        put(child, 0xA002, width)
        put(child, 0xA003, height)
    kept = [item for top in (main, *others) for item in _spans(top, layout)]
    thumbnails = _thumbnails(others, layout)
    _blank(patched, thumbnails, kept)
    end = max(stop for _, stop in kept)
    del patched[
        min((a for a, b in thumbnails if a >= end and b >= len(block)), default=len(block)) :
    ]
    if main.missing:
        count = len(_rows(block, main, layout))
        struct.pack_into(layout.order + ("Q" if layout.big else "H"), patched, main.at, count)
    word = 8 if layout.big else 4
    if main.has_next or main.next_at + word > len(block):
        patched[main.next_at : main.next_at + word] = bytes(word)
    for directory in TagFile(layout, [main]).walk():
        _drop_rows(patched, directory, layout, _cut_off(block, directory, layout))
    return bytes(patched)


def _rows(block: bytes | bytearray, directory: Directory, layout: Layout) -> list[tuple[int, int]]:
    """The offset and the tag of each row of a directory's table, also of those without sense."""
    first, size = (8, 20) if layout.big else (2, 12)
    return [
        (at, struct.unpack_from(layout.order + "H", block, at)[0])
        for at in range(directory.at + first, directory.next_at, size)
    ]


def _cut_off(block: bytes, directory: Directory, layout: Layout) -> set[int]:
    """The offsets of rows whose values lie beyond the block's end; some readers stop at one."""
    code, inline = (layout.order + "HQQ", 8) if layout.big else (layout.order + "HII", 4)
    found: set[int] = set()
    for at, _ in _rows(block, directory, layout):
        kind, number, where = struct.unpack_from(code, block, at + 2)
        size = KIND_SIZES.get(kind, 0) * number
        if size > inline and where + size > len(block):
            found.add(at)
    return found


def _spans(directory: Directory, layout: Layout) -> list[tuple[int, int]]:
    """Begin and end of a directory's table and of its values, its children's included."""
    end = directory.next_at + (8 if layout.big else 4) * directory.has_next
    return [
        (directory.at, end),
        *((item.at, item.at + len(item.data)) for item in directory.entries.values()),
        *(
            span
            for group in directory.children.values()
            for child in group
            for span in _spans(child, layout)
        ),
    ]


def _blank(block: bytearray, spans: list[tuple[int, int]], kept: list[tuple[int, int]]) -> None:
    """Put zeros in place of `spans`, but for what also belongs to `kept`.

    So where one pointer is wrong, the rest is not lost.
    """
    before = bytes(block)
    for start, stop in spans:
        block[start:stop] = bytes(max(min(stop, len(block)) - start, 0))
    for start, stop in [(0, _HEAD_SIZE), *kept]:
        block[start:stop] = before[start:stop]


def _thumbnails(directories: list[Directory], layout: Layout) -> list[tuple[int, int]]:
    """Begin and end of the images that further directories hold."""
    found: list[tuple[int, int]] = []
    for directory in directories:
        for offset_tag, size_tag in ((0x0201, 0x0202), (0x0111, 0x0117)):
            offsets, sizes = (directory.numbers(tag, layout) for tag in (offset_tag, size_tag))
            found += [
                (offset, offset + max(size, 0))
                for offset, size in zip(offsets, sizes, strict=False)
                if offset > 8
            ]
    return found


def without_orientation(block: bytes) -> bytes:
    """The block with its orientation tag taken out of the table; every offset stays."""
    layout, (main, *_) = read_tags(io.BytesIO(block))
    patched = bytearray(block)
    gone = {at for at, tag in _rows(block, main, layout) if tag == _ORIENTATION}
    _drop_rows(patched, main, layout, gone)
    return bytes(patched)


def without_place(block: bytes) -> bytes | None:
    """The block without the GPS directory, and without the tags that put it on a map.

    Their bytes are gone, and every offset stays.

    Returns:
        The block, or None where it cannot be read.
    """
    try:
        layout, directories = read_tags(io.BytesIO(block))
    except ValueError:
        return None
    every = list(TagFile(layout, directories).walk())
    maps = [child for item in every for child in item.children.get(GPS_IFD, [])]
    places = {child.at for child in maps}
    others = [item for item in every if item.at not in places]
    spans = [span for item in maps for span in _spans(item, layout)]
    spans += [
        (entry.at, entry.at + len(entry.data))
        for item in others
        for tag, entry in item.entries.items()
        if tag in _PLACE
    ]
    patched = bytearray(block)
    _blank(patched, spans, [_spans(item, layout)[0] for item in others])
    for item in others:
        gone = {at for at, tag in _rows(block, item, layout) if tag in _PLACE}
        _drop_rows(patched, item, layout, gone)
    return bytes(patched)


def _drop_rows(
    block: bytearray, directory: Directory, layout: Layout, gone: Collection[int]
) -> None:
    """Take the rows at some offsets out of a directory's table; what follows keeps its place."""
    size = 20 if layout.big else 12
    rows = _rows(block, directory, layout)
    kept = [block[at : at + size] for at, _ in rows if at not in gone]
    if len(kept) == len(rows):
        return
    first = directory.at + (8 if layout.big else 2)
    end = directory.next_at + (8 if layout.big else 4) * directory.has_next
    table = b"".join(kept) + block[directory.next_at : end]
    struct.pack_into(layout.order + ("Q" if layout.big else "H"), block, directory.at, len(kept))
    block[first:end] = table.ljust(end - first, b"\0")


def descriptive_tags(tags: TagFile, directory: Directory, order: str = "<") -> Directory:
    """The tags of an image that say what it is and how it was taken, in byte order `order`.

    Leaves out those that say how its pixels are stored, and keeps the EXIF and GPS directories.
    """
    result = Directory(0, 0)
    top = directory.at in {item.at for item in tags.directories}
    for tag, entry in directory.entries.items():
        pointer = tag in (*CHILD_TAGS, SUB_IFDS)
        if pointer or (top and (tag in _STRUCTURE or tag in _DNG_TAGS)):
            continue
        result.entries[tag] = _reordered(entry, tags.layout.order, order)
    for tag in CHILD_TAGS:
        if group := directory.children.get(tag):
            result.children[tag] = [descriptive_tags(tags, group[0], order)]
    return result


def _reordered(entry: Entry, source: str, target: str) -> Entry:
    unit = 4 if entry.kind in (5, 10) else KIND_SIZES[entry.kind]
    if source == target or unit == 1:
        return entry
    data = b"".join(entry.data[n : n + unit][::-1] for n in range(0, len(entry.data), unit))
    return entry._replace(data=data)


def block_from_tags(tags: TagFile, directory: Directory) -> bytes | None:
    """An EXIF block with the descriptive tags of one image, or None where it has none."""
    kept = descriptive_tags(tags, directory)
    if not kept.entries and not kept.children:
        return None
    return b"II*\0\x08\0\0\0" + directory_bytes(kept, Layout("<"), 8)


def shortened_block(block: bytes, limit: int) -> bytes | None:
    """The block if it has at most `limit` bytes, else without its maker's note, else None."""
    if len(block) <= limit:
        return block
    try:
        tags = read_tags(io.BytesIO(block))
    except ValueError:
        return None
    main = tags.directories[0]
    for child in main.children.get(EXIF_IFD, []):
        child.entries.pop(_MAKER_NOTE, None)
    shorter = block_from_tags(tags, main)
    return shorter if shorter and len(shorter) <= limit else None
