"""HDR video: enhanced in its own transfer with what it says of itself, or brought to SDR."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from clip_files import SCREEN, hdr, kinds, told, with_dolby_vision
from undark import VideoEnhancer
from undark.cli.app import app
from undark.errors import UnsupportedError, UsageError
from undark.io.video.camera import Live, enhanced
from undark.io.video.coding import Coding
from undark.io.video.hdr import hdr_of
from undark.io.video.options import Transcoding
from undark.io.video.planes import planes_of
from undark.io.video.stills import read_stills
from undark.io.video.transcode import transcode
from undark.pixels.transfer import decode
from video_files import QUICK, names, times

PQ, HLG = 16, 18
FINE = Coding("hevc", crf=4, preset="ultrafast")


@pytest.fixture
def video(curve_model: Path) -> VideoEnhancer:
    return VideoEnhancer(curve_model, runtime="onnxruntime", threads=1)


def light(path: Path, transfer: int, number: int = 2) -> Any:
    """A frame's light; 1 is reference white."""
    with av.open(str(path)) as clip:
        frame = list(clip.decode(video=0))[number]
    planes = planes_of(frame)
    rgb = planes.rgb().astype(np.float64) / 65535
    return decode(rgb, transfer)


def first(path: Path) -> Any:
    with av.open(str(path)) as clip:
        return next(clip.decode(video=0))


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize("name", ["b.mp4", "b.mov", "b.mkv"])
def test_hdr_stays_hdr_and_becomes_bright(
    tmp_path: Path, video: VideoEnhancer, transfer: int, name: str
) -> None:
    source = hdr(tmp_path / "a.mp4", transfer, told_of_screen=transfer == PQ)
    target = tmp_path / name
    notices: list[str] = []
    transcode(source, target, video.enhance_planes, Transcoding(), notice=notices.append)
    assert notices == []
    with av.open(str(target)) as clip:
        context = clip.streams.video[0].codec_context
        assert (context.codec.canonical_name, context.profile) == ("hevc", "Main 10")
        assert context.pix_fmt == "yuv420p10le"
        if name != "b.mkv":
            assert context.codec_tag == "hvc1"
        assert (context.color_primaries, context.color_trc, context.colorspace) == (9, transfer, 9)
    assert times(target) == times(source)
    before, after = light(source, transfer), light(target, transfer)
    dark = np.s_[32:, 32:]
    assert after[dark].mean() > 2.5 * before[dark].mean()
    # The lamp stays as much above white as it was.
    assert after[6:14, 10:22].mean() == pytest.approx(before[6:14, 10:22].mean(), rel=0.1)
    found = hdr_of(first(target))
    assert found is not None
    if transfer == PQ:
        assert found.display == SCREEN
        assert found.light == (600, 200)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_what_is_not_changed_stays(tmp_path: Path, curve_model: Path, transfer: int) -> None:
    source = hdr(tmp_path / "a.mp4", transfer)
    idle = VideoEnhancer(curve_model, runtime="onnxruntime", threads=1, strength=0.0)
    transcode(source, tmp_path / "b.mp4", idle.enhance_planes, Transcoding(FINE))
    old, new = (planes_of(first(tmp_path / name)) for name in ("a.mp4", "b.mp4"))
    assert np.abs(old.y.astype(int) - new.y).mean() < 2


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_video_gets_what_a_photo_of_it_gets(
    curve_model: Path, tmp_path: Path, transfer: int
) -> None:
    """The same arithmetic as for photos, though by tables and on planes."""
    from undark.engine.hdr import enhance_rendition
    from undark.photo import Cicp, Photo
    from undark.pixels.rendition import Rendering

    planes = planes_of(first(hdr(tmp_path / "a.mp4", transfer)))
    rendering = Rendering(transfer, planes.colours)
    before = rendering.rendition(planes)

    def doubled(source: Any, target: Any) -> None:
        # Of luma and colour alike: each channel of the rendition doubles.
        colours = source.colours
        wide = source.y.astype(float) - colours.black
        target.y[:] = np.clip(colours.black + 2 * wide, 0, colours.black + colours.luma_span)
        for plane, result in ((source.u, target.u), (source.v, target.v)):
            result[:] = np.clip(colours.middle + 2 * (plane - float(colours.middle)), 0, 65535)

    after = before.planes.blank_copy()
    doubled(before.planes, after)
    target = type(planes)(
        *(np.empty_like(p) for p in (planes.y, planes.u, planes.v)), planes.colours
    )
    rendering.relit(planes, before, after, target)

    photo = Photo(planes.rgb(), cicp=Cicp(9, transfer))
    wanted = enhance_rendition(
        photo,
        lambda item: item.with_pixels(np.minimum(item.pixels.astype(int) * 2, 65535).astype("u2")),
    )
    mine = decode(target.rgb() / 65535, transfer)[32:, 32:]
    its = decode(wanted.pixels / 65535, transfer)[32:, 32:]
    assert np.abs(mine - its).mean() < 0.03 * its.mean()


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize("name", ["b.mp4", "b.webm", "b.avi"])
def test_sdr_is_tone_mapped(tmp_path: Path, video: VideoEnhancer, transfer: int, name: str) -> None:
    source = hdr(tmp_path / "a.mp4", transfer, told_of_screen=True)
    target = tmp_path / name
    transcode(source, target, video.enhance_planes, Transcoding(sdr=True))
    with av.open(str(target)) as clip:
        context = clip.streams.video[0].codec_context
        assert context.pix_fmt == "yuv420p"
        frame = next(clip.decode(video=0))
    if name != "b.avi":
        assert (context.color_primaries, context.color_trc, context.colorspace) == (1, 1, 1)
    assert hdr_of(frame) is None
    assert frame.side_data.get("MASTERING_DISPLAY_METADATA") is None
    pixels = frame.to_ndarray(format="rgb24").astype(int)
    assert pixels[6:14, 10:22].min() > 200
    assert 40 < pixels[32:, 32:].mean() < 200


