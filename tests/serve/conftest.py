"""Real servers of `undark serve` on this machine's own address, and clients of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from skimage import data

pytest.importorskip("fastapi", reason="the extra [serve] is not installed")


@dataclass
class Served:
    """A server that runs, and a client of it."""

    process: subprocess.Popen[str]
    url: str
    client: httpx.Client
    log: Path

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it, and give its exit code."""
        self.process.send_signal(how)
        return self.process.wait(20)


@contextmanager
def served(
    folder: Path, *options: object, headers: dict[str, str] | None = None, **environment: str
) -> Generator[Served]:
    """A server with these options, until the ``with`` block ends."""
    log = folder / "serve.log"
    (folder / "tmp").mkdir(exist_ok=True)
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "undark", "serve", "--port", "0", "--no-open"),
                *map(str, options),
            ],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | {"TMPDIR": str(folder / "tmp")} | environment,
        )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert url.startswith("http://"), log.read_text(encoding="utf-8")
    try:
        with httpx.Client(base_url=url, timeout=60, headers=headers) as client:
            yield Served(process, url, client, log)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        process.stdout.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """One server for the tests that leave it as it is."""
    with served(tmp_path_factory.mktemp("serve")) as found:
        yield found


@pytest.fixture(scope="session")
def client(server: Served) -> httpx.Client:
    """A client of that server."""
    return server.client


@pytest.fixture
def start(tmp_path: Path) -> Generator[Callable[..., Served]]:
    """Starts a server of the test's own."""
    with ExitStack() as stack:

        def begin(*options: object, **more: Any) -> Served:
            folder = tmp_path / f"server{len(list(tmp_path.glob('server*')))}"
            folder.mkdir()
            return stack.enter_context(served(folder, *options, **more))

        yield begin


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A dark photo with detail, as JPEG."""
    path = tmp_path / "night street.jpg"
    pixels = np.asarray(Image.fromarray(data.astronaut()).resize((160, 120)), np.float64)
    Image.fromarray((pixels * 0.15).astype(np.uint8)).save(path, quality=95)
    return path


@pytest.fixture
def large_photo(tmp_path: Path) -> Path:
    """A dark photo that takes a while: 16 bits, 12 megapixels."""
    path = tmp_path / "large.png"
    rows = np.linspace(0, 9000, 4000, dtype=np.uint16)
    pixels = np.broadcast_to(rows[None, :, None], (3000, 4000, 3))
    import cv2

    cv2.imwrite(str(path), pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return path
