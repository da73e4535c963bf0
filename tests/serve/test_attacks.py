"""What a server meets that is not kind: it stays up, and says so in a line."""

from __future__ import annotations

import io
import os
import resource
import secrets
import shutil
import signal
import socket
import struct
import threading
import time
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from calls import begin, upload, wait
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from undark.serve.store import label_of


def _address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").partition("/")[0].rpartition(":")
    return host, int(port)


def _memory(server) -> float:
    """Megabytes of the server and its processes."""
    main = psutil.Process(server.process.pid)
    return sum(p.memory_info().rss for p in [main, *main.children(recursive=True)]) / 1e6


def _png(width: int, height: int) -> bytes:
    """A PNG that says to be so large, of zeros."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1 << 20), 9) * 4
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def _tiff(width: int, height: int) -> bytes:
    rows = [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1),
            (278, height), (279, 100)]  # fmt: skip
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in rows)
    return (
        struct.pack("<2sHI", b"II", 42, 108) + bytes(100) + struct.pack("<H", 9) + table + bytes(4)
    )


def _bmp(width: int, height: int) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 1000, 0, 0, 54) + head + bytes(900)


@pytest.mark.parametrize("data", [_png(30000, 30000), _png(2**31 - 1, 2**31 - 1), _png(20000, 6000),
                                  _tiff(60000, 60000), _bmp(40000, 40000)])  # fmt: skip
def test_a_bomb_is_refused_at_once_and_in_little_memory(server, client, data):
    client.post("v1/enhance", params={"model": "curve"}, content=_png(8, 8))  # all is started
    before = _memory(server)
    most = before
    stop = threading.Event()

    def watch() -> None:
        nonlocal most
        while not stop.wait(0.01):
            most = max(most, _memory(server))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for send in (
            lambda: client.post("v1/enhance", content=data),
            lambda: client.put(f"v1/uploads/{secrets.token_urlsafe(16)}", content=data),
        ):
            taken: list[float] = []
            while not taken or (min(taken) >= 2 and len(taken) < 3):  # others may have the cores
                begun = time.monotonic()
                answer = send()
                taken.append(time.monotonic() - begun)
            assert min(taken) < 2
            assert answer.status_code in (413, 415, 422), answer.text
    finally:
        stop.set()
        watcher.join()
    assert most - before < 300


def test_a_zip_or_a_text_is_no_photo(client):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(1 << 20))
    for data in (buffer.getvalue(), b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"#!/bin/sh\n"):
        assert client.post("v1/enhance", content=data).status_code in (415, 422)


NAMES = [
    *("../../etc/passwd.jpg", "..\\..\\x.jpg", "/etc/x.jpg", "C:\\x.jpg", "a\0b.jpg"),
    *("x\r\nSet-Cookie: a=b.jpg", ".", "..", "~root.jpg", "\u202egpj.exe", "con.jpg"),
    *("$(id).jpg", "a" * 900 + ".jpg"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_clients_name_is_a_label_and_no_path(client, server, photo, name):
    before = set(Path(server.log.parent).rglob("*"))
    answer = client.post(
        "v1/enhance", params={"name": name, "model": "curve"}, content=photo.read_bytes()
    )
    assert answer.status_code == 200, answer.text
    assert "set-cookie" not in answer.headers
    header = answer.headers["content-disposition"]
    assert "/" not in header.replace("''", "") and "\\" not in header
    sent = client.put(
        f"v1/uploads/{secrets.token_urlsafe(16)}", params={"name": name}, content=photo.read_bytes()
    ).json()
    assert "/" not in sent["name"] and len(sent["name"]) <= 200
    client.delete(f"v1/uploads/{sent['id']}")
    assert {p for p in set(Path(server.log.parent).rglob("*")) - before if p.is_file()} == set()


@given(st.text(max_size=400))
@settings(max_examples=300)
def test_every_name_gives_a_label(name):
    label = label_of(name)
    assert 0 < len(label) <= 200
    assert not set(label) & {"/", "\\", "\0", "\n", "\r"}
    assert label not in (".", "..")
    assert label_of(label) == label


def test_no_address_and_no_path_is_fetched(client):
    for text in ("http://127.0.0.1/x.jpg", "file:///etc/passwd", "/etc/passwd"):
        answer = client.post("v1/enhance", content=text.encode())
        assert answer.status_code in (415, 422)
        answer = client.post("v1/enhance", params={"model": text}, content=b"x")
        assert answer.status_code == 422
        assert client.post("v1/jobs", json={"upload": text}).status_code == 422
    for path in ("/..%2f..%2fetc/passwd", "/assets/..%2f..%2fapp.py", "/%2e%2e/app.py"):
        with socket.create_connection(_address(str(client.base_url)), timeout=10) as raw:
            host = _address(str(client.base_url))
            raw.sendall(
                f"GET {path} HTTP/1.1\r\nHost: {host[0]}\r\nConnection: close\r\n\r\n".encode()
            )
            answer = b"".join(iter(lambda: raw.recv(65536), b""))
        assert b" 404 " in answer.split(b"\r\n")[0]


def test_a_body_that_is_too_large_is_refused_before_it_is_read_whole(start):
    client = start("--max-body", "1M").client
    for address in ("v1/enhance", f"v1/uploads/{'x' * 20}"):
        method = "POST" if address.endswith("enhance") else "PUT"
        answer = client.request(method, address, content=bytes(3_000_000))
        assert answer.status_code == 413

        def pieces():
            for _ in range(300):
                yield bytes(10_000)

        try:
            answer = client.request(method, address, content=pieces())
            assert answer.status_code == 413
        except httpx.TransportError:
            pass  # cut off while it was still sending
    form = client.post("v1/enhance", files={"file": ("a.jpg", bytes(3_000_000))})
    assert form.status_code == 413
    assert client.get("healthz").status_code == 200


def _held(raw: socket.socket, trickle: bytes, seconds: float) -> float:
    """How long a connection is held open to which a byte is sent every half second."""
    begun = time.monotonic()
    raw.settimeout(0.5)
    while time.monotonic() - begun < seconds:
        try:
            raw.sendall(trickle)
            if raw.recv(4096) == b"":
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - begun


@pytest.mark.slow  # waits for the server's limits of time
def test_a_trickle_holds_no_connection(start):
    server = start()
    whole = b"Host: localhost\r\nContent-Length: 100000\r\n\r\n"
    cases = {
        "a body": b"POST /v1/enhance HTTP/1.1\r\n" + whole,
        "a body that was refused": b"POST /v1/models HTTP/1.1\r\n" + whole,
        "a second header": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nX: ",
    }
    with ThreadPoolExecutor(len(cases)) as pool:
        raws = [socket.create_connection(_address(server.url), timeout=5) for _ in cases]
        for raw, head in zip(raws, cases.values(), strict=True):
            raw.sendall(head)
        held = list(pool.map(lambda raw: _held(raw, b"x", 60), raws))
    for raw in raws:
        raw.close()
    assert max(held) < 45, dict(zip(cases, held, strict=True))
    assert server.client.get("healthz").status_code == 200


@pytest.mark.slow  # waits for the server's limits of time
def test_slow_and_silent_clients_are_cut_off(start):
    server = start("--max-connections", 40)
    begun = time.monotonic()
    silent = [socket.create_connection(_address(server.url), timeout=30) for _ in range(5)]
    half = socket.create_connection(_address(server.url), timeout=30)
    half.sendall(b"GET /healthz HTTP/1.1\r\nHost: local")
    slow = socket.create_connection(_address(server.url), timeout=60)
    slow.sendall(
        b"POST /v1/enhance HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nabc"
    )
    for raw in (*silent, half):
        assert raw.recv(1000) == b""
        raw.close()
    assert time.monotonic() - begun < 20
    assert b" 408 " in slow.recv(1000)
    assert time.monotonic() - begun < 40
    slow.close()
    assert server.client.get("healthz").status_code == 200


def test_ten_thousand_connections_do_not_end_it(start):
    server = start("--max-connections", 100)
    address = _address(server.url)

    def knock(count: int) -> None:
        for _ in range(count):
            try:
                with socket.create_connection(address, timeout=5) as raw:
                    raw.sendall(b"GET / HTTP/1.1\r\n")
            except OSError:
                pass

    held = [socket.create_connection(address, timeout=5) for _ in range(150)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(knock, [1250] * 8))
    for raw in held:
        raw.close()
    end = time.monotonic() + 20
    while True:
        try:
            if httpx.get(f"{server.url}healthz", timeout=5).status_code == 200:
                break
        except httpx.TransportError:
            assert time.monotonic() < end
            time.sleep(0.2)
    assert psutil.Process(server.process.pid).num_fds() < 150


def test_streams_of_events_that_stay_open_hold_nothing_up(start, photo, large_photo):
    server = start()
    client = server.client
    large, small = upload(client, large_photo), upload(client, photo)
    first = begin(client, large["id"])
    second = begin(client, small["id"], model="curve")
    streams = []
    for _ in range(20):
        raw = socket.create_connection(_address(server.url), timeout=30)
        raw.sendall(
            f"GET /v1/jobs/{second['id']}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        )
        streams.append(raw)
    client.delete(f"v1/jobs/{first['id']}")
    assert wait(client, second["id"])["status"] == "done"
    begun = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - begun < 15
    for raw in streams:
        raw.close()


def test_a_client_that_goes_away_frees_its_place(start, photo, large_photo):
    server = start("--max-queue", 1)
    client = server.client
    data = large_photo.read_bytes()
    raw = socket.create_connection(_address(server.url), timeout=30)
    head = f"POST /v1/enhance HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n"
    raw.sendall(head.encode() + data)
    end = time.monotonic() + 20
    while "undark_queue 1.0" not in client.get("metrics").text:
        assert time.monotonic() < end
    answer = client.post("v1/enhance", params={"model": "curve"}, content=photo.read_bytes())
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    time.sleep(1)
    raw.close()
    begun = time.monotonic()
    while True:
        answer = client.post("v1/enhance", params={"model": "curve"}, content=photo.read_bytes())
        if answer.status_code == 200:
            break
        assert time.monotonic() - begun < 4
        time.sleep(0.1)


def test_the_queue_is_bounded_in_bytes_and_in_pixels(start, photo, large_photo, tmp_path):
    wide = tmp_path / "wide.png"
    Image.fromarray(np.full((1000, 1000, 3), 20, np.uint8)).save(wide)
    for option, value in (("--max-queue-pixels", "12.5MP"), ("--max-queue-bytes", "1k")):
        client = start(option, value).client
        large, other = upload(client, large_photo), upload(client, wide)
        first = begin(client, large["id"])
        answer = client.post("v1/jobs", json={"upload": other["id"]})
        assert answer.status_code == 429, (option, answer.text)
        direct = client.post("v1/enhance", content=wide.read_bytes())
        assert direct.status_code == 429
        client.delete(f"v1/jobs/{first['id']}")
        assert wait(client, begin(client, other["id"], model="curve")["id"])["status"] == "done"


def test_a_worker_that_dies_fails_its_job_alone(start, photo, large_photo):
    server = start()
    client = server.client
    large = upload(client, large_photo)
    job = begin(client, large["id"])
    wait(client, job["id"], "running")
    main = psutil.Process(server.process.pid)
    time.sleep(0.5)
    busy = max(main.children(), key=lambda p: sum(p.cpu_times()[:2]))
    for child in main.children():
        if "spawn_main" in " ".join(child.cmdline()):
            os.kill(child.pid, signal.SIGKILL)
    assert busy is not None
    state = wait(client, job["id"])
    assert state["status"] == "failed"
    assert "ended unexpectedly" in state["error"]["detail"]
    assert "large.png" in state["error"]["detail"]
    again = client.post("v1/enhance", params={"model": "curve"}, content=photo.read_bytes())
    assert again.status_code == 200
    assert "undark_worker_deaths 1.0" in client.get("metrics").text
    preview = client.get(f"v1/uploads/{large['id']}/preview", params={"model": "curve"})
    assert preview.status_code == 200


def test_a_photo_that_takes_too_long_is_given_up(start, photo, large_photo):
    client = start("--max-seconds", "1s").client
    assert client.post("v1/enhance", params={"model": "curve"}, content=photo.read_bytes())
    answer = client.post(
        "v1/enhance", params={"model": "relight"}, content=large_photo.read_bytes()
    )
    assert answer.status_code == 422
    assert "longer than the limit of 1 s" in answer.json()["detail"]
    answer = client.post("v1/enhance", params={"model": "curve"}, content=photo.read_bytes())
    assert answer.status_code == 200


def test_a_full_store_and_a_full_disk_are_told(start, photo, tmp_path, dark_photo):
    client = start("--max-store", "100k").client
    random = np.random.default_rng(0)
    noisy = tmp_path / "noisy.png"
    Image.fromarray(random.integers(0, 40, (300, 300, 3), dtype=np.uint8)).save(noisy)
    answer = client.put(f"v1/uploads/{'x' * 20}", content=noisy.read_bytes())
    assert answer.status_code == 507
    assert "no more room" in answer.json()["detail"] and answer.headers["Retry-After"]
    assert upload(client, dark_photo(tmp_path / "small.png"))["kind"] == "photo"
    # A process that may write no larger file meets what a full disk gives.
    server = start()
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (50_000, 50_000))
    answer = server.client.put(f"v1/uploads/{'x' * 20}", content=noisy.read_bytes())
    assert answer.status_code == 507, answer.text
    for child in psutil.Process(server.process.pid).children():
        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (5_000, 5_000))
    sent = upload(server.client, photo)
    state = wait(server.client, begin(server.client, sent["id"], format="png")["id"])
    assert state["status"] == "failed"
    assert "serve-" not in state["error"]["detail"]
    assert server.client.get("healthz").status_code == 200


def test_a_folder_that_was_cleaned_away_is_made_again(start, photo):
    server = start()
    folder = next((server.log.parent / "tmp").glob("undark-serve-*"))
    shutil.rmtree(folder)
    for _ in range(2):
        assert upload(server.client, photo)["kind"] == "photo"
    assert folder.stat().st_mode & 0o077 == 0
    assert server.stop() == 0
    assert "Traceback" not in server.log.read_text(encoding="utf-8")


def test_two_servers_with_one_folder_for_temporary_files_live_side_by_side(start, photo):
    first = start()
    sent = upload(first.client, photo)
    start(TMPDIR=str(first.log.parent / "tmp"))
    assert first.client.get(f"v1/uploads/{sent['id']}/preview").status_code == 200


def test_a_job_that_is_cancelled_again_and_again_leaves_its_process_to_itself(
    start, photo, large_photo
):
    server = start("--workers", 2)
    client = server.client
    large, small = upload(client, large_photo), upload(client, photo)
    expected = client.post("v1/enhance", params={"model": "curve"}, content=photo.read_bytes())
    for _ in range(3):
        job = begin(client, large["id"])
        wait(client, job["id"], "running")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda id: httpx.delete(f"{server.url}v1/jobs/{id}"), [job["id"]] * 4))
        jobs = [begin(client, small["id"], model="curve")["id"] for _ in range(4)]
        for id in jobs:
            assert wait(client, id)["status"] == "done"
            assert client.get(f"v1/jobs/{id}/result").content == expected.content
    for upload_id in (large["id"], small["id"]):
        client.delete(f"v1/uploads/{upload_id}")


def test_a_zip_that_is_being_sent_keeps_what_it_holds(start, tmp_path):
    path = tmp_path / "noise.png"
    noise = np.random.default_rng(0).integers(0, 60, (1200, 1600, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, compress_level=0)
    client = start().client
    sent = upload(client, path)
    jobs = [begin(client, sent["id"], model="curve", format="bmp")["id"] for _ in range(6)]
    for id in jobs:
        wait(client, id)
    data = io.BytesIO()
    with client.stream("GET", "v1/archive", params={"job": jobs}) as answer:
        pieces = answer.iter_raw(65536)
        data.write(next(pieces))
        with httpx.Client(base_url=client.base_url) as other:
            for id in jobs:
                assert other.delete(f"v1/jobs/{id}").status_code == 204
        data.writelines(pieces)
    with zipfile.ZipFile(data) as archive:
        assert len(archive.namelist()) == 6 and archive.testzip() is None
    client.delete(f"v1/uploads/{sent['id']}")
    assert "undark_store_bytes 0.0" in client.get("metrics").text


def test_a_killed_servers_folder_is_removed_by_the_next_one(start, photo):
    server = start()
    upload(server.client, photo)
    server.stop(signal.SIGKILL)
    left = server.log.parent / "tmp"
    assert list(left.glob("undark-serve-*/*"))
    after = start(TMPDIR=str(left))
    assert len(list(left.glob("undark-serve-*"))) == 1
    assert after.stop() == 0
    assert list(left.iterdir()) == []
