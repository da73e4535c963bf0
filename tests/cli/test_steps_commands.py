from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from small_models import steps_model

__all__ = ["steps_model"]

Undark = Callable[..., Result]
Write = Callable[..., Path]


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_the_steps_are_told_kept_and_repeated(
    undark: Undark, tmp_path: Path, dark_photo: Write, steps_model: Path
) -> None:
    first = dark_photo(tmp_path / "first.png")
    kept = tmp_path / "edit.json"
    done = undark("enhance", first, "-m", steps_model, "--explain", "--save-steps", kept)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'first.undark.png'}\n"
    assert "exposure +1.2 (EV)" in done.stderr

    other = dark_photo(tmp_path / "other.png", level=30)
    for photo in (first, other):
        done = undark("apply", kept, photo, "-o", tmp_path / "again")
        assert done.exit_code == 0, done.stderr
        assert done.stdout == f"{tmp_path / 'again' / photo.name}\n"
    np.testing.assert_array_equal(
        pixels(tmp_path / "again" / "first.png"), pixels(tmp_path / "first.undark.png")
    )
    assert pixels(tmp_path / "again" / "other.png").mean() > 2 * pixels(other).mean()


def test_kept_steps_can_be_changed(undark: Undark, tmp_path: Path, dark_photo: Write) -> None:
    photo = dark_photo(tmp_path / "a.png", level=100)
    steps = {"schema": 1, "steps": [{"operation": "exposure", "amount": -1}]}
    (tmp_path / "mine.json").write_text(json.dumps(steps), encoding="utf-8")
    done = undark("apply", tmp_path / "mine.json", photo, "--json", "--strength", "0.5")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "done"
    result = pixels(tmp_path / "a.undark.png").mean()
    assert 75 < result < 100


def test_several_photos_keep_their_steps_in_a_folder(
    undark: Undark, tmp_path: Path, dark_photo: Write, steps_model: Path
) -> None:
    for name in ("a.png", "deep/b.png"):
        dark_photo(tmp_path / "in" / name)
    command = ["enhance", tmp_path / "in", "--recursive", "-m", steps_model, "--json"]
    done = undark(*command, "-o", tmp_path / "out", "--save-steps", tmp_path / "kept")
    assert done.exit_code == 0, done.stderr
    kept = sorted(p.relative_to(tmp_path / "kept") for p in (tmp_path / "kept").rglob("*.json"))
    assert kept == [Path("a.png.steps.json"), Path("deep/b.png.steps.json")]
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(line["steps"][0]["operation"] == "exposure" for line in told)
    wrong = undark(*command, "-o", tmp_path / "out2", "--save-steps", tmp_path / "kept.json")
    assert wrong.exit_code == 2
    assert "name a folder" in wrong.stderr
    assert not (tmp_path / "out2").exists()


def test_a_photo_from_stdin_is_explained_too(
    undark: Undark, tmp_path: Path, dark_photo: Write, steps_model: Path
) -> None:
    photo = dark_photo(tmp_path / "a.png").read_bytes()
    out = tmp_path / "out.png"
    options = ["-m", steps_model, "-o", out, "--explain", "--save-steps", tmp_path / "s.json"]
    done = undark("enhance", "-", *options, stdin=photo)
    assert done.exit_code == 0, done.stderr
    assert "exposure" in done.stderr
    assert (tmp_path / "s.json").is_file()


@pytest.mark.parametrize("option", [["--explain"], ["--save-steps", "steps.json"]])
def test_a_model_without_steps_has_none_to_tell(
    undark: Undark, tmp_path: Path, dark_photo: Write, gain_model: Path, option: list[str]
) -> None:
    photo = dark_photo(tmp_path / "a.png")
    done = undark("enhance", photo, "-m", gain_model, *option)
    assert done.exit_code == 2
    assert "does not work in steps" in done.stderr
    assert not (tmp_path / "a.undark.png").exists()


def test_bad_steps_are_refused_before_anything_is_done(
    undark: Undark, tmp_path: Path, dark_photo: Write
) -> None:
    photo = dark_photo(tmp_path / "a.png")
    (tmp_path / "bad.json").write_text(
        '{"schema": 1, "steps": [{"operation": "exposrue", "amount": 1}]}', encoding="utf-8"
    )
    for steps, says in ((tmp_path / "bad.json", "'exposure'"), (tmp_path / "no.json", "no.json")):
        done = undark("apply", steps, photo)
        assert done.exit_code == 2
        assert says in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "a.undark.png").exists()
