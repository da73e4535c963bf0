"""Videos that are damaged, and results that cannot be written: one line, and nothing left."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from clip_files import told
from undark.errors import (
    DamagedError,
    InputError,
    OutputError,
    UndarkError,
    UnreadableError,
    UnsupportedError,
    UsageError,
)
from undark.io.video.coding import Coding
from undark.io.video.containers import partial_path
from undark.io.video.options import Transcoding
from undark.io.video.transcode import transcode
from video_files import (
    QUICK,
    as_it_is,
    copied,
    grainy,
    names,
    pictures,
    scene,
    times,
    write_video,
)


def test_a_damaged_stretch_is_passed_over(tmp_path: Path) -> None:
    options = {"preset": "ultrafast", "g": "5"}
    source = write_video(
        tmp_path / "a.mkv", grainy(scene(90, size=(160, 120)), 100, sigma=9), options=options,
        sound=True,
    )  # fmt: skip
    data = bytearray(source.read_bytes())
    middle = slice(len(data) * 2 // 5, len(data) * 2 // 5 + len(data) // 10)
    data[middle] = np.random.default_rng(1).bytes(middle.stop - middle.start)
    source.write_bytes(data)
    notices: list[str] = []
    target = tmp_path / "b.mkv"
    transcode(source, target, as_it_is, Transcoding(QUICK), notice=notices.append)
    assert 60 <= len(pictures(target)) <= 100
    # What comes after the damage is there, at its time.
    assert times(target)[-1] == pytest.approx(99 / 25, abs=0.01)
    (line,) = [line for line in notices if "damaged" in line]
    lost = re.search(r": (\d+) frames? (?:is|are) lost", line)
    # A damaged packet can be lost in the file already, where its own mark is.
    assert (int(lost[1]) if lost else 0) <= 100 - len(pictures(target))


def test_damage_that_costs_no_frame_is_told_so(tmp_path: Path) -> None:
    source = write_video(
        tmp_path / "a.mkv", grainy(scene(90, size=(160, 120)), 60, sigma=9), options={"g": "5"}
    )
    data = bytearray(source.read_bytes())
    with av.open(str(source)) as clip:
        for packet in list(clip.demux(video=0))[20:40:3]:
            middle = data.index(bytes(packet)) + packet.size // 2
            data[middle : middle + 4] = b"\x55\xaa\x55\xaa"
    source.write_bytes(data)
    notices: list[str] = []
    transcode(source, tmp_path / "b.mkv", as_it_is, Transcoding(QUICK), notice=notices.append)
    assert len(pictures(tmp_path / "b.mkv")) == 60
    (line,) = notices
    assert re.fullmatch(r"damaged between 0:00 and 0:01: no frame is lost, \d+ show it", line)


def test_a_video_truncated_is_done_as_far_as_it_goes(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mkv", grainy(scene(), 60), sound=True)
    source.write_bytes(source.read_bytes()[: source.stat().st_size * 2 // 3])
    target = copied(source, tmp_path / "b.mkv")
    assert 20 < len(pictures(target)) < 60


def make_empty(path: Path) -> None:
    path.touch()


def make_text(path: Path) -> None:
    path.write_text("no video at all\n" * 100, encoding="utf-8")


def make_zeros(path: Path) -> None:
    path.write_bytes(bytes(50_000))


def make_headless(path: Path) -> None:
    """An MP4 that was not brought to its end: it has no index."""
    write_video(path, grainy(scene(), 20))
    path.write_bytes(path.read_bytes()[:2000])


def make_sound(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as file:
        voice = file.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.rate = 48000
        file.mux(voice.encode(frame))
        file.mux(voice.encode(None))


def make_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (make_empty, DamagedError, "is empty"),
        (make_text, DamagedError, "not a video"),
        (make_zeros, DamagedError, "not a video"),
        (make_headless, DamagedError, "not a video"),
        (make_sound, UnsupportedError, "no video stream"),
        (make_folder, UnreadableError, "is a folder"),
        (lambda path: None, UnreadableError, "no such file"),
    ],
)
def test_bad_videos_are_a_line(
    tmp_path: Path, make: Callable[[Path], None], error: type[InputError], says: str
) -> None:
    source = tmp_path / "in" / "a.mp4"
    source.parent.mkdir()
    make(source)
    with pytest.raises(error) as caught:
        copied(source, tmp_path / "b.mp4")
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"{source}: ")
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == ["in"]


@pytest.mark.parametrize("seed", range(12))
def test_mangled_videos_end_in_a_video_or_a_line(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    suffix = [".mp4", ".mkv", ".avi"][seed % 3]
    source = write_video(tmp_path / f"a{suffix}", grainy(scene(), 12), sound=True)
    data = bytearray(source.read_bytes())
    for at in random.integers(0, len(data), 1 + seed * 4):
        data[at] = random.integers(0, 256)
    if seed % 4 == 0:
        del data[random.integers(200, len(data)) :]
    source.write_bytes(data)
    target = tmp_path / f"b{suffix}"
    try:
        copied(source, target)
    except UndarkError as error:
        assert "\n" not in str(error)
        assert not target.exists()
        assert not partial_path(target).exists()
    else:
        assert pictures(target)


def test_a_file_that_may_not_grow_is_a_line(tmp_path: Path) -> None:
    """As on a full disk: a write fails midway."""
    source = write_video(tmp_path / "a.mkv", grainy(scene(90), 100, sigma=20))
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n"
        "from undark.io.video.transcode import transcode\n"
        "def same(source, target, *, time):\n    source.copy_to(target)\n"
        "try:\n    transcode(Path(sys.argv[1]), Path(sys.argv[2]), same)\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(source), str(tmp_path / "b.mkv")],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.startswith("OutputError")
    assert "b.mkv: could not be written: the file would be larger" in done.stdout
    assert done.stderr == ""
    assert names(tmp_path) == ["a.mkv"]


def test_a_place_that_cannot_be_written_is_a_line(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", [scene()] * 3)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"b\.mp4: could not be written: a part of its path"):
        copied(source, tmp_path / "file" / "b.mp4")


@pytest.mark.parametrize(
    ("destination", "coding", "says"),
    [
        ("b.xyz", {}, "writes no video to .xyz"),
        ("b.webm", {"codec": "h264"}, "cannot hold h264"),
        ("b.mp4", {"codec": "mpeg4"}, "is not a codec"),
        ("b.mp4", {"codec": "h264", "preset": "11"}, "is not a preset of h264"),
        ("b.webm", {"codec": "vp9", "preset": "fast"}, "is not a preset of vp9"),
        ("b.webm", {"preset": "warp"}, "'warp' is a preset of no codec"),
        ("b.mp4", {"crf": 52}, "crf must be 0 to 51"),
    ],
)
def test_what_cannot_be_written_is_wrong_usage(
    tmp_path: Path, destination: str, coding: dict[str, Any], says: str
) -> None:
    source = write_video(tmp_path / "a.mp4", [scene()] * 3)
    with pytest.raises(UsageError, match=says):
        transcode(source, tmp_path / destination, as_it_is, Transcoding(Coding(**coding)))
    assert names(tmp_path) == ["a.mp4"]


def test_a_preset_is_for_the_codecs_that_know_it(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", [scene()] * 3)
    said = {name: told(source, tmp_path / name, coding=Coding(preset="ultrafast"))
            for name in ("b.mp4", "b.webm")}  # fmt: skip
    assert said == {
        "b.mp4": [],
        "b.webm": ["ultrafast is no preset of vp9, which takes its usual one"],
    }


def test_a_list_of_other_files_is_not_followed(tmp_path: Path) -> None:
    write_video(tmp_path / "private.mp4", [scene()] * 5)
    listed = tmp_path / "innocent.mp4"
    listed.write_text("ffconcat version 1.0\nfile private.mp4\n")
    with pytest.raises(UnsupportedError, match="list of other files"):
        transcode(listed, tmp_path / "out.mp4", lambda *_, **__: None, Transcoding(), notice=print)
    assert not (tmp_path / "out.mp4").exists()
