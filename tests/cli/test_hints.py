"""Errors on the command line name the option that would help, on stderr alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from undark.cli.app import app


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dark_photo: Callable[..., Path]) -> Path:
    monkeypatch.chdir(tmp_path)
    dark_photo(Path("a.png"))
    dark_photo(Path("in/sub/b.png"))
    Image.new("RGBA", (8, 8)).save("clear.png")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["in"], "no photo or video found (--recursive looks into sub-folders)"),
        (["a.png", "-o", "a.png"], "replace photos in place (--in-place)"),
        (["a.png", "clear.png", "-o", "x.png"], "not a file (-o)"),
        (["clear.png", "-o", "c.jpg"], "choose PNG or WebP (--format)"),
        (["a.png", "--fps", "0"], "fps must be above 0, not 0 (--fps)"),
    ],
)
def test_a_hint_follows_the_error(
    here: Path, gain_model: Path, arguments: list[str], hint: str
) -> None:
    done = CliRunner().invoke(app, ["enhance", *arguments, "-m", str(gain_model)])
    assert done.exit_code in (1, 2)
    assert hint in done.stderr


def test_programs_get_the_message_alone(here: Path, gain_model: Path) -> None:
    arguments = ["enhance", "clear.png", "-o", "c.jpg", "--json", "-m", str(gain_model)]
    done = CliRunner().invoke(app, arguments)
    (record,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert record["error"]["type"] == "OutputError"
    assert record["error"]["message"] == (
        "c.jpg: JPEG cannot hold transparency; choose PNG or WebP"
    )
