"""What is to be encoded of a video, and how: the same for each file that a part of it goes to."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from undark.io.strip import stripped_tags
from undark.io.video.canvas import Canvas
from undark.io.video.coding import CODECS
from undark.io.video.containers import keeps_turns
from undark.io.video.filters import display_matrix, is_turned
from undark.io.video.hardware import Hardware
from undark.io.video.libav import libav
from undark.io.video.options import Transcoding
from undark.io.video.planes import Change
from undark.io.video.reader import VideoReader
from undark.io.video.streams import own_tags
from undark.io.video.timecode import moved_tags

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

__all__ = ["Encoding"]

_MPEG_4: Final = (".mp4", ".m4v", ".mov")
# Matroska counts milliseconds, also where it is the file of each segment.
_MATROSKA: Final = Fraction(1, 1000)


class Encoding:
    """Makes decoded frames those that are encoded, and describes encoders of them.

    Args:
        destination: Of the whole.
        reader: Of the source.
        first: Its first frame, which says what the video is like.
        canvas: What frames become.
        codec: A key of `undark.io.video.coding.CODECS`.
        options: What is to be done.
        hardware: What encodes in the place of the codec's usual encoder.

    Attributes:
        base: Unit of timestamps, in seconds.
        after: Frames up to that timestamp are encoded already: they are only seen; or None.
    """

    def __init__(
        self,
        destination: Path,
        reader: VideoReader,
        first: VideoFrame,
        *,
        canvas: Canvas,
        codec: str,
        options: Transcoding,
        hardware: Hardware | None = None,
    ) -> None:
        """See how frames are timed."""
        self.destination = destination
        self.reader = reader
        self.codec = codec
        self.canvas = canvas
        self.options = options
        self._first, self._hardware = first, hardware
        video = reader.stream
        self.rate: Fraction = video.average_rate or video.guessed_rate or Fraction(30)
        # AVI knows no timestamps, only a rate.
        self.base: Fraction = reader.base
        if self._suffix == ".avi":
            self.base = 1 / self.rate
        elif self.is_for_matroska:
            self.base = _MATROSKA
        self.after: int | None = None
        self._last = -1

    @property
    def _suffix(self) -> str:
        return self.destination.suffix.lower()

    @property
    def encoder(self) -> str:
        """FFmpeg's name of what encodes the frames."""
        return CODECS[self.codec] if self._hardware is None else self._hardware.name

    @property
    def is_for_matroska(self) -> bool:
        """Whether packets are FFV1, or VP9 with transparency, which MP4 and MOV do not keep."""
        see_through = self.codec == "vp9" and self.canvas.format.startswith("yuva")
        return self.codec == "ffv1" or see_through

    def tags(self, tags: dict[str, str]) -> dict[str, str]:
        """Of those of the source's file, or of its video stream, what the result's says."""
        begin = self.reader.time(self._first) if self.options.begin > 0.0 else 0.0
        told = moved_tags(own_tags(tags), round(begin * self.rate), self.rate)
        return stripped_tags(told, self.options.strip)

    def add_to(self, file: Any) -> Any:
        """A stream of `file`, an open container, that encodes the frames."""
        options = self.options.coding.options(self.codec)
        for name, value in self.canvas.options(self.codec).items():
            options[name] = f"{options[name]}:{value}" if name in options else value
        if self._hardware is not None:
            stream = self._hardware.add_to(file, self.rate)
        else:
            stream = file.add_stream(CODECS[self.codec], rate=self.rate, options=options)
        context = stream.codec_context
        self.canvas.describe(context)
        if self._hardware is not None:
            context.pix_fmt = self._hardware.format
        context.time_base = stream.time_base = self.base
        context.thread_type = "AUTO"
        # Else how long the last frame is shown would be anyone's guess.
        context.flags |= libav().codec.context.Flags.frame_duration.value
        if self.canvas.kind.fields:
            context.field_order = self.reader.stream.codec_context.field_order
        if self._suffix == ".avi" and self.codec == "h264":
            context.max_b_frames = 0
        if self._suffix in _MPEG_4 and self.codec == "hevc":
            context.codec_tag = "hvc1"  # the name that Apple's players know
        video, first = self.reader.stream, self._first
        keeps = keeps_turns(self.destination)
        shape = video.sample_aspect_ratio
        if shape and self.options.preview is None:
            context.sample_aspect_ratio = 1 / shape if is_turned(first) and not keeps else shape
        stream.metadata.update(self.tags(video.metadata))
        stream.disposition = video.disposition
        matrix = display_matrix(first)
        if matrix is not None and keeps:
            stream.set_display_matrix(matrix)
        return stream

    def changed(self, frame: VideoFrame, change: Change) -> VideoFrame | None:
        """A new frame, `frame` as `change` makes it; None where it was only to be seen."""
        stamp = self._stamp(frame)
        result = self.canvas.changed(frame, change, self.reader.time(frame))
        if self.after is not None and stamp <= self.after:
            return None
        stamp = max(stamp, self._last + 1)
        self._last = stamp
        result.pts = stamp
        result.time_base = self.base
        result.duration = round((frame.duration or 0) * self.reader.base / self.base)
        return result

    def _stamp(self, frame: VideoFrame) -> int:
        base, shift = self.reader.base, self.reader.shift
        stamp = (frame.pts or 0) - round(shift / base)
        return stamp if self.base == base else round(stamp * base / self.base)
