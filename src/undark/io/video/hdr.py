"""What a video says of its HDR: PQ, HLG, the screen that it was made for, Dolby Vision."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from undark.errors import UnsupportedError
from undark.io.video.libav import libav
from undark.io.video.planes import planes_of
from undark.pixels.planes import Colours
from undark.pixels.rendition import Rendering
from undark.pixels.transfer import HLG_PEAK

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

__all__ = [
    "BT_2020",
    "Hdr",
    "dolby_vision",
    "hdr_of",
    "left_out",
    "rendering_for",
    "shown_in_sdr",
]

NAMES: Final = {16: "PQ", 18: "HLG"}
BT_2020: Final = 9
"""FFmpeg's number of its primaries, and of its matrix."""

_BT_709, _LIMITED, _UNSAID = 1, 1, 2
# Transfers of the layer that Dolby Vision's data is about, by the number of what it fits.
_LAYERS: Final = {1: 16, 4: 18, 6: 16}
# Boxes of Dolby Vision's configuration (Dolby Vision Streams Within the ISO Base Media File
# Format, 3.1): two bytes of version, then bits of which the first seven are the profile.
_BOXES: Final = (b"dvcC", b"dvvC", b"dvwC")


@dataclass(frozen=True, slots=True)
class Hdr:
    """What makes a video one of high dynamic range.

    Attributes:
        transfer: FFmpeg's number of its transfer function: 16 (PQ) or 18 (HLG).
        display: The screen that it was made for: x and y of green, blue, red and white in units
            of 1/50000, most and least luminance in 1/10000 cd/m²; or None.
        light: The brightest pixel and the brightest mean of a frame in cd/m², or None.
    """

    transfer: int
    display: tuple[int, ...] | None = None
    light: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """Of the transfer function."""
        return NAMES[self.transfer]

    @property
    def peak(self) -> float:
        """The brightest light that is to be expected, in cd/m²."""
        if self.transfer == 16 and self.light and self.light[0]:
            return float(self.light[0])
        if self.transfer == 16 and self.display:
            return self.display[8] / 10_000
        return HLG_PEAK

    def options(self, codec: str) -> dict[str, str]:
        """What an encoder is told of it, beyond colours."""
        said: list[str] = []
        if self.display is not None:
            unit = 50_000 if codec == "av1" else 1
            points = [f"{value / unit:g}" for value in self.display[:8]]
            most, least = self.display[8:]
            levels = f"{most / 1e4:g},{least / 1e4:g}" if codec == "av1" else f"{most},{least}"
            pairs = [",".join(points[at : at + 2]) for at in range(0, 8, 2)]
            screen = "".join(
                f"{name}({pair})" for name, pair in zip(("G", "B", "R", "WP"), pairs, strict=True)
            )
            key = {"hevc": "master-display"}.get(codec, "mastering-display")
            said.append(f"{key}={screen}L({levels})")
        if self.light is not None:
            key = {"hevc": "max-cll", "h264": "cll"}.get(codec, "content-light")
            said.append(f"{key}={self.light[0]},{self.light[1]}")
        if codec == "hevc" and self.transfer == 16:
            said.append("hdr10=1")
        names = {"hevc": "x265-params", "h264": "x264-params", "av1": "svtav1-params"}
        return {names[codec]: ":".join(said)} if said and codec in names else {}


def hdr_of(frame: VideoFrame, dolby: tuple[int, int] | None = None) -> Hdr | None:
    """What the first frame says of its video's HDR; None where it is SDR.

    Args:
        frame: As decoded.
        dolby: As `dolby_vision` gives it, which can say what the frame does not.
    """
    transfer = int(frame.color_trc)
    if transfer == _UNSAID and dolby is not None:
        transfer = _LAYERS.get(dolby[1], transfer)
    if transfer not in NAMES:
        return None
    return Hdr(transfer, _display(frame), _light(frame))


