"""One video, animation or row of images through a VideoEnhancer, whatever holds it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from undark.engine.video import VideoEnhancer
from undark.errors import UsageError
from undark.io.formats import PHOTO_SUFFIXES
from undark.io.photo import losses
from undark.io.strip import stripped
from undark.io.video.containers import is_video_name
from undark.io.video.feed import Feed
from undark.io.video.options import Progress, Transcoding
from undark.io.video.stills import open_still_sink, read_stills
from undark.io.video.transcode import transcode

__all__ = ["enhance_clip"]


def enhance_clip(
    source: Path | Feed,
    destination: Path,
    video: VideoEnhancer,
    options: Transcoding,
    *,
    pipe: BinaryIO | None = None,
    progress: Callable[[Progress], None],
    tell: Callable[[str], None],
) -> None:
    """Bring a video to light.

    Args:
        source: A video, an animation, a name such as ``frame%05d.png``, or what is read as it
            comes.
        destination: A name of one of the first three.
        video: Of its own: it keeps what must be known from frame to frame.
        options: Which part of it, and how it is written.
        pipe: See :func:`undark.io.video.transcode.transcode`.
        progress: Called after each frame; see :func:`undark.io.video.transcode.transcode`.
        tell: Called with a line for a person about what was left out or passed over.

    Raises:
        UsageError: The destination cannot hold what is asked for.
        InputError: The video cannot be read.
        OutputError: The result could not be written.
        MissingExtraError: PyAV is needed and not installed.
        DeviceError: The runtime failed, or memory ran out.
    """
    if is_video_name(destination):
        transcode(
            source,
            destination,
            video.enhance_planes,
            options,
            made=video.made,
            pipe=pipe,
            progress=progress,
            notice=tell,
        )
        return
    if options.preview is not None:
        raise UsageError(
            f"{destination}: before and after are shown in videos; name one as the destination",
            argument="preview",
        )
    if isinstance(source, Feed):
        raise UsageError(
            f"{destination}: what comes from {source} is written to a video; name one, or -",
            argument="output",
        )
    shelf = open_still_sink(destination)
    frames = 0
    for frames, still in enumerate(read_stills(source, options), start=1):
        if frames == 1:
            kind = PHOTO_SUFFIXES[destination.suffix.lower()]
            for line in losses(stripped(still.photo, options.strip), kind):
                tell(line)
        bright = video.enhance_frame(still.photo.pixels, time=still.time)
        shelf.add(still, stripped(still.photo.with_pixels(bright), options.strip))
        progress(Progress(frames, still.fraction, max(still.total, frames)))
    if not frames:
        raise UsageError(
            f"{source}: no frame lies between the begin and the end asked for", argument="begin"
        )
    shelf.close()
