"""A run that was stopped is gone on with: nothing is lost, and nothing is done twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from clip_files import alphas, seen_through
from undark import VideoEnhancer
from undark.engine.frames import Quality
from undark.errors import UndarkError
from undark.io.video import segments
from undark.io.video.coding import Coding
from undark.io.video.containers import partial_path
from undark.io.video.options import Progress, Transcoding
from undark.io.video.transcode import transcode
from undark.pixels.planes import Planes
from video_files import QUICK, as_it_is, grainy, names, packets, pictures, scene, times, write_video


class StopError(Exception):
    pass


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "_LENGTH", Fraction(1, 2))


def run(
    source: Path,
    target: Path,
    *,
    stop: int | None = None,
    video: VideoEnhancer | None = None,
    **options: Any,
) -> dict[str, Any]:
    """One run, stopped after that many frames in all; how many frames it did, and what it said."""
    change, made = (video.enhance_planes, video.made) if video else (as_it_is, "as it is")
    found: dict[str, Any] = {"done": 0, "said": []}

    def progress(done: Progress) -> None:
        found["done"] += 1
        if stop is not None and done.frames >= stop:
            raise StopError

    part = Transcoding(**{"coding": QUICK, **options})
    try:
        transcode(
            source, target, change, part, made=made, progress=progress,
            notice=found["said"].append,
        )  # fmt: skip
    except StopError:
        found["stopped"] = True
    return found


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        (".mp4", "h264"), (".mp4", "hevc"), (".mkv", "h264"), (".mov", "prores"),
        (".mkv", "ffv1"), (".webm", "vp9"), (".avi", "h264"), (".mp4", "av1"), (".m4v", "h264"),
    ],
)  # fmt: skip
def test_a_stopped_run_is_gone_on_with(tmp_path: Path, suffix: str, codec: str) -> None:
    presets = {"vp9": "8", "av1": "13", "prores": None, "ffv1": None}
    coding = Coding(codec, preset=presets.get(codec, "veryfast"))
    source = write_video(tmp_path / "a.mkv", grainy(scene(90), 60), sound=True)
    whole, target = tmp_path / f"whole{suffix}", tmp_path / f"b{suffix}"
    run(source, whole, coding=coding)
    assert run(source, target, stop=30, coding=coding)["stopped"]
    assert not target.exists()
    assert 0 < len(pictures(partial_path(target))) <= 30
    again = run(source, target, coding=coding)
    assert again["done"] == 30
    assert any("goes on from 0:01, where it was stopped" in line for line in again["said"])
    assert times(target) == pytest.approx(times(whole), abs=1e-6)
    assert packets(target, "audio") == packets(whole, "audio")
    old, new = pictures(whole), pictures(target)
    assert len(new) == 60
    assert np.mean([np.abs(a.astype(int) - b).mean() for a, b in zip(old, new, strict=True)]) < 3
    assert names(tmp_path) == sorted(["a.mkv", whole.name, target.name])


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    stops=st.lists(st.integers(1, 49), max_size=3).map(sorted),
    kind=st.sampled_from([".mp4", ".mkv", ".ts", ".avi"]),
    steps=st.sampled_from([[40], [40, 7, 93], [1, 500, 40]]),
)
def test_no_frame_is_lost_or_changed_wherever_it_stops(
    tmp_path_factory: pytest.TempPathFactory, stops: list[int], kind: str, steps: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("stops")
    stamps = np.cumsum([0, *(steps * 50)])[:50].tolist()
    varied = kind in (".mp4", ".mkv")
    source = write_video(
        folder / f"a{kind}", grainy(scene(90), 50), times=stamps if varied else None,
        base=Fraction(1, 1000) if varied else None, sound=True,
        options={"preset": "veryfast", "g": "12"},
        codec="mpeg4" if kind == ".avi" else "libx264",
    ) if kind != ".avi" else write_video(
        folder / f"a{kind}", grainy(scene(90), 50), codec="mpeg4", options={"g": "12"}
    )  # fmt: skip
    lossless = Coding("ffv1")
    target, whole = folder / "b.mkv", folder / "whole.mkv"
    run(source, whole, coding=lossless)
    for stop in stops:
        run(source, target, stop=stop, coding=lossless)
    run(source, target, coding=lossless)
    assert times(target) == times(whole)
    for was, now in zip(pictures(whole), pictures(target), strict=True):
        np.testing.assert_array_equal(was, now)
    if kind != ".avi":
        assert packets(target, "audio") == packets(whole, "audio")
    assert names(folder) == sorted([source.name, "b.mkv", "whole.mkv"])


def test_joined_segments_are_timed_as_what_was_never_parted(tmp_path: Path) -> None:
    stamps = [n * 1001 + (n % 3) * 7 for n in range(60)]
    source = write_video(
        tmp_path / "a.mp4", grainy(scene(), 60), times=stamps, base=Fraction(1, 30000), sound=True,
        options={"preset": "veryfast"},
    )  # fmt: skip
    run(source, tmp_path / "b.mp4", coding=Coding(preset="medium"))
    assert [at * 30000 for at in times(tmp_path / "b.mp4")] == pytest.approx(stamps, abs=1e-4)
    assert packets(tmp_path / "b.mp4", "audio") == packets(source, "audio")


def test_a_part_is_gone_on_with(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", grainy(scene(), 100), sound=True)
    part = {"begin": 0.8, "end": 3.2}
    run(source, tmp_path / "whole.mp4", **part)
    run(source, tmp_path / "b.mp4", stop=20, **part)
    run(source, tmp_path / "b.mp4", stop=45, **part)
    assert run(source, tmp_path / "b.mp4", **part)["done"] == 15
    for read in (times, lambda path: packets(path, "audio")):
        assert read(tmp_path / "b.mp4") == read(tmp_path / "whole.mp4")


def test_transparency_is_gone_on_with(tmp_path: Path) -> None:
    source = seen_through(tmp_path / "a.webm", "libvpx-vp9", "yuva420p")
    coding = Coding(preset="8")
    run(source, tmp_path / "b.webm", stop=3, coding=coding)
    assert run(source, tmp_path / "b.webm", coding=coding)["done"] == 3
    found = alphas(tmp_path / "b.webm")
    assert len(found) == 6
    assert all(item[:, 60:].max() < 0.1 for item in found)
    assert all(item[:, :40].min() > 0.9 for item in found)
    assert times(tmp_path / "b.webm") == pytest.approx([n / 25 for n in range(6)], abs=1e-3)


def test_numbered_images_are_gone_on_with(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number, frame in enumerate(grainy(scene(90), 40), start=1):
        if number != 17:
            Image.fromarray(frame).save(folder / f"{number:03}.png")
    options = {"coding": Coding("ffv1"), "gaps": True, "fps": 12.5}
    source = folder / "%03d.png"
    run(source, tmp_path / "whole.mkv", **options)
    run(source, tmp_path / "b.mkv", stop=25, **options)
    assert run(source, tmp_path / "b.mkv", **options)["done"] == 14
    assert times(tmp_path / "b.mkv") == pytest.approx([n / 12.5 for n in range(39)], abs=1e-3)
    whole = pictures(tmp_path / "whole.mkv")
    for was, now in zip(whole, pictures(tmp_path / "b.mkv"), strict=True):
        np.testing.assert_array_equal(was, now)


def test_what_differs_is_begun_anew(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", grainy(scene(), 40))
    target = tmp_path / "b.mp4"
    run(source, target, stop=20)
    assert run(source, target, coding=Coding(crf=30, preset="ultrafast"))["done"] == 40
    assert names(tmp_path) == ["a.mp4", "b.mp4"]  # and what was begun otherwise is gone
    target.unlink()
    run(source, target, stop=20)
    os.utime(source, (1, 1))
    assert run(source, target)["done"] == 40
    assert len(pictures(target)) == 40


def test_another_quality_is_begun_anew(tmp_path: Path, curve_model: Path) -> None:
    def video(quality: Quality) -> VideoEnhancer:
        return VideoEnhancer(curve_model, quality=quality, runtime="onnxruntime", threads=1)

    source = write_video(tmp_path / "a.mp4", grainy(scene(14), 40))
    target = tmp_path / "b.mp4"
    run(source, target, stop=20, video=video("fast"))
    assert run(source, target, video=video("balanced"))["done"] == 40


def test_what_is_known_from_frame_to_frame_is_known_again(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", grainy(scene(), 60))
    seen: list[float] = []

    def change(source: Planes, target: Planes, *, time: float) -> None:
        seen.append(time)
        source.copy_to(target)

    def stop(done: Progress) -> None:
        if done.frames == 50:
            raise StopError

    options = Transcoding(QUICK)
    with pytest.raises(StopError):
        transcode(source, tmp_path / "b.mp4", change, options, made="x", progress=stop)
    seen.clear()
    transcode(source, tmp_path / "b.mp4", change, options, made="x")
    assert seen == sorted(seen)
    assert seen[0] < 50 / 25 - 1.5
    assert seen[-1] == pytest.approx(59 / 25)
    assert len(pictures(tmp_path / "b.mp4")) == 60


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", grainy(scene(), 40))

    def fails(source: Planes, target: Planes, *, time: float) -> None:
        if time > 1.0:
            raise UndarkError("no more")

    with pytest.raises(UndarkError, match="no more"):
        transcode(source, tmp_path / "b.mp4", fails, Transcoding(QUICK), made="x")
    assert names(tmp_path) == ["a.mp4"]


@pytest.mark.parametrize("made", [None, "as it is"])
def test_two_runs_to_one_output_do_not_meet(tmp_path: Path, made: str | None) -> None:
    source = write_video(tmp_path / "a.mp4", grainy(scene(), 40), sound=True)
    target = tmp_path / "b.mp4"
    inside = threading.Barrier(2, timeout=30)

    def slow(source: Planes, target: Planes, *, time: float) -> None:
        if time == 0.0:
            inside.wait()
        source.copy_to(target)

    errors: list[BaseException] = []

    def work() -> None:
        try:
            transcode(source, target, slow, Transcoding(QUICK), made=made)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(pictures(target)) == 40
    assert names(tmp_path) == ["a.mp4", "b.mp4"]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to send")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL] if os.name == "posix" else [])
def test_on_the_command_line(tmp_path: Path, curve_model: Path, how: int) -> None:
    few = list(grainy(scene(14, size=(320, 180)), 10, sigma=6))
    source = write_video(tmp_path / "a.mkv", few * 45, sound=True)
    target = tmp_path / "a.undark.mkv"
    command = [
        *(sys.executable, "-m", "undark", "enhance", str(source), "-m", str(curve_model)),
        *("--runtime", "onnxruntime", "--preset", "fast", "--threads", "1"),
    ]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    begin = time.monotonic()
    while not list(tmp_path.glob(".*/whole.json")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() - begin < 60
        time.sleep(0.02)
    process.send_signal(how)
    _, stderr = process.communicate(timeout=60)
    assert "Traceback" not in stderr
    assert not target.exists()
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert "the same command continues from there" in stderr
        assert 250 <= len(pictures(partial_path(target))) < 450
        assert packets(partial_path(target), "audio")
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert "a.mkv: goes on from 0:" in done.stderr
    assert times(target) == pytest.approx([n / 25 for n in range(450)], abs=2e-3)
    assert [data for _, data in packets(target, "audio")] == [
        data for _, data in packets(source, "audio")
    ]
    assert names(tmp_path) == ["a.mkv", "a.undark.mkv"]
