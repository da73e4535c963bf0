"""Video files by their suffix: which codecs each can hold, and how unfinished ones are named."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Final

__all__ = [
    "READ_ONLY_VIDEOS",
    "VIDEO_SUFFIXES",
    "is_video_name",
    "keeps_turns",
    "muxer_of",
    "partial_path",
]

VIDEO_SUFFIXES: Final[dict[str, tuple[str, ...]]] = {
    ".mp4": ("h264", "hevc", "av1", "vp9"),
    ".m4v": ("h264", "hevc"),
    ".mov": ("h264", "hevc", "prores"),
    ".mkv": ("h264", "hevc", "vp9", "av1", "ffv1", "prores"),
    ".webm": ("vp9", "av1"),
    ".avi": ("h264", "ffv1"),
}
"""Suffixes of video files, read and written with the ``video`` extra, and the codecs that undark
writes to each, the usual one first."""

READ_ONLY_VIDEOS: Final = frozenset(
    [
        *(".3g2", ".3gp", ".asf", ".divx", ".dv", ".f4v", ".flv", ".m2p", ".m2ts", ".m2v"),
        *(".mjpeg", ".mpe", ".mpeg", ".mpg", ".mpv", ".mts", ".mxf", ".nut", ".ogm", ".ogv"),
        *(".qt", ".rm", ".rmvb", ".ts", ".vob", ".wmv", ".wtv", ".y4m"),
    ]
)
"""Suffixes of video files that become ``.mkv``, which can hold what they hold."""

# Files that cannot say how their images are to be turned.
_UPRIGHT: Final = (".avi",)
# FFmpeg's names of their formats; its own choice for .m4v holds less, no HEVC and no cover.
_MUXERS: Final = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
    ".avi": "avi",
}
_PARTIAL_MARK: Final = ".partial"


def is_video_name(path: PurePath) -> bool:
    """Whether `path` is named as a video is, and not hidden or left unfinished."""
    mark = path.suffixes[-2:-1] == [_PARTIAL_MARK]
    known = path.suffix.lower() in VIDEO_SUFFIXES or path.suffix.lower() in READ_ONLY_VIDEOS
    return known and not mark and not path.name.startswith(".")


def keeps_turns(path: PurePath) -> bool:
    """Whether a file of that name can say that its images are to be turned."""
    return path.suffix.lower() not in _UPRIGHT


def muxer_of(path: PurePath) -> str:
    """FFmpeg's name of the format of a file of that name, which ends in one of `VIDEO_SUFFIXES`."""
    return _MUXERS[path.suffix.lower()]


def partial_path(destination: Path) -> Path:
    """The name of what is there of a video that was stopped: ``clip.partial.mp4``."""
    return destination.with_name(f"{destination.stem}{_PARTIAL_MARK}{destination.suffix}")
