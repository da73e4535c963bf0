"""How a video is encoded: codec, quality, effort and pixel format."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from undark.errors import UsageError
from undark.io.video.containers import VIDEO_SUFFIXES
from undark.io.video.libav import libav

__all__ = ["CODECS", "Coding", "codec_for", "pixel_format"]

CODECS: Final = {
    "h264": "libx264",
    "hevc": "libx265",
    "vp9": "libvpx-vp9",
    "av1": "libsvtav1",
}
"""Codecs that videos are written in, and the encoder of each."""

# Names that users and other tools have for them.
_ALSO: Final = {"avc": "h264", "x264": "h264", "h265": "hevc", "x265": "hevc"}
_X26X_PRESETS: Final = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast"),
    *("medium", "slow", "slower", "veryslow"),
)
_PRESETS: Final = {
    "h264": _X26X_PRESETS,
    "hevc": _X26X_PRESETS,
    "vp9": tuple(str(number) for number in range(9)),
    "av1": tuple(str(number) for number in range(14)),
}
_USUAL: Final = {
    "h264": ("superfast", 20),
    "hevc": ("veryfast", 22),
    "vp9": ("6", 30),
    "av1": ("10", 30),
}
_MOST_CRF: Final = {"h264": 51, "hevc": 51, "vp9": 63, "av1": 63}


class Coding:
    """How a video is to be encoded.

    Args:
        codec: ``h264``, ``hevc``, ``vp9`` or ``av1``; by default what suits the file.
        crf: Constant quality: less is better and larger; by default 20 to 30, by codec.
        preset: How much time the encoder takes: ``ultrafast`` to ``veryslow`` for h264 and hevc,
            0 to 8 for vp9 and 0 to 13 for av1, where more is faster.

    Raises:
        UsageError: No such codec.
    """

    def __init__(
        self, codec: str | None = None, crf: int | None = None, preset: str | None = None
    ) -> None:
        """Check the codec's name."""
        name = None if codec is None else codec.strip().lower()
        self.codec: str | None = _ALSO.get(name or "", name)
        if self.codec is not None and self.codec not in CODECS:
            raise UsageError(f"{codec!r} is not a codec; choose one of {', '.join(CODECS)}")
        self.crf = crf
        self.preset = preset
        if self.codec is not None:
            self.options(self.codec)

    def options(self, codec: str) -> dict[str, str]:
        """The encoder's options.

        Raises:
            UsageError: The codec has no such preset or quality.
        """
        preset, crf = _USUAL[codec]
        preset, crf = self.preset or preset, crf if self.crf is None else self.crf
        if preset not in _PRESETS[codec]:
            known = ", ".join(_PRESETS[codec])
            raise UsageError(f"{preset!r} is not a preset of {codec}; choose one of {known}")
        if not 0 <= crf <= _MOST_CRF[codec]:
            raise UsageError(
                f"crf must be 0 to {_MOST_CRF[codec]} for {codec}, not {crf}", argument="crf"
            )
        if codec == "vp9":
            deadline = {"deadline": "good", "cpu-used": preset, "row-mt": "1"}
            return {"crf": str(crf), "b": "0", **deadline}
        options = {"crf": str(crf), "preset": preset}
        if codec == "hevc":
            options["x265-params"] = "log-level=none"
        return options


def codec_for(destination: Path, coding: Coding) -> str:
    """The codec for a file of that name: a key of `CODECS`.

    Raises:
        UsageError: The file's kind cannot hold the codec asked for, or is none of a video.
    """
    suffix = destination.suffix.lower()
    if suffix not in VIDEO_SUFFIXES:
        known = ", ".join(VIDEO_SUFFIXES)
        raise UsageError(f"{destination}: undark writes no video to {suffix} files, but to {known}")
    codecs = VIDEO_SUFFIXES[suffix]
    codec = coding.codec or codecs[0]
    if codec not in codecs:
        raise UsageError(f"{destination}: a {suffix} file cannot hold {codec}; try .mkv")
    coding.options(codec)
    return codec


def pixel_format(source: str, depth: int, encoder: str) -> str:
    """The planar YUV format nearest to `source` that the encoder takes, 8 bits for 8 bits.

    Args:
        source: FFmpeg's name of the source's format.
        depth: Its bits a sample.
        encoder: FFmpeg's name.
    """
    av = libav()
    known = {item.name for item in av.Codec(encoder, "w").video_formats or ()}
    detail = next((kind for kind in ("444", "422") if kind in source), "420")
    if detail == "444" and not source.startswith("yuv"):
        detail = "420"
    deep = [] if depth == 8 else [f"p{depth}le", "p10le"]
    wanted = [f"yuv{d}{suffix}" for suffix in (*deep, "p") for d in (detail, "420")]
    return next(name for name in wanted if name in known)
