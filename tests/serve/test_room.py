"""One count, `--max-store`, bounds uploads, forms and results."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from calls import begin, upload, wait
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

pytest.importorskip("fastapi", reason="the extra [serve] is not installed")

from undark.serve.form import FormFile
from undark.serve.problems import ProblemError

LIMIT = 1_000_000


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    """A photo of 120 kB, whose results as BMP have as many."""
    path = tmp_path / "noisy.png"
    noise = np.random.default_rng(0).integers(0, 40, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, compress_level=0)
    return path


def kept(client: httpx.Client) -> float:
    """Bytes in the store."""
    lines = client.get("metrics").text.splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("undark_store_bytes ")))


def made(client: httpx.Client, id: str) -> dict:
    """A job of an upload, once it is over."""
    return wait(client, begin(client, id, model="curve", format="bmp")["id"])


def test_results_count_and_one_that_does_not_fit_fails_with_what_to_do(start, noisy):
    client = start("--max-store", LIMIT).client
    id = upload(client, noisy)["id"]
    states = [made(client, id) for _ in range(10)]
    done = [state for state in states if state["status"] == "done"]
    assert 5 <= len(done) < 10
    for state in states[len(done) :]:
        assert state["error"]["status"] == 507
        assert state["error"]["detail"].startswith("noisy.png: the server has no more room;")
    assert 600_000 < kept(client) <= LIMIT
    # Nothing that was not fetched was let go.
    for state in done:
        assert client.get(f"v1/jobs/{state['id']}/result").status_code == 200
    client.delete(f"v1/jobs/{done[0]['id']}")
    assert made(client, id)["status"] == "done"


def test_fetched_results_make_room_the_oldest_first(start, noisy):
    client = start("--max-store", LIMIT).client
    id = upload(client, noisy)["id"]
    first, second, third = (made(client, id)["id"] for _ in range(3))
    assert client.get("v1/archive", params={"job": [second]}).status_code == 200
    assert client.get(f"v1/jobs/{first}/result").status_code == 200
    assert client.head(f"v1/jobs/{third}/result").status_code in (200, 405)
    ranged = client.get(f"v1/jobs/{third}/result", headers={"Range": "bytes=0-9"})
    assert ranged.status_code == 206
    while client.get(f"v1/jobs/{second}").status_code == 200:
        assert made(client, id)["status"] == "done"
    assert client.get(f"v1/jobs/{second}/result").status_code == 404
    assert client.get(f"v1/jobs/{first}").status_code == 200
    assert made(client, id)["status"] == "done"
    assert client.get(f"v1/jobs/{first}").status_code == 404
    assert made(client, id)["status"] == "failed"
    assert client.get(f"v1/jobs/{third}/result").status_code == 200


def test_a_download_that_breaks_off_has_not_fetched_its_result(start, tmp_path):
    path = tmp_path / "large.png"
    noise = np.random.default_rng(0).integers(0, 40, (2000, 3000, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, compress_level=0)
    client = start("--max-store", "60M").client
    id = upload(client, path)["id"]
    first = made(client, id)["id"]
    with httpx.stream("GET", f"{client.base_url}v1/jobs/{first}/result") as answer:
        next(answer.iter_raw(1000))
    time.sleep(0.2)
    assert made(client, id)["status"] == "done"
    assert made(client, id)["status"] == "failed"
    assert client.get(f"v1/jobs/{first}/result").status_code == 200
    assert made(client, id)["status"] == "done"
    assert client.get(f"v1/jobs/{first}").status_code == 404


def test_a_form_is_counted_as_it_comes_and_lies_nowhere_else(start, tmp_path):
    server = start("--max-store", LIMIT)
    folder = server.log.parent / "tmp"
    largest = 0

    def pieces():
        nonlocal largest
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
        for _ in range(80):
            yield bytes(100_000)
            files = [item for item in folder.rglob("*") if item.is_file()]
            assert {item.relative_to(folder).parts[0].partition("-")[0] for item in files} == {
                "undark"
            }
            largest = max(largest, sum(item.stat().st_size for item in files))
            time.sleep(0.01)

    form = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = server.client.post("v1/enhance", content=pieces(), headers=form)
    assert answer.status_code == 507
    assert largest <= LIMIT
    assert kept(server.client) == 0.0


def test_a_video_is_stopped_as_it_outgrows_the_room(start, tmp_path):
    pytest.importorskip("av", reason="the extra [video] is not installed")
    import cv2

    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (640, 480))
    random = np.random.default_rng(0)
    for _ in range(75):
        writer.write(random.integers(0, 40, (480, 640, 3), dtype=np.uint8))
    writer.release()
    size = path.stat().st_size
    client = start("--max-store", size + 300_000).client
    id = upload(client, path)["id"]
    job = begin(client, id, model="curve", video_quality="fast", crf=1)["id"]
    state = wait(client, job)
    assert state["status"] == "failed" and state["error"]["status"] == 507
    assert state["fraction"] < 1.0
    assert kept(client) == size
    assert wait(client, begin(client, id, crf=50, end=0.2)["id"])["status"] == "done"


@given(
    data=st.binary(max_size=300),
    name=st.text("aä; \\'.jpg", max_size=12),
    before=st.lists(st.sampled_from(["note", "other"]), max_size=3),
    pieces=st.integers(1, 40),
    cut=st.integers(0, 30),
)
def test_a_form_however_it_is_cut_gives_its_file_or_is_refused(data, name, before, pieces, cut):
    request = httpx.Request(
        "POST",
        "http://x/",
        data=dict.fromkeys(before, "text"),
        files={"file": (name or "x", data)},
    )
    body = request.read()
    whole = body if not cut else body[:-cut]

    async def stream():
        for at in range(0, len(whole), pieces):
            yield whole[at : at + pieces]

    async def read() -> tuple[str, bytes]:
        form = FormFile(request.headers["content-type"], stream())
        await form.begin()
        found = b"".join([piece async for piece in form.read()])
        return form.name, found

    if cut <= 2:  # the last line's end is not needed
        label, found = asyncio.run(read())
        assert found == data
        assert "\\" in name or label == (name or "x")  # what stands before one is a folder
    else:
        with pytest.raises(ProblemError, match="cut short"):
            asyncio.run(read())
