"""Writing a video: its changed frames encoded, all else copied."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from undark.io.strip import stripped_tags
from undark.io.video.coding import CODECS, pixel_format
from undark.io.video.containers import muxer_of
from undark.io.video.libav import libav
from undark.io.video.options import Transcoding
from undark.io.video.planes import Change, planes_of
from undark.io.video.preview import Preview, compose, preview_size
from undark.io.video.reader import VideoReader
from undark.io.video.streams import Companions, copy_chapters, own_tags
from undark.pixels.planes import Planes

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

__all__ = ["VideoWriter"]

# Formats whose planes are y, u and v.
_PLANAR: Final = ("yuv4", "yuvj4")
# FFmpeg's numbers of the ranges that samples may have.
_LIMITED, _FULL = 1, 2
_MPEG_4: Final = (".mp4", ".m4v", ".mov")


class _Source(Protocol):
    def get(self) -> Any: ...


class VideoWriter:
    """Encodes changed frames and copies packets, into one file.

    Args:
        part: The file to write.
        reader: Of the source.
        first: Its first frame, which says what the video is like.
        codec: A key of `CODECS`.
        options: What is to be done.
        notice: Called with a line about each stream that is left out.

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
        options: Transcoding,
        notice: Callable[[str], None],
    ) -> None:
        """Open the file and describe its streams."""
        self._av = libav()
        self._reader = reader
        self._preview: Preview | None = options.preview
        self._closed = False
        self._look(first, codec)
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
        self._file: Any = self._av.open(
            str(part), "w", format=muxer_of(part), container_options=flags
        )
        self._file.metadata.update(tags)
        options_ = options.coding.options(codec)
        stream = self._file.add_stream(CODECS[codec], rate=rate, options=options_)
        self._stream: Any = stream
        self._describe(first)
        if suffix == ".avi":
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

    def _look(self, first: VideoFrame, codec: str) -> None:
        """What frames are like, and what they are to become."""
        name = first.format.name
        depth = min(first.format.components[0].bits, 12)
        self._format = pixel_format(name, depth, CODECS[codec])
        self._is_planar = name.startswith(_PLANAR)
        # Other formats become what players take where nothing is said.
        self._matrix = int(first.colorspace) if self._is_planar else 1 if first.height >= 720 else 6
        full = first.color_range == _FULL or name.startswith("yuvj")
        self._range = _FULL if full and self._is_planar else _LIMITED
        self._size = (first.width, first.height)
        self._is_turned = abs(first.rotation) % 180 == 90
        whole = preview_size(*self._size, self._preview, turned=self._is_turned)
        # Encoders of 4:2:0 take even sizes: the last column or row is repeated where it is odd.
        self._whole = (whole[0] + whole[0] % 2, whole[1] + whole[1] % 2)

    def _describe(self, first: VideoFrame) -> None:
        """Tell the encoder and the file what the video is like."""
        video, stream = self._reader.stream, self._stream
        context = stream.codec_context
        context.width, context.height = self._whole
        context.pix_fmt = self._format
        context.time_base = stream.time_base = self._base
        context.thread_type = "AUTO"
        # Else how long the last frame is shown would be anyone's guess.
        context.flags |= self._av.codec.context.Flags.frame_duration.value
        context.color_range = self._range
        context.colorspace = self._matrix
        context.color_primaries = int(first.color_primaries)
        context.color_trc = int(first.color_trc)
        shape = video.sample_aspect_ratio
        if shape and self._preview is None:
            context.sample_aspect_ratio = shape
        stream.metadata.update(stripped_tags(own_tags(video.metadata), self._strip))
        stream.disposition = video.disposition
        matrix = _display_matrix(first)
        if matrix is not None:
            stream.set_display_matrix(matrix)

    def changed(self, frame: VideoFrame, change: Change) -> VideoFrame:
        """A new frame, `frame` as `change` makes it."""
        source = self._usual(frame)
        result: VideoFrame = self._av.VideoFrame(*self._whole, self._format)
        result.color_range = self._range
        before, after = (planes_of(item, self._matrix) for item in (source, result))
        seconds = self._reader.time(frame)
        if self._preview is None:
            # The file's frame can be a row or column larger, in colour too where it is as fine.
            pairs = ((after.y, before.y), (after.u, before.u), (after.v, before.v))
            y, u, v = (whole[: part.shape[0], : part.shape[1]] for whole, part in pairs)
            change(before, Planes(y, u, v, after.colours), time=seconds)
            for whole, part in pairs:
                _fill(whole, *part.shape)
        else:
            y, u, v = (np.empty_like(plane) for plane in (before.y, before.u, before.v))
            bright = Planes(y, u, v, after.colours)
            change(before, bright, time=seconds)
            compose(before, bright, after, self._preview, turned=self._is_turned)
        stamp = (frame.pts or 0) - round(self._reader.shift / self._reader.base)
        if self._base != self._reader.base:
            stamp = max(round(stamp * self._reader.base / self._base), self._last + 1)
        self._last = stamp
        result.pts = stamp
        result.time_base = self._base
        if frame.duration:
            result.duration = round(frame.duration * self._reader.base / self._base)
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

    def _usual(self, frame: VideoFrame) -> VideoFrame:
        """The frame in the format and size of the first."""
        size = (frame.width, frame.height)
        if size == self._size and frame.format.name.replace("yuvj", "yuv") == self._format:
            return frame
        if self._is_planar:
            return frame.reformat(*self._size, self._format)
        return frame.reformat(
            *self._size, self._format, dst_colorspace=self._matrix, dst_color_range=_LIMITED
        )


def _fill(plane: np.ndarray[Any, Any], rows: int, columns: int) -> None:
    """Repeat the last column and row where the plane is larger."""
    plane[:rows, columns:] = plane[:rows, columns - 1 : columns]
    plane[rows:] = plane[rows - 1 : rows]


def _display_matrix(frame: VideoFrame) -> list[int] | None:
    """How the frame is to be turned and mirrored for display: nine integers, or None."""
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    return None if matrix is None else np.frombuffer(bytes(matrix), np.int32).tolist()
