"""The clients in docs/serve.md, run as they stand there, against a real server."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from undark.cli.app import app

pytest.importorskip("fastapi", reason="the extra [serve] is not installed")

PAGE = Path(__file__).parents[2] / "docs" / "serve.md"
ADDRESS = "http://127.0.0.1:8765"


def example(language: str, url: str) -> str:
    """The first example in a language, at the address of a server."""
    fences = rf"^```{language}\n(.*?)^```$"
    found = re.findall(fences, PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    (text,) = [text for text in found if ADDRESS in text]
    return text.replace(ADDRESS, url)


@pytest.mark.parametrize("language", ["python", "sh"])
def test_the_documented_client_gets_what_the_command_writes(
    server: Any,
    language: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    dark_photo: Callable[..., Path],
) -> None:
    if language == "sh" and shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    monkeypatch.chdir(tmp_path)
    dark_photo(Path("night.jpg"), size=(96, 64))
    text = example(language, server.url.rstrip("/"))
    command = [sys.executable, "-c", text] if language == "python" else ["sh", "-c", text]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    done = CliRunner().invoke(app, ["enhance", "night.jpg", "--exposure", "0.5"])
    assert done.exit_code == 0, done.stderr
    assert Path("bright.jpg").read_bytes() == Path("night.undark.jpg").read_bytes()
