"""Hardware encoders: used where they work, and else software's, said so."""

from __future__ import annotations

from pathlib import Path

import pytest

from clip_files import hdr, kinds, told
from undark.errors import UsageError
from undark.io.video.coding import Coding
from undark.io.video.hardware import ENCODERS, find_hardware
from video_files import grainy, pictures, scene, write_video


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("kind", ENCODERS)
def test_an_encoder_that_is_asked_for_is_used_where_it_works(
    tmp_path: Path, kind: str, codec: str
) -> None:
    source = write_video(tmp_path / "a.mkv", grainy(scene(90, size=(256, 256)), 12))
    coding = Coding(codec, preset="ultrafast", encoder=kind)
    notices = told(source, tmp_path / "b.mp4", coding=coding)
    works = not isinstance(find_hardware(kind, codec, "yuv420p", 20, None), str)
    assert (notices == []) == works
    if not works:
        (line,) = notices
        assert line.startswith(f"{kind} does not encode {codec} here: ")
        assert "no device that works" in line or "this FFmpeg has none" in line
        assert line.endswith(f"; libx{codec[-3:] if codec == 'h264' else '265'} does")
    assert kinds(tmp_path / "b.mp4") == [f"video {codec}"]
    assert len(pictures(tmp_path / "b.mp4")) == 12


def test_what_hardware_does_not_keep_goes_through_software(tmp_path: Path) -> None:
    (line,) = told(hdr(tmp_path / "a.mp4", 18), tmp_path / "b.mp4", coding=Coding(encoder="nvenc"))
    assert line == "nvenc does not encode hevc here: it is not told of HDR and fields; libx265 does"
    fine = write_video(tmp_path / "a.mkv", grainy(scene(), 3), pix_fmt="yuv444p")
    (line,) = told(fine, tmp_path / "c.mp4", coding=Coding(encoder="qsv"))
    assert "qsv does not encode h264 here: it takes no yuv444p" in line
    (line,) = told(fine, tmp_path / "c.mkv", coding=Coding("ffv1", encoder="vaapi"))
    assert "it has no ffv1" in line


def test_there_is_no_such_encoder() -> None:
    with pytest.raises(UsageError, match="'cuda' is not a kind of encoder; choose one of nvenc"):
        Coding(encoder="cuda")
