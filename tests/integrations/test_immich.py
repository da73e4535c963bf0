"""The Immich script against a stand-in that keeps what it is given, as Immich's API describes."""

from __future__ import annotations

import email
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from around import ROOT

from undark.io.record import find_record

pytest.importorskip("httpx", reason="httpx is not installed")

KEY = "secret-key"
WHEN = "2024-02-03T04:05:06.000Z"


@dataclass
class Library:
    """What the stand-in holds."""

    names: dict[str, str] = field(default_factory=dict)
    data: dict[str, bytes] = field(default_factory=dict)
    fields: dict[str, dict[str, str]] = field(default_factory=dict)
    albums: dict[str, list[str]] = field(default_factory=dict)
    stacks: list[list[str]] = field(default_factory=list)
    tags: dict[str, list[str]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def asset(self, number: str) -> dict[str, Any]:
        places = [index for index, stack in enumerate(self.stacks) if number in stack]
        return {
            "id": number,
            "type": "VIDEO" if self.names[number].endswith(".mp4") else "IMAGE",
            "originalFileName": self.names[number],
            "fileCreatedAt": WHEN,
            "fileModifiedAt": WHEN,
            "stack": {"id": str(places[0])} if places else None,
        }

    def receive(self, form: dict[str, Any], checksum: str) -> tuple[int, Any]:
        name, data = form["assetData"]
        assert hashlib.sha1(data).hexdigest() == checksum
        for number, known in self.data.items():
            if known == data:
                return 200, {"id": number, "status": "duplicate"}
        number = f"new-{len(self.data)}"
        self.names[number], self.data[number] = name, data
        self.fields[number] = {key: str(value) for key, value in form.items() if key != "assetData"}
        return 201, {"id": number, "status": "created"}


def handler(library: Library) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def answer(self, status: int, value: Any) -> None:
            data = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def body(self) -> Any:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kind = self.headers.get("Content-Type", "")
            if kind.startswith("multipart/"):
                head = f"Content-Type: {kind}\r\n\r\n".encode()
                parts = email.message_from_bytes(head + data).get_payload()
                return dict(_part(part) for part in parts)  # type: ignore[union-attr]
            return json.loads(data) if data else None

        def do_GET(self) -> None:
            library.calls.append(f"{self.command} {self.path}")
            body = self.body()
            if self.headers.get("x-api-key") != KEY:
                return self.answer(401, {"message": "Invalid API key"})
            assert self.path.startswith("/api/")
            checksum = self.headers.get("x-immich-checksum", "")
            try:
                return self.answer(*self.route(self.path.removeprefix("/api/"), body, checksum))
            except (KeyError, IndexError):
                return self.answer(404, {"message": "Not found or no access"})

        do_POST = do_PUT = do_GET  # noqa: N815

        def route(self, path: str, body: Any, checksum: str) -> tuple[int, Any]:  # noqa: PLR0911
            match self.command, *path.split("/"):
                case "POST", "search", "metadata":
                    (album,) = body["albumIds"]
                    inside = [library.asset(number) for number in library.albums[album]]
                    first, size = (body["page"] - 1) * 2, 2  # smaller pages than asked for
                    more = str(body["page"] + 1) if len(inside) > first + size else None
                    items = inside[first : first + size]
                    return 200, {"assets": {"items": items, "nextPage": more}}
                case "GET", "assets", number:
                    return 200, library.asset(number)
                case "GET", "assets", number, "original":
                    return 200, library.data[number]
                case "POST", "assets":
                    return library.receive(body, checksum)
                case "POST", "stacks":
                    assert len(body["assetIds"]) == 2
                    library.stacks.append(body["assetIds"])
                    return 201, {"id": str(len(library.stacks) - 1)}
                case "GET", "stacks", number:
                    members = library.stacks[int(number)]
                    return 200, {"assets": [library.asset(item) for item in members]}
                case "PUT", "tags":
                    (name,) = body["tags"]
                    library.tags.setdefault(name, [])
                    return 200, [{"id": name}]
                case "PUT", "tags", name, "assets":
                    library.tags[name] += body["ids"]
                    return 200, [{"id": item, "success": True} for item in body["ids"]]
                case "PUT", "albums", album, "assets":
                    library.albums[album] += body["ids"]
                    return 200, []
            raise KeyError(path)

    return Handler


def _part(part: Any) -> tuple[str, Any]:
    name = part.get_param("name", header="content-disposition")
    data = part.get_payload(decode=True)
    file = part.get_filename()
    return name, data.decode() if file is None else (file, data)


@pytest.fixture
def library(tmp_path: Path, dark_photo: Callable[..., Path]) -> Library:
    found = Library()
    for number, name in enumerate(("a.jpg", "b.png", "c.jpg", "old.undark.jpg", "clip.mp4")):
        found.names[str(number)] = name
        suffix = Path(name).suffix.replace(".mp4", ".png")
        found.data[str(number)] = dark_photo(
            tmp_path / f"{number}{suffix}", level=20 + number
        ).read_bytes()
    found.albums["night"] = ["0", "1", "2", "3", "4"]
    return found


@pytest.fixture
def server(library: Library) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(library)) as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{found.server_address[1]}"
        found.shutdown()
        thread.join()


