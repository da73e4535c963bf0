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
    whole = Path("a.png").read_bytes()
    Path("cut.png").write_bytes(whole[: len(whole) // 2])
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["in"], "no photo or video found (--recursive looks into sub-folders)"),
        (["a.png", "-o", "a.png"], "replace photos in place (--in-place)"),
        (["a.png", "clear.png", "-o", "x.png"], "not a file (-o)"),
        (["clear.png", "-o", "c.jpg"], "choose PNG or WebP (--format)"),
        (["cut.png"], "is truncated: its end is missing (--salvage takes what is there)"),
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


def test_what_is_there_is_salvaged_and_said(here: Path, gain_model: Path) -> None:
    arguments = ["enhance", "cut.png", "--salvage", "-m", str(gain_model)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0
    assert "cut.png: is truncated: salvaged " in done.stderr
    assert Path(done.stdout.strip()).is_file()


def test_salvaged_from_stdin_too(here: Path, gain_model: Path) -> None:
    arguments = ["enhance", "-", "-o", "x.png", "-m", str(gain_model)]
    stored = Path("cut.png").read_bytes()
    refused = CliRunner().invoke(app, arguments, input=stored)
    assert refused.exit_code == 1
    assert "stdin: is truncated: its end is missing (--salvage" in refused.stderr
    done = CliRunner().invoke(app, [*arguments, "--salvage"], input=stored)
    assert done.exit_code == 0
    assert "stdin: is truncated: salvaged " in done.stderr


def test_an_animated_png_becomes_one(here: Path, gain_model: Path) -> None:
    colours = [Image.new("RGB", (32, 24), (value, 9, 9)) for value in (20, 30, 40)]
    colours[0].save(
        "moving.png", save_all=True, append_images=colours[1:], duration=[40, 70, 90], loop=2
    )
    for target, kind in (("out.png", "PNG"), ("out.gif", "GIF"), ("out.webp", "WEBP")):
        done = CliRunner().invoke(
            app, ["enhance", "moving.png", "-o", target, "-m", str(gain_model)]
        )
        assert done.exit_code == 0, done.stderr
        with Image.open(target) as image:
            assert (image.format, image.n_frames) == (kind, 3)
            times = []
            for n in range(3):
                image.seek(n)
                image.load()
                times.append(round(image.info["duration"]))
            assert times == [40, 70, 90]
            assert image.convert("RGB").getpixel((5, 5))[0] > 40
