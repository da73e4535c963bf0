"""Encoders of graphics processors, where FFmpeg has them and they work."""

from __future__ import annotations

import io
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from undark.io.video.libav import libav

__all__ = ["ENCODERS", "Hardware", "find_hardware"]

ENCODERS: Final = ("nvenc", "qsv", "vaapi", "videotoolbox")
"""Kinds of encoders, as FFmpeg calls them."""

# What they take for what is encoded otherwise.
_FORMATS: Final = {"yuv420p": "nv12", "yuv420p10le": "p010le"}
_CODECS: Final = ("h264", "hevc", "av1", "vp9")
_EFFORTS: Final = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast"),
    *("medium", "slow", "slower", "veryslow"),
)
_LAMBDA: Final = 118  # FFmpeg's FF_QP2LAMBDA


@dataclass(frozen=True, slots=True)
class Hardware:
    """An encoder that works here.

    Attributes:
        name: FFmpeg's.
        format: FFmpeg's name of the pixel format that it takes.
        options: It is opened with.
        kind: One of `ENCODERS`.
    """

    name: str
    format: str
    options: dict[str, str]
    kind: str

    def add_to(self, file: Any, rate: Fraction) -> Any:
        """A stream of `file` that it encodes."""
        more: dict[str, Any] = {}
        if self.kind == "vaapi":
            more["hwaccel"] = libav().codec.hwaccel.HWAccel("vaapi")
        return file.add_stream(self.name, rate=rate, options=dict(self.options), **more)


def find_hardware(
    kind: str, codec: str, format: str, crf: int, preset: str | None
) -> Hardware | str:
    """An encoder of that kind; or why there is none, for a person.

    It is tried: whether a driver and a device are there shows in no other way.

    Args:
        kind: One of `ENCODERS`.
        codec: A key of `undark.io.video.coding.CODECS`.
        format: Pixel format of the frames.
        crf: Quality, as software encoders count it.
        preset: Effort, as x264 calls it, or None.
    """
    av: Any = libav()
    if codec not in _CODECS:
        return f"it has no {codec}"
    if format not in _FORMATS:
        return f"it takes no {format}"
    found = Hardware(f"{codec}_{kind}", _FORMATS[format], _options(kind, crf, preset), kind)
    try:
        with closing(av.open(io.BytesIO(), "w", format="matroska")) as file:
            stream = found.add_to(file, Fraction(25))
            stream.width, stream.height, stream.pix_fmt = 256, 256, found.format
            stream.codec_context.time_base = Fraction(1, 25)
            frame = av.VideoFrame(256, 256, format)
            frame.pts, frame.time_base = 0, Fraction(1, 25)
            file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
    except av.codec.codec.UnknownCodecError:
        return "this FFmpeg has none"
    except (ValueError, RuntimeError, NotImplementedError) as error:
        return _reason(error)
    except av.error.FFmpegError as error:
        return f"it finds no device that works, or no driver ({_reason(error)})"
    return found


def _reason(error: Any) -> str:
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(said.split())


def _options(kind: str, crf: int, preset: str | None) -> dict[str, str]:
    effort = _EFFORTS.index(preset) if preset in _EFFORTS else None
    match kind:
        case "nvenc":
            chosen = {} if effort is None else {"preset": f"p{1 + effort * 6 // 8}"}
            return {"rc": "vbr", "cq": str(crf), **chosen}
        case "qsv":
            chosen = {} if effort is None else {"preset": _EFFORTS[max(effort, 2)]}
            return {"global_quality": str(crf), **chosen}
        case "vaapi":
            return {"rc_mode": "CQP", "global_quality": str(crf)}
        case _:
            quality = max(1, 100 - 2 * crf)
            return {"flags": "+qscale", "global_quality": str(quality * _LAMBDA)}
