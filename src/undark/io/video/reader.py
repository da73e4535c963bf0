"""Reading a video: its packets to be copied and its frames to be changed, damaged or not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from undark.errors import DamagedError, UnreadableError, UsageError
from undark.io.video.clock import Timeline
from undark.io.video.damage import Damage
from undark.io.video.feed import Feed
from undark.io.video.filters import Deinterlacer, Upright
from undark.io.video.hdr import Hdr, dolby_vision, hdr_of, shown_in_sdr
from undark.io.video.libav import libav, main_stream
from undark.io.video.options import Progress, Transcoding

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

__all__ = ["VideoReader"]

_SEE_THROUGH: Final = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
# How many seconds before a part its frames are looked for; last, from the file's begin.
_STEPS_BACK: Final = (Fraction(0), Fraction(2), Fraction(12), Fraction(10**6))
# Packets of one stream may lie this many seconds behind those of another.
_INTERLEAVED: Final = 3.0
# Seconds between frames that are not in order; the unit of Matroska.
_LEAST: Final = Fraction(1, 1000)
# Reading that fails so often in a row has come to what cannot be read.
_MOST_FAILURES: Final = 200


class _Channel(Protocol):
    def put(self, item: Any) -> None: ...


class VideoReader:
    """Packets to be copied and decoded frames, in the order of the file.

    Args:
        container: Open, nothing read.
        source: What to call it in errors.
        options: Which part is wanted.
        upright: Turn frames as they are to be seen.
        sdr: Bring frames of HDR within the range of SDR.
        resume: Seconds from the video's begin before which frames are passed over, though they
            belong to the part.

    Attributes:
        hdr: What makes it HDR, once the first frame is read.
        dolby: Profile of its Dolby Vision, and the number of what its base layer fits.
        covers: Content of the file's cover images, by stream, once the first frame is read.

    Raises:
        UnsupportedError: It shows no video, or one that undark does not take, as the kind of
            Dolby Vision that has colours of its own.
        UsageError: The part begins after its end.
    """

    def __init__(
        self,
        container: InputContainer,
        source: Path | Feed,
        options: Transcoding,
        *,
        upright: bool = False,
        sdr: bool = False,
        resume: float = 0.0,
    ) -> None:
        """Find the video stream and the part."""
        self._av = libav()
        self.container = container
        self.source: str = str(source)
        self.stream: VideoStream = main_stream(container, str(source))
        self.dolby: tuple[int, int] | None = dolby_vision(self.stream, self.source)
        self.hdr: Hdr | None = None
        self._sdr, self._deep = sdr, options.sdr
        self._resume = max(options.begin, resume)
        self.stream.thread_type = "AUTO"  # pyright: ignore[reportAttributeAccessIssue]
        base = self.stream.time_base
        self.base: Fraction = base or Fraction(1, 90000)
        self._timeline = Timeline(container)
        start = (self.stream.start_time or 0) * self.base
        # Of the first frame, in seconds from where the file's streams begin.
        self._origin = float(start - self._timeline.begin)
        self.begin: float = options.begin
        self.end: float | None = options.end
        self._last: int | None = None
        self._least = max(1, round(_LEAST / self.base))
        self._damage = Damage()
        self._early: list[Packet[Any]] = []
        # A stream that ends in the middle of nothing.
        self._stalls = (self._av.error.ExitError, self._av.error.TimeoutError)
        self.stalled: bool = False
        self.covers: dict[int, bytes] = {}
        length = _length(container, self.stream)
        self.length: float = min(length, self.end or length) - self.begin
        if 0.0 < length <= options.begin:
            raise UsageError(
                f"{source}: ends at {length:.2f} s, before the begin of the part,"
                f" {options.begin:g} s",
                argument="begin",
            )
        # A broadcast may jump in time, which only reading it shows.
        where = options.begin if self._timeline.is_clock else self._resume
        if where > 0.0:
            self._seek(where)
        self._fields = None if options.keep_interlaced else Deinterlacer(self.base)
        self._turned: Callable[[VideoFrame], VideoFrame] = Upright() if upright else _same
        self._decoder = self._decoder_of(self.stream)
        # AVI knows no times but those of decoding, and FFmpeg's guess at others is a frame late.
        self._is_untimed = container.format.name == "avi"
        picture = self._av.stream.Disposition.attached_pic
        self._pictures = {item.index for item in container.streams if item.disposition & picture}
        self._items = self._decoded()

    @property
    def shift(self) -> Fraction:
        """Seconds that are taken from timestamps, so that a part begins at 0."""
        if self.begin <= 0.0:
            return Fraction(0)
        return Fraction(self._origin) + Fraction(self.begin)

    def first_frame(self) -> VideoFrame:
        """The first frame to be changed; packets before it are kept for later.

        Raises:
            DamagedError: There is none.
        """
        for item in self._items:
            if self.is_frame(item):
                return item
            self._early.append(item)
        if self.stalled:
            raise UnreadableError(f"{self.source}: cannot be read: nothing came for a while")
        part = " in the part asked for" if self.begin or self.end else ""
        raise DamagedError(f"{self.source}: is damaged or truncated: no frame can be read{part}")

    def is_frame(self, item: Any) -> bool:
        """Whether an item is a frame, and no packet."""
        return isinstance(item, self._av.VideoFrame)

    def companions(self, until: float | None = None) -> Iterator[Packet[Any]]:
        """All packets but those of the video, in the part asked for; nothing is decoded.

        Args:
            until: Seconds from the video's begin after which no more are wanted, or None.
        """
        end = min((time for time in (self.end, until) if time is not None), default=None)
        for packet in self._packets():
            self._timeline.place(packet)
            index = packet.stream.index
            if index == self.stream.index or index in self._pictures:
                continue
            if packet.pts is None and packet.dts is None:
                continue
            time = self._packet_time(packet)
            if end is not None and time > end + _INTERLEAVED:
                return
            if (self.begin == 0.0 or time >= self.begin) and (end is None or time < end):
                yield packet

    def frames(self) -> Iterator[VideoFrame]:
        """The frames alone."""
        yield self.first_frame()
        yield from (item for item in self._items if self.is_frame(item))

    def fill(self, channel: _Channel) -> None:
        """Put all that follows the first frame into `channel`, and None at the end."""
        for packet in self._early:
            channel.put(packet)
        self._early.clear()
        for item in self._items:
            channel.put(item)
        channel.put(None)

    def _seek(self, seconds: float) -> None:
        """Go to where decoding must begin so that the first frame of the part is there.

        Where a file has no index, a search can end after the frame from which that one depends.
        """
        begin = round((Fraction(seconds) + Fraction(self._origin)) / self.base)
        begin += round(self._timeline.begin / self.base)
        where = begin
        try:
            self.container.seek(where, stream=self.stream)
        except (self._av.error.FFmpegError, ValueError):
            return  # it can only be read on: what comes before the part is passed over
        for back in _STEPS_BACK:
            where = begin - round(back / self.base)
            self.container.seek(where, stream=self.stream)
            frame = next(self._shown(), None)
            if frame is not None and frame.pts is not None and frame.pts <= begin:
                break
        self.container.seek(where, stream=self.stream)

    def _shown(self) -> Iterator[VideoFrame]:
        """Frames from here on, with the file's own timestamps."""
        for packet in self._packets():
            if packet.stream.index == self.stream.index:
                with contextlib.suppress(self._av.error.FFmpegError):
                    yield from packet.decode()

    def progress(self, frame: VideoFrame, frames: int) -> Progress:
        """How far the video has come with `frame`, the number `frames`."""
        done = self.time(frame) - self.begin
        fraction = min(max(done / self.length, 0.0), 1.0) if self.length > 0 else 0.0
        rate = float(self.stream.average_rate or 0)
        return Progress(frames, fraction, max(round(self.length * rate), frames))

    def time(self, frame: VideoFrame) -> float:
        """Seconds from the video's begin."""
        return float((frame.pts or 0) * self.base) - self._origin

    def damages(self) -> Iterator[str]:
        """Notices about what was passed over."""
        return self._damage.lines()

    @property
    def is_deinterlaced(self) -> bool:
        """Whether interlaced frames were made whole."""
        return self._fields is not None and self._fields.found

    def _decoded(self) -> Iterator[Any]:
        """Frames and packets in the part asked for."""
        ended = False
        for packet in self._packets():
            self._timeline.place(packet)
            # A packet that ends a stream has no index of its own.
            if packet.stream.index in self._pictures:
                if packet.size:
                    self.covers[packet.stream.index] = bytes(packet)
            elif packet.stream.index == self.stream.index:
                if ended:
                    continue
                for frame in self._whole(packet):
                    time = self.time(frame)
                    if self.end is not None and time >= self.end:
                        ended = True
                        break
                    # A whole video keeps what comes before it is said to begin, as a camera's
                    # stream may. Half a tick of grace: times are given in decimals.
                    if self._resume == 0.0 or time >= self._resume - float(self.base) / 2:
                        yield frame
            elif packet.pts is not None or packet.dts is not None:
                time = self._packet_time(packet)
                if ended and time > (self.end or 0.0) + _INTERLEAVED:
                    return
                # A whole video keeps what comes before its first frame, as sound often does.
                is_late = self.begin == 0.0 or time >= self.begin
                if is_late and (self.end is None or time < self.end):
                    yield packet

    def _packets(self) -> Iterator[Packet[Any]]:
        failures = 0
        demuxed = self.container.demux()
        while failures < _MOST_FAILURES:
            try:
                packet = next(demuxed)
            except StopIteration:
                return
            except self._stalls:
                self.stalled = True
                return
            except self._av.error.FFmpegError:
                failures += 1
                self._damaged()
                demuxed = self.container.demux()
                continue
            failures = 0
            yield packet

    def _decoder_of(self, stream: VideoStream) -> Any:
        """What decodes a stream: FFmpeg's own decoders of VP8 and VP9 know no transparency."""
        name = _SEE_THROUGH.get(stream.codec_context.name)
        if name is None or stream.metadata.get("alpha_mode") != "1":
            return stream.codec_context
        try:
            return self._av.CodecContext.create(name, "r")
        except (ValueError, self._av.error.FFmpegError):
            return stream.codec_context

    def _whole(self, packet: Packet[Any]) -> Iterator[VideoFrame]:
        """The frames of a packet, without fields unless they are to be kept."""
        turned = self._seen
        for frame in self._frames(packet):
            if self._fields is None:
                yield turned(frame)
            else:
                yield from map(turned, self._fields.frames(frame))
        if not packet.size and self._fields is not None:
            yield from map(turned, self._fields.frames(None))

    def _seen(self, frame: VideoFrame) -> VideoFrame:
        """The frame upright and in SDR, where that is wanted."""
        frame = self._turned(frame)
        if self.hdr is None:
            self.hdr = hdr_of(frame, self.dolby)
        if not self._sdr or self.hdr is None:
            return frame
        # What becomes brighter later shows what 8 bits have lost.
        return shown_in_sdr(frame, self.hdr, deep=self._deep)

    def _frames(self, packet: Packet[Any]) -> Iterator[VideoFrame]:
        self._damage.sent += packet.size > 0
        if self._is_untimed:
            packet.pts = None
        try:
            frames: list[VideoFrame] = self._decoder.decode(packet if packet.size else None)
        except self._av.error.FFmpegError:
            self._damage.failures += 1
            self._damaged()
            return
        for frame in frames:
            self._damage.got += 1
            if frame.is_corrupt:
                self._damage.hurt += 1
                self._damaged()
            if frame.pts is None:
                frame.pts = self._guessed(frame)
            # An encoder takes no frame that does not come later than the one before. Where
            # timestamps repeat or go back a little, frames move closer and none is lost.
            if self._last is not None and frame.pts <= self._last:
                frame.pts = self._last + self._least
            self._last = frame.pts
            yield frame

    def _guessed(self, frame: VideoFrame) -> int:
        """When a frame without a timestamp is shown."""
        stamp = frame.dts
        if self._last is None:
            return stamp or 0
        return self._last + self._tick() if stamp is None or stamp <= self._last else stamp

    def _tick(self) -> int:
        rate = self.stream.average_rate or Fraction(30)
        return max(1, round(1 / rate / self.base))

    def _packet_time(self, packet: Packet[Any]) -> float:
        stamp = packet.pts if packet.pts is not None else packet.dts
        return float((stamp or 0) * packet.time_base) - self._origin

    def _damaged(self) -> None:
        self._damage.at(float((self._last or 0) * self.base) - self._origin)


def _same(frame: VideoFrame) -> VideoFrame:
    return frame


def _length(container: InputContainer, stream: VideoStream) -> float:
    """Seconds, or 0 where the file does not tell."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / 1e6
