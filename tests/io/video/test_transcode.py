"""A video to a video: what is changed, and what must stay."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from undark import VideoEnhancer
from undark.errors import (
    UndarkError,
    UsageError,
)
from undark.io.video.coding import Coding
from undark.io.video.containers import partial_path
from undark.io.video.options import Progress, Transcoding
from undark.io.video.planes import planes_of
from undark.io.video.transcode import transcode
from undark.pixels.planes import Planes
from video_files import (
    QUICK,
    as_it_is,
    copied,
    grainy,
    names,
    packets,
    pictures,
    scene,
    times,
    write_video,
)


@pytest.fixture
def video(curve_model: Path) -> VideoEnhancer:
    return VideoEnhancer(curve_model, runtime="onnxruntime", threads=1)


def test_a_dark_video_becomes_bright_with_its_sound(tmp_path: Path, video: VideoEnhancer) -> None:
    source = write_video(tmp_path / "a.mp4", grainy(scene(14), 30), sound=True)
    before = source.read_bytes()
    seen: list[Progress] = []
    target = tmp_path / "deep" / "b.mp4"
    transcode(source, target, video.enhance_planes, Transcoding(QUICK), progress=seen.append)
    assert source.read_bytes() == before
    assert names(target.parent) == ["b.mp4"]
    assert packets(target, "audio") == packets(source, "audio")
    assert times(target) == times(source)
    assert np.mean(pictures(target)) > 3 * np.mean(pictures(source))
    assert [done.frames for done in seen] == list(range(1, 31))
    assert all(done.total == 30 for done in seen)
    fractions = [done.fraction for done in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] > 0.9
    with av.open(str(target)) as clip:
        assert clip.streams.video[0].codec_context.name == "h264"


def test_timestamps_are_exact_at_a_variable_rate(tmp_path: Path) -> None:
    stamps = [0, 1001, 1500, 4000, 4003, 9000, 9500, 20000, 20001, 31000, 31999, 40000]
    source = write_video(
        tmp_path / "a.mp4", grainy(scene(), 12), times=stamps, base=Fraction(1, 12345), sound=True
    )
    target = copied(source, tmp_path / "b.mp4")
    assert [time * 12345 for time in times(target)] == pytest.approx(stamps, abs=1e-6)
    assert packets(target, "audio") == packets(source, "audio")


def test_a_video_that_begins_late_keeps_its_sync(tmp_path: Path) -> None:
    source = write_video(
        tmp_path / "a.mkv", grainy(scene(), 10), times=range(500, 900, 40), base=Fraction(1, 1000),
        sound=True,
    )  # fmt: skip
    target = copied(source, tmp_path / "b.mkv")
    assert times(target) == times(source)
    assert times(target)[0] == pytest.approx(0.5)
    assert packets(target, "audio") == packets(source, "audio")


def test_chapters_tags_and_languages_stay(tmp_path: Path) -> None:
    def describe(file: Any, stream: Any) -> None:
        file.metadata.update({"title": "Night walk", "comment": "Søren's", "date": "2026"})
        stream.metadata["language"] = "dan"
        base = Fraction(1, 1000)
        file.set_chapters(
            [
                {"id": 1, "start": 0, "end": 400, "time_base": base, "metadata": {"title": "Out"}},
                {"id": 2, "start": 400, "end": 800, "time_base": base, "metadata": {"title": "In"}},
            ]
        )

    for suffix in (".mp4", ".mkv"):
        source = write_video(tmp_path / f"a{suffix}", grainy(scene(), 20), before=describe)
        with av.open(str(copied(source, tmp_path / f"b{suffix}"))) as clip:
            tags = {key.lower(): value for key, value in clip.metadata.items()}
            assert (tags["title"], tags["comment"]) == ("Night walk", "Søren's")
            assert clip.streams.video[0].metadata["language"] == "dan"
            found = [
                (float(item["start"] * item["time_base"]), item["metadata"].get("title"))
                for item in clip.chapters()
            ]
            assert found == [(0.0, "Out"), (0.4, "In")]
    part = copied(tmp_path / "a.mkv", tmp_path / "part.mkv", begin=0.2, end=0.6)
    with av.open(str(part)) as clip:
        spans = [
            tuple(round(float(item[key] * item["time_base"]), 3) for key in ("start", "end"))
            for item in clip.chapters()
        ]
        assert spans == [(0.0, 0.2), (0.2, 0.4)]


SUBTITLES = """1
00:00:00,000 --> 00:00:00,400
It is dark.

