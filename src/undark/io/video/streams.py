"""What a video's file holds beside its video stream: copied as it is, where the target can."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, cast

from undark.io.strip import stripped_tags
from undark.io.video.libav import libav

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.container.core import Chapter
    from av.stream import Stream
    from av.video.stream import VideoStream

__all__ = ["copy_chapters", "copy_streams", "own_tags"]

# What a muxer writes by itself, from what it really writes.
_OWN_TAGS: Final = frozenset({"encoder", "major_brand", "minor_version", "compatible_brands"})


def copy_streams(
    source: InputContainer,
    target: OutputContainer,
    video: VideoStream,
    notice: Callable[[str], None],
    *,
    strip: str | None = None,
) -> dict[int, Stream]:
    """Streams of `target` for all of `source` but its video stream, by index in `source`.

    Args:
        source: Open.
        target: Open, nothing written.
        video: The stream of `source` that is not to be copied.
        notice: Called with a line about each stream that is left out.
        strip: What is left out of the metadata; see :func:`undark.io.strip.stripped`.
    """
    av = libav()
    chapters = source.chapters()
    copies: dict[int, Stream] = {}
    for stream in source.streams:
        if stream.index == video.index:
            continue
        if strip and stream.type == "data":
            if not (chapters or "timecode" in stream.metadata):
                notice(f"its data stream {stream.index} is left out: it may hold the place")
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
                notice(
                    f"its {stream.type} stream {stream.index} ({kind}) is left out:"
                    f" a {target.format.name} file cannot hold it"
                )
            continue
        copy = _add_copy(target, stream, strip)
        if copy is not None:
            copies[stream.index] = copy
    return copies


def _add_copy(target: Any, stream: Any, strip: str | None = None) -> Stream | None:
    """A stream of `target` for packets of `stream`; None where it has none."""
    if stream.type == "attachment":
        name = stream.name or stream.metadata.get("filename", "attachment")
        target.add_attachment(name, stream.mimetype or "application/octet-stream", stream.data)
        return None
    copy = target.add_stream_from_template(stream, opaque=True)
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
