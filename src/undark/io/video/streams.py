"""What a video's file holds beside its video stream: copied as it is, where the target can."""

from __future__ import annotations

import contextlib
import errno
import io
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, cast

from undark.io.strip import stripped_tags
from undark.io.video import aac
from undark.io.video.convert import Converter, converter_for
from undark.io.video.libav import libav

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.container.core import Chapter
    from av.packet import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream

__all__ = ["Companions", "copy_chapters", "own_tags"]

# What a muxer writes by itself, from what it really writes.
_OWN_TAGS: Final = frozenset({"encoder", "major_brand", "minor_version", "compatible_brands"})
# Pictures that a file holds as its cover, and what they are called as attachments.
_COVERS: Final = {"mjpeg": ("cover.jpg", "image/jpeg"), "png": ("cover.png", "image/png")}
# Seconds that an encoder of sound puts before the first image.
_SHORT: Final = 0.04
_MATROSKA: Final = "matroska"
_MP4: Final = "mp4"


class Companions:
    """All streams of a file but the one that is changed, on their way to another file.

    What the target can hold is copied packet by packet; sound and subtitles that it cannot are
    converted; a notice names what is converted or left out. Timecodes and chapters of MOV have
    tracks of their own, which the muxer makes by itself.

    Args:
        source: Open.
        target: Open, nothing written.
        video: The stream of `source` that is changed.
        notice: Called with a line about each stream that does not stay as it is.
        covers: Content of the cover images, by index in `source`.
        strip: What is left out of the metadata; see :func:`undark.io.strip.stripped`.
    """

    def __init__(
        self,
        source: InputContainer,
        target: OutputContainer,
        video: VideoStream,
        notice: Callable[[str], None],
        *,
        covers: Mapping[int, bytes],
        strip: str | None = None,
    ) -> None:
        """Make the streams of the target."""
        self._av = libav()
        self._source: Any = source
        self._target: Any = target
        self._notice = notice
        self._strip = strip
        self._kind = target.format.name
        self._ways: dict[int, Stream | Converter] = {}
        self._last: dict[int, int] = {}
        self._refused: set[int] = set()
        self._headed: dict[int, bool] = {}
        self._covers: list[tuple[Stream, bytes]] = []
        for stream in source.streams:
            if stream.index == video.index or self._is_made(stream):
                continue
            if strip and stream.type == "data":
                notice(f"its data stream {stream.index} is left out: it may hold the place")
            elif stream.index in covers:
                self._add_cover(stream, covers[stream.index])
            else:
                self._add(stream)

    def _is_made(self, stream: Stream) -> bool:
        """Whether the target's muxer makes such a track by itself."""
        if stream.type != "data":
            return False
        return "timecode" in stream.metadata or stream.discard == self._av.stream.Discard.all

    def _add(self, stream: Stream) -> None:
        for add in (_add_copy, _add_tagged):
            if self._is_possible(add, stream):
                way = add(self._target, stream, self._strip)
                if way is not None:
                    self._ways[stream.index] = way
                    self._set_rate(way, stream)
                    self._set_aac(way, stream)
                if stream.type == "video":
                    self._notice(f"its video stream {stream.index} is copied as it is, still dark")
                return
        converter = converter_for(stream, self._target)
        if converter is not None:
            self._ways[stream.index] = converter
            self._describe(converter.stream, stream)
            self._notice(
                f"its {stream.type} stream {stream.index} ({_codec(stream)}) becomes"
                f" {converter.codec}, which a {self._kind} file can hold"
            )
            return
        self._notice(
            f"its {stream.type} stream {stream.index} ({_codec(stream)}) is left out:"
            f" a {self._kind} file cannot hold it"
        )

    def _is_possible(self, add: Callable[..., Stream | None], stream: Stream) -> bool:
        """Whether a file such as the target can hold `stream`, added by `add`."""
        trial: Any = self._av.open(io.BytesIO(), "w", format=self._kind)
        try:
            with contextlib.closing(trial):
                add(trial, stream, None)
                trial.start_encoding()
        except (ValueError, self._av.error.FFmpegError):
            return False
        return True

    def _set_rate(self, copy: Any, stream: Any) -> None:
        """Tell AVI, which times blocks of ADPCM by bits a second, what these take."""
        if self._kind != "avi" or not _codec(stream).startswith("adpcm"):
            return
        entries = stream.index_entries
        if len(entries) > 1 and stream.time_base:
            size = entries[0].size
            step = entries[1].timestamp - entries[0].timestamp
            # The index of an AVI counts bytes, and its unit of time is a block.
            step = 1 if step == size else step
            copy.codec_context.bit_rate = round(8 * size / (max(step, 1) * stream.time_base))

    def _set_aac(self, copy: Any, stream: Any) -> None:
        is_sound = stream.type == "audio" and stream.codec_context is not None
        if self._kind == _MATROSKA and is_sound:
            self._headed[stream.index] = aac.describe(copy.codec_context, stream.codec_context)

    def _add_cover(self, stream: Stream, content: bytes) -> None:
        codec = _codec(stream)
        if self._kind == _MATROSKA and codec in _COVERS:
            self._target.add_attachment(*_COVERS[codec], content)
        elif self._kind == _MP4 and self._is_possible(_add_copy, stream):
            way = _add_copy(self._target, stream, self._strip)
            assert way is not None
            self._covers.append((way, content))
        else:
            self._notice(
                f"its cover image is left out: a {self._kind} file cannot hold one ({codec})"
            )

    def _describe(self, copy: Stream, stream: Stream) -> None:
        copy.metadata.update(stripped_tags(own_tags(stream.metadata), self._strip))
        copy.disposition = stream.disposition

    def write(self, packet: Packet[Any], shift: Fraction) -> None:
        """Write a packet of the source, `shift` seconds earlier than it says."""
        index = packet.stream.index
        way = self._ways.get(index)
        if way is None:
            return
        self._put_covers()
        moved = round(shift / packet.time_base)
        if packet.pts is not None:
            packet.pts -= moved
        packet.dts = packet.pts if packet.dts is None else packet.dts - moved
        try:
            if isinstance(way, Converter):
                self._mux(index, way.stream, way.convert(packet))
            else:
                if self._headed.get(index):
                    packet = aac.without_header(packet)
                self._mux(index, way, [packet])
        except self._av.error.FFmpegError as error:
            if error.errno != errno.EINVAL and not isinstance(
                error, self._av.error.InvalidDataError
            ):
                raise
            if index not in self._refused:
                self._refused.add(index)
                kind = self._source.streams[index].type
                self._notice(f"damaged: packets of its {kind} stream {index} are passed over")

    def finish(self) -> None:
        """Write what converters still hold."""
        self._put_covers()
        for index, way in self._ways.items():
            if isinstance(way, Converter):
                self._mux(index, way.stream, way.convert(None))

    def _put_covers(self) -> None:
        while self._covers:
            stream, content = self._covers.pop()
            packet: Any = self._av.Packet(content)
            packet.stream, packet.time_base = stream, Fraction(1, 1000)
            packet.pts = packet.dts = 0
            packet.is_keyframe = True
            self._target.mux(packet)

    def _mux(self, index: int, stream: Stream, packets: Iterable[Packet[Any]]) -> None:
        """Write packets, each later than the one before, as muxers want it."""
        base = stream.time_base
        for packet in packets:
            packet.stream = stream
            if base and packet.dts is not None and packet.time_base:
                packet.rescale_ts(self._av.rational.AVRational(base.numerator, base.denominator))
                last = self._last.get(index)
                # AVI counts images from 0, and would move all of them for what sound has before.
                if self._kind == "avi" and -_SHORT < packet.dts * packet.time_base < 0:
                    packet.dts = 0
                # Rounded to coarser units, or from the start, two packets can have one time.
                if last is not None and packet.dts <= last:
                    packet.dts = last + 1
                packet.pts = packet.dts if packet.pts is None else max(packet.pts, packet.dts)
                self._last[index] = packet.dts
            self._target.mux(packet)


