"""What a file is, by its content; its name decides only where the content cannot."""

from __future__ import annotations

from typing import BinaryIO, Final

from undark.errors import DamagedError, UnsupportedError
from undark.io.formats import FORMATS, RAW_SUFFIXES
from undark.io.metadata.tags import is_raw, read_tags

__all__ = ["sniff"]

_HEAD: Final = 64
_BRANDS: Final = {brand: item.name for item in FORMATS.values() for brand in item.brands}
_OTHERS: Final = {
    b"8BPS": "a Photoshop document",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 image",
    b"\x76\x2f\x31\x01": "an OpenEXR image",
    b"%PDF": "a PDF",
    b"<svg": "an SVG drawing",
    b"\x1aE\xdf\xa3": "a video",
}


def sniff(file: BinaryIO, suffix: str) -> str:
    """The format of a file: a name as `Photo.format` has it.

    Args:
        file: The open file, seekable; left anywhere.
        suffix: Suffix of its name, lower case; may be empty.

    Raises:
        DamagedError: It is empty, or not an image at all.
        UnsupportedError: It is something known that undark does not take.
    """
    file.seek(0)
    head = file.read(_HEAD)
    if not head:
        raise DamagedError("is empty")
    found = next((item.name for item in FORMATS.values() if item.begins(head)), None)
    if head[4:8] == b"ftyp":
        found = _by_brand(head)
    if found == "TIFF":  # as most camera RAW files are, inside
        return "RAW" if suffix in RAW_SUFFIXES or _has_raw_tags(file) else "TIFF"
    if found:
        return found
    if suffix in RAW_SUFFIXES:
        return "RAW"
    if other := next((name for start, name in _OTHERS.items() if head.startswith(start)), None):
        raise UnsupportedError(f"is {other}, which undark does not take; save it as PNG or TIFF")
    raise DamagedError("is not an image: its content is of no kind that undark reads")


def _by_brand(head: bytes) -> str:
    # The major brand may be general (mif1); the compatible ones that follow say more.
    brands = [head[8:12], *(head[n : n + 4] for n in range(16, head[3] + 1, 4))]
    found = next((_BRANDS[brand] for brand in brands if brand in _BRANDS), None)
    if found == "HEIF" and head[8:12] == b"mif1" and b"avif" in brands:
        return "AVIF"
    if found is None:
        raise UnsupportedError("is a video, or an image of a kind that undark does not take")
    return found


def _has_raw_tags(file: BinaryIO) -> bool:
    try:
        return is_raw(read_tags(file))
    except ValueError:
        return False
