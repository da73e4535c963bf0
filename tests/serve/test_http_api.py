"""The API does what the command line does, and tells how far it is."""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from calls import begin, upload, wait
from PIL import Image, ImageCms

import undark
from undark.io.metadata.icc import cicp_profile
from undark.io.record import find_record
from undark.io.walk import plan
from undark.jobs import Done, Options, enhance_one
from undark.photo import Cicp


def _by_command_line(photo: Path, folder: Path, *options: object) -> bytes:
    """What `undark enhance` writes."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "undark", "enhance", photo, "-o", f"{folder}/"),
            *map(str, options),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    return Path(done.stdout.strip()).read_bytes()


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ({}, ()),
        ({"model": "curve", "exposure": 0.5, "format": "png"},
         ("-m", "curve", "--exposure", 0.5, "--format", "png")),
        ({"strength": 0.5, "denoise": 0.25, "local": 0.5, "quality": 70, "strip": "gps"},
         ("--strength", 0.5, "--denoise", 0.25, "--local", 0.5, "--quality", 70, "--strip", "gps")),
        ({"record": "false", "model": "unet", "format": "webp"},
         ("--no-record", "-m", "unet", "--format", "webp")),
    ],
)  # fmt: skip
def test_one_request_gives_the_bytes_that_the_command_line_writes(
    client, photo, tmp_path, query, options
):
    answer = client.post("v1/enhance", params=query, content=photo.read_bytes())
    assert answer.status_code == 200, answer.text
    assert answer.content == _by_command_line(photo, tmp_path / "out", *options)


def test_a_form_gives_the_same_and_its_name_is_a_label(client, photo):
    plain = client.post("v1/enhance", content=photo.read_bytes())
    form = client.post("v1/enhance", files={"file": ("nächt/../ä b.jpg", photo.read_bytes())})
    assert form.content == plain.content
    assert form.headers["content-type"] == "image/jpeg"
    assert "filename*=UTF-8''%C3%A4%20b.undark.jpg" in form.headers["content-disposition"]
    assert client.post("v1/enhance", files={"other": b"x"}).status_code == 422


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".avif", ".heic", ".bmp"])
def test_every_format_is_taken_and_known_by_its_content(client, tmp_path, suffix, dark_photo):
    path = tmp_path / f"a{suffix}"
    undark.write_photo(undark.read_photo(dark_photo(tmp_path / "dark.png")), path)
    for name in (path.name, "", "wrong.jpg"):
        answer = client.post("v1/enhance", params={"name": name}, content=path.read_bytes())
        assert answer.status_code == 200, answer.text
        result = undark.read_photo(answer.content)
        assert result.pixels.mean() > undark.read_photo(path).pixels.mean()


def test_a_job_goes_from_upload_to_result(client, photo, tmp_path):
    sent = upload(client, photo)
    assert (sent["kind"], sent["width"], sent["height"], sent["bits"]) == ("photo", 160, 120, 8)
    assert sent["sha256"] == hashlib.sha256(photo.read_bytes()).hexdigest()
    assert client.get(f"v1/uploads/{sent['id']}").json() == sent
    job = begin(client, sent["id"], adjust={"exposure": 0.5}, format="png")
    assert job["status"] in ("queued", "running")
    state = wait(client, job["id"])
    assert (state["status"], state["fraction"]) == ("done", 1.0)
    assert state["name"] == "night street.undark.png"
    result = client.get(f"v1/jobs/{job['id']}/result")
    assert result.headers["content-type"] == "image/png"
    assert hashlib.sha256(result.content).hexdigest() == state["result"]["sha256"]
    expected = _by_command_line(photo, tmp_path / "o", "--exposure", 0.5, "--format", "png")
    assert result.content == expected
    (tmp_path / "r.png").write_bytes(result.content)
    record = find_record(tmp_path / "r.png")
    assert record is not None and record.source == sent["sha256"]
    again = upload(client, tmp_path / "r.png")
    assert again["record"]["adjust"]["exposure"] == 0.5
    assert client.delete(f"v1/jobs/{job['id']}").status_code == 204
    assert client.get(f"v1/jobs/{job['id']}").status_code == 404
    assert client.delete(f"v1/uploads/{sent['id']}").status_code == 204
    assert client.get(f"v1/uploads/{sent['id']}").status_code == 404


def test_events_tell_each_state_and_go_on_where_they_were_left(client, photo):
    sent = upload(client, photo)
    job = begin(client, sent["id"])
    seen: list[tuple[int, dict[str, object]]] = []
    address = f"v1/jobs/{job['id']}/events"
    with client.stream("GET", address) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        number = 0
        for line in stream.iter_lines():
            if line.startswith("id: "):
                number = int(line.removeprefix("id: "))
            elif line.startswith("data: "):
                seen.append((number, json.loads(line.removeprefix("data: "))))
    assert [item for item, _ in seen] == sorted({item for item, _ in seen})
    assert seen[-1][1]["status"] == "done"
    last = seen[-1][0]
    after = client.get(address, headers={"Last-Event-ID": str(last)})
    assert "data:" not in after.text
    before = client.get(address, headers={"Last-Event-ID": str(last - 1)})
    assert before.text.count("data:") == 1
    assert client.get(address, headers={"Last-Event-ID": "nonsense"}).text.count("data:") == 1


def test_a_preview_is_small_upright_and_follows_the_sliders(client, tmp_path):
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.full((1200, 1600, 3), 20, np.uint8)
    pixels[:, :400] = 60
    Image.fromarray(pixels).save(path, quality=95, exif=exif)
    sent = upload(client, path)
    assert (sent["width"], sent["height"]) == (1200, 1600)
    address = f"v1/uploads/{sent['id']}/preview"

    def shown(**query: object) -> np.ndarray:
        answer = client.get(address, params=query)
        assert answer.status_code == 200, answer.text
        return np.asarray(Image.open(io.BytesIO(answer.content)))

    before = shown(before=True)
    height, width = before.shape[:2]
    assert 900_000 < height * width <= 1_000_000
    assert height > width
    assert before[: height // 5].mean() > before[height // 2 :].mean() + 20
    plain, more = shown(), shown(exposure=1)
    assert before.mean() + 10 < plain.mean() < more.mean()
    assert abs(shown(strength=0).astype(int) - before).max() <= 2
    assert shown(max_pixels=10_000).size <= 30_000
    tag = client.get(address).headers["etag"]
    assert client.get(address, headers={"If-None-Match": tag}).status_code == 304
    assert client.get(address, params={"exposure": 1}).headers["etag"] != tag
    assert client.get(address, params={"exposure": 9}).status_code == 422
    assert client.get(address, params={"model": "nothing"}).status_code == 422
    assert client.get(address, params={"model": "unet", "local": 0}).status_code == 422


def test_a_part_at_full_size_is_what_a_download_holds(client, tmp_path):
    random = np.random.default_rng(0)
    path = tmp_path / "grain.png"
    pixels = random.integers(8, 40, (1500, 1400, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    sent = upload(client, path)
    part = {"x": 300, "y": 200, "w": 640, "h": 400}
    address = f"v1/uploads/{sent['id']}/preview"
    answer = client.get(address, params={"model": "curve", **part})
    found = np.asarray(Image.open(io.BytesIO(answer.content)))
    whole = client.post("v1/enhance", params={"model": "curve"}, content=path.read_bytes())
    expected = np.asarray(Image.open(io.BytesIO(whole.content)))
    np.testing.assert_array_equal(found, expected[200:600, 300:940])
    before = client.get(address, params={"before": True, **part})
    source = np.asarray(Image.open(io.BytesIO(before.content)))
    np.testing.assert_array_equal(source, pixels[200:600, 300:940])
    for wrong in ({"x": 1000, "w": 640, "h": 400, "y": 0}, {"x": 0}, {**part, "w": 0}):
        assert client.get(address, params=wrong).status_code == 422
    assert client.get(address, params={"x": 0, "y": 0, "w": 1400, "h": 1500}).status_code == 422


def test_alpha_depth_and_profile_are_seen_to(client, tmp_path):
    path = tmp_path / "clear.png"
    pixels = np.full((40, 60, 4), 30, np.uint8)
    pixels[:20, :, 3] = 0
    pixels[20:, :, 3] = 255
    Image.fromarray(pixels).save(path)
    sent = upload(client, path)
    assert sent["alpha"] is True
    answer = client.get(f"v1/uploads/{sent['id']}/preview")
    assert answer.headers["content-type"] == "image/png"
    shown = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert shown[0, 0, 3] == 0 and shown[-1, -1, 3] == 255
    deep = tmp_path / "deep.tif"
    undark.write_photo(undark.Photo(np.full((40, 60, 3), 3000, np.uint16)), deep)
    sent = upload(client, deep)
    assert (sent["bits"], sent["format"]) == (16, "TIFF")
    shown = Image.open(io.BytesIO(client.get(f"v1/uploads/{sent['id']}/preview").content))
    assert shown.mode == "RGB"
    assert sent["colours"] == ""
    for wide in (
        undark.Photo(
            np.full((40, 60, 3), 30, np.uint8), icc=cicp_profile(Cicp(12, 13), gray=False)
        ),
        undark.Photo(np.full((40, 60, 3), 3000, np.uint16), cicp=Cicp(12, 13)),
    ):
        path = tmp_path / "wide.png"
        undark.write_photo(wide, path)
        sent = upload(client, path)
        assert sent["colours"] == "Display P3"
        shown = Image.open(io.BytesIO(client.get(f"v1/uploads/{sent['id']}/preview").content))
        profile = ImageCms.ImageCmsProfile(io.BytesIO(shown.info["icc_profile"]))
        assert "P3" in ImageCms.getProfileDescription(profile)


def test_a_zip_holds_the_results_under_names_of_their_own(client, photo):
    jobs = []
    for exposure in (0.0, 0.5):
        sent = upload(client, photo)
        jobs.append(begin(client, sent["id"], model="curve", adjust={"exposure": exposure})["id"])
    for job in jobs:
        wait(client, job)
    answer = client.get("v1/archive", params={"job": jobs})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert names == ["night street.undark.jpg", "night street.undark (2).jpg"]
        for job, name in zip(jobs, names, strict=True):
            assert archive.read(name) == client.get(f"v1/jobs/{job}/result").content
    assert client.get("v1/archive", params={"job": ["x" * 20]}).status_code == 404


def test_a_job_is_cancelled_within_two_seconds_and_the_next_one_is_done(client, photo, large_photo):
    large = upload(client, large_photo)
    small = upload(client, photo)
    first = begin(client, large["id"], model="relight")
    second = begin(client, small["id"], model="curve")
    wait(client, first["id"], "running")
    assert wait(client, second["id"], "queued")["position"] == 0
    begun = time.monotonic()
    assert client.delete(f"v1/jobs/{first['id']}").status_code == 204
    assert time.monotonic() - begun < 2.5
    assert client.get(f"v1/jobs/{first['id']}").json()["status"] == "cancelled"
    assert client.get(f"v1/jobs/{first['id']}/result").status_code == 409
    assert wait(client, second["id"])["status"] == "done"


def test_a_job_that_waits_can_be_cancelled_and_its_upload_removed_meanwhile(
    client, photo, large_photo
):
    large, small = upload(client, large_photo), upload(client, photo)
    first = begin(client, large["id"])
    waiting = begin(client, small["id"])
    kept = begin(client, small["id"], model="curve")
    client.delete(f"v1/uploads/{small['id']}")
    client.delete(f"v1/jobs/{waiting['id']}")
    assert client.get(f"v1/jobs/{waiting['id']}").json()["status"] == "cancelled"
    client.delete(f"v1/jobs/{first['id']}")
    assert wait(client, kept["id"])["status"] == "done"


def test_models_and_what_the_server_takes_are_told(client):
    told = client.get("v1/models").json()
    assert told["default"] == "relight" and told["default_video"] == "relight"
    by_name = {item["name"]: item for item in told["models"]}
    assert set(by_name) == set(undark.models.names())
    assert by_name["relight"]["controls"] == ["strength", "exposure", "denoise", "local"]
    assert by_name["unet"]["controls"] == ["strength", "exposure"]
    about = client.get("v1/about").json()
    assert about["controls"]["exposure"]["low"] == -4
    assert ".jpg" in about["photo_suffixes"]
    assert {item["name"] for item in about["formats"] if item["writes"]} >= {"JPEG", "PNG", "TIFF"}


def test_it_says_how_it_is(client):
    assert client.get("healthz").text == "ok\n"
    end = time.monotonic() + 20
    while client.get("readyz").status_code != 200:
        assert time.monotonic() < end
        time.sleep(0.1)
    text = client.get("metrics").text
    assert 'undark_requests_total{method="GET",route="/healthz",status="200"}' in text
    assert "undark_worker_deaths 0.0" in text


def test_problems_are_json_and_a_line_without_a_path_of_the_server(client, server, photo):
    damaged = photo.read_bytes()[:900]
    answers = [
        (422, client.post("v1/enhance", params={"name": "my night.jpg"}, content=damaged)),
        (422, client.post("v1/enhance", content=b"")),
        (415, client.post("v1/enhance", content=b"GIF89a" + bytes(4) + b"\x2c" * 3)),
        (422, client.post("v1/enhance", params={"quality": 0}, content=photo.read_bytes())),
        (422, client.post("v1/enhance", params={"format": "exe"}, content=photo.read_bytes())),
        (422, client.post("v1/enhance", params={"model": "/etc/x.onnx"}, content=b"x")),
        (422, client.post("v1/jobs", json={"upload": "x"})),
        (404, client.post("v1/jobs", json={"upload": "x" * 20})),
        (422, client.post("v1/jobs", content=b"{")),
        (404, client.get("v1/nothing")),
        (405, client.get("v1/enhance")),
        (404, client.get(f"v1/jobs/{'x' * 20}")),
    ]
    for status, answer in answers:
        assert answer.headers["content-type"] == "application/problem+json", answer.text
        told = answer.json()
        assert set(told) == {"type", "title", "status", "detail"}
        assert "Traceback" not in answer.text and "\n" not in told["detail"]
        assert str(server.log.parent) not in answer.text and "serve-" not in answer.text
        assert (answer.status_code, told["status"]) == (status, status) or status == 415
    assert answers[0][1].json()["detail"].startswith("my night.jpg: ")


def test_an_upload_is_not_replaced(client, photo):
    sent = upload(client, photo)
    answer = client.put(f"v1/uploads/{sent['id']}", content=photo.read_bytes())
    assert answer.status_code == 409
    assert client.put("v1/uploads/short", content=photo.read_bytes()).status_code == 422


def test_the_private_folder_is_empty_again_when_all_is_forgotten(start, photo, large_photo):
    server = start()
    client = server.client
    folder = next((server.log.parent / "tmp").glob("undark-serve-*"))
    assert folder.stat().st_mode & 0o077 == 0
    client.post("v1/enhance", content=photo.read_bytes())
    sent = upload(client, photo)
    job = begin(client, sent["id"])
    wait(client, job["id"])
    client.put(f"v1/uploads/{secrets.token_urlsafe(16)}", content=b"not a photo")
    assert len([item for item in folder.iterdir() if item.is_dir()]) == 2
    client.delete(f"v1/uploads/{sent['id']}")
    client.delete(f"v1/jobs/{job['id']}")
    assert [item for item in folder.iterdir() if item.is_dir()] == []
    large = upload(client, large_photo)
    begin(client, large["id"])
    assert server.stop() == 0
    assert not folder.exists()


def test_uploads_and_results_are_forgotten_in_time_and_models_rest(start, photo):
    server = start("--keep", "1s", "--idle", "1s")
    client = server.client
    sent = upload(client, photo)
    job = begin(client, sent["id"], model="curve")
    wait(client, job["id"])
    end = time.monotonic() + 20
    while True:
        text = client.get("metrics").text
        if "undark_workers 0.0" in text and "undark_store_bytes 0.0" in text:
            break
        assert time.monotonic() < end, text
        time.sleep(0.2)
    assert client.get(f"v1/uploads/{sent['id']}").status_code == 404
    assert client.get(f"v1/jobs/{job['id']}").status_code == 404
    answer = client.post("v1/enhance", params={"model": "curve"}, content=photo.read_bytes())
    assert answer.status_code == 200


def test_a_model_of_ones_own_is_offered_by_its_name(start, gain_model, photo):
    client = start("-m", gain_model).client
    assert "gain" in {item["name"] for item in client.get("v1/models").json()["models"]}
    answer = client.post("v1/enhance", params={"model": "gain"}, content=photo.read_bytes())
    (pair,) = plan([photo], output=f"{photo.parent}/expected/")
    assert isinstance(enhance_one(pair, undark.Enhancer(gain_model), Options()), Done)
    assert answer.content == pair.destination.read_bytes()