def _codec(stream: Stream) -> str:
    return stream.codec_context.name if stream.codec_context else "unknown"


def _add_copy(target: Any, stream: Any, strip: str | None) -> Stream | None:
    """A stream of `target` for packets of `stream`; None for what has none."""
    if stream.type == "attachment":
        name = stream.name or stream.metadata.get("filename", "attachment")
        target.add_attachment(name, stream.mimetype or "application/octet-stream", stream.data)
        return None
    copy = target.add_stream_from_template(stream, opaque=True)
    copy.time_base = stream.time_base
    copy.metadata.update(stripped_tags(stream.metadata, strip))
    copy.disposition = stream.disposition
    return copy


def _add_tagged(target: Any, stream: Any, strip: str | None) -> Stream | None:
    """As `_add_copy`, for sound that Matroska holds by the number that Windows gave its codec.

    FFmpeg writes it, but says beforehand that it does not. So the stream is made for another
    codec, of which it is certain, and then described by that of the source.
    """
    if target.format.name != _MATROSKA or stream.type != "audio" or not stream.codec_context:
        raise ValueError("only Matroska holds what is no codec of its own")
    av = libav()
    with av.open(io.BytesIO(), "w", format="wav") as model:
        copy = target.add_stream_from_template(
            model.add_stream("pcm_s16le", rate=48000), opaque=True
        )
    av.bitstream.BitStreamFilterContext("null", in_stream=stream, out_stream=copy)
    copy.codec_context.codec_tag = "\0" * 4  # the number is the muxer's to find
    copy.time_base = stream.time_base
    copy.metadata.update(stripped_tags(stream.metadata, strip))
    copy.disposition = stream.disposition
    return copy


def copy_chapters(
    source: InputContainer, target: OutputContainer, begin: float, end: float
) -> None:
    """The chapters that lie between `begin` and `end`, in seconds, of which `begin` becomes 0."""
    chapters: list[Chapter] = []
    for chapter in source.chapters():
        base = chapter["time_base"] or Fraction(1, 1000)
        start, stop = (max(float(chapter[key] * base), begin) for key in ("start", "end"))
        stop = min(stop, end)
        if start < stop:
            times = {"start": round((start - begin) / base), "end": round((stop - begin) / base)}
            chapters.append(cast("Chapter", {**chapter, **times}))
    target.set_chapters(chapters)


def own_tags(tags: dict[str, str]) -> dict[str, str]:
    """Tags without those that describe the file that they stood in."""
    return {key: value for key, value in tags.items() if key.lower() not in _OWN_TAGS}
