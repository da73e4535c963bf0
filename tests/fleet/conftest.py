"""A real object store on loopback: moto's S3 server, and a proxy before it that misbehaves."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest

from fleet_flaky import Flaky, Rules, proxy_handler
from fleet_google import google_handler


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of an S3 server on loopback."""
    pytest.importorskip("moto", reason="the extra dev brings moto[server]")
    pytest.importorskip("s3fs", reason="the extra fleet is not installed")
    port = _free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None, "moto's server has ended"
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def flaky(s3_server: str) -> Iterator[Flaky]:
    """A proxy before the S3 server."""
    rules = Rules()
    server = ThreadingHTTPServer(("127.0.0.1", 0), proxy_handler(s3_server, rules))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Flaky(f"http://127.0.0.1:{server.server_address[1]}", rules)
    server.shutdown()
    server.server_close()
    thread.join()


KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIATESTTESTTEST",
    "AWS_SECRET_ACCESS_KEY": "secret-that-nobody-shows",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty bucket, which the environment's credentials and address lead to."""
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": s3_server}.items():
        monkeypatch.setenv(name, value)
    boto3 = pytest.importorskip("boto3", reason="the extra dev brings moto[server]")
    client = boto3.client("s3")
    name = f"photos-{os.urandom(4).hex()}"
    client.create_bucket(Bucket=name)
    yield name
    client.close()


@pytest.fixture
def google_bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty bucket of a server that speaks Google's protocol, to which the environment leads."""
    pytest.importorskip("gcsfs", reason="the extra fleet is not installed")
    server = ThreadingHTTPServer(("127.0.0.1", 0), google_handler())
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_address[1]}")
    yield "box"
    server.shutdown()
    server.server_close()
    thread.join()
