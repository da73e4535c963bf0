"""Numbered images and animations as sources that FFmpeg reads."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from undark.io.video.animation import read_animation
from undark.io.video.libav import libav, open_video
from undark.io.video.sequence import numbered_files

if TYPE_CHECKING:
    from av.container import InputContainer

__all__ = ["open_animation", "open_numbered"]

_MS: Final = Fraction(1, 1000)


def open_numbered(pattern: Path, fps: float, *, gaps: bool = False) -> InputContainer:
    """Numbered images as a video of that rate.

    Args:
        pattern: A name such as ``frame%05d.png``.
        fps: Images a second.
        gaps: Numbers may be missing; the images on both sides of a gap follow each other.

    Raises:
        InputError: There are no such images, or one is missing, or they cannot be read.
    """
    rate = Fraction(fps).limit_denominator(1001)
    lines = ["ffconcat version 1.0"]
    for index, (_, path) in enumerate(numbered_files(pattern, gaps=gaps)):
        name = str(path.absolute()).replace("'", "'\\''")
        # In whole microseconds, which must not add up to an error.
        begin, end = (round(count * 10**6 / rate) for count in (index, index + 1))
        lines += [f"file '{name}'", f"option framerate {rate}", f"duration {end - begin}us"]
    listed = io.BytesIO("\n".join(lines).encode())
    options = {"safe": "0", "protocol_whitelist": "file,crypto,data"}
    return open_video(pattern, file=listed, format="concat", options=options)


def open_animation(path: Path) -> InputContainer:
    """An animation as a video, held in memory: FFmpeg itself reads no animated WebP.

    Raises:
        InputError: It cannot be read.
    """
    av: Any = libav()
    held = io.BytesIO()
    with av.open(held, "w", format="matroska") as file:
        stream: Any = None
        time = 0.0
        for frame in read_animation(path):
            pixels = frame.photo.pixels
            if frame.photo.alpha is not None:
                pixels = np.dstack([pixels, frame.photo.alpha])
            kind = "rgba" if pixels.shape[2] == 4 else "rgb24"
            if stream is None:
                stream = file.add_stream("ffv1", rate=25)
                stream.codec_context.time_base = stream.time_base = _MS
                stream.width, stream.height = frame.photo.width, frame.photo.height
                stream.pix_fmt = "bgr0" if kind == "rgb24" else "bgra"
                stream.codec_context.flags |= av.codec.context.Flags.frame_duration.value
            image = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=kind)
            image.pts, image.time_base = round(time * 1000), _MS
            image.duration = round(frame.shown * 1000)
            time += frame.shown
            file.mux(stream.encode(image))
        if stream is not None:
            file.mux(stream.encode(None))
    held.seek(0)
    return open_video(path, file=held)
