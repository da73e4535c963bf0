"""The file formats undark knows, by suffix: one table, no decoder imported.

Kept apart from `undark.io.images` so that scanning folders and `--help` stay quick.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from undark.errors import UsageError

__all__ = [
    "FORMAT_SUFFIX",
    "PARTIAL_MARK",
    "PHOTO_SUFFIXES",
    "RAW_SUFFIXES",
    "READABLE_SUFFIXES",
    "READ_ONLY_VIDEOS",
    "VIDEO_SUFFIXES",
    "WRITABLE_FORMATS",
    "format_named",
    "is_readable_name",
    "is_sequence_name",
    "is_video_name",
    "natural_key",
    "suffix_format",
]

WRITABLE_FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "AVIF", "HEIF", "BMP")
"""Formats that can be written, as Pillow spells them."""

FORMAT_SUFFIX = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "TIFF": ".tif",
    "WEBP": ".webp",
    "AVIF": ".avif",
    "HEIF": ".heic",
    "BMP": ".bmp",
}
"""The suffix a format is given where the source does not show one."""

PHOTO_SUFFIXES = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".mpo": "JPEG",
    ".png": "PNG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
    ".avif": "AVIF",
    ".heic": "HEIF",
    ".heif": "HEIF",
    ".hif": "HEIF",
    ".bmp": "BMP",
    ".gif": "GIF",
}
"""Suffix to format of everything but camera RAW. GIF is read only."""

_NUMBER = re.compile(r"%0?[0-9]*d")

_RAW_NAMES = (
    "3fr arw cr2 cr3 crw dcr dng erf fff iiq kdc mef mos mrw nef nrw orf pef raf raw rw2 rwl sr2"
    " srf srw x3f"
)

RAW_SUFFIXES = frozenset(f".{name}" for name in _RAW_NAMES.split())
"""Suffixes of camera RAW files, read with the ``raw`` extra."""

VIDEO_SUFFIXES = {
    ".mp4": ("h264", "hevc", "av1", "vp9"),
    ".m4v": ("h264", "hevc"),
    ".mov": ("h264", "hevc"),
    ".mkv": ("h264", "hevc", "vp9", "av1"),
    ".webm": ("vp9", "av1"),
    ".avi": ("h264",),
}
"""Suffixes of video files, read and written with the ``video`` extra, and the codecs that undark
writes to each, the usual one first."""

READ_ONLY_VIDEOS = frozenset(
    (".3gp", ".flv", ".m2ts", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".vob", ".wmv")
)
"""Suffixes of video files that become ``.mkv``, which can hold what they hold."""

PARTIAL_MARK = ".partial"
"""What stands before the suffix of a video that is not finished."""

READABLE_SUFFIXES = frozenset(PHOTO_SUFFIXES) | RAW_SUFFIXES
"""Suffixes, lower case with their dot, of the files that a folder scan takes as photos."""


def is_readable_name(path: PurePath) -> bool:
    """Whether a folder scan takes `path` for a photo: a known suffix and not hidden."""
    return path.suffix.lower() in READABLE_SUFFIXES and not path.name.startswith(".")


def is_video_name(path: PurePath) -> bool:
    """Whether `path` is named as a video is, and not hidden or left unfinished."""
    mark = path.suffixes[-2:-1] == [PARTIAL_MARK]
    known = path.suffix.lower() in VIDEO_SUFFIXES or path.suffix.lower() in READ_ONLY_VIDEOS
    return known and not mark and not path.name.startswith(".")


def is_sequence_name(path: PurePath) -> bool:
    """Whether `path` stands for numbered pictures: ``frame%05d.png``."""
    return _NUMBER.search(path.name) is not None


def suffix_format(path: PurePath) -> str | None:
    """The writable format that the suffix of `path` names, or None."""
    name = PHOTO_SUFFIXES.get(path.suffix.lower())
    return name if name in WRITABLE_FORMATS else None


def format_named(name: str) -> str:
    """The writable format that a user means by "jpg", ".tiff", "HEIC", ...

    Raises:
        UsageError: It is not one that undark writes.
    """
    written = name.strip().lower().lstrip(".")
    found = PHOTO_SUFFIXES.get(f".{written}")
    if found not in WRITABLE_FORMATS:
        known = ", ".join(FORMAT_SUFFIX[item].lstrip(".") for item in WRITABLE_FORMATS)
        raise UsageError(f"{name!r} is not a format that undark writes; choose one of {known}")
    return found


def natural_key(text: str) -> list[tuple[bool, int, str]]:
    """Sort key by which "2" comes before "10"."""
    parts = (part for part in re.split(r"([0-9]+)", text) if part)
    return [(False, int(p), p) if p.isdecimal() else (True, 0, p) for p in parts]
