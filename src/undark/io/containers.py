"""Containers: what stands in a film's file beside its picture, and which codec a file can hold."""

from __future__ import annotations

import contextlib
import io
import logging
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from undark.errors import (
    DamagedError,
    InputError,
    MissingExtraError,
    UnreadableError,
    UnsupportedError,
    UsageError,
)
from undark.io.formats import VIDEO_SUFFIXES

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream

__all__ = [
    "CODECS",
    "Coding",
    "codec_for",
    "copy_chapters",
    "copy_streams",
    "libav",
    "main_picture",
    "open_film",
    "pixel_format",
]

CODECS: Final = {
    "h264": "libx264",
    "hevc": "libx265",
    "vp9": "libvpx-vp9",
    "av1": "libsvtav1",
}
"""Codecs that films are written in, and the encoder of each."""

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
_HDR: Final = {16: "PQ", 18: "HLG"}
# What a muxer writes by itself, from what it really writes.
_OWN_TAGS: Final = frozenset({"encoder", "major_brand", "minor_version", "compatible_brands"})


class Coding:
    """How the picture is to be written.

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
        self.codec = _ALSO.get(name or "", name)
        if self.codec is not None and self.codec not in CODECS:
            raise UsageError(f"{codec!r} is not a codec; choose one of {', '.join(CODECS)}")
        self.crf = crf
        self.preset = preset
        if self.codec is not None:
            self.options(self.codec)

    def options(self, codec: str) -> dict[str, str]:
        """The encoder's options.

        Raises:
            UsageError: The preset or quality is none of this codec's.
        """
        preset, crf = _USUAL[codec]
        preset, crf = self.preset or preset, crf if self.crf is None else self.crf
        if preset not in _PRESETS[codec]:
            known = ", ".join(_PRESETS[codec])
            raise UsageError(f"{preset!r} is not a preset of {codec}; choose one of {known}")
        if not 0 <= crf <= _MOST_CRF[codec]:
            raise UsageError(f"--crf must be 0 to {_MOST_CRF[codec]} for {codec}, not {crf}")
        if codec == "vp9":
            deadline = {"deadline": "good", "cpu-used": preset, "row-mt": "1"}
            return {"crf": str(crf), "b": "0", **deadline}
        options = {"crf": str(crf), "preset": preset}
        if codec == "hevc":
            options["x265-params"] = "log-level=none"
        return options


def libav() -> ModuleType:
    """PyAV, quiet.

    Raises:
        MissingExtraError: It is not installed.
    """
    # SVT-AV1 talks on stderr by itself.
    os.environ.setdefault("SVT_LOG", "0")
    try:
        import av
        import av.error
        import av.logging
    except ImportError as error:
        raise MissingExtraError("video files", "video") from error
    logging.getLogger("av").addHandler(logging.NullHandler())
    logging.getLogger("libav").addHandler(logging.NullHandler())
    av.logging.set_level(None)
    return av


def open_film(source: str | Path, **options: Any) -> InputContainer:
    """A film, or anything that FFmpeg opens, for reading.

    Raises:
        InputError: It is missing, empty, damaged or of a kind that undark does not take.
        MissingExtraError: PyAV is not installed.
    """
    av = libav()
    try:
        if isinstance(source, Path):
            if source.is_dir():
                raise UnreadableError(f"{source}: is a folder, not a video")
            if source.exists() and source.stat().st_size == 0:
                raise DamagedError(f"{source}: is empty")
        # Tags in odd encodings must not keep a film from being seen.
        return av.open(str(source), metadata_errors="replace", **options)
    except InputError:
        raise
    except FileNotFoundError as error:
        raise UnreadableError(f"{source}: cannot be read: there is no such file") from error
    except PermissionError as error:
        raise UnreadableError(f"{source}: cannot be read: no permission to read it") from error
    except (av.error.InvalidDataError, av.error.EOFError) as error:
        raise DamagedError(f"{source}: is not a video, or is damaged or cut short") from error
    except av.error.FFmpegError as error:
        raise UnreadableError(f"{source}: cannot be read: {error.strerror or error}") from error


def main_picture(film: InputContainer, name: str) -> VideoStream:
    """The stream that shows the film; a cover picture is none.

    Raises:
        UnsupportedError: There is none, it is HDR, or its codec is not known here.
    """
    av = libav()
    pictures = [s for s in film.streams.video if not s.disposition & _cover()]
    if not pictures:
        what = "only a cover picture and sound" if film.streams.video else "no picture"
        raise UnsupportedError(f"{name}: holds {what}; undark needs a video")
    best = film.streams.best("video")
    picture = next((item for item in pictures if item is best), pictures[0])
    if picture.codec_context is None:
        raise UnsupportedError(
            f"{name}: its video codec is not known to this PyAV {av.__version__}"
        )
    refuse_hdr(picture.codec_context.color_trc, name)
    return picture


def refuse_hdr(transfer: int, name: str) -> None:
    """Refuse what has more than a standard range of brightness.

    Raises:
        UnsupportedError: It has.
    """
    if int(transfer) in _HDR:
        raise UnsupportedError(
            f"{name}: is HDR video ({_HDR[int(transfer)]}), which undark does not take;"
            " convert it to standard range (SDR) first"
        )


def codec_for(destination: Path, coding: Coding) -> str:
    """The codec for a file of that name.

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