2
00:00:00,400 --> 00:00:00,900
Now it is not.
"""


def with_subtitles(tmp_path: Path) -> Path:
    """A Matroska video with sound, subtitles and an attachment."""
    plain = write_video(tmp_path / "plain.mkv", grainy(scene(), 25), sound=True)
    (tmp_path / "s.srt").write_text(SUBTITLES, encoding="utf-8")
    path = tmp_path / "subtitled.mkv"
    with (
        av.open(str(plain)) as clip,
        av.open(str(tmp_path / "s.srt")) as text,
        av.open(str(path), "w") as file,
    ):
        inputs = [clip.streams.video[0], clip.streams.audio[0], text.streams.subtitles[0]]
        copies = {
            (item.container, item.index): file.add_stream_from_template(item, opaque=True)
            for item in inputs
        }
        file.add_attachment("font.ttf", "font/ttf", b"not really a font")
        for container in (text, clip):
            for packet in container.demux():
                if packet.dts is not None:
                    packet.stream = copies[container, packet.stream_index]
                    file.mux(packet)
    return path


def test_subtitles_and_attachments_are_copied(tmp_path: Path) -> None:
    source = with_subtitles(tmp_path)
    target = copied(source, tmp_path / "b.mkv")
    for kind in ("audio", "subtitle"):
        assert packets(target, kind) == packets(source, kind)
    assert len(packets(target, "subtitle")) == 2
    with av.open(str(target)) as clip:
        (attached,) = clip.streams.attachments
        assert attached.data == b"not really a font"


def test_what_a_container_cannot_hold_is_a_notice(tmp_path: Path) -> None:
    source = with_subtitles(tmp_path)
    notices: list[str] = []
    target = tmp_path / "b.mp4"
    transcode(source, target, as_it_is, Transcoding(QUICK), notice=notices.append)
    assert packets(target, "audio") == packets(source, "audio")
    assert any("subtitle" in line and "becomes mov_text" in line for line in notices)
    assert any("attachment" in line and "left out" in line for line in notices)
    assert all("\n" not in line for line in notices)


def test_rotation_pixel_shape_and_colour_tags_stay(tmp_path: Path) -> None:
    def turn(_: Any, stream: Any) -> None:
        stream.set_display_rotation(90)

    tags = {"color_range": 2, "colorspace": 5, "color_primaries": 5, "color_trc": 6}
    shape = Fraction(4, 3)
    source = write_video(
        tmp_path / "a.mp4", grainy(scene(), 5), before=turn, sample_aspect_ratio=shape, **tags
    )
    with av.open(str(copied(source, tmp_path / "b.mp4"))) as clip:
        stream = clip.streams.video[0]
        frame = next(clip.decode(stream))
        assert frame.rotation == 90
        assert stream.sample_aspect_ratio == shape
        context = stream.codec_context
        assert {name: int(getattr(context, name)) for name in tags} == tags
    old, new = (pictures(tmp_path / name)[0].astype(int) for name in ("a.mp4", "b.mp4"))
    assert np.abs(old - new).mean() < 2


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_ten_bits_stay_ten_bits(tmp_path: Path, codec: str, video: VideoEnhancer) -> None:
    source = write_video(tmp_path / "a.mkv", grainy(scene(12), 6), pix_fmt="yuv420p10le")
    target = tmp_path / "b.mkv"
    coding = Coding(codec=codec, preset="ultrafast")
    transcode(source, target, video.enhance_planes, Transcoding(coding))
    with av.open(str(target)) as clip:
        assert clip.streams.video[0].codec_context.pix_fmt == "yuv420p10le"
        assert next(clip.decode(video=0)).to_ndarray(format="rgb24").mean() > 40


@pytest.mark.parametrize(
    ("pix_fmt", "codec", "becomes"),
    [
        ("yuv422p", "libx264", "yuv422p"),
        ("yuv444p", "libx264", "yuv444p"),
        ("yuvj420p", "libx264", "yuvj420p"),
        ("bgr0", "ffv1", "yuv420p"),
        ("nv12", "rawvideo", "yuv420p"),
        ("gray", "ffv1", "yuv420p"),
    ],
)
def test_other_pixel_formats_are_taken(
    tmp_path: Path, pix_fmt: str, codec: str, becomes: str
) -> None:
    source = write_video(tmp_path / "a.mkv", grainy(scene(90), 3), codec=codec, pix_fmt=pix_fmt)
    target = copied(source, tmp_path / "b.mkv")
    with av.open(str(target)) as clip:
        assert clip.streams.video[0].codec_context.pix_fmt == becomes
    old, new = pictures(source)[1].astype(int), pictures(target)[1].astype(int)
    assert np.abs(old - new).mean() < 4


@pytest.mark.parametrize(
    ("suffix", "codec", "preset", "name"),
    [
        (".mp4", None, None, "h264"),
        (".mov", "hevc", "ultrafast", "hevc"),
        (".webm", None, "8", "vp9"),
        (".mkv", "av1", "13", "av1"),
        (".avi", None, None, "h264"),
    ],
)
def test_codecs_and_containers(
    tmp_path: Path, suffix: str, codec: str | None, preset: str | None, name: str
) -> None:
    source = write_video(tmp_path / "a.mkv", grainy(scene(60), 8))
    target = tmp_path / f"b{suffix}"
    coding = Coding(codec=codec, preset=preset)
    transcode(source, target, as_it_is, Transcoding(coding))
    with av.open(str(target)) as clip:
        assert clip.streams.video[0].codec_context.codec.canonical_name == name
        frames = [frame.to_ndarray(format="rgb24") for frame in clip.decode(video=0)]
    assert len(frames) == 8
    assert np.abs(frames[3].astype(int) - pictures(source)[3]).mean() < 6
    # And what undark wrote it reads.
    assert len(pictures(copied(target, tmp_path / f"c{suffix}", coding=Coding()))) == 8


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are told by Linux")
@pytest.mark.parametrize("made", [None, "a"], ids=["at once", "in segments"])
def test_an_encoder_takes_the_processor_from_nobody(tmp_path: Path, made: str | None) -> None:
    # SVT-AV1, opened by root, puts itself before everything else on the machine.
    seen: set[int] = set()

    def change(source: Planes, target: Planes, *, time: float) -> None:
        source.copy_to(target)
        for thread in Path("/proc/self/task").iterdir():
            with contextlib.suppress(ProcessLookupError):
                seen.add(os.sched_getscheduler(int(thread.name)))

    source = write_video(tmp_path / "a.mkv", grainy(scene(60), 40))
    coding = Coding(codec="av1", preset="13")
    transcode(source, tmp_path / "b.mp4", change, Transcoding(coding), made=made)
    assert seen == {os.SCHED_OTHER}
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


@pytest.mark.parametrize("size", [(95, 63), (33, 17), (16, 16), (2, 2), (257, 2)])
def test_odd_and_small_sizes(tmp_path: Path, size: tuple[int, int], video: VideoEnhancer) -> None:
    picture = scene(20, size=size)
    source = write_video(tmp_path / "a.mkv", [picture] * 3, codec="ffv1", pix_fmt="yuv444p")
    target = tmp_path / "b.mp4"
    transcode(source, target, video.enhance_planes, Transcoding(QUICK))
    (first, *_) = pictures(target)
    assert first.shape[:2] == (size[1] + size[1] % 2, size[0] + size[0] % 2)
    assert first.mean() > 1.5 * picture.mean()


@pytest.mark.parametrize(
    ("pix_fmt", "size"),
    [
        ("yuv420p", (101, 75)),
        ("yuv422p", (100, 75)),
        ("yuv422p", (101, 75)),
        ("yuv444p", (101, 75)),
        ("yuv444p", (100, 75)),
        ("yuv444p10le", (101, 75)),
    ],
)
def test_frames_of_odd_sizes_are_written_as_they_were_enhanced(
    tmp_path: Path, pix_fmt: str, size: tuple[int, int], video: VideoEnhancer
) -> None:
    frames = list(grainy(scene(20, size=size), 4))
    source = write_video(tmp_path / "a.mkv", frames, codec="ffv1", pix_fmt=pix_fmt)
    target = tmp_path / "b.mkv"
    lossless = Coding("h264", crf=0, preset="ultrafast")
    transcode(source, target, video.fork().enhance_planes, Transcoding(lossless))
    alone = video.fork()
    with av.open(str(source)) as before, av.open(str(target)) as after:
        both = zip(before.decode(video=0), after.decode(video=0), strict=True)
        for count, (dark, bright) in enumerate(both):
            read, written = planes_of(dark), planes_of(bright)
            own = Planes(*(np.zeros_like(plane) for plane in _parts(read)), read.colours)
            alone.enhance_planes(read, own, time=dark.time)
            for plane, whole in zip(_parts(own), _parts(written), strict=True):
                rows, columns = plane.shape
                # H.264 loses nothing at crf 0 with 8 bits, a little with 10.
                most = 0 if pix_fmt.endswith("p") else 16
                padding = [(0, whole.shape[0] - rows), (0, whole.shape[1] - columns)]
                wanted = np.pad(plane, padding, mode="edge").astype(int)
                assert np.abs(wanted - whole).max() <= most, count
        assert count == 3


def _parts(planes: Planes) -> tuple[Any, Any, Any]:
    return planes.y, planes.u, planes.v


def test_one_frame_is_a_video(tmp_path: Path, video: VideoEnhancer) -> None:
    source = write_video(tmp_path / "a.mp4", [scene(12)])
    target = tmp_path / "b.mp4"
    transcode(source, target, video.enhance_planes, Transcoding(QUICK))
    assert len(pictures(target)) == 1


def test_a_part_begins_at_zero_and_keeps_its_sync(tmp_path: Path) -> None:
    # Key frames are far apart, so the part begins between two of them.
    options = {"preset": "ultrafast", "g": "40"}
    source = write_video(tmp_path / "a.mp4", grainy(scene(), 100), sound=True, options=options)
    target = copied(source, tmp_path / "b.mp4", begin=1.2, end=2.5)
    assert times(target) == pytest.approx([n / 25 for n in range(33)], abs=1e-3)
    old = {data: time for time, data in packets(source, "audio")}
    for time, data in packets(target, "audio"):
        assert float(old[data] - time) == pytest.approx(1.2, abs=1e-3)
    np.testing.assert_allclose(pictures(target)[0], pictures(source)[30], atol=40)
    assert np.abs(pictures(target)[0].astype(int) - pictures(source)[30]).mean() < 3


def test_a_part_that_is_none_is_wrong_usage(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", grainy(scene(), 10))
    with pytest.raises(UsageError, match=r"a\.mp4: ends at 0\.40 s"):
        copied(source, tmp_path / "b.mp4", begin=100.0)
    for begin, end in ((-1.0, None), (3.0, 2.0), (1.0, 1.0)):
        with pytest.raises(UsageError, match="begin must be at least 0"):
            Transcoding(begin=begin, end=end)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("preview", ["side", "split"])
def test_a_preview_shows_before_and_after(tmp_path: Path, preview: str, turned: bool) -> None:
    def turn(_: Any, stream: Any) -> None:
        stream.set_display_rotation(90 if turned else 0)

    def white(source: Planes, target: Planes, *, time: float) -> None:
        target.y[:], target.u[:], target.v[:] = 235, 128, 128

    source = write_video(tmp_path / "a.mp4", grainy(scene(20), 3), before=turn)
    target = tmp_path / "b.mp4"
    transcode(source, target, white, Transcoding(QUICK, preview=preview))  # type: ignore[arg-type]
    frame = pictures(target)[1]
    width, height = SIZE_OF[preview, turned]
    assert frame.shape == (height, width, 3)
    seen = frame.swapaxes(0, 1) if turned else frame
    half = seen.shape[1] // 2
    assert seen[:, : half - 4].mean() < 40
    assert seen[:, half + 4 :].mean() > 240


SIZE_OF = {
    ("side", False): (192, 64),
    ("side", True): (96, 128),
    ("split", False): (96, 64),
    ("split", True): (96, 64),
}


class StopError(Exception):
    pass


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_stop_leaves_a_playable_part(tmp_path: Path, suffix: str) -> None:
    source = write_video(tmp_path / f"a{suffix}", grainy(scene(), 80), sound=True)
    target = tmp_path / f"b{suffix}"

    def stop(done: Progress) -> None:
        if done.frames == 50:
            raise StopError

    before = set(threading.enumerate())
    with pytest.raises(StopError):
        transcode(source, target, as_it_is, Transcoding(QUICK), progress=stop)
    assert set(threading.enumerate()) <= before  # none of its own is left
    assert not target.exists()
    part = partial_path(target)
    assert part.name == f"b.partial{suffix}"
    assert len(pictures(part)) == 50
    assert len(packets(part, "audio")) > 20
    # Done again, it is whole, and the part is gone.
    copied(source, target)
    assert len(pictures(target)) == 80
    assert not part.exists()


def test_an_error_of_the_change_leaves_nothing(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", grainy(scene(), 30))

    def fails(source: Planes, target: Planes, *, time: float) -> None:
        if time > 0.4:
            raise UndarkError("no more")

    with pytest.raises(UndarkError, match="no more"):
        transcode(source, tmp_path / "b.mp4", fails, Transcoding(QUICK))
    assert names(tmp_path) == ["a.mp4"]


def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    """Frames wait in short queues: no more than a few are ever between reader and writer."""
    source = write_video(tmp_path / "a.mkv", grainy(scene(size=(16, 16)), 400), options={"g": "10"})
    alive: list[int] = []
    made: list[Any] = []

    def count(source: Planes, target: Planes, *, time: float) -> None:
        source.copy_to(target)
        made.append(weakref.ref(source.y.base if source.y.base is not None else source.y))
        alive.append(sum(item() is not None for item in made))

    transcode(source, tmp_path / "b.mkv", count, Transcoding(QUICK))
    assert len(alive) == 400
    assert max(alive) < 60
