"""Videos are units of a plan too: by their own options, and after a death from the start."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from fleet_files import digests, run_json, run_undark, small_photos, start_undark, workers_of

pytest.importorskip("pyarrow", reason="the extra fleet is not installed")
pytest.importorskip("av", reason="the extra video is not installed")

from video_files import grainy, scene, write_video

MODEL = ("-m", "curve", "--runtime", "onnxruntime")
VIDEOS = ("--quality", "fast", "--quality", 80, "--crf", 30, "--preset", "ultrafast")


def test_photos_and_videos_are_those_of_enhance_after_a_death_too(tmp_path: Path) -> None:
    source = small_photos(tmp_path / "in", 4)
    write_video(source / "clip.mp4", grainy(scene(size=(192, 128)), 400))
    plan, out = tmp_path / "plan", tmp_path / "out"
    run_undark("fleet", "plan", source, "-o", plan)
    asked = (*MODEL, *VIDEOS)
    process = start_undark("fleet", "run", plan, "--to", out, *asked, "--processes", 1)
    # The clip is in hand once all photos are done.
    while process.poll() is None and len(list(out.glob("*.jpg"))) < 4:
        time.sleep(0.02)
    killed = False
    while process.poll() is None and not killed:
        if list(out.glob(".undark-fleet/*/*/made/*result.mp4*")):
            for worker in workers_of(process):
                worker.kill()
                killed = True
        time.sleep(0.01)
    told = process.communicate(timeout=60)[1]
    assert killed
    assert process.returncode == 0, told
    assert "clip.mp4: a process ended with it in hand (SIGKILL)" in told
    found = run_json("fleet", "verify", plan)
    assert (found["good"], found["done"]) == (True, 5)
    by_hand = tmp_path / "by-hand"
    run_undark("enhance", source, "-o", by_hand, *asked, "--precision", "exact", "--threads", 1)
    assert digests(out) == digests(by_hand)


def test_options_of_videos_are_part_of_a_run(tmp_path: Path) -> None:
    source = small_photos(tmp_path / "in", 1)
    plan, out = tmp_path / "plan", tmp_path / "out"
    run_undark("fleet", "plan", source, "-o", plan)
    told = run_undark("fleet", "run", plan, "--to", out, *MODEL, "--codec", "none", code=2)[1]
    assert "is not a codec" in told
    told = run_undark("fleet", "run", plan, "--to", out, *MODEL, "--quality", "fine", code=2)[1]
    assert "--quality must be" in told
    run_undark("fleet", "run", plan, "--to", out, *MODEL, *VIDEOS, "--processes", 1)
    run_undark("fleet", "run", plan, "--quality", "fast")
    for other in (("--quality", "best"), ("--crf", 20), ("--sdr",)):
        assert "was begun with" in run_undark("fleet", "run", plan, *other, code=2)[1]
