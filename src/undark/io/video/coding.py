"""How a video is encoded: codec, quality, effort and pixel format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from undark.errors import UsageError
from undark.io.video.containers import VIDEO_SUFFIXES
from undark.io.video.hardware import ENCODERS
from undark.io.video.libav import libav

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

__all__ = [
    "CODECS",
    "Coding",
    "Kind",
    "check_bits",
    "check_coding",
    "codec_for",
    "is_planar",
    "keeps_alpha",
    "pixel_format",
]

CODECS: Final = {
    "h264": "libx264",
    "hevc": "libx265",
    "vp9": "libvpx-vp9",
    "av1": "libsvtav1",
    "prores": "prores_ks",
    "ffv1": "ffv1",
}
"""Codecs that videos are written in, and the encoder of each."""

# Names that users and other tools have for them.
_ALSO: Final = {"avc": "h264", "x264": "h264", "h265": "hevc", "x265": "hevc"}
_X26X_PRESETS: Final = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast"),
    *("medium", "slow", "slower", "veryslow"),
)
# A preset of ProRes is its profile.
_PRORES: Final = ("proxy", "lt", "standard", "hq", "4444", "4444xq")
_PRESETS: Final = {
    "h264": _X26X_PRESETS,
    "hevc": _X26X_PRESETS,
    "vp9": tuple(str(number) for number in range(9)),
    "av1": tuple(str(number) for number in range(14)),
    "prores": _PRORES,
    "ffv1": (),
}
_USUAL: Final = {
    "h264": ("superfast", 20),
    "hevc": ("veryfast", 22),
    "vp9": ("6", 30),
    "av1": ("10", 30),
}
_BITS: Final = (8, 10)
_MOST_CRF: Final = {"h264": 51, "hevc": 51, "vp9": 63, "av1": 63}
# Codecs that keep transparency and files that do, and codecs that keep two fields in a frame.
_WITH_ALPHA: Final = ("prores", "vp9", "ffv1")
_SEEN_THROUGH: Final = (".mov", ".webm", ".mkv", ".avi")
_WITH_FIELDS: Final = ("h264", "prores", "ffv1")
# Formats whose planes are y, u and v, and perhaps alpha.
_PLANAR: Final = ("yuv4", "yuvj4", "yuva4")


@dataclass(frozen=True, slots=True)
class Kind:
    """What is known of a video's frames when its codec is chosen.

    Attributes:
        format: FFmpeg's name of their pixel format.
        depth: Bits a sample.
        alpha: They are transparent in places.
        fields: They are to stay interlaced.
        hdr: They stay PQ or HLG.
    """

    format: str
    depth: int
    alpha: bool = False
    fields: bool = False
    hdr: bool = False

    @classmethod
    def of(cls, frame: VideoFrame, *, fields: bool = False, hdr: bool = False) -> Kind:
        """Of a video whose first frame is `frame`."""
        parts = frame.format.components
        alpha = frame.format.name.startswith("pal8") or any(part.is_alpha for part in parts)
        return cls(frame.format.name, min(parts[0].bits, 12), alpha, fields, hdr)


class Coding:
    """How a video is to be encoded.

    Args:
        codec: ``h264``, ``hevc``, ``vp9``, ``av1``, ``prores`` or ``ffv1``; by default what suits
            the file.
        crf: Constant quality: less is better and larger; by default 20 to 30, by codec.
        preset: How much time the encoder takes: ``ultrafast`` to ``veryslow`` for h264 and hevc,
            0 to 8 for vp9 and 0 to 13 for av1, where more is faster; for prores the profile,
            ``proxy`` to ``4444xq``.
        encoder: ``nvenc``, ``qsv``, ``vaapi`` or ``videotoolbox`` where that works, and else, or
            with None, an encoder that runs on the processor.
        bits: 8 or 10, of each sample; by default as many as the source has, and HDR has 10.

    Raises:
        UsageError: No such codec or encoder, or another number of bits.
    """

    def __init__(
        self,
        codec: str | None = None,
        crf: int | None = None,
        preset: str | None = None,
        encoder: str | None = None,
        bits: int | None = None,
    ) -> None:
        """Check the names."""
        self.encoder: str | None = None if encoder is None else encoder.strip().lower()
        if self.encoder is not None and self.encoder not in ENCODERS:
            raise UsageError(
                f"{encoder!r} is not a kind of encoder; choose one of {', '.join(ENCODERS)}"
            )
        name = None if codec is None else codec.strip().lower()
        self.codec: str | None = _ALSO.get(name or "", name)
        if self.codec is not None and self.codec not in CODECS:
            raise UsageError(f"{codec!r} is not a codec; choose one of {', '.join(CODECS)}")
        if bits is not None and bits not in _BITS:
            raise UsageError(f"bits must be 8 or 10, not {bits}", argument="bits")
        self.crf = crf
        self.preset = preset
        self.bits = bits
        if self.codec is not None:
            self.check(self.codec)
        elif preset is not None and not any(preset in known for known in _PRESETS.values()):
            raise UsageError(
                f"{preset!r} is a preset of no codec; ultrafast to veryslow are of h264"
            )

    def __repr__(self) -> str:
        """What was asked for."""
        said = (self.codec, self.crf, self.preset, self.encoder, self.bits)
        return f"Coding({', '.join(map(repr, said))})"

    def check(self, codec: str) -> None:
        """See that the codec has the preset and the quality asked for.

        Raises:
            UsageError: It has not.
        """
        known = _PRESETS[codec]
        # Where files of several kinds are written, it is meant for those that know it.
        if self.codec is not None and not self.knows_preset(codec):
            choice = f"choose one of {', '.join(known)}" if known else "it has none"
            raise UsageError(f"{self.preset!r} is not a preset of {codec}; {choice}")
        most = _MOST_CRF.get(codec)
        if self.crf is not None and most is None:
            raise UsageError(f"{codec} has no crf; leave it out", argument="crf")
        if self.crf is not None and most is not None and not 0 <= self.crf <= most:
            raise UsageError(f"crf must be 0 to {most} for {codec}, not {self.crf}", argument="crf")
        if codec == "prores" and self.bits == _BITS[0]:
            raise UsageError("prores has always 10 bits; leave this out", argument="bits")

    def knows_preset(self, codec: str) -> bool:
        """Whether the preset asked for, if one is, is one of the codec's."""
        return self.preset is None or self.preset in _PRESETS[codec]

    def quality(self, codec: str) -> int:
        """Of what is encoded, as constant quality counts it."""
        usual = _USUAL.get(codec, ("", 0))[1]
        return usual if self.crf is None else min(self.crf, _MOST_CRF.get(codec, 0))

    def options(self, codec: str) -> dict[str, str]:
        """The encoder's options; of what was asked for those that the codec knows."""
        usual = _USUAL.get(codec, ("", 0))[0]
        preset = self.preset if self.preset in _PRESETS[codec] else usual
        crf = str(self.quality(codec))
        match codec:
            case "vp9":
                deadline = {"deadline": "good", "cpu-used": preset or "", "row-mt": "1"}
                return {"crf": crf, "b": "0", **deadline}
            case "prores":
                return {"profile": preset} if preset else {}
            case "ffv1":
                return {"level": "3", "slices": "16", "slicecrc": "1"}
            case "hevc":
                return {"crf": crf, "preset": preset or "", "x265-params": "log-level=none"}
            case _:
                return {"crf": crf, "preset": preset or ""}


