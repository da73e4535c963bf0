"""Sound and subtitles for a file that cannot hold them as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from undark.io.video.libav import libav

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.packet import Packet
    from av.stream import Stream

__all__ = ["Converter", "converter_for"]

# What sound and subtitles become, by the name of the file's format.
_SOUND: Final = {"webm": "libopus", "avi": "libmp3lame", "matroska": "flac"}
_USUAL_SOUND: Final = "aac"
_TEXT: Final = {
    "webm": "webvtt",
    "matroska": "subrip",
    "mp4": "mov_text",
    "mov": "mov_text",
}
# Rates that Opus knows; sound of all others becomes the first.
_OPUS_RATES: Final = (48000, 24000, 16000, 12000, 8000)
# What encoders know, by the number of channels.
_LAYOUTS: Final = {1: "mono", 2: "stereo", 3: "3.0", 5: "5.0", 6: "5.1", 8: "7.1"}
_PER_CHANNEL: Final = 96_000
_NAMES: Final = {
    "libopus": "Opus",
    "libmp3lame": "MP3",
    "aac": "AAC",
    "flac": "FLAC",
    "subrip": "SRT",
    "webvtt": "WebVTT",
}


@runtime_checkable
class Converter(Protocol):
    """Packets of a stream of the source made to those of a stream of the target.

    Attributes:
        stream: Of the target.
        codec: What its packets are, for a person.
    """

    stream: Stream
    codec: str

    def convert(self, packet: Packet[Any] | None) -> list[Packet[Any]]:
        """What a packet becomes, or with None what is left.

        Raises:
            FFmpegError: The packet is damaged.
        """
        ...


def converter_for(stream: Stream, target: OutputContainer) -> Converter | None:
    """Converts `stream` to what `target` can hold; None where there is no way."""
    av = libav()
    if not stream.codec_context:
        return None
    try:
        if stream.type == "audio":
            return _Sound(stream, target)
        if stream.type == "subtitle":
            return _Text(stream, target)
    except (ValueError, av.error.FFmpegError):
        pass
    return None


class _Sound:
    """Sound, decoded and encoded anew."""

    def __init__(self, stream: Any, target: Any) -> None:
        av = libav()
        encoder = _SOUND.get(target.format.name, _USUAL_SOUND)
        source = stream.codec_context
        rate = source.sample_rate
        layout = av.AudioLayout(_LAYOUTS.get(source.layout.nb_channels, "stereo"))
        if encoder == "libopus" and rate not in _OPUS_RATES:
            rate = _OPUS_RATES[0]
        known = av.Codec(encoder, "w").audio_rates
        if known and rate not in known:
            rate = min(known, key=lambda item: (item < rate, abs(item - rate)))
        if encoder == "libmp3lame" and layout.nb_channels > 2:
            layout = av.AudioLayout("stereo")
        self._decoder = stream
        self.codec = _NAMES[encoder]
        self.stream: Stream = target.add_stream(encoder, rate=rate, layout=layout)
        context: Any = self.stream.codec_context
        if encoder != "flac":
            context.bit_rate = _PER_CHANNEL * layout.nb_channels

    def convert(self, packet: Any) -> list[Any]:
        context: Any = self.stream.codec_context
        if packet is None:
            return list(context.encode(None))
        found: list[Any] = []
        for frame in self._decoder.codec_context.decode(packet):
            found += context.encode(frame)
        return found


class _Text:
    """Subtitles of text; those that are pictures stay what they are."""

    def __init__(self, stream: Any, target: Any) -> None:
        encoder = _TEXT.get(target.format.name, "")
        if not stream.codec_context.codec.text_sub:
            raise ValueError("its subtitles are pictures")
        self._decoder = stream.codec_context
        self._decoder.open(strict=False)
        self.codec = _NAMES.get(encoder, encoder)
        self.stream: Stream = target.add_stream(encoder)
        context: Any = self.stream.codec_context
        context.subtitle_header = self._decoder.subtitle_header
        context.time_base = self.stream.time_base = stream.time_base

    def convert(self, packet: Any) -> list[Any]:
        if packet is None or not packet.size:
            return []
        shown = self._decoder.decode2(packet)
        if shown is None or not len(shown):
            return []
        context: Any = self.stream.codec_context
        result = context.encode_subtitle(shown)
        result.pts = result.dts = packet.pts
        result.duration = packet.duration
        result.time_base = packet.time_base
        return [result]
