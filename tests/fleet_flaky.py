"""An S3 server that misbehaves: a proxy before a good one, on loopback."""

from __future__ import annotations

import http.client
import random
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

__all__ = ["Flaky", "Rules", "proxy_handler"]


@dataclass
class Rules:
    """What the proxy does to requests.

    Attributes:
        busy: So many requests are answered with 503.
        cut: Part of a key whose first so many answers are cut short, with a length to match.
        cuts: How many.
        hide: Keys with this text are left out of listings, as in an old one.
        asked: How many requests came.
        often: Part of the requests that are answered with 503 as long as `busy` lasts.
    """

    busy: int = 0
    cut: str = "-"
    cuts: int = 0
    hide: str = ""
    asked: int = 0
    often: float = 0.4
    chance: random.Random = field(default_factory=lambda: random.Random(0))
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class Flaky:
    """An S3 server that misbehaves by its rules."""

    address: str
    rules: Rules


def proxy_handler(target: str, rules: Rules) -> type[BaseHTTPRequestHandler]:
    place = urlsplit(target).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with rules.lock:
                rules.asked += 1
                busy = rules.busy > 0 and rules.chance.random() < rules.often
                rules.busy -= busy
            if busy:
                text = b"<Error><Code>SlowDown</Code><Message>%s</Message></Error>"
                text %= b"reduce your request rate"
                self.answer(503, [("Content-Type", "application/xml")], text)
                return
            link = http.client.HTTPConnection(place, timeout=30)
            link.request(self.command, self.path, body, dict(self.headers))
            found = link.getresponse()
            headers = found.getheaders()
            data = found.read()
            link.close()
            with rules.lock:
                cut = self.command == "GET" and rules.cut in self.path and rules.cuts > 0
                rules.cuts -= cut
            if cut:
                data = data[: len(data) // 2]
                headers = [item for item in headers if "checksum" not in item[0].lower()]
            if rules.hide and self.command == "GET" and "list-type" in self.path:
                parts = data.decode().split("<Contents>")
                data = "<Contents>".join(p for p in parts if rules.hide not in p).encode()
            self.answer(found.status, headers, data)

        def answer(self, status: int, headers: list[tuple[str, str]], data: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            length = len(data)
            if self.command == "HEAD":
                length = int({n.lower(): v for n, v in headers}.get("content-length", 0))
            self.send_header("Content-Length", str(length))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815

    return Handler
