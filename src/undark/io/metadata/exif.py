"""EXIF blocks: cleaned for an upright image, shortened, or made of a file's own tags.

An EXIF block is cleaned in place, byte for byte, because a maker's note points into the block by
absolute offsets: laying the block out anew would break it.

Structure: CIPA DC-008 (Exif 2.32).
"""

from __future__ import annotations

import io
import struct

from undark.io.metadata.tags import (
    CHILD_TAGS,
    EXIF_IFD,
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

__all__ = [
    "block_from_tags",
    "clean_block",
    "descriptive_tags",
    "orientation_of",
    "shortened_block",
    "without_orientation",
]

_ORIENTATION = 0x0112
_MAKER_NOTE = 0x927C
_SHORT, _LONG = 3, 4

# Tags that describe how this file stores its pixels, not the image: a new file has its own.
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


def orientation_of(block: bytes) -> int:
    """The orientation (1..8) that an EXIF block gives; 1 where it gives none that is sound."""
    try:
        layout, directories = read_tags(io.BytesIO(block))
    except ValueError:
        return 1
    (value, *_) = directories[0].numbers(_ORIENTATION, layout) or (1,)
    return value if 1 <= value <= 8 else 1


def clean_block(block: bytes, *, width: int, height: int) -> bytes | None:
    """An EXIF block for an upright image of this size, without its thumbnail.

    Only the orientation, the tags that repeat the image's size, the pointer to the thumbnail
    and the thumbnail's own bytes change; all else keeps its place.

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

    def put(directory: Directory, tag: int, value: int) -> None:
        entry = directory.entries.get(tag)
        limit = {_SHORT: 0xFFFF, _LONG: 0xFFFFFFFF}.get(entry.kind, 0) if entry else 0
        if entry and entry.number == 1 and value <= limit:
            code = layout.order + KIND_CODES[entry.kind]
            struct.pack_into(code, patched, entry.at, value)

    put(main, _ORIENTATION, 1)
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
    """Offset and size of the images that further directories hold, last in the block first."""
    found: list[tuple[int, int]] = []
    for directory in directories:
        for offset_tag, size_tag in ((0x0201, 0x0202), (0x0111, 0x0117)):
            offsets, sizes = (directory.numbers(tag, layout) for tag in (offset_tag, size_tag))
            found += [pair for pair in zip(offsets, sizes, strict=False) if pair[0] > 8]
    return sorted(found, reverse=True)


def without_orientation(block: bytes) -> bytes:
    """The block with its orientation tag taken out of the table; every offset stays."""
    layout, (main, *_) = read_tags(io.BytesIO(block))
    if _ORIENTATION not in main.entries or layout.big:
        return block
    (count,) = struct.unpack_from(layout.order + "H", block, main.at)
    start = main.at + 2
    rows = [block[start + 12 * n : start + 12 * (n + 1)] for n in range(count)]
    tag = struct.pack(layout.order + "H", _ORIENTATION)
    kept = [row for row in rows if row[:2] != tag]
    rest = b"".join(kept) + bytes(4)
    head = struct.pack(layout.order + "H", len(kept))
    gap = bytes(12 * (count - len(kept)))
    return block[: main.at] + head + rest + gap + block[main.next_at + 4 :]


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
    tags = read_tags(io.BytesIO(block))
    main = tags.directories[0]
    for child in main.children.get(EXIF_IFD, []):
        child.entries.pop(_MAKER_NOTE, None)
    shorter = block_from_tags(tags, main)
    return shorter if shorter and len(shorter) <= limit else None
