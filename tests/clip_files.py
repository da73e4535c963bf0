"""Videos of the kinds that cameras, recorders and editors make, built on the spot by PyAV."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from undark.io.video.options import Transcoding
from undark.io.video.transcode import transcode
from video_files import QUICK, as_it_is, grainy, scene, write_video

__all__ = [
    "joined",
    "kinds",
    "told",
    "with_cover",
    "with_sound",
    "with_two_videos",
]


def told(source: Path, destination: Path, **options: Any) -> list[str]:
    """Copy the video with nothing changed; what was said about it."""
    notices: list[str] = []
    part = Transcoding(**{"coding": QUICK, **options})
    transcode(source, destination, as_it_is, part, notice=notices.append)
    assert all("\n" not in line for line in notices)
    return notices


def kinds(path: Path) -> list[str]:
    """The streams of a file: kind and codec."""
    with av.open(str(path)) as clip:
        return [
            f"{stream.type} {stream.codec_context.codec.canonical_name}"
            if stream.codec_context
            else stream.type
            for stream in clip.streams
        ]


def with_sound(
    path: Path, codec: str, *, rate: int = 48000, layout: str = "mono", frames: int = 50
) -> Path:
    """A video of 25 frames a second with a tone in that codec, from the first to the last frame."""
    with av.open(str(path), "w") as file:
        video: Any = file.add_stream(
            "mpeg4" if path.suffix == ".avi" else "wmv2" if path.suffix == ".wmv" else "libx264",
            rate=25,
        )
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        video.codec_context.max_b_frames = 0
        voice: Any = file.add_stream(codec, rate=rate, layout=layout)
        voice.bit_rate = 12200 if "amr" in codec else 128_000
        for number, pixels in enumerate(grainy(scene(), frames)):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = number
            file.mux(video.encode(frame))
            start, stop = (round(at * rate / 25) for at in (number, number + 1))
            tone = (8000 * np.sin(np.arange(start, stop) * 440 * 6.2832 / rate)).astype(np.int16)
            channels = av.AudioLayout(layout).nb_channels
            sound = av.AudioFrame.from_ndarray(
                np.repeat(tone, channels)[None], format="s16", layout=layout
            )
            sound.rate, sound.pts = rate, start
            sound.time_base = Fraction(1, rate)
            file.mux(voice.encode(sound))
        file.mux(video.encode(None))
        file.mux(voice.encode(None))
    return path


def with_cover(path: Path) -> Path:
    """A video with sound and a cover image, of the kind that its container holds."""
    plain = write_video(path.with_name(f"plain{path.suffix}"), grainy(scene(), 10), sound=True)
    picture = io.BytesIO()
    Image.fromarray(scene(90)).save(picture, "JPEG")
    with av.open(str(plain)) as clip, av.open(str(path), "w") as file:
        copies = [file.add_stream_from_template(item, opaque=True) for item in clip.streams]
        if path.suffix == ".mkv":
            file.add_attachment("cover.jpg", "image/jpeg", picture.getvalue())
        else:
            cover: Any = file.add_stream("mjpeg")
            cover.width, cover.height, cover.pix_fmt = 96, 64, "yuvj420p"
            cover.disposition = av.stream.Disposition.attached_pic
            packet = av.Packet(picture.getvalue())
            packet.stream, packet.time_base = cover, Fraction(1, 1000)
            packet.pts = packet.dts = 0
            packet.is_keyframe = True
            file.mux(packet)
        for packet in clip.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream_index]
                file.mux(packet)
    plain.unlink()
    return path


def with_two_videos(path: Path) -> Path:
    """Two video tracks in one file."""
    with av.open(str(path), "w") as file:
        streams: list[Any] = [file.add_stream("libx264", rate=25) for _ in range(2)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for pixels in grainy(scene(), 10):
            for stream in streams:
                file.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        for stream in streams:
            file.mux(stream.encode(None))
    return path


def joined(path: Path, *parts: Path) -> Path:
    """Files one after the other, as recorders and `cat` join them."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path
