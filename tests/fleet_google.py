"""Google's storage on loopback, as far as fleets ask for it: its JSON API with preconditions."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

__all__ = ["google_handler"]


def google_handler() -> type[BaseHTTPRequestHandler]:
    """A server's handler, with buckets of its own that are there as soon as they are named."""
    kept: dict[tuple[str, str], tuple[int, bytes]] = {}
    sessions: dict[str, tuple[str, str, bool]] = {}
    lock = threading.Lock()
    count = iter(range(1, 1 << 30))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response_only(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            with suppress(ConnectionError):  # who asked may have what it needs
                self.end_headers()
                self.wfile.write(body)

        def missing(self) -> None:
            self.answer(404, b'{"error": {"code": 404, "message": "Not Found"}}')

        def told(self, bucket: str, name: str) -> dict[str, Any]:
            number, data = kept[bucket, name]
            return {
                "kind": "storage#object",
                "bucket": bucket,
                "name": name,
                "size": str(len(data)),
                "generation": str(number),
                "etag": f"CK{number}=",
                "md5Hash": base64.b64encode(hashlib.md5(data).digest()).decode(),
                "updated": "2026-01-01T00:00:00.000Z",
                "timeCreated": "2026-01-01T00:00:00.000Z",
            }

        def keep(self, bucket: str, name: str, data: bytes, *, absent: bool) -> None:
            with lock:
                there = absent and (bucket, name) in kept
                if not there:
                    kept[bucket, name] = next(count), data
            if there:
                text = b'{"error": {"code": 412, "message": "At least one of the pre-conditions'
                self.answer(412, text + b' you specified did not hold."}}')
            else:
                self.answer(200, json.dumps(self.told(bucket, name)).encode())

        def asked(self) -> tuple[list[str], dict[str, str]]:
            parts = urlsplit(self.path)
            words = parts.path.partition("/b/")[2].split("/")
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            return [unquote(words[0]), unquote("/".join(words[2:]))], query

        def do_POST(self) -> None:
            (bucket, _), query = self.asked()
            body = self.rfile.read(int(self.headers["Content-Length"]))
            absent = query.get("ifGenerationMatch") == "0"
            if "upload_id" in query:  # all of it in one part
                bucket, name, absent = sessions[query["upload_id"]]
                self.keep(bucket, name, body, absent=absent)
                return
            if query["uploadType"] == "resumable":
                name = json.loads(body)["name"]
                sessions[session := str(next(count))] = bucket, name, absent
                at = f"http://{self.headers['Host']}/upload/b/{bucket}/o?upload_id={session}"
                self.answer(200, b"{}", Location=at)
                return
            mark = body.split(b"\n", 1)[0]
            _, head, rest = body.split(mark, 2)
            name = json.loads(head.partition(b"\n\n")[2])["name"]
            data = rest.partition(b"\n\n")[2].removesuffix(b"\n" + mark + b"--")
            self.keep(bucket, name, data, absent=absent)

        def do_GET(self) -> None:
            (bucket, name), query = self.asked()
            if not name:
                prefix, most = query.get("prefix", ""), int(query.get("maxResults", 1000))
                names = sorted(n for b, n in list(kept) if b == bucket and n.startswith(prefix))
                names = [n for n in names if n > query.get("pageToken", "")]
                found: dict[str, Any] = {"items": [self.told(bucket, n) for n in names[:most]]}
                if len(names) > most:
                    found["nextPageToken"] = names[most - 1]
                self.answer(200, json.dumps(found).encode())
            elif (bucket, name) not in kept:
                self.missing()
            elif query.get("alt") == "media":
                self.answer(200, kept[bucket, name][1])
            else:
                self.answer(200, json.dumps(self.told(bucket, name)).encode())

        def do_DELETE(self) -> None:
            (bucket, name), _ = self.asked()
            if kept.pop((bucket, name), None) is None:
                self.missing()
            else:
                self.answer(204)

    return Handler
