"""Videos as single photos, and photos as videos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from undark.errors import UsageError
from undark.io.video.options import Transcoding
from undark.io.video.stills import open_still_sink, read_stills
from video_files import grainy, pictures, scene, write_video


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_a_video_of_ten_bits_becomes_an_animation(tmp_path: Path, suffix: str) -> None:
    source = write_video(tmp_path / "a.mkv", grainy(scene(90), 3), pix_fmt="yuv420p10le")
    target = tmp_path / f"b{suffix}"
    sink = open_still_sink(target)
    for still in read_stills(source, Transcoding()):
        assert still.photo.bit_depth == 16
        sink.add(still, still.photo)
    sink.close()
    with Image.open(target) as shown:
        assert shown.n_frames == 3
        first = np.asarray(shown.convert("RGB")).astype(int)
    assert np.abs(first - pictures(source)[0]).mean() < 8


def test_a_part_of_a_video_keeps_its_times_and_numbers(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mkv", grainy(scene(90), 10))
    found = list(read_stills(source, Transcoding(begin=0.16, end=0.32)))
    assert [still.time for still in found] == pytest.approx([0.16, 0.2, 0.24, 0.28], abs=1e-3)
    assert [still.number for still in found] == [1, 2, 3, 4]
    assert found[-1].fraction == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize("name", ["a.jpg", "a", "frame%03d.gif"])
def test_what_holds_no_video_is_wrong_usage(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"cannot hold a video|does not write"):
        open_still_sink(tmp_path / name)