def check_coding(destination: Path, coding: Coding) -> None:
    """See that a file of that name can be written so, before anything is read.

    Raises:
        UsageError: The file's kind cannot hold the codec asked for, or is none of a video.
    """
    suffix = destination.suffix.lower()
    if suffix not in VIDEO_SUFFIXES:
        known = ", ".join(VIDEO_SUFFIXES)
        raise UsageError(f"{destination}: undark writes no video to {suffix} files, but to {known}")
    codecs = VIDEO_SUFFIXES[suffix]
    if coding.codec is not None and coding.codec not in codecs:
        raise UsageError(f"{destination}: a {suffix} file cannot hold {coding.codec}; try .mkv")
    coding.check(coding.codec or codecs[0])


def codec_for(destination: Path, coding: Coding, kind: Kind) -> str:
    """The codec for a file of that name and frames of that kind: a key of `CODECS`.

    Where none is asked for it is what most devices play: H.264, for more than 8 bits HEVC Main 10,
    for transparency ProRes 4444 or VP9.

    Raises:
        UsageError: As `check_coding` does, or no codec of the file's kind can hold such frames.
    """
    check_coding(destination, coding)
    suffix = destination.suffix.lower()
    codecs = VIDEO_SUFFIXES[suffix]
    codec = coding.codec
    if codec is None:
        wishes: list[str] = []
        if kind.fields:
            wishes += _WITH_FIELDS
        elif kind.hdr:
            wishes += ("hevc", "av1")
        elif kind.alpha and suffix in _SEEN_THROUGH:
            wishes += ("vp9", "prores") if kind.depth == 8 else ("prores", "vp9")
        elif kind.depth > 8:
            wishes += ("hevc", "av1")
        codec = next((name for name in wishes if name in codecs), codecs[0])
    if kind.fields and codec not in _WITH_FIELDS:
        raise UsageError(
            f"{destination}: {codec} holds no fields here; choose {', '.join(_WITH_FIELDS)}, or"
            " have them made whole",
            argument="keep_interlaced",
        )
    usual = coding.codec is None and codec not in ("hevc", "av1")
    if kind.hdr and (usual or not _is_deep(codec)):
        raise UsageError(
            f"{destination}: {codec} holds no HDR here; choose hevc in a .mp4, .mov or .mkv file,"
            " or SDR",
            argument="sdr",
        )
    if kind.hdr and kind.depth <= _BITS[0]:
        raise UsageError(
            f"{destination}: HDR takes 10 bits; leave that out, or have SDR", argument="bits"
        )
    return codec


