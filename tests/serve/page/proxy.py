"""A small reverse proxy, as others stand before a server: under a path, which it may take away."""

from __future__ import annotations

import http.client
from collections.abc import Generator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

_HOP: frozenset[str] = frozenset(("connection", "keep-alive", "transfer-encoding", "upgrade"))


@contextmanager
def proxied(port: int, behind: int, path: str, *, strips: bool) -> Generator[str]:
    """A proxy at `port` that shows the server at port `behind` under `path`, and nothing else.

    Yields:
        Where the page is.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            if not self.path.startswith(path):
                self.send_error(404, "beside the path")
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            server = http.client.HTTPConnection("127.0.0.1", behind, timeout=60)
            headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP}
            target = "/" + self.path.removeprefix(path) if strips else self.path
            server.request(self.command, target, body or None, headers)
            answer = server.getresponse()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _HOP:
                    self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            with suppress(OSError):  # the browser went away
                while piece := answer.read1(65536):
                    self.wfile.write(piece)
                    self.wfile.flush()
            self.close_connection = True
            server.close()

        do_GET = do_POST = do_PUT = do_DELETE = _pass  # noqa: N815 - names of the library

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    proxy = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    proxy.daemon_threads = True
    thread = Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_port}{path}"
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()
