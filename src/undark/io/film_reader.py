"""Reading a film: its packets to be copied and its frames to be changed, damaged or not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, get_args

from undark.errors import DamagedError, UsageError
from undark.io.containers import Coding, libav, main_picture, refuse_hdr
from undark.io.preview import Preview

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

__all__ = ["FilmReader", "Progress", "Transcoding"]

# Packets of one stream may lie this many seconds behind those of another.
_INTERLEAVED: Final = 3.0
# Reading that fails so often in a row has come to what cannot be read.
_MOST_FAILURES: Final = 200


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a film has come.

    Attributes:
        frames: Changed so far.
        share: Of the film, 0 to 1.
        total: Frames that there will be, as far as can be told; at least `frames`.
    """

    frames: int
    share: float
    total: int


@dataclass(frozen=True, slots=True)
class Transcoding:
    """What is to be done with a film but for changing its frames.

    Attributes:
        coding: How the picture is written.
        begin: Seconds from the film's begin at which the result begins.
        end: Seconds from the film's begin at which it ends, or None.
        preview: Show before and after in one picture, or None.
        fps: Of numbered pictures, which know no time.
    """

    coding: Coding = field(default_factory=Coding)
    begin: float = 0.0
    end: float | None = None
    preview: Preview | None = None
    fps: float = 25.0

    def __post_init__(self) -> None:
        """Check the part.

        Raises:
            UsageError: It is none.
        """
        if self.begin < 0.0 or (self.end is not None and self.end <= self.begin):
            raise UsageError("--from must be at least 0, and --to later than it")
        if self.preview is not None and self.preview not in get_args(Preview):
            raise UsageError(f"--preview must be side or split, not {self.preview!r}")
        if not 0.0 < self.fps < math.inf:
            raise UsageError(f"--fps must be above 0, not {self.fps:g}")


class _Sink(Protocol):
    def put(self, item: Any) -> None: ...


