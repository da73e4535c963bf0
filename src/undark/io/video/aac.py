"""AAC that says in each packet what it is like, as in MPEG-TS: Matroska says it once.

FFmpeg's muxer would take the headers off and note what they say in a place that it has not kept
free where it was told beforehand, and a pipe cannot be written to a second time.
"""

from __future__ import annotations

from typing import Any, Final

from undark.io.video.libav import libav

__all__ = ["describe", "without_header"]

_RATES: Final = (
    *(96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350),
)
_CHANNELS: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 8: 7}
_KINDS: Final = {"Main": 1, "LC": 2, "SSR": 3, "LTP": 4}
# Twelve bits that are set begin a header of 7 bytes, or of 9 with a checksum.
_SHORT: Final = 7
_LONG: Final = 9


def describe(copy: Any, source: Any) -> bool:
    """Tell a stream's copy what AAC is like that says so in each packet; whether it is such.

    Two bytes of ISO/IEC 14496-3, 1.6.2: the kind of AAC, its rate's number, its channels.

    Args:
        copy: The copy's codec context.
        source: The stream's.
    """
    if source.name != "aac" or source.extradata or source.sample_rate not in _RATES:
        return False
    channels = _CHANNELS.get(source.layout.nb_channels)
    if channels is None:
        return False
    kind = _KINDS.get(source.profile, 2)
    rate = _RATES.index(source.sample_rate)
    copy.extradata = (kind << 11 | rate << 7 | channels << 3).to_bytes(2, "big")
    return True


def without_header(packet: Any) -> Any:
    """The packet without its ADTS header (ISO/IEC 13818-7, 6.2); itself where it has none."""
    content = bytes(packet)
    if len(content) < _SHORT or content[0] != 0xFF or content[1] & 0xF6 != 0xF0:
        return packet
    bare = libav().Packet(content[_SHORT if content[1] & 1 else _LONG :])
    bare.pts, bare.dts, bare.duration = packet.pts, packet.dts, packet.duration
    bare.time_base, bare.is_keyframe = packet.time_base, True
    return bare
