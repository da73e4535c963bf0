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
    "SCREEN",
    "alphas",
    "combs",
    "hdr",
    "interlaced",
    "joined",
    "kinds",
    "seen_through",
    "told",
    "with_cover",
    "with_dolby_vision",
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


def flagged(frame: Any, order: str) -> Any:
    """The frame, said to be of two fields: `tff` or `bff`."""
    graph: Any = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    graph.link_nodes(source, graph.add("setfield", order), graph.add("buffersink")).configure()
    graph.vpush(frame)
    return graph.vpull()


def interlaced(
    path: Path, *, codec: str = "mpeg2video", order: str = "tff", count: int = 20
) -> Path:
    """A bright bar that moves over a dark ground, 25 frames of two fields a second."""
    with av.open(str(path), "w") as file:
        stream: Any = file.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        flags = av.codec.context.Flags.interlaced_dct.value
        stream.codec_context.flags |= flags | av.codec.context.Flags.interlaced_me.value
        stream.codec_context.field_order = 2 if order == "tff" else 3
        stream.codec_context.bit_rate = 4_000_000
        stream.codec_context.max_b_frames = 0
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(_woven(number, order), format="gray")
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            file.mux(stream.encode(flagged(frame, order)))
        file.mux(stream.encode(None))
    return path


def _woven(number: int, order: str) -> Any:
    """Two moments in one frame, row by row."""
    frame = np.full((64, 96), 40, np.uint8)
    for field in range(2):
        left = (6 * (2 * number + field)) % 70
        frame[field if order == "tff" else 1 - field :: 2, left : left + 16] = 120
    return frame


def combs(path: Path) -> float:
    """How much rows differ from both of their neighbours, in the mean."""
    with av.open(str(path)) as clip:
        found = [frame.to_ndarray(format="gray").astype(int) for frame in clip.decode(video=0)]
    rows = np.stack(found)
    above, here, below = rows[:, :-2], rows[:, 1:-1], rows[:, 2:]
    peaks = np.minimum(np.abs(here - above), np.abs(here - below))
    return float((peaks * ((here > above) == (here > below))).mean())


def seen_through(path: Path, codec: str, pix_fmt: str) -> Path:
    """A video whose right half is transparent."""
    with av.open(str(path), "w") as file:
        stream: Any = file.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, pix_fmt
        for number, pixels in enumerate(grainy(scene(), 6)):
            alpha = np.full((64, 96, 1), 255, np.uint8)
            alpha[:, 48:] = 0
            frame = av.VideoFrame.from_ndarray(np.concatenate([pixels, alpha], 2), format="rgba")
            frame = frame.reformat(format=pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def alphas(path: Path) -> list[Any]:
    """The transparency of each frame, 0 to 1."""
    with av.open(str(path)) as clip:
        stream = clip.streams.video[0]
        decoder: Any = stream.codec_context
        if decoder.name == "vp9":
            decoder = av.CodecContext.create("libvpx-vp9", "r")
        frames = [
            frame
            for packet in clip.demux(stream)
            for frame in decoder.decode(packet if packet.size else None)
        ]
    if not any(part.is_alpha for part in frames[0].format.components):
        return []
    return [frame.reformat(format="rgba").to_ndarray()[..., 3] / 255 for frame in frames]


SCREEN = (13250, 34500, 7500, 3000, 34000, 16000, 15635, 16450, 10_000_000, 50)
"""A mastering display of BT.2020's kind: green, blue, red, white; 1000 to 0.005 cd/m²."""


def hdr(path: Path, transfer: int, *, told_of_screen: bool = False, frames: int = 6) -> Path:
    """A dark HDR video with a lamp far above white: 10-bit HEVC in BT.2020, PQ (16) or HLG (18)."""
    from undark.pixels.transfer import encode

    light = scene(4.0).astype(float) / 255 * 0.3
    light[4:16, 8:24] = 3.0
    encoded = encode(light, transfer)
    weights = np.array([0.2627, 0.678, 0.0593])
    luma = encoded @ weights
    blue, red = (encoded[..., 2] - luma) / 1.8814, (encoded[..., 0] - luma) / 1.4746
    options = ["log-level=none", "crf=2"]
    if told_of_screen:
        g, b, r, w = (f"({SCREEN[at]},{SCREEN[at + 1]})" for at in range(0, 8, 2))
        options += [f"master-display=G{g}B{b}R{r}WP{w}L({SCREEN[8]},{SCREEN[9]})"]
        options += ["max-cll=600,200", "hdr10=1"]
    with av.open(str(path), "w") as file:
        stream: Any = file.add_stream(
            "libx265", rate=25, options={"preset": "ultrafast", "x265-params": ":".join(options)}
        )
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p10le"
        context = stream.codec_context
        context.color_range, context.colorspace = 1, 9
        context.color_primaries, context.color_trc = 9, transfer
        if path.suffix != ".mkv":
            context.codec_tag = "hvc1"
        for number in range(frames):
            frame = av.VideoFrame(96, 64, "yuv420p10le")
            parts = (64 + luma * 876, 512 + _halved(blue) * 896, 512 + _halved(red) * 896)
            for plane, values in zip(frame.planes, parts, strict=True):
                samples = np.frombuffer(plane, np.uint16).reshape(plane.height, -1)  # type: ignore[call-overload]
                samples[:, : plane.width] = np.rint(values)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def _halved(plane: Any) -> Any:
    return plane.reshape(32, 2, 48, 2).mean(axis=(1, 3))


def with_dolby_vision(source: Path, path: Path, profile: int, fits: int) -> Path:
    """The MP4 with a box that says that its stream is Dolby Vision of that profile."""
    data = bytearray(source.read_bytes())
    bits = (profile << 9) | (5 << 3) | 0b101
    body = bytes([1, 0]) + bits.to_bytes(2, "big") + bytes([fits << 4]) + bytes(19)
    box = (8 + len(body)).to_bytes(4, "big") + b"dvcC" + body
    names = [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"hvc1"]
    at = 0
    for name in names:
        while data[at + 4 : at + 8] != name:
            at += int.from_bytes(data[at : at + 4], "big")
        size = int.from_bytes(data[at : at + 4], "big")
        data[at : at + 4] = (size + len(box)).to_bytes(4, "big")
        end = at + size
        at += 16 if name == b"stsd" else 8
    data[end:end] = box
    path.write_bytes(data)
    return path
