"""Timestamps that begin late or jump: no frame is lost, and sound and images stay together."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clip_files import joined, told
from undark.io.video.clock import Timeline
from video_files import copied, grainy, packets, pictures, scene, times, write_video


def moved(source: Path, path: Path, seconds: float) -> Path:
    """The same recording with a clock that began so much earlier."""
    with av.open(str(source)) as clip, av.open(str(path), "w") as file:
        copies = [file.add_stream_from_template(item, opaque=True) for item in clip.streams]
        for packet in clip.demux():
            if packet.dts is not None:
                ticks = round(seconds / packet.time_base)
                packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
                packet.stream = copies[packet.stream_index]
                file.mux(packet)
    return path


def lag(path: Path) -> float:
    """Seconds from the first sound to the first image."""
    return times(path)[0] - float(packets(path, "audio")[0][0])


@pytest.mark.parametrize("suffix", [".ts", ".mpg"])
@pytest.mark.parametrize("begin", [0.0, 1.25, 50_000.0, 95_443.0])
def test_the_clock_of_a_broadcast_begins_at_zero(tmp_path: Path, suffix: str, begin: float) -> None:
    codec = "libx264" if suffix == ".ts" else "mpeg2video"
    options = None if suffix == ".ts" else {}
    plain = write_video(
        tmp_path / "a.mkv", grainy(scene(), 30), sound=suffix == ".ts", codec=codec, options=options
    )
    source = moved(plain, tmp_path / f"a{suffix}", begin)
    for name in ("b.mkv", "b.mp4"):
        target = copied(source, tmp_path / name)
        found = times(target)
        assert found[0] < 0.1, name
        assert np.diff(found) == pytest.approx(np.full(29, 0.04), abs=1.1e-3)
        with av.open(str(target)) as clip:
            assert clip.duration == pytest.approx(1_220_000, abs=60_000)
        if suffix == ".ts":
            assert lag(target) == pytest.approx(lag(source), abs=1.1e-3)


def test_frames_before_the_begin_that_is_told_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # RTSP tells the first packet's time for the begin, whose frame is not shown first.
    source = write_video(tmp_path / "a.mkv", grainy(scene(60), 12))
    build = Timeline.__init__

    def late(self: Timeline, container: Any, *rest: Any) -> None:
        build(self, container, *rest)
        self.begin -= Fraction(4, 25)

    monkeypatch.setattr(Timeline, "__init__", late)
    assert len(pictures(copied(source, tmp_path / "b.mkv"))) == 12


def test_a_file_cut_from_a_long_stream_begins_at_zero(tmp_path: Path) -> None:
    plain = write_video(tmp_path / "a.mkv", grainy(scene(), 10), sound=True)
    source = moved(plain, tmp_path / "late.mkv", 3600)
    target = copied(source, tmp_path / "b.mkv")
    assert times(target)[0] < 0.1
    assert lag(target) == pytest.approx(lag(source), abs=1.1e-3)


def test_a_part_of_a_broadcast_is_where_it_was_asked_for(tmp_path: Path) -> None:
    plain = write_video(tmp_path / "a.mkv", grainy(scene(), 50), sound=True, options={"g": "10"})
    source = moved(plain, tmp_path / "a.ts", 777.0)
    target = copied(source, tmp_path / "b.mkv", begin=0.8, end=1.6)
    assert times(target) == pytest.approx([n / 25 for n in range(20)], abs=1.1e-3)
    assert np.abs(pictures(target)[0].astype(int) - pictures(source)[20]).mean() < 3


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    begins=st.lists(st.sampled_from([0.0, 0.6, 5.0, 40.0, 7000.0]), min_size=2, max_size=4),
    sound=st.booleans(),
)
def test_joined_recordings_lose_no_frame(
    tmp_path_factory: pytest.TempPathFactory, begins: list[float], sound: bool
) -> None:
    folder = tmp_path_factory.mktemp("joined")
    plain = write_video(folder / "plain.mkv", grainy(scene(), 25), sound=sound)
    parts = [moved(plain, folder / f"{n}.ts", begin) for n, begin in enumerate(begins)]
    source = joined(folder / "a.ts", *parts)
    target = folder / "b.mkv"
    assert not [line for line in told(source, target) if "passed over" in line]
    found = times(target)
    assert len(found) == 25 * len(parts)
    steps = np.diff(found)
    assert steps.min() > 0
    # In each part, images come at their pace; a step into the next is no jump of more than 10 s.
    assert sorted(steps)[: 24 * len(parts)][-1] < 0.2
    assert found[-1] < len(parts) * 1.3 + 10.0 * len(parts)
    if sound:
        heard = [data for _, data in packets(target, "audio")]
        assert len(heard) == len(parts) * len(packets(parts[0], "audio"))
        # The images of the last part lie to its sound as they did.
        stamps = [float(at) for at, _ in packets(target, "audio")]
        first = stamps[-len(packets(parts[0], "audio"))]
        assert found[-25] - first == pytest.approx(lag(parts[0]), abs=2.2e-3)


def test_a_change_of_size_loses_no_frame(tmp_path: Path) -> None:
    small = write_video(tmp_path / "s.ts", grainy(scene(), 20))
    large = write_video(tmp_path / "l.ts", grainy(scene(size=(192, 128)), 20))
    target = copied(joined(tmp_path / "a.ts", small, large), tmp_path / "b.mkv")
    found = pictures(target)
    assert len(found) == 40
    assert {item.shape for item in found} == {(64, 96, 3)}
    assert np.diff(times(target)) == pytest.approx(np.full(39, 0.04), abs=1.1e-3)


def test_repeated_timestamps_lose_no_frame(tmp_path: Path) -> None:
    stamps = [0, 40, 80, 81, 82, 200]
    source = write_video(
        tmp_path / "plain.mkv", grainy(scene(), 6), times=stamps, base=Fraction(1, 1000),
        codec="mjpeg", pix_fmt="yuvj420p", options={},
    )  # fmt: skip
    with av.open(str(source)) as clip, av.open(str(tmp_path / "a.mkv"), "w") as file:
        copy = file.add_stream_from_template(clip.streams.video[0], opaque=True)
        for packet in clip.demux():
            if packet.dts is not None:
                packet.stream = copy
                if packet.pts in (81, 82):
                    packet.pts = packet.dts = 80
                file.mux(packet)
    target = copied(tmp_path / "a.mkv", tmp_path / "b.mkv")
    assert len(pictures(target)) == 6
    assert times(target)[-1] == pytest.approx(0.2)


def test_h264_in_avi_is_not_a_frame_late(tmp_path: Path) -> None:
    plain = write_video(tmp_path / "a.mkv", grainy(scene(), 10))
    avi = copied(plain, tmp_path / "b.avi")
    target = copied(avi, tmp_path / "c.mkv")
    assert times(target) == pytest.approx([n / 25 for n in range(10)], abs=1.1e-3)
