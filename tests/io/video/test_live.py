"""Live pictures, with videos and a stream in the place of a camera."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic, sleep

import av
import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from undark.cli.app import app
from undark.errors import DamagedError, OutputError
from undark.io.video.camera import Live
from undark.io.video.sinks import open_sink
from video_files import grainy, pictures, scene, write_video

Undark = Callable[..., Result]


@pytest.fixture
def undark(curve_model: Path) -> Undark:
    def run(*arguments: object) -> Result:
        options = ["-m", curve_model, "--runtime", "onnxruntime", "--threads", 1]
        return CliRunner().invoke(app, [str(item) for item in ["live", *arguments, *options]])

    return run


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_video(tmp_path / "a.mkv", grainy(scene(14), 30))


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    handler = partial(_Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_address[1]}"
        http.shutdown()


def y4m(data: bytes) -> list[np.ndarray]:
    with av.open(io.BytesIO(data), format="yuv4mpegpipe") as file:
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]


def test_every_frame_of_a_video_goes_to_a_pipe(undark: Undark, clip: Path) -> None:
    done = undark(clip, "-o", "-", "--every", "--stats")
    assert done.exit_code == 0, done.stderr
    frames = y4m(done.stdout_bytes)
    assert len(frames) == 30
    assert np.mean(frames) > 3 * np.mean(pictures(clip))
    assert "30 frames shown, 0 dropped" in done.stderr
    assert "latency" in done.stderr


def test_raw_frames_are_planes_one_after_the_other(undark: Undark, clip: Path) -> None:
    done = undark(clip, "-o", "-", "--every", "--as", "raw")
    assert done.exit_code == 0, done.stderr
    frames = np.frombuffer(done.stdout_bytes, np.uint8).reshape(30, 96 * 64 * 3 // 2)
    luma = frames[:, : 96 * 64].reshape(30, 64, 96)
    assert luma.mean() > 60
    assert np.abs(np.diff(luma[5:].mean(axis=(1, 2)))).max() < 3


def test_a_stream_is_taken(undark: Undark, clip: Path, server: str) -> None:
    done = undark(f"{server}/{clip.name}", "-o", "-", "--every")
    assert done.exit_code == 0, done.stderr
    assert len(y4m(done.stdout_bytes)) == 30


def test_a_stream_that_is_not_there_is_a_line(undark: Undark, server: str) -> None:
    done = undark(f"{server}/none.mkv", "-o", "-")
    assert done.exit_code == 1
    assert "none.mkv: cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_video_plays_at_its_own_speed_and_late_frames_are_dropped(clip: Path) -> None:
    live = Live(str(clip))
    begin = monotonic()
    seen = missed = 0
    for shot in live.shots():
        seen += 1
        missed += shot.missed
        sleep(0.1)
    live.close()
    assert monotonic() - begin > 29 / 25
    assert 5 < seen < 20
    assert missed > 5
    assert seen + missed == 30


def test_a_quick_viewer_misses_little(clip: Path) -> None:
    live = Live(str(clip))
    shots = list(live.shots())
    live.close()
    assert len(shots) + sum(shot.missed for shot in shots) == 30
    assert len(shots) > 5
    assert live.rate == 25


def test_closing_early_ends_the_reading(clip: Path) -> None:
    live = Live(str(clip))
    next(live.shots())
    live.close()
    assert not [item for item in threading.enumerate() if item.name == "undark-live"]


@pytest.mark.parametrize("source", ["77", "/no/such/clip.mp4"])
def test_what_is_not_there_is_a_line(undark: Undark, source: str) -> None:
    done = undark(source, "-o", "-")
    assert done.exit_code == 1
    assert f"undark: {source}: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "options",
    [["--as", "avi"], ["--size", "big"], ["--size", "0x4"], ["--fps", "0"], ["--local", "0.5"]],
)
def test_wrong_usage_is_exit_code_2(undark: Undark, clip: Path, options: list[str]) -> None:
    assert undark(clip, "-o", "-", *options).exit_code == 2


@pytest.mark.skipif(sys.platform != "linux", reason="only X11 can be told to be missing")
def test_where_there_is_no_display_it_says_so(
    undark: Undark, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    done = undark(clip)
    assert done.exit_code == 1
    assert "-o - | ffplay -" in done.stderr
    assert done.stderr.count("\n") == 2


def test_a_device_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is not a video device"):
        open_sink(str(tmp_path / "x"), "y4m", Fraction(30))


def test_a_pipe_that_closes_ends_it_quietly(clip: Path, curve_model: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "undark", "live", str(clip), "-o", "-", "-m", str(curve_model),
         "--runtime", "onnxruntime"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read(2000).startswith(b"YUV4MPEG2 W96 H64 F25:1")
    process.stdout.close()
    told = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(60) == 0, told
    assert "Traceback" not in told


def test_a_video_without_pictures_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "a.mkv").write_bytes(b"nothing")
    with pytest.raises(DamagedError, match=r"a\.mkv"):
        Live(str(tmp_path / "a.mkv"))
