"""Videos that are no files with a video's name: URLs, pipes, and files named otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from undark.errors import DamagedError, UndarkError, UnsupportedError
from undark.io.formats import READABLE_SUFFIXES
from undark.io.formats.sniff import sniff
from undark.io.video.containers import READ_ONLY_VIDEOS, VIDEO_SUFFIXES
from undark.io.video.held import Held
from undark.io.video.libav import main_stream, open_video
from undark.io.video.network import open_url

if TYPE_CHECKING:
    from av.container import InputContainer

__all__ = [
    "Feed",
    "head_of",
    "is_url",
    "seekable",
    "shows_video",
]

# What FFmpeg takes for videos though nobody else would.
_NONE: Final = ("tty", "image2", "lrc")
_STILL: Final = "_pipe"
_HEAD: Final = 64


@dataclass(frozen=True, slots=True, eq=False)
class Feed:
    """A video that is read once, as it comes.

    Attributes:
        name: A URL, or what a pipe is called in messages.
        file: The pipe, open.
    """

    name: str
    file: BinaryIO | None = None

    def __str__(self) -> str:
        """Its name."""
        return self.name

    def open(self) -> InputContainer:
        """Begin to read.

        Raises:
            InputError: It cannot be read.
        """
        if self.file is not None:
            return open_video(self.name, file=seekable(self.file))
        return open_url(self.name)


def head_of(pipe: BinaryIO) -> bytes:
    """The first bytes of what comes through `pipe`, which stay in it; none where it has no way."""
    if pipe.seekable():
        at = pipe.tell()
        head = pipe.read(_HEAD)
        pipe.seek(at)
        return head
    peek: Callable[[int], bytes] | None = getattr(pipe, "peek", None)
    return b"" if peek is None else peek(_HEAD)[:_HEAD]


def seekable(pipe: BinaryIO) -> BinaryIO | Held:
    """The pipe; or, where an MP4 comes through it, whose index may be at its end, all of it."""
    if pipe.seekable() or head_of(pipe)[4:8] != b"ftyp":
        return pipe
    return Held(pipe)


def is_url(text: str) -> bool:
    """Whether this is a URL, and no file's name."""
    return "://" in text and not Path(text).exists()


def shows_video(path: Path) -> bool:
    """Whether a file whose name says nothing is a video by its content."""
    known = (VIDEO_SUFFIXES, READ_ONLY_VIDEOS, READABLE_SUFFIXES, ".undark-part")
    if any(path.suffix.lower() in names for names in known if path.suffix):
        return False
    try:
        if not path.is_file():
            return False
        found = path.stat()
    except OSError:
        return False
    return _shows_video(path, found.st_size, found.st_mtime_ns)


@lru_cache
def _shows_video(path: Path, _size: int, _time: int) -> bool:
    try:
        with path.open("rb") as file:
            sniff(file, path.suffix.lower())
    except (DamagedError, UnsupportedError):
        pass
    except OSError:
        return False
    else:
        return False
    try:
        with open_video(path) as container:
            name = container.format.name
            main_stream(container, str(path))
            return name not in _NONE and not name.endswith(_STILL)
    except (UndarkError, OSError):
        return False
