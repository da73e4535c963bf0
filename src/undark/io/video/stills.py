"""Videos as single photos: numbered files, animations and videos in; the first two out."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from undark.errors import InputError, UsageError
from undark.io.formats import suffix_format
from undark.io.formats.base import check_size
from undark.io.photo import read_photo, write_photo
from undark.io.video.animation import ANIMATIONS, Animation, read_animation
from undark.io.video.containers import is_video_name
from undark.io.video.libav import open_video
from undark.io.video.options import Transcoding
from undark.io.video.reader import VideoReader
from undark.io.video.sequence import is_sequence_name, numbered_files, numbered_path
from undark.photo import Photo

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

__all__ = ["Still", "StillSink", "open_still_sink", "read_stills"]


@dataclass(frozen=True, slots=True, eq=False)
class Still:
    """One frame of a video, as a photo.

    Attributes:
        photo: With the metadata of its own file, if it has one.
        time: Seconds from the video's begin at which it is shown.
        seconds: How long it is shown.
        fraction: Of the video, up to and with this one.
        total: Frames of the video, as far as is known.
        number: Of its own file, if it has one, else counted from 1.
        plays: Times that an animation is shown; 0 is for ever.
    """

    photo: Photo
    time: float
    seconds: float
    fraction: float
    total: int
    number: int
    plays: int = 0


def read_stills(source: Path, options: Transcoding) -> Generator[Still]:
    """The frames of a video in their order.

    Args:
        source: A video, an animation, or a name such as ``frame%05d.png``.
        options: Which part, and how many of numbered images are a second's.

    Raises:
        InputError: It cannot be read.
        MissingExtraError: It is a video and PyAV is not installed.
    """
    if is_sequence_name(source):
        stills = _numbered(source, options)
    elif is_video_name(source):
        stills = _video(source, options)
    else:
        stills = _animation(source)
    for still in stills:
        if options.end is not None and still.time >= options.end:
            return
        if still.time >= options.begin:
            yield still


class StillSink(Protocol):
    """Where the frames of a video are written as photos."""

    def add(self, still: Still, photo: Photo) -> None:
        """Put `photo` in the place of `still`.

        Raises:
            OutputError: It could not be written.
        """
        ...

    def close(self) -> None:
        """Finish; all frames are there.

        Raises:
            OutputError: It could not be written.
        """
        ...


def open_still_sink(destination: Path) -> StillSink:
    """Numbered files, or an animation.

    Raises:
        UsageError: The name stands for neither.
    """
    if is_sequence_name(destination):
        if suffix_format(destination) is None:
            raise UsageError(f"{destination}: undark does not write {destination.suffix} files")
        return _NumberedFiles(destination)
    if destination.suffix.lower() in ANIMATIONS:
        return _Animated(destination)
    raise UsageError(
        f"{destination}: cannot hold a video; name a video, a .gif, .webp or .png, or numbered"
        " images such as frame%05d.png"
    )


def _numbered(pattern: Path, options: Transcoding) -> Iterator[Still]:
    files, fps = numbered_files(pattern, gaps=options.gaps), options.fps
    for index, (number, path) in enumerate(files):
        done = (index + 1) / len(files)
        yield Still(read_photo(path), index / fps, 1 / fps, done, len(files), number)


def _animation(path: Path) -> Iterator[Still]:
    time = 0.0
    for index, frame in enumerate(read_animation(path), start=1):
        done = index / frame.count
        yield Still(frame.photo, time, frame.seconds, done, frame.count, index, frame.plays)
        time += frame.shown


def _video(path: Path, options: Transcoding) -> Iterator[Still]:
    with open_video(path) as container:
        reader = VideoReader(container, path, options, upright=True, sdr=True)
        try:
            check_size(reader.stream.width, reader.stream.height)
        except InputError as error:
            raise type(error)(f"{path}: {error}", argument=error.argument) from error
        usual = 1 / float(reader.stream.average_rate or 25)
        for index, frame in enumerate(reader.frames(), start=1):
            progress = reader.progress(frame, index)
            seconds = float(frame.duration * reader.base) if frame.duration else usual
            time = reader.time(frame)
            yield Still(_photo(frame), time, seconds, progress.fraction, progress.total, index)


def _photo(frame: VideoFrame) -> Photo:
    deep = frame.format.components[0].bits > 8
    pixels = frame.to_ndarray(format="rgb48le" if deep else "rgb24")
    return Photo(np.ascontiguousarray(pixels))


class _NumberedFiles:
    """Numbered files, each written whole, with the number of its still."""

    def __init__(self, pattern: Path) -> None:
        self._pattern = pattern

    def add(self, still: Still, photo: Photo) -> None:
        write_photo(photo, numbered_path(self._pattern, still.number))

    def close(self) -> None:
        pass


class _Animated:
    """An animation of stills."""

    def __init__(self, path: Path) -> None:
        self._animation = Animation(path)

    def add(self, still: Still, photo: Photo) -> None:
        self._animation.add(photo, still.seconds, plays=still.plays)

    def close(self) -> None:
        self._animation.close()