def check_bits(destination: Path, coding: Coding, codec: str, format: str) -> None:
    """See that what is encoded has the bits asked for.

    Args:
        destination: Of the file.
        coding: What is asked for.
        codec: A key of `CODECS`.
        format: As `pixel_format` gives it.

    Raises:
        UsageError: It has not.
    """
    if coding.bits is None or (coding.bits > _BITS[0]) == format.endswith("le"):
        return
    if coding.bits == _BITS[0]:
        raise UsageError(f"{destination}: {codec} has always 10 bits", argument="bits")
    what = f"{codec} with transparency" if format.startswith("yuva") else codec
    others = "prores or ffv1" if format.startswith("yuva") else "hevc, av1, prores or ffv1"
    raise UsageError(f"{destination}: {what} has no 10 bits here; choose {others}", argument="bits")


def _is_deep(codec: str) -> bool:
    """Whether the encoder takes 10 bits of 4:2:0."""
    formats = libav().Codec(CODECS[codec], "w").video_formats or ()
    return any("p10le" in item.name for item in formats)


def keeps_alpha(destination: Path, codec: str) -> bool:
    """Whether a file of that name keeps the transparency of frames in that codec."""
    return codec in _WITH_ALPHA and destination.suffix.lower() in _SEEN_THROUGH


def is_planar(name: str) -> bool:
    """Whether planes of that format are y, u and v, and perhaps alpha."""
    return name.startswith(_PLANAR)


def pixel_format(kind: Kind, codec: str, *, plain: bool = False) -> str:
    """The planar YUV format nearest to frames of that kind that the codec takes, 8 bits for 8 bits.

    Args:
        kind: Of the frames.
        codec: A key of `CODECS`.
        plain: More than 8 bits become 10 bits of 4:2:0, which devices play.
    """
    known = {item.name for item in libav().Codec(CODECS[codec], "w").video_formats or ()}
    source = kind.format
    detail = next((part for part in ("444", "422") if part in source), "420")
    if not is_planar(source):
        detail = "444" if kind.alpha else "420"
    depth = kind.depth
    if plain and depth > 8:
        detail, depth = "420", 10
    details = dict.fromkeys((detail, "444", "422", "420") if detail == "444" else (detail, "420"))
    depths = ["p"] if depth == 8 else [f"p{depth}le", "p10le", "p"]
    if codec == "prores":
        details = dict.fromkeys((detail, "422", "444"))
        depths = ["p10le"]
    if kind.alpha and codec == "vp9":
        details = {"420": None}  # the one kind that libvpx takes with alpha
    letters = ["yuva"] if kind.alpha and codec in _WITH_ALPHA else []
    names = [f"{yuv}{d}{end}" for yuv in (*letters, "yuv") for end in depths for d in details]
    return next(name for name in names if name in known)
