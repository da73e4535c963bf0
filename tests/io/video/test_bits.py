"""Bits of a sample: as the source has, or as asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from clip_files import alphas, hdr, interlaced, kinds, seen_through
from undark import VideoEnhancer
from undark.cli.app import app
from undark.errors import UsageError
from undark.io.video.coding import Coding
from undark.io.video.options import Transcoding
from undark.io.video.planes import planes_of
from undark.io.video.transcode import transcode
from undark.pixels.planes import Colours, Planes
from video_files import copied, grainy, pictures, scene, write_video

SIZE = (320, 64)


@pytest.fixture
def video(curve_model: Path) -> VideoEnhancer:
    return VideoEnhancer(curve_model, runtime="onnxruntime", threads=1)


def samples(path: Path) -> np.ndarray[Any, Any]:
    """Luma of the last frame, as stored."""
    with av.open(str(path)) as clip:
        frame = list(clip.decode(video=0))[-1]
        return planes_of(frame).y.astype(np.int64)


def ramp(path: Path, **options: Any) -> Path:
    """A dark ramp from left to right."""
    width, height = SIZE
    line = np.linspace(4, 40, width).round().astype(np.uint8)
    image = np.broadcast_to(line[None, :, None], (height, width, 3))
    return write_video(path, [image] * 4, **options)


@pytest.mark.parametrize(
    ("source", "target", "coding", "becomes"),
    [
        ("yuv420p", "b.mp4", Coding(None, bits=10), ("hevc", "yuv420p10le")),
        ("yuv420p", "b.mov", Coding(None, bits=10), ("hevc", "yuv420p10le")),
        ("yuv420p", "b.webm", Coding(None, bits=10), ("av1", "yuv420p10le")),
        ("yuv420p", "b.mkv", Coding("h264", bits=10), ("h264", "yuv420p10le")),
        ("yuv444p", "b.mkv", Coding("h264", bits=10), ("h264", "yuv444p10le")),
        ("yuv422p", "b.mov", Coding("prores", bits=10), ("prores", "yuv422p10le")),
        ("yuv420p", "b.mkv", Coding("ffv1", bits=10), ("ffv1", "yuv420p10le")),
        ("yuv420p10le", "b.mp4", Coding(None, bits=8), ("h264", "yuv420p")),
        ("yuv422p10le", "b.mp4", Coding(None, bits=8), ("h264", "yuv422p")),
        ("yuv420p10le", "b.webm", Coding(None, bits=8), ("vp9", "yuv420p")),
        ("yuv420p10le", "b.mkv", Coding("hevc", bits=8), ("hevc", "yuv420p")),
        ("yuv422p12le", "b.mkv", Coding("ffv1", bits=10), ("ffv1", "yuv422p10le")),
        ("yuv420p", "b.mp4", Coding(None, bits=8), ("h264", "yuv420p")),
    ],
)
def test_bits_are_those_asked_for(
    tmp_path: Path, source: str, target: str, coding: Coding, becomes: tuple[str, str]
) -> None:
    clip = write_video(
        tmp_path / "a.mkv", grainy(scene(90), 3), pix_fmt=source, codec="ffv1", options={}
    )
    made = copied(clip, tmp_path / target, coding=coding)
    with av.open(str(made)) as found:
        context = found.streams.video[0].codec_context
        assert (context.codec.canonical_name, context.pix_fmt) == becomes
        if becomes[0] == "hevc" and target != "b.mkv":
            assert (context.codec_tag, context.profile) == ("hvc1", "Main 10")
    assert np.abs(pictures(clip)[2].astype(int) - pictures(made)[2]).mean() < 5


def test_a_ramp_of_8_bits_gets_steps_of_10(tmp_path: Path, video: VideoEnhancer) -> None:
    source = ramp(tmp_path / "a.mkv", codec="ffv1", options={})
    found: dict[int, np.ndarray[Any, Any]] = {}
    for bits in (8, 10):
        target = tmp_path / f"{bits}.mkv"
        part = Transcoding(Coding("ffv1", bits=bits))
        transcode(source, target, video.fork().enhance_planes, part)
        found[bits] = samples(target)
    assert np.abs(found[10] / 4 - found[8]).mean() < 0.6
    # What light has made of one sample is more than one of ten bits.
    assert len(np.unique(found[10])) > 2 * len(np.unique(found[8]))
    assert (found[10] % 4 != 0).mean() > 0.5


def test_10_bits_are_enhanced_before_they_become_8(tmp_path: Path, video: VideoEnhancer) -> None:
    source = ramp(tmp_path / "a.mkv", codec="ffv1", options={}, pix_fmt="yuv420p10le")
    deep, shallow = (tmp_path / name for name in ("deep.mkv", "shallow.mkv"))
    for target, bits in ((deep, 10), (shallow, 8)):
        part = Transcoding(Coding("ffv1", bits=bits))
        transcode(source, target, video.fork().enhance_planes, part)
    assert np.abs(samples(deep) / 4 - samples(shallow)).max() <= 1.0


@pytest.mark.parametrize(
    ("source", "target", "coding", "says"),
    [
        ("yuv420p", "b.webm", {"codec": "vp9", "bits": 10}, "vp9 has no 10 bits here; choose hevc"),
        ("yuv420p", "b.mov", {"codec": "prores", "bits": 8}, "prores has always 10 bits"),
        ("yuv420p", "b.mov", {"bits": 12}, "bits must be 8 or 10, not 12"),
    ],
)
def test_what_a_codec_cannot_is_wrong_usage(
    tmp_path: Path, source: str, target: str, coding: dict[str, Any], says: str
) -> None:
    clip = write_video(tmp_path / "a.mkv", grainy(scene(), 2), pix_fmt=source)
    with pytest.raises(UsageError, match=says):
        copied(clip, tmp_path / target, coding=Coding(**coding))
    assert not (tmp_path / target).exists()


def test_transparency_of_10_bits(tmp_path: Path) -> None:
    source = seen_through(tmp_path / "a.webm", "libvpx-vp9", "yuva420p")
    with pytest.raises(UsageError, match="vp9 with transparency has no 10 bits here"):
        copied(source, tmp_path / "b.webm", coding=Coding(bits=10))
    target = copied(source, tmp_path / "b.mov", coding=Coding(bits=10))
    assert kinds(target) == ["video prores"]
    was, now = alphas(source)[0], alphas(target)[0]
    assert np.abs(was.astype(int) * 1023 / 255 - now.astype(int)).max() < 8


def test_hdr_has_10_bits_unless_it_becomes_sdr(tmp_path: Path) -> None:
    source = hdr(tmp_path / "a.mp4", 18)
    with pytest.raises(UsageError, match="HDR takes 10 bits"):
        copied(source, tmp_path / "b.mp4", coding=Coding(bits=8))
    for bits, codec, form in ((8, "h264", "yuv420p"), (10, "hevc", "yuv420p10le")):
        target = copied(source, tmp_path / f"{bits}.mp4", coding=Coding(bits=bits), sdr=True)
        with av.open(str(target)) as clip:
            context = clip.streams.video[0].codec_context
            assert (context.codec.canonical_name, context.pix_fmt) == (codec, form)
            assert int(context.color_trc) == 1


def test_fields_of_10_bits_keep_their_flags(tmp_path: Path) -> None:
    source = interlaced(tmp_path / "a.ts")
    target = copied(source, tmp_path / "b.mkv", keep_interlaced=True, coding=Coding(bits=10))
    with av.open(str(target)) as clip:
        frame = next(clip.decode(video=0))
        assert frame.format.name == "yuv420p10le"
        assert frame.interlaced_frame


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("preview", ["side", "split"])
def test_before_and_after_have_the_same_bits(tmp_path: Path, preview: str, bits: int) -> None:
    source = write_video(
        tmp_path / "a.mkv", grainy(scene(90), 2), codec="ffv1", options={},
        pix_fmt="yuv420p" if bits == 10 else "yuv420p10le",
    )  # fmt: skip
    target = copied(source, tmp_path / "b.mkv", coding=Coding("ffv1", bits=bits), preview=preview)
    whole = pictures(target)[0].astype(int)
    half = whole.shape[1] // 2
    if preview == "side":
        assert np.abs(whole[:, :half] - whole[:, half:]).max() <= 1
    # A frame of twice the depth, or half of it, is made RGB a little otherwise.
    assert np.abs(whole[:, : half - 4] - pictures(source)[0][:, : half - 4]).mean() < 1.0


@given(
    old=st.integers(8, 16), new=st.integers(8, 16), full=st.booleans(),
    sample=st.floats(0.0, 1.0),
)  # fmt: skip
def test_another_depth_and_back_is_the_same(old: int, new: int, full: bool, sample: float) -> None:
    colours = Colours(full=full, depth=old)
    value = round(sample * colours.top)
    plane = np.full((2, 2), value, colours.dtype)
    there = Planes(plane, plane, plane, colours).at_depth(new)
    assert there.y.dtype == there.colours.dtype
    assert int(there.y.max()) <= there.colours.top
    back = there.at_depth(old)
    # To fewer bits and back a sample of those is lost at most; else nothing.
    most = 2 ** max(old - new, 0) if new < old else 0
    for one in (back.y, back.u, back.v):
        assert abs(int(one[0, 0]) - value) <= most


def test_on_the_command_line(tmp_path: Path, curve_model: Path) -> None:
    source = write_video(tmp_path / "a.mp4", grainy(scene(14), 3))
    options = ["-m", str(curve_model), "--runtime", "onnxruntime", "--preset", "ultrafast"]
    done = CliRunner().invoke(app, ["enhance", str(source), "--bits", "10", *options])
    assert done.exit_code == 0, done.stderr
    with av.open(str(tmp_path / "a.undark.mp4")) as clip:
        assert clip.streams.video[0].codec_context.pix_fmt == "yuv420p10le"
    for bits, codec, says in (
        ("9", "hevc", "bits must be 8 or 10, not 9"),
        ("8", "prores", "prores has always 10 bits"),
    ):
        arguments = [str(source), "--bits", bits, "--codec", codec, "-o", str(tmp_path / "c.mov")]
        done = CliRunner().invoke(app, ["enhance", *arguments, "-m", str(curve_model)])
        assert done.exit_code == 2
        assert says in done.stderr
        assert "--bits" in done.stderr
