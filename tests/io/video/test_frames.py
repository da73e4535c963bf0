"""What frames are: fields, transparency, turns, shapes of pixels, depths; kept, or said so."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from clip_files import alphas, combs, interlaced, kinds, seen_through, told
from undark import VideoEnhancer
from undark.errors import UsageError
from undark.io.video.camera import Live
from undark.io.video.coding import Coding
from undark.io.video.options import Transcoding
from undark.io.video.stills import read_stills
from undark.io.video.transcode import transcode
from video_files import copied, grainy, pictures, scene, times, write_video


@pytest.mark.parametrize("order", ["tff", "bff"])
@pytest.mark.parametrize(("codec", "name"), [("mpeg2video", "a.ts"), ("libx264", "a.mp4")])
def test_interlaced_frames_become_whole(tmp_path: Path, codec: str, name: str, order: str) -> None:
    source = interlaced(tmp_path / name, codec=codec, order=order)
    target = tmp_path / "b.mp4"
    assert "its frames were interlaced; each is made whole" in told(source, target)
    assert combs(source) > 1.0
    assert combs(target) < 0.1 * combs(source)
    found = times(target)
    assert len(found) == 20
    assert np.diff(found) == pytest.approx(np.full(19, 0.04), abs=1e-3)
    with av.open(str(target)) as clip:
        assert not any(frame.interlaced_frame for frame in clip.decode(video=0))
    stills = list(read_stills(source, Transcoding()))
    assert len(stills) == 20


@pytest.mark.parametrize("order", ["tff", "bff"])
@pytest.mark.parametrize(
    ("name", "codec"), [("b.mp4", None), ("b.mkv", "h264"), ("b.mov", "prores"), ("b.mkv", "ffv1")]
)
def test_fields_are_kept_with_their_flags(
    tmp_path: Path, name: str, codec: str | None, order: str
) -> None:
    source = interlaced(tmp_path / "a.ts", order=order)
    target = tmp_path / name
    assert told(source, target, keep_interlaced=True, coding=Coding(codec)) == []
    assert combs(target) == pytest.approx(combs(source), rel=0.15)
    assert len(times(target)) == 20
    with av.open(str(target)) as clip:
        frame = next(clip.decode(video=0))
        assert frame.interlaced_frame
        # FFmpeg's numbers: 2 and 4 begin with the upper field, 3 and 5 with the lower. Of H.264
        # in MP4, which does not say, it guesses.
        found = clip.streams.video[0].codec_context.field_order
        assert found in ((2, 4), (3, 5))[order == "bff"] or name == "b.mp4"
    # Its fields come in the right order: made whole again, the bar moves evenly.
    whole = copied(target, tmp_path / "c.mkv")
    lefts = [float((item[..., 0] > 80).any(axis=0).argmax()) for item in pictures(whole)]
    assert np.diff(lefts[1:5]) == pytest.approx(np.full(3, 12.0), abs=2.5)


def test_a_codec_without_fields_is_wrong_usage(tmp_path: Path) -> None:
    source = interlaced(tmp_path / "a.ts")
    with pytest.raises(UsageError, match=r"hevc holds no fields here; choose h264, prores, ffv1"):
        told(source, tmp_path / "b.mp4", keep_interlaced=True, coding=Coding("hevc"))
    with pytest.raises(UsageError, match="shown in whole frames"):
        Transcoding(preview="side", keep_interlaced=True)
    # Of frames that are whole nothing is asked.
    plain = write_video(tmp_path / "c.mp4", grainy(scene(), 3))
    told(plain, tmp_path / "d.mp4", keep_interlaced=True, coding=Coding("hevc"))


SEEN_THROUGH = [
    ("a.mov", "prores_ks", "yuva444p10le"),
    ("a.webm", "libvpx-vp9", "yuva420p"),
    ("a.mov", "qtrle", "argb"),
    ("a.mov", "png", "rgba"),
]


@pytest.mark.parametrize(("target", "becomes"), [("b.mov", "prores"), ("b.webm", "vp9")])
@pytest.mark.parametrize("made", SEEN_THROUGH)
def test_transparency_stays(
    tmp_path: Path, video: VideoEnhancer, made: tuple[str, str, str], target: str, becomes: str
) -> None:
    source = seen_through(tmp_path / made[0], *made[1:])
    assert len(alphas(source)) == 6
    notices: list[str] = []
    transcode(source, tmp_path / target, video.enhance_planes, Transcoding(), notice=notices.append)
    assert not [line for line in notices if "left out" in line]
    assert kinds(tmp_path / target) == [f"video {becomes}"]
    before, after = alphas(source), alphas(tmp_path / target)
    assert len(after) == 6
    for was, now in zip(before, after, strict=True):
        assert np.abs(was - now).mean() < 0.02
        assert now[:, 60:].max() < 0.1
        assert now[:, :40].min() > 0.9
    old, new = (np.mean(pictures(path)[3][:, :40]) for path in (source, tmp_path / target))
    assert new > 1.4 * old


@pytest.fixture
def video(curve_model: Path) -> VideoEnhancer:
    return VideoEnhancer(curve_model, runtime="onnxruntime", threads=1)


@pytest.mark.parametrize("codec", [None, "h264", "hevc", "vp9"])
@pytest.mark.parametrize(("name", "kind", "pix_fmt"), SEEN_THROUGH)
def test_transparency_that_finds_no_place_is_a_notice(
    tmp_path: Path, name: str, kind: str, pix_fmt: str, codec: str | None
) -> None:
    source = seen_through(tmp_path / name, kind, pix_fmt)
    notices = told(source, tmp_path / "b.mp4", coding=Coding(codec))
    assert [line for line in notices if line.startswith("its transparency is left out: ")]
    assert len(pictures(tmp_path / "b.mp4")) == 6


MATRICES = {
    "90": (0, 65536, -65536, 0),
    "180": (-65536, 0, 0, -65536),
    "270": (0, -65536, 65536, 0),
    "mirrored": (-65536, 0, 0, 65536),
    "flipped": (65536, 0, 0, -65536),
    "transposed": (0, 65536, 65536, 0),
    "transversed": (0, -65536, -65536, 0),
}


def turned(path: Path, name: str, shape: Fraction | None = None) -> Path:
    a, b, c, d = MATRICES[name]

    def turn(_: Any, stream: Any) -> None:
        stream.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])

    picture = scene(90)
    picture[:20, :30] = 240  # one corner
    options = {} if shape is None else {"sample_aspect_ratio": shape}
    return write_video(path, grainy(picture, 4), before=turn, **options)


def seen(picture: Any, name: str) -> Any:
    """As a player shows the picture: the point x, y lands on x·a + y·c, x·b + y·d."""
    a, b, c, d = (np.sign(value) for value in MATRICES[name])
    if a == 0:
        picture = picture.swapaxes(0, 1)
        right, down = c, b
    else:
        right, down = a, d
    return picture[:: int(down), :: int(right)]


@pytest.mark.parametrize("name", MATRICES)
def test_avi_which_knows_no_turns_gets_images_that_are_turned(tmp_path: Path, name: str) -> None:
    source = turned(tmp_path / "a.mp4", name)
    target = copied(source, tmp_path / "b.avi")
    wanted = seen(pictures(source)[1], name).astype(int)
    assert pictures(target)[1].shape == wanted.shape
    assert np.abs(pictures(target)[1] - wanted).mean() < 4
    (first, *_) = read_stills(source, Transcoding())
    assert np.abs(first.photo.pixels.astype(int) - seen(pictures(source)[0], name)).mean() < 4
    # Other files say how they are to be turned.
    with av.open(str(copied(source, tmp_path / "c.mp4"))) as clip:
        matrix = np.frombuffer(bytes(next(clip.decode(video=0)).side_data["DISPLAYMATRIX"]), "i4")
    assert tuple(np.sign(matrix[[0, 1, 3, 4]])) == tuple(np.sign(MATRICES[name]))


@pytest.mark.parametrize("name", ["90", "180", "270", "mirrored", "transposed"])
@pytest.mark.parametrize("shape", [None, Fraction(4, 3), Fraction(1, 2)])
def test_live_frames_are_upright_and_have_square_pixels(
    tmp_path: Path, name: str, shape: Fraction | None
) -> None:
    source = turned(tmp_path / "a.mkv", name, shape)
    with closing(Live(str(source), pace=False)) as live:
        frame = next(iter(live.shots())).frame.to_ndarray(format="rgb24")
    wanted = seen(pictures(source)[0], name).astype(int)
    rows, columns = wanted.shape[:2]
    ratio = (shape or Fraction(1)) if MATRICES[name][0] else 1 / (shape or Fraction(1))
    assert frame.shape[1] / frame.shape[0] == pytest.approx(float(columns * ratio / rows), rel=0.03)
    assert frame.shape[0] >= rows
    assert frame.shape[1] >= columns
    if shape is None:
        assert np.abs(frame.astype(int) - wanted).mean() < 4


@pytest.mark.parametrize(
    ("name", "codec", "becomes", "pix_fmt"),
    [
        ("b.mp4", None, "hevc", "yuv420p10le"),
        ("b.mov", None, "hevc", "yuv420p10le"),
        ("b.mkv", None, "hevc", "yuv420p10le"),
        ("b.webm", None, "av1", "yuv420p10le"),
        ("b.mp4", "h264", "h264", "yuv422p10le"),
        ("b.mp4", "hevc", "hevc", "yuv422p10le"),
        ("b.mov", "prores", "prores", "yuv422p10le"),
        ("b.mkv", "ffv1", "ffv1", "yuv422p10le"),
    ],
)
def test_ten_bits_become_what_devices_play(
    tmp_path: Path, name: str, codec: str | None, becomes: str, pix_fmt: str
) -> None:
    source = write_video(
        tmp_path / "a.mkv", grainy(scene(90), 4), pix_fmt="yuv422p10le", codec="ffv1", options={}
    )
    notices = told(source, tmp_path / name, coding=Coding(codec))
    with av.open(str(tmp_path / name)) as clip:
        context = clip.streams.video[0].codec_context
        assert (context.codec.canonical_name, context.pix_fmt) == (becomes, pix_fmt)
        if becomes == "hevc" and not name.endswith(".mkv"):
            assert context.codec_tag == "hvc1"
            if codec is None:
                assert context.profile == "Main 10"
    assert ("its colours become 4:2:0" in " ".join(notices)) == (codec is None)
    assert np.abs(pictures(source)[2].astype(int) - pictures(tmp_path / name)[2]).mean() < 5


def test_ffv1_loses_nothing(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mkv", grainy(scene(90), 4), codec="ffv1", options={})
    target = copied(source, tmp_path / "b.mkv", coding=Coding("ffv1"))
    for was, now in zip(pictures(source), pictures(target), strict=True):
        np.testing.assert_array_equal(was, now)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"codec": "prores", "crf": 20}, "prores has no crf"),
        ({"codec": "prores", "preset": "fast"}, "is not a preset of prores; choose one of proxy"),
        ({"codec": "ffv1", "preset": "fast"}, "is not a preset of ffv1; it has none"),
    ],
)
def test_what_prores_and_ffv1_do_not_know(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Coding(**options)


@pytest.mark.parametrize("preset", ["proxy", "lt", "standard", "hq", "4444", "4444xq"])
def test_a_preset_of_prores_is_its_profile(tmp_path: Path, preset: str) -> None:
    source = write_video(tmp_path / "a.mkv", grainy(scene(90), 2))
    target = copied(source, tmp_path / "b.mov", coding=Coding("prores", preset=preset))
    tags = {"proxy": "apco", "lt": "apcs", "standard": "apcn", "hq": "apch"}
    with av.open(str(target)) as clip:
        assert clip.streams.video[0].codec_context.codec_tag == tags.get(
            preset, "ap4h" if preset == "4444" else "ap4x"
        )


def test_the_shape_of_pixels_stays_in_all_files(tmp_path: Path) -> None:
    source = write_video(
        tmp_path / "a.mp4", grainy(scene(), 4), sample_aspect_ratio=Fraction(16, 11)
    )
    for name in ("b.mp4", "b.mov", "b.mkv", "b.avi"):
        copied(source, tmp_path / name)
        with av.open(str(tmp_path / name)) as clip:
            stream = clip.streams.video[0]
            next(clip.decode(stream))
            assert stream.codec_context.sample_aspect_ratio == Fraction(16, 11), name
