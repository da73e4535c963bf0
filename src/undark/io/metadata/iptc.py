"""IPTC blocks (IIM): captions, keywords and places as press agencies write them.

A block is a row of datasets; JPEG and PNG wrap it as one of Photoshop's image resources.

Formats: IPTC-NAA Information Interchange Model 4.2; Adobe Photoshop File Formats Specification
(2019), "Image Resource Blocks".
"""

from __future__ import annotations

import re
import struct
from typing import Final, NamedTuple

from undark.io.metadata.tags import Directory

__all__ = [
    "IPTC_TAG",
    "Dataset",
    "clean_iptc",
    "datasets",
    "from_resources",
    "iptc_of",
    "iptc_text",
    "to_resource",
    "without_place",
]

IPTC_TAG: Final = 33723
"""The tag of TIFF that holds a block."""

_PHOTOSHOP: Final = 34377
_MARK: Final = 0x1C
_EXTENDED: Final = 0x8000
_RESOURCE: Final = b"8BIM\x04\x04"
_KINDS: Final = re.compile(rb"8BIM|MeSa|AgHg|PHUT|DCSR")
_APPLICATION: Final = 2
# A small copy of the image as it was.
_PREVIEW: Final = (200, 201, 202)
# Where the image was made and what place it shows.
_PLACE: Final = (26, 27, 90, 92, 95, 100, 101)
_UTF_8: Final = b"\x1b%G"


class Dataset(NamedTuple):
    """One field of a block.

    Attributes:
        record: Number of its record; 2 holds what describes the image.
        number: Its number in the record.
        data: Its value.
        stored: The whole of it, as the block has it.
    """

    record: int
    number: int
    data: bytes
    stored: bytes


def datasets(block: bytes | None) -> list[Dataset]:
    """The fields of a block, up to where it makes no sense any more."""
    found: list[Dataset] = []
    at, data = 0, block or b""
    while at + 5 <= len(data) and data[at] == _MARK:
        record, number, size = struct.unpack_from(">BBH", data, at + 1)
        start = at + 5
        if size & _EXTENDED:
            # The value's length follows, in as many bytes as these bits say.
            start += size & ~_EXTENDED
            size = int.from_bytes(data[at + 5 : start], "big")
        stop = start + size
        if stop > len(data):
            break
        found.append(Dataset(record, number, data[start:stop], data[at:stop]))
        at = stop
    return found


def clean_iptc(block: bytes | None) -> bytes | None:
    """A block without a preview of the image as it was; None where there is nothing in it."""
    found = [item for item in datasets(block) if not _is(item, _PREVIEW)]
    return b"".join(item.stored for item in found) or None


def without_place(block: bytes | None) -> bytes | None:
    """A block without the fields that name a place; None where nothing is left."""
    found = [item for item in datasets(block) if not _is(item, _PLACE)]
    return b"".join(item.stored for item in found) or None


def _is(item: Dataset, numbers: tuple[int, ...]) -> bool:
    return item.record == _APPLICATION and item.number in numbers


def iptc_text(block: bytes | None) -> list[tuple[int, str]]:
    """The fields that describe the image, as numbers and texts.

    They are in UTF-8 where the block says so or they could be nothing else, and otherwise, as
    most programs took it before, in Latin-1.
    """
    fields = datasets(block)
    says = any((item.record, item.number, item.data) == (1, 90, _UTF_8) for item in fields)
    texts: list[tuple[int, str]] = []
    for item in fields:
        if item.record == _APPLICATION and item.number:
            try:
                text = item.data.decode("utf-8", "replace" if says else "strict")
            except UnicodeDecodeError:
                text = item.data.decode("latin-1")
            texts.append((item.number, text.rstrip("\0")))
    return texts


def from_resources(data: bytes) -> bytes | None:
    """The first block that is sound among Photoshop's image resources; None where there is none.

    Args:
        data: The resources, one after the other, or a bare block.
    """
    if data[:1] == bytes([_MARK]):
        return clean_iptc(data)
    at = 0
    while found := _KINDS.search(data, at):
        at = found.end()
        head = data[at : at + 3]
        name = at + 2
        # The name, led by its length, and the value are each padded to an even size.
        start = name + 1 + (head[2] if len(head) == 3 else 0)
        start += (start - name) % 2
        if start + 4 > len(data):
            continue
        size = int.from_bytes(data[start : start + 4], "big")
        value = data[start + 4 : start + 4 + size]
        is_iptc = found.group() + head[:2] == _RESOURCE
        if is_iptc and (block := clean_iptc(value)):
            return block
        if not is_iptc and len(value) == size:
            at = start + 4 + size
    return None


def to_resource(block: bytes) -> bytes:
    """A block as one of Photoshop's image resources."""
    return _RESOURCE + bytes(2) + struct.pack(">I", len(block)) + block + bytes(len(block) % 2)


def iptc_of(directory: Directory) -> bytes | None:
    """The IPTC block among the tags of an image: its own, or in Photoshop's resources."""
    entries = directory.entries
    block = _from_words(entries[IPTC_TAG].data) if IPTC_TAG in entries else None
    return block or (from_resources(entries[_PHOTOSHOP].data) if _PHOTOSHOP in entries else None)


def _from_words(data: bytes) -> bytes | None:
    """The block in a TIFF tag, which some writers swap as if it were 32-bit numbers."""
    if data[:1] != bytes([_MARK]) and data[3:4] == bytes([_MARK]):
        whole = data[: len(data) // 4 * 4]
        data = struct.pack(f"<{len(whole) // 4}I", *struct.unpack(f">{len(whole) // 4}I", whole))
    return clean_iptc(data)