def run(server: str, *options: str, key: str = KEY) -> subprocess.CompletedProcess[str]:
    script = ROOT / "integrations" / "immich" / "undark_immich.py"
    return subprocess.run(
        [sys.executable, script, "--server", server, "-m", "curve", *options],
        env={**os.environ, "IMMICH_API_KEY": key, "NO_PROXY": "*"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_album_is_brought_to_light_once(server: str, library: Library, tmp_path: Path) -> None:
    before = dict(library.data)
    done = run(server, "--album", "night", "--exposure", "0.5")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "a.jpg: new-5",
        "b.png: new-6",
        "c.jpg: new-7",
        "old.undark.jpg: is a result; left out",
        "clip.mp4: is no photo; left out",
    ]
    assert {**library.data, **before} == library.data, "originals are as they were"
    assert library.names["new-6"] == "b.undark.png"
    assert library.fields["new-5"] == {
        "deviceAssetId": "0.undark",
        "deviceId": "undark",
        "fileCreatedAt": WHEN,
        "fileModifiedAt": WHEN,
        "filename": "a.undark.jpg",
    }
    assert library.stacks == [["new-5", "0"], ["new-6", "1"], ["new-7", "2"]]
    assert library.tags == {"undark": ["new-5", "new-6", "new-7"]}
    assert library.albums["night"][5:] == ["new-5", "new-6", "new-7"]
    result = tmp_path / "result.png"
    result.write_bytes(library.data["new-6"])
    record = find_record(result)
    assert record is not None
    assert (record.model, record.adjust.exposure) == ("curve", 0.5)
    assert record.source == hashlib.sha256(before["1"]).hexdigest()
    count = len(library.calls)
    again = run(server, "--album", "night")
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("has a result in its stack") == 3
    assert all(call.startswith(("GET", "POST /api/search")) for call in library.calls[count:])


def test_assets_by_id_and_one_that_is_not_there(server: str, library: Library) -> None:
    done = run(f"{server}/api/", "1", "none", "0", "--original-first", "--tag", "")
    assert done.returncode == 1
    assert done.stdout.splitlines() == ["b.png: new-5", "a.jpg: new-6"]
    assert done.stderr.splitlines() == ["none: GET assets/none: 404 Not found or no access"]
    assert library.stacks == [["1", "new-5"], ["0", "new-6"]]
    assert library.tags == {}


def test_what_was_uploaded_before_is_stacked_again(server: str, library: Library) -> None:
    run(server, "0")
    library.stacks.clear()
    done = run(server, "0")
    assert done.stdout == "a.jpg: new-5 (was there already)\n"
    assert library.stacks == [["new-5", "0"]]


def test_wrong_usage_is_one_line_or_help(server: str, library: Library) -> None:
    done = run(server, "0", key="wrong")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "0: GET assets/0: 401 Invalid API key\n"
    assert run(server, "0", key="").stderr.startswith("IMMICH_API_KEY is not set")
    assert run(server).returncode == 2
    assert run(server, "0", "--album", "night").returncode == 2
    assert run("http://127.0.0.1:9", "0").returncode == 1
