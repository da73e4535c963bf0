"""PyAV and what it opens: the library itself, a source, and the stream that shows its video."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from undark.errors import (
    DamagedError,
    InputError,
    MissingExtraError,
    UnreadableError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

__all__ = ["libav", "main_stream", "open_video"]

_LIST: Final = b"ffconcat"
"""How FFmpeg's lists of files begin, whatever they are called."""


def libav() -> ModuleType:
    """PyAV, quiet.

    Raises:
        MissingExtraError: It is not installed.
    """
    # SVT-AV1 writes on stderr by itself.
    os.environ.setdefault("SVT_LOG", "0")
    try:
        import av
        import av.error  # pyright: ignore[reportUnusedImport]
        import av.logging
    except ImportError as error:
        raise MissingExtraError("video files", "video") from error
    logging.getLogger("av").addHandler(logging.NullHandler())
    logging.getLogger("libav").addHandler(logging.NullHandler())
    av.logging.set_level(None)
    return av


def open_video(source: str | Path, *, file: Any = None, **options: Any) -> InputContainer:
    """A video, or anything that FFmpeg opens, for reading.

    Args:
        source: A file, or a URL or device by name.
        file: What to read in its place: an open binary file.
        options: As `av.open` takes them.

    Raises:
        InputError: It is missing, empty, damaged or of a kind that undark does not take.
        MissingExtraError: PyAV is not installed.
    """
    av = libav()
    try:
        if isinstance(source, Path) and file is None:
            if source.is_dir():
                raise UnreadableError(f"{source}: is a folder, not a video")
            if source.exists() and source.stat().st_size == 0:
                raise DamagedError(f"{source}: is empty")
            if source.is_file():
                with source.open("rb") as head:
                    if head.read(len(_LIST)) == _LIST:  # FFmpeg would read what it names
                        raise UnsupportedError(f"{source}: is a list of other files, and no video")
        # Tags in odd encodings must not keep a video from being seen.
        place = str(source) if file is None else file
        return av.open(place, metadata_errors="replace", **options)
    except InputError:
        raise
    except FileNotFoundError as error:
        raise UnreadableError(f"{source}: cannot be read: there is no such file") from error
    except PermissionError as error:
        raise UnreadableError(f"{source}: cannot be read: no permission to read it") from error
    except (av.error.InvalidDataError, av.error.EOFError) as error:
        raise DamagedError(f"{source}: is not a video, or is damaged or truncated") from error
    except (av.error.ExitError, av.error.TimeoutError) as error:
        raise UnreadableError(f"{source}: cannot be read: nothing came for a while") from error
    except av.error.FFmpegError as error:
        raise UnreadableError(f"{source}: cannot be read: {error.strerror or error}") from error


def main_stream(container: InputContainer, name: str) -> VideoStream:
    """The stream that shows the video; a cover image is none.

    Args:
        container: Open.
        name: What to call it in errors.

    Raises:
        UnsupportedError: There is none, or its codec is not known here.
    """
    from av.stream import Disposition

    av = libav()
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        what = "only a cover image and sound" if container.streams.video else "no video stream"
        raise UnsupportedError(f"{name}: holds {what}; undark needs a video")
    best = container.streams.best("video")
    stream = next((item for item in streams if item is best), streams[0])
    # PyAV gives None for a codec that it does not know, whatever its types say.
    if stream.codec_context is None:  # pyright: ignore[reportUnnecessaryComparison]
        raise UnsupportedError(
            f"{name}: its video codec is not known to this PyAV {av.__version__}"
        )
    return stream