def test_stills_and_live_frames_of_hdr_are_sdr(tmp_path: Path) -> None:
    source = hdr(tmp_path / "a.mkv", PQ)

    def same(source: Any, target: Any, *, time: float) -> None:
        source.copy_to(target)

    (still, *_) = read_stills(source, Transcoding())
    with closing(Live(str(source), pace=False)) as live:
        shot = next(iter(live.shots())).frame
    shown = enhanced(shot, same, 0.0)
    assert (shown.format.name, int(shown.colorspace)) == ("yuv420p", 1)
    for pixels in (still.photo.pixels, shown.to_ndarray(format="rgb24")):
        assert pixels.dtype == np.uint8
        assert pixels[6:14, 10:22].min() > 200
        assert 3 < pixels[32:, 32:].mean() < 60


def test_a_file_without_hdr_is_wrong_usage(tmp_path: Path) -> None:
    source = hdr(tmp_path / "a.mp4", HLG)
    for name, codec in (("b.avi", None), ("b.webm", "vp9"), ("b.mkv", "vp9")):
        with pytest.raises(UsageError, match=r"holds no HDR here; choose hevc") as caught:
            told(source, tmp_path / name, coding=Coding(codec))
        assert caught.value.argument == "sdr"
    assert names(tmp_path) == ["a.mp4"]


def test_webm_gets_av1(tmp_path: Path) -> None:
    source = hdr(tmp_path / "a.mp4", PQ, told_of_screen=True)
    assert told(source, tmp_path / "b.webm", coding=Coding()) == []
    assert kinds(tmp_path / "b.webm") == ["video av1"]
    found = hdr_of(first(tmp_path / "b.webm"))
    assert found is not None
    assert found.light == (600, 200)
    assert found.display == pytest.approx(SCREEN, rel=0.01, abs=2)


@pytest.mark.parametrize(("profile", "fits"), [(5, 0), (10, 0), (4, 0)])
def test_dolby_vision_with_colours_of_its_own_is_refused(
    tmp_path: Path, profile: int, fits: int
) -> None:
    plain = hdr(tmp_path / "plain.mp4", PQ)
    source = with_dolby_vision(plain, tmp_path / "a.mp4", profile, fits)
    with pytest.raises(UnsupportedError, match=f"a.mp4: is Dolby Vision of profile {profile}"):
        told(source, tmp_path / "b.mp4")
    with pytest.raises(UnsupportedError):
        told(source, tmp_path / "b.mp4", sdr=True)
    assert names(tmp_path) == ["a.mp4", "plain.mp4"]


@pytest.mark.parametrize(("fits", "transfer"), [(1, PQ), (4, HLG)])
def test_of_dolby_vision_8_the_base_layer_is_used(tmp_path: Path, fits: int, transfer: int) -> None:
    plain = hdr(tmp_path / "plain.mp4", transfer)
    source = with_dolby_vision(plain, tmp_path / "a.mp4", 8, fits)
    (line,) = told(source, tmp_path / "b.mp4", coding=QUICK)
    assert f"Dolby Vision data 8.{fits} is left out" in line
    found = hdr_of(first(tmp_path / "b.mp4"))
    assert found is not None
    assert found.transfer == transfer
    assert b"dvcC" not in (tmp_path / "b.mp4").read_bytes()


def test_on_the_command_line(tmp_path: Path, curve_model: Path) -> None:
    source = hdr(tmp_path / "a.mp4", HLG)
    options = ["-m", str(curve_model), "--runtime", "onnxruntime", "--threads", "1"]
    done = CliRunner().invoke(
        app, ["enhance", str(source), "-o", str(tmp_path / "b.avi"), *options]
    )
    assert done.exit_code == 1
    assert "(--sdr)" in done.stderr
    done = CliRunner().invoke(
        app, ["enhance", str(source), "--sdr", "-o", str(tmp_path / "b.avi"), *options]
    )
    assert done.exit_code == 0, done.stderr