class FilmReader:
    """Packets to be copied and decoded frames, in the order of the file.

    Args:
        film: Open, nothing read.
        source: How it is called in errors.
        options: Which part is wanted.

    Raises:
        UnsupportedError: It shows no picture, or one that undark does not take.
        UsageError: The part begins after its end.
    """

    def __init__(self, film: InputContainer, source: Path, options: Transcoding) -> None:
        """Find the picture and the part."""
        self._av = libav()
        self.film = film
        self.source = source
        self.picture: VideoStream = main_picture(film, str(source))
        self.picture.thread_type = "AUTO"  # pyright: ignore[reportAttributeAccessIssue]
        base = self.picture.time_base
        self.base: Fraction = base or Fraction(1, 90000)
        origin = self.picture.start_time
        self._origin = float((origin or 0) * self.base)
        self.begin = options.begin
        self.end = options.end
        self._last: int | None = None
        self._bad: list[float] = []
        self._lost = 0
        self._early: list[Packet] = []
        length = _length(film, self.picture)
        self.length = min(length, self.end or length) - self.begin
        if options.begin > 0.0:
            if length and options.begin >= length:
                raise UsageError(
                    f"--from {options.begin:g} is past the end of {source} ({length:.2f} s)"
                )
            where = self.picture.start_time or 0
            film.seek(where + int(options.begin / self.base), stream=self.picture)
        self._items = self._decoded()

    def shift(self, base: Fraction) -> int:
        """What is taken from timestamps of that unit, so that a part begins at 0."""
        return round((self._origin + self.begin) / base) if self.begin > 0.0 else 0

    def first_frame(self) -> VideoFrame:
        """The first frame to be changed; packets before it are kept for later.

        Raises:
            DamagedError: There is none.
        """
        for item in self._items:
            if self.is_frame(item):
                refuse_hdr(item.color_trc, str(self.source))
                return item
            self._early.append(item)
        part = " between --from and --to" if self.begin or self.end else ""
        raise DamagedError(f"{self.source}: damaged or cut short: no frame can be read{part}")

    def is_frame(self, item: Any) -> bool:
        """Whether an item is a frame, and no packet."""
        return isinstance(item, self._av.VideoFrame)

    def frames(self) -> Iterator[VideoFrame]:
        """The frames alone."""
        yield self.first_frame()
        yield from (item for item in self._items if self.is_frame(item))

    def fill(self, channel: _Sink) -> None:
        """Put all that follows the first frame into `channel`, and None at the end."""
        for packet in self._early:
            channel.put(packet)
        self._early.clear()
        for item in self._items:
            channel.put(item)
        channel.put(None)

    def progress(self, frame: VideoFrame, frames: int) -> Progress:
        """How far the film has come with `frame`, the number `frames`."""
        done = self.time(frame) - self.begin
        share = min(max(done / self.length, 0.0), 1.0) if self.length > 0 else 0.0
        rate = float(self.picture.average_rate or 0)
        return Progress(frames, share, max(round(self.length * rate), frames))

    def time(self, frame: VideoFrame) -> float:
        """Seconds from the film's begin."""
        return float((frame.pts or 0) * self.base) - self._origin

    def damages(self) -> Iterator[str]:
        """Lines about what was passed over."""
        if self._lost:
            where = f"at {_clock(self._bad[0])}"
            if _clock(self._bad[-1]) != _clock(self._bad[0]):
                where = f"between {_clock(self._bad[0])} and {_clock(self._bad[-1])}"
            yield f"damaged {where}: {self._lost} packets passed over"

    def _decoded(self) -> Iterator[Any]:
        """Frames and packets in the part asked for."""
        ended = False
        for packet in self._packets():
            # A packet that ends a stream has no index of its own.
            if packet.stream.index == self.picture.index:
                if ended:
                    continue
                for frame in self._frames(packet):
                    time = self.time(frame)
                    if self.end is not None and time >= self.end:
                        ended = True
                        break
                    # Half a tick of grace: times are given in decimals.
                    if time >= self.begin - float(self.base) / 2:
                        yield frame
            elif packet.pts is not None or packet.dts is not None:
                time = self._packet_time(packet)
                if ended and time > (self.end or 0.0) + _INTERLEAVED:
                    return
                # A whole film keeps what comes before its first frame, as sound often does.
                is_late = self.begin == 0.0 or time >= self.begin
                if is_late and (self.end is None or time < self.end):
                    yield packet

    def _packets(self) -> Iterator[Packet]:
        failures = 0
        demuxed = self.film.demux()
        while failures < _MOST_FAILURES:
            try:
                packet = next(demuxed)
            except StopIteration:
                return
            except self._av.error.FFmpegError:
                failures += 1
                self._damaged()
                demuxed = self.film.demux()
                continue
            failures = 0
            yield packet

    def _frames(self, packet: Packet) -> Iterator[VideoFrame]:
        try:
            frames = packet.decode()
        except self._av.error.FFmpegError:
            self._damaged()
            return
        for frame in frames:
            if frame.is_corrupt:
                self._damaged()
            if frame.pts is None:
                frame.pts = 0 if self._last is None else self._last + self._tick()
            # An encoder takes no frame that does not come later than the one before.
            if self._last is not None and frame.pts <= self._last:
                continue
            self._last = frame.pts
            yield frame

    def _tick(self) -> int:
        rate = self.picture.average_rate or Fraction(30)
        return max(1, round(1 / rate / self.base))

    def _packet_time(self, packet: Packet) -> float:
        stamp = packet.pts if packet.pts is not None else packet.dts
        return float((stamp or 0) * packet.time_base) - self._origin

    def _damaged(self) -> None:
        self._lost += 1
        self._bad.append(float((self._last or 0) * self.base) - self._origin)


def _length(film: InputContainer, picture: VideoStream) -> float:
    """Seconds, or 0 where the film does not tell."""
    if picture.duration and picture.time_base:
        return float(picture.duration * picture.time_base)
    return (film.duration or 0) / 1e6


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(int(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
