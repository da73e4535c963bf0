"""Writing a video: its changed frames encoded, all else copied."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol

from undark.io.strip import stripped_tags
from undark.io.video.canvas import Canvas
from undark.io.video.coding import CODECS
from undark.io.video.containers import keeps_turns, muxer_of
from undark.io.video.filters import display_matrix, is_turned
from undark.io.video.libav import libav
from undark.io.video.options import Transcoding
from undark.io.video.planes import Change
from undark.io.video.reader import VideoReader
from undark.io.video.streams import Companions, copy_chapters, own_tags

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

__all__ = ["VideoWriter"]

_MPEG_4: Final = (".mp4", ".m4v", ".mov")


class _Source(Protocol):
    def get(self) -> Any: ...


class _OneWay:
    """A pipe: FFmpeg must not seek in it, whatever it is led to."""

    def __init__(self, pipe: BinaryIO) -> None:
        self.write = pipe.write
        self.flush = pipe.flush


class VideoWriter:
    """Encodes changed frames and copies packets, into one file.

    Args:
        part: The file to write.
        reader: Of the source.
        first: Its first frame, which says what the video is like.
        codec: A key of `CODECS`.
        canvas: What frames become.
        options: What is to be done.
        notice: Called with a line about each stream that is left out.
        pipe: What to write to in the file's place.

    Raises:
        OSError: The file cannot be written.
    """

    def __init__(
        self,
        part: Path,
        reader: VideoReader,
        first: VideoFrame,
        *,
        codec: str,
        canvas: Canvas,
        options: Transcoding,
        notice: Callable[[str], None],
        pipe: BinaryIO | None = None,
    ) -> None:
        """Open the file and describe its streams."""
        self._av = libav()
        self._reader = reader
        self._is_preview = options.preview is not None
        self._closed = False
        self._path = part
        self._canvas = canvas
        video = reader.stream
        rate = video.average_rate or video.guessed_rate or Fraction(30)
        suffix = part.suffix.lower()
        # AVI knows no timestamps, only a rate.
        self._base = 1 / rate if suffix == ".avi" else reader.base
        self._last = -1
        self._strip = options.strip
        tags = stripped_tags(own_tags(reader.container.metadata), options.strip)
        # Phones' own tags need this to be kept; others are better off without.
        keep = suffix in _MPEG_4 and any("." in key for key in tags)
        flags = {"movflags": "use_metadata_tags"} if keep else {}
        place, form = (str(part), muxer_of(part)) if pipe is None else (_OneWay(pipe), "matroska")
        self._file: Any = self._av.open(place, "w", format=form, container_options=flags)
        self._file.metadata.update(tags)
        options_ = options.coding.options(codec)
        for name, value in canvas.options(codec).items():
            options_[name] = f"{options_[name]}:{value}" if name in options_ else value
        stream = self._file.add_stream(CODECS[codec], rate=rate, options=options_)
        self._stream: Any = stream
        self._describe(first)
        if suffix == ".avi" and codec == "h264":
            stream.codec_context.max_b_frames = 0
        if suffix in _MPEG_4 and codec == "hevc":
            stream.codec_context.codec_tag = "hvc1"  # the name that Apple's players know
        self._others = Companions(
            reader.container,
            self._file,
            video,
            notice,
            covers=reader.covers,
            strip=options.strip,
        )
        end = float("inf") if options.end is None else options.end
        if options.strip != "all":
            copy_chapters(reader.container, self._file, options.begin, end)
        self._file.start_encoding()

    def _describe(self, first: VideoFrame) -> None:
        """Tell the encoder and the file what the video is like."""
        video, stream = self._reader.stream, self._stream
        context = stream.codec_context
        self._canvas.describe(context)
        context.time_base = stream.time_base = self._base
        context.thread_type = "AUTO"
        if self._canvas.kind.fields:
            context.field_order = self._reader.stream.codec_context.field_order
        # Else how long the last frame is shown would be anyone's guess.
        context.flags |= self._av.codec.context.Flags.frame_duration.value
        shape = video.sample_aspect_ratio
        if shape and is_turned(first) and not keeps_turns(self._path):
            shape = 1 / shape
        if shape and not self._is_preview:
            context.sample_aspect_ratio = shape
        stream.metadata.update(stripped_tags(own_tags(video.metadata), self._strip))
        stream.disposition = video.disposition
        matrix = display_matrix(first)
        if matrix is not None and keeps_turns(self._path):
            stream.set_display_matrix(matrix)

    def changed(self, frame: VideoFrame, change: Change) -> VideoFrame:
        """A new frame, `frame` as `change` makes it."""
        result = self._canvas.changed(frame, change, self._reader.time(frame))
        stamp = (frame.pts or 0) - round(self._reader.shift / self._reader.base)
        if self._base != self._reader.base:
            stamp = max(round(stamp * self._reader.base / self._base), self._last + 1)
        self._last = stamp
        result.pts = stamp
        result.time_base = self._base
        result.duration = round((frame.duration or 0) * self._reader.base / self._base)
        return result

    def drain(self, channel: _Source) -> None:
        """Write what comes through `channel` until None, then bring the file to its end."""
        item = channel.get()
        while item is not None:
            if isinstance(item, self._av.VideoFrame):
                self._file.mux(self._stream.encode(item))
            else:
                self._others.write(item, self._reader.shift)
            item = channel.get()
        self.close()

    def close(self) -> None:
        """Bring the file to its end: what is written so far can be played.

        Raises:
            OSError: It cannot be written.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self._file.mux(self._stream.encode(None))
            self._others.finish()
        finally:
            self._file.close()