def _display(frame: VideoFrame) -> tuple[int, ...] | None:
    """FFmpeg's AVMasteringDisplayMetadata: ten fractions, and whether they are said."""
    data: Any = frame.side_data.get("MASTERING_DISPLAY_METADATA")
    if data is None:
        return None
    numbers: list[int] = np.frombuffer(bytes(data)[:88], np.int32).tolist()
    parts = [Fraction(n, d or 1) for n, d in zip(numbers[:20:2], numbers[1:20:2], strict=True)]
    if not (numbers[20] and numbers[21]):
        return None
    red, green, blue, white = (parts[at : at + 2] for at in range(0, 8, 2))
    points = [round(value * 50_000) for value in (*green, *blue, *red, *white)]
    least, most = (round(value * 10_000) for value in parts[8:])
    return (*points, most, least)


def _light(frame: VideoFrame) -> tuple[int, int] | None:
    data: Any = frame.side_data.get("CONTENT_LIGHT_LEVEL")
    if data is None:
        return None
    most, mean = np.frombuffer(bytes(data)[:8], np.uint32).tolist()
    return int(most), int(mean)


def dolby_vision(stream: VideoStream, name: str) -> tuple[int, int] | None:
    """The profile of a stream's Dolby Vision, and the number of what its base layer fits.

    Args:
        stream: Of an open container.
        name: What to call the video in errors.

    Raises:
        UnsupportedError: Its base layer fits nothing: its colours are Dolby's own.
    """
    head = _head(stream)
    at = max(head.find(box) for box in _BOXES)
    if at < 0:
        return None
    profile, fits = head[at + 6] >> 1, head[at + 8] >> 4
    if fits == 0 and profile != 7:
        raise UnsupportedError(
            f"{name}: is Dolby Vision of profile {profile}, whose colours are Dolby's own;"
            " convert it to HDR10, HLG or SDR first"
        )
    return profile, fits


def _head(stream: VideoStream) -> bytes:
    """What FFmpeg would write of the stream into an MP4: the only way PyAV has to its side data."""
    av = libav()
    held = io.BytesIO()
    options = {"strict": "unofficial", "movflags": "empty_moov"}
    try:
        with closing(av.open(held, "w", format="mp4", container_options=options)) as file:
            file.add_stream_from_template(stream, opaque=True)
            file.start_encoding()
    except (ValueError, av.error.FFmpegError):
        return b""
    return held.getvalue()


def left_out(frame: VideoFrame, dolby: tuple[int, int] | None) -> Iterator[str]:
    """Lines about data for each scene or frame, which no longer fits what is changed."""
    if dolby is not None or frame.side_data.get("DOVI_RPU_BUFFER") is not None:
        kind = f" {dolby[0]}.{dolby[1]}" if dolby and dolby[0] == 8 else ""
        yield f"its Dolby Vision data{kind} is left out; its base layer is what is enhanced"
    if frame.side_data.get("DYNAMIC_HDR_PLUS") is not None:
        yield "its HDR10+ data is left out"


@lru_cache(maxsize=4)
def rendering_for(transfer: int, colours: Colours, peak: float) -> Rendering:
    """The tables for frames of that kind, made once."""
    return Rendering(transfer, colours, peak)


def shown_in_sdr(frame: VideoFrame, hdr: Hdr, *, deep: bool = False) -> VideoFrame:
    """A frame of PQ or HLG as one of BT.709, 4:2:0, of 8 bits or 16, tone-mapped."""
    if not frame.format.name.startswith("yuv420p") or frame.format.components[0].bits == 8:
        frame = frame.reformat(format="yuv420p10le")
    # With its properties; its samples are written below.
    result = frame.reformat(format="yuv420p16le" if deep else "yuv420p")
    result.colorspace = result.color_primaries = result.color_trc = _BT_709
    result.color_range = _LIMITED
    source = planes_of(frame, BT_2020)
    rendering = rendering_for(hdr.transfer, source.colours, hdr.peak)
    rendering.tone_mapped(source, planes_of(result))
    return result
