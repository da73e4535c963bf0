"""Where integrations lie, and programs as a desktop finds them."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]


def script(path: Path, text: str) -> Path:
    """An executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path
