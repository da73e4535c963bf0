"""FFmpeg's own filters, for frames one by one: fields made whole, frames turned upright."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from undark.io.video.libav import libav

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

__all__ = ["Deinterlacer", "Upright", "display_matrix", "is_turned", "twin"]

# How a frame must be turned clockwise, and which filters do that.
_QUARTERS: Final = {90: "clock", 270: "cclock"}


class _Filter:
    """A chain of FFmpeg's filters, as pairs of name and options, for frames that are alike."""

    def __init__(self, chain: list[tuple[str, str]], frame: VideoFrame, base: Fraction) -> None:
        graph: Any = libav().filter.Graph()
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=base
        )
        chain = [*chain, ("buffersink", "")]
        graph.link_nodes(source, *(graph.add(*item) for item in chain)).configure()
        self._graph = graph
        self._like = (frame.width, frame.height, frame.format.name)

    def is_for(self, frame: VideoFrame) -> bool:
        return (frame.width, frame.height, frame.format.name) == self._like

    def frames(self, frame: VideoFrame | None) -> Iterator[VideoFrame]:
        """What comes out after `frame` went in; None ends it."""
        av = libav()
        self._graph.vpush(frame)
        with suppress(av.error.BlockingIOError, av.error.EOFError):
            while True:
                yield self._graph.vpull()


class Deinterlacer:
    """Makes interlaced frames whole, by bwdif (Weston's filter): as many, each at its own time.

    Frames that are whole already stay as they are. Up to the first interlaced one they do not
    even pass through the filter.

    Args:
        base: Unit of the frames' timestamps, in seconds.
    """

    def __init__(self, base: Fraction) -> None:
        """Wait for an interlaced frame."""
        self._base = base
        self._filter: _Filter | None = None
        self.found: bool = False

    def frames(self, frame: VideoFrame | None) -> Iterator[VideoFrame]:
        """Frames to go on with after `frame`, which may be held back for the next; None ends."""
        if self._filter is not None and (frame is None or not self._filter.is_for(frame)):
            yield from self._timed(self._filter.frames(None))
            self._filter = None
        if frame is None:
            return
        if self._filter is None:
            if not frame.interlaced_frame:
                yield frame
                return
            self.found = True
            options = "mode=send_frame:parity=auto:deint=interlaced"
            self._filter = _Filter([("bwdif", options)], frame, self._base)
        yield from self._timed(self._filter.frames(frame))

    def _timed(self, frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
        """The frames in the unit of the source; the filter's is half of it."""
        for frame in frames:
            scale = (frame.time_base or self._base) / self._base
            if frame.pts is not None:
                frame.pts = round(frame.pts * scale)
            frame.duration = round(frame.duration * scale)
            frame.time_base = self._base
            yield frame


class Upright:
    """Turns and mirrors frames as they are to be seen, for files and screens that do not.

    Args:
        square: Make their pixels square too, which have that shape (width by height), or None.
    """

    def __init__(self, square: Fraction | None = None) -> None:
        """Wait for a frame."""
        self._square = square
        self._filter: _Filter | None = None

    def __call__(self, frame: VideoFrame) -> VideoFrame:
        """The frame as it is to be seen; itself where that is how it is."""
        chain = _turns(frame)
        if self._square not in (None, 0, 1):
            shape = self._square if not is_turned(frame) else 1 / self._square
            wide, tall = (shape, 1) if shape > 1 else (1, 1 / shape)
            chain.append(("scale", f"trunc(iw*{wide}/2+0.5)*2:trunc(ih*{tall}/2+0.5)*2"))
        if not chain:
            return frame
        if self._filter is None or not self._filter.is_for(frame):
            self._filter = _Filter(chain, frame, frame.time_base or Fraction(1))
        (found,) = self._filter.frames(frame)
        return found


def is_turned(frame: VideoFrame) -> bool:
    """Whether the frame is seen with rows for columns."""
    return abs(frame.rotation) % 180 == 90


def display_matrix(frame: VideoFrame) -> list[int] | None:
    """How the frame is to be turned and mirrored for display: nine integers, or None."""
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    return None if matrix is None else np.frombuffer(bytes(matrix), np.int32).tolist()


def _turns(frame: VideoFrame) -> list[tuple[str, str]]:
    """Filters that make a frame seen as its matrix says; as FFmpeg's program chooses them."""
    matrix = display_matrix(frame)
    if matrix is None:
        return []
    angle = -frame.rotation % 360
    if angle in _QUARTERS:
        mirrored = matrix[3] > 0 if angle == 90 else matrix[3] < 0
        other = _QUARTERS[360 - angle if angle == 90 else 90]
        return [("transpose", f"dir={other}_flip" if mirrored else f"dir={_QUARTERS[angle]}")]
    sides = (("hflip", matrix[0]), ("vflip", matrix[4])) if angle in (0, 180) else ()
    found = [(name, "") for name, scale in sides if scale < 0]
    # What vflip gives is stored from bottom to top, until it is copied.
    return [*found, ("copy", "")] if found else []


def twin(frame: VideoFrame) -> VideoFrame:
    """A frame of the same size, format and properties, which fields are among; PyAV sets none."""
    (found,) = _Filter([("copy", "")], frame, frame.time_base or Fraction(1)).frames(frame)
    return found
