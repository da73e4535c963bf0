"""Videos: a frame's preview, then the job with its progress."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from calls import begin, upload, wait
from PIL import Image

pytest.importorskip("av", reason="the extra [video] is not installed")

from video_files import SIZE, write_video


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Two seconds of dark frames that get lighter."""
    path = tmp_path / "at night.mp4"
    height, width = SIZE[1], SIZE[0]
    write_video(path, [np.full((height, width, 3), 20 + n, np.uint8) for n in range(50)])
    return path


def test_a_frame_is_shown_before_and_after(client, clip):
    sent = upload(client, clip)
    assert (sent["kind"], sent["width"], sent["height"]) == ("video", *SIZE)
    assert sent["seconds"] == pytest.approx(2.0, abs=0.1)

    def level(**query: object) -> float:
        answer = client.get(f"v1/uploads/{sent['id']}/preview", params=query)
        assert answer.status_code == 200, answer.text
        return float(np.asarray(Image.open(io.BytesIO(answer.content))).mean())

    assert level(before=True, at=1.9) > level(before=True, at=0) + 20
    assert level(at=0) > level(before=True, at=0) + 5
    assert level(at=0, exposure=1) > level(at=0)
    late = client.get(f"v1/uploads/{sent['id']}/preview", params={"at": 99})
    assert late.status_code == 422 and "at night.mp4" in late.json()["detail"]


def test_a_video_job_gives_what_the_command_line_writes(client, clip, tmp_path):
    sent = upload(client, clip)
    job = begin(client, sent["id"], adjust={"exposure": 0.5}, crf=30, bits=10, begin=0.4, end=1.2)
    state = wait(client, job["id"])
    assert state["status"] == "done", state
    assert state["name"] == "at night.undark.mp4"
    result = client.get(f"v1/jobs/{job['id']}/result")
    assert result.headers["content-type"] == "video/mp4"
    done = subprocess.run(
        [sys.executable, "-m", "undark", "enhance", clip, "-o", f"{tmp_path}/out/",
         "--exposure", "0.5", "--crf", "30", "--bits", "10", "--from", "0.4", "--to", "1.2"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert result.content == Path(done.stdout.strip()).read_bytes()


@pytest.mark.parametrize("quality", ["fast", "balanced", "best"])
def test_a_quality_gives_what_the_command_line_writes(client, clip, tmp_path, quality):
    sent = upload(client, clip)
    job = begin(client, sent["id"], video_quality=quality, end=0.4)
    assert wait(client, job["id"])["status"] == "done"
    done = subprocess.run(
        [sys.executable, "-m", "undark", "enhance", clip, "-o", f"{tmp_path}/out/",
         "--quality", quality, "--to", "0.4"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    expected = Path(done.stdout.strip()).read_bytes()
    assert client.get(f"v1/jobs/{job['id']}/result").content == expected


def test_a_quality_changes_what_is_made_and_shown(client, tmp_path):
    path = tmp_path / "noisy.mp4"
    random = np.random.default_rng(0)
    frames = [random.normal(30, 8, (SIZE[1], SIZE[0], 3)).clip(0, 255) for _ in range(6)]
    write_video(path, [frame.astype(np.uint8) for frame in frames])
    sent = upload(client, path)
    shown, made = set(), set()
    for quality in ("fast", "balanced", "best"):
        query = {"video_quality": quality}
        answer = client.get(f"v1/uploads/{sent['id']}/preview", params=query)
        shown.add(answer.content)
        body = {"name": path.name, **query}
        made.add(client.post("v1/enhance", params=body, content=path.read_bytes()).content)
    assert len(made) == 3
    assert len(shown) >= 2
    answer = client.post("v1/jobs", json={"upload": sent["id"], "video_quality": "finest"})
    assert answer.status_code == 422 and "'fast', 'balanced' or 'best'" in answer.json()["detail"]


def test_a_video_in_one_request(client, clip):
    answer = client.post(
        "v1/enhance", params={"name": clip.name, "exposure": 0.5}, content=clip.read_bytes()
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "video/mp4"


def test_a_video_job_is_cancelled(client, tmp_path):
    path = tmp_path / "long.mp4"
    write_video(path, [np.full((480, 640, 3), 20 + n % 9, np.uint8) for n in range(300)])
    sent = upload(client, path)
    job = begin(client, sent["id"], model="relight")
    wait(client, job["id"], "running")
    assert client.delete(f"v1/jobs/{job['id']}").status_code == 204
    assert client.get(f"v1/jobs/{job['id']}").json()["status"] == "cancelled"


@pytest.mark.parametrize("asked", [{"codec": "vp7"}, {"crf": 60}, {"begin": 5, "end": 4},
                                   {"codec": "vp9", "preset": "fast"},
                                   {"bits": 9}, {"codec": "prores", "bits": 8}])  # fmt: skip
def test_what_cannot_be_encoded_is_told_at_once(client, clip, asked):
    sent = upload(client, clip)
    answer = client.post("v1/jobs", json={"upload": sent["id"], **asked})
    state = answer.json()
    if answer.status_code == 202:  # the file's kind decides
        state = wait(client, state["id"])
        assert state["status"] == "failed"
        state = state["error"]
    assert state["status"] == 422


def test_a_text_named_as_a_video_is_told(client):
    answer = client.put(
        "v1/uploads/aaaabbbbccccdddd", params={"name": "x.mp4"}, content=b"no video"
    )
    assert answer.status_code in (415, 422)
    assert answer.json()["detail"].startswith("x.mp4: ")
