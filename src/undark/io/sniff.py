"""What a file is, by its content; its name decides only where the content cannot."""

from __future__ import annotations

from typing import BinaryIO

from undark.errors import DamagedError, UnsupportedError
from undark.io.exif import read_tags
from undark.io.formats import RAW_SUFFIXES
from undark.io.tiff import is_raw

__all__ = ["sniff"]

_SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"FUJIFILMCCD-RAW": "RAW",
    b"IIRO": "RAW",
    b"IIRS": "RAW",
    b"MMOR": "RAW",
    b"IIU\0": "RAW",
    b"II\x1a\0\0\0HEAPCCDR": "RAW",
    b"\0MRM": "RAW",
    b"FOVb": "RAW",
}
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    **dict.fromkeys(
        (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIF"
    ),
    b"crx ": "RAW",
}
_OTHERS = {
    b"8BPS": "a Photoshop document",
    b"\xff\x0a": "a JPEG XL picture",
    b"\0\0\0\x0cJXL ": "a JPEG XL picture",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 picture",
    b"\x76\x2f\x31\x01": "an OpenEXR picture",
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
        DamagedError: It is empty, or not a picture at all.
        UnsupportedError: It is something known that undark does not take.
    """
    file.seek(0)
    head = file.read(64)
    if not head:
        raise DamagedError("is empty")
    found = next((kind for start, kind in _SIGNATURES.items() if head.startswith(start)), None)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        found = "WEBP"
    elif head[4:8] == b"ftyp":
        # The major brand may be general (mif1); the compatible ones that follow say more.
        brands = [head[8:12], *(head[n : n + 4] for n in range(16, head[3] + 1, 4))]
        found = next((_BRANDS[brand] for brand in brands if brand in _BRANDS), None)
        if found == "HEIF" and head[8:12] == b"mif1" and b"avif" in brands:
            found = "AVIF"
        if found is None:
            raise UnsupportedError("is a video, or a picture of a kind that undark does not take")
    if found == "TIFF":
        return "RAW" if suffix in RAW_SUFFIXES or _is_raw(file) else "TIFF"
    if found:
        return found
    if suffix in RAW_SUFFIXES:
        return "RAW"
    if other := next((name for start, name in _OTHERS.items() if head.startswith(start)), None):
        raise UnsupportedError(f"is {other}, which undark does not take; save it as PNG or TIFF")
    raise DamagedError("is not a picture: its content is of no kind that undark reads")


def _is_raw(file: BinaryIO) -> bool:
    try:
        return is_raw(read_tags(file))
    except ValueError:
        return False
