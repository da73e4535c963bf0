"""What the tests ask of a server again and again."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Any

import httpx


def upload(client: httpx.Client, path: Path, **query: Any) -> dict[str, Any]:
    """Send a file, and give what the server says of it."""
    id = secrets.token_urlsafe(16)
    answer = client.put(
        f"v1/uploads/{id}", params={"name": path.name, **query}, content=path.read_bytes()
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


def begin(client: httpx.Client, id: str, **asked: Any) -> dict[str, Any]:
    """Begin a job of an upload."""
    answer = client.post("v1/jobs", json={"upload": id, **asked})
    assert answer.status_code == 202, answer.text
    return answer.json()


def wait(client: httpx.Client, id: str, *until: str, seconds: float = 60) -> dict[str, Any]:
    """The state of a job, once it is one of `until`; by default once it is over."""
    until = until or ("done", "failed", "cancelled")
    end = time.monotonic() + seconds
    while True:
        state = client.get(f"v1/jobs/{id}").json()
        if state["status"] in until:
            return state
        assert time.monotonic() < end, state
        time.sleep(0.02)
