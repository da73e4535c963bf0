"""Films as single pictures: numbered files, animations and videos in; the first two out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from undark.errors import UnreadableError, UsageError
from undark.io.animation import ANIMATIONS, Animation, read_animation
from undark.io.containers import open_film
from undark.io.film_reader import FilmReader, Transcoding
from undark.io.formats import is_sequence_name, is_video_name, suffix_format
from undark.io.images import read_photo, write_photo
from undark.photo import Photo

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

__all__ = ["Shelf", "Still", "numbered_files", "open_shelf", "read_stills"]


@dataclass(frozen=True, slots=True, eq=False)
class Still:
    """One picture of a film.

    Attributes:
        photo: With the metadata of its own file, if it has one.
        time: Seconds from the film's begin at which it is shown.
        seconds: For so long.
        share: Of the film, up to and with this one.
        total: Pictures of the film, as far as can be told.
        number: Of its own file, if it has one, else counted from 1.
    """

    photo: Photo
    time: float
    seconds: float
    share: float
    total: int
    number: int


def read_stills(source: Path, options: Transcoding) -> Iterator[Still]:
    """The pictures of a film in their order.

    Args:
        source: A video, an animation, or a name such as ``frame%05d.png``.
        options: Which part, and how many of numbered pictures are a second's.

    Raises:
        InputError: It cannot be read.
        MissingExtraError: It is a video and PyAV is not installed.
    """
    if is_sequence_name(source):
        stills = _numbered(source, options.fps)
    elif is_video_name(source):
        stills = _film(source, options)
    else:
        stills = _animation(source)
    for still in stills:
        if options.end is not None and still.time >= options.end:
            return
        if still.time >= options.begin:
            yield still


class Shelf(Protocol):
    """Where pictures of a film are put."""

    def add(self, still: Still, photo: Photo) -> None:
        """Put `photo` in the place of `still`.

        Raises:
            OutputError: It could not be written.
        """
        ...

    def close(self) -> None:
        """Finish; all pictures are there.

        Raises:
            OutputError: It could not be written.
        """
        ...


def open_shelf(destination: Path) -> Shelf:
    """Numbered files, or an animation.

    Raises:
        UsageError: The name stands for neither.
    """
    if is_sequence_name(destination):
        if suffix_format(destination) is None:
            raise UsageError(f"{destination}: undark does not write {destination.suffix} files")
        return _Files(destination)
    if destination.suffix.lower() in ANIMATIONS:
        return _Animated(destination)
    raise UsageError(
        f"{destination}: cannot hold a film; name a video, a .gif or .webp, or numbered pictures"
        " such as frame%05d.png"
    )


def numbered_files(pattern: Path) -> list[tuple[int, Path]]:
    """The files that a name such as ``frame%05d.png`` stands for, with their numbers, in order."""
    before, after = re.split(r"%0?[0-9]*d", pattern.name, maxsplit=1)
    found: list[tuple[int, Path]] = []
    if pattern.parent.is_dir():
        for path in pattern.parent.iterdir():
            middle = path.name[len(before) : len(path.name) - len(after)]
            if middle.isdecimal() and path.name == before + middle + after:
                found.append((int(middle), path))
    return sorted(found)


def _numbered(pattern: Path, fps: float) -> Iterator[Still]:
    files = numbered_files(pattern)
    if not files:
        raise UnreadableError(f"{pattern}: there are no such pictures")
    for index, (number, path) in enumerate(files):
        done = (index + 1) / len(files)
        yield Still(read_photo(path), index / fps, 1 / fps, done, len(files), number)


def _animation(path: Path) -> Iterator[Still]:
    time = 0.0
    for index, (photo, seconds, count) in enumerate(read_animation(path)):
        yield Still(photo, time, seconds, (index + 1) / count, count, index + 1)
        time += seconds


def _film(path: Path, options: Transcoding) -> Iterator[Still]:
    with open_film(path) as film:
        reader = FilmReader(film, path, options)
        usual = 1 / float(reader.picture.average_rate or 25)
        for index, frame in enumerate(reader.frames(), start=1):
            progress = reader.progress(frame, index)
            seconds = float(frame.duration * reader.base) if frame.duration else usual
            time = reader.time(frame)
            yield Still(_upright(frame), time, seconds, progress.share, progress.total, index)


def _upright(frame: VideoFrame) -> Photo:
    deep = frame.format.components[0].bits > 8
    pixels = frame.to_ndarray(format="rgb48le" if deep else "rgb24")
    return Photo(np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90))))


class _Files:
    """Numbered files, each written whole, with the number of its still."""

    def __init__(self, pattern: Path) -> None:
        self._pattern = pattern

    def add(self, still: Still, photo: Photo) -> None:
        write_photo(photo, self._pattern.with_name(self._pattern.name % still.number))

    def close(self) -> None:
        pass


class _Animated:
    """An animation of stills."""

    def __init__(self, path: Path) -> None:
        self._animation = Animation(path)

    def add(self, still: Still, photo: Photo) -> None:
        self._animation.add(photo, still.seconds)

    def close(self) -> None:
        self._animation.close()