def copy_streams(
    film: InputContainer,
    target: OutputContainer,
    picture: VideoStream,
    tell: Callable[[str], None],
) -> dict[int, Stream]:
    """Streams of `target` for all of `film` but its picture, by index in `film`.

    What the target's kind of file cannot hold is told and left out.
    """
    av = libav()
    chapters = film.chapters()
    copies: dict[int, Stream] = {}
    for stream in film.streams:
        if stream.index == picture.index:
            continue
        trial: Any = av.open(io.BytesIO(), "w", format=target.format.name)
        try:
            with contextlib.closing(trial):
                _add_copy(trial, stream)
                trial.start_encoding()
        except (ValueError, av.error.FFmpegError):
            # A target makes its own tracks of chapters and timecodes.
            if not (stream.type == "data" and (chapters or "timecode" in stream.metadata)):
                kind = stream.codec_context.name if stream.codec_context else "unknown"
                tell(
                    f"its {stream.type} stream {stream.index} ({kind}) is left out:"
                    f" a {target.format.name} file cannot hold it"
                )
            continue
        copy = _add_copy(target, stream)
        if copy is not None:
            copies[stream.index] = copy
    return copies


def _add_copy(target: OutputContainer, stream: Any) -> Stream | None:
    """A stream of `target` for packets of `stream`; None where it has none."""
    if stream.type == "attachment":
        name = stream.name or stream.metadata.get("filename", "attachment")
        target.add_attachment(name, stream.mimetype or "application/octet-stream", stream.data)
        return None
    copy = target.add_stream_from_template(stream, opaque=True)
    copy.time_base = stream.time_base
    copy.metadata.update(stream.metadata)
    copy.disposition = stream.disposition
    return copy


def copy_chapters(film: InputContainer, target: OutputContainer, begin: float, end: float) -> None:
    """The chapters that lie between `begin` and `end`, in seconds, of which `begin` becomes 0."""
    chapters = []
    for chapter in film.chapters():
        base = chapter["time_base"] or Fraction(1, 1000)
        start, stop = (max(float(chapter[key] * base), begin) for key in ("start", "end"))
        stop = min(stop, end)
        if start < stop:
            times = {"start": round((start - begin) / base), "end": round((stop - begin) / base)}
            chapters.append({**chapter, **times})
    target.set_chapters(chapters)


def own_tags(tags: dict[str, str]) -> dict[str, str]:
    """Tags without those that tell of the file that they stood in."""
    return {key: value for key, value in tags.items() if key.lower() not in _OWN_TAGS}


def _cover() -> int:
    from av.stream import Disposition

    return Disposition.attached_pic
