"""Results and their records on the command line: shown, followed, left out, compared."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image

from small_models import steps_model

__all__ = ["steps_model"]

Undark = Callable[..., Result]
Write = Callable[..., Path]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dark_photo: Write) -> Path:
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("night.jpg", "other.jpg")):
        dark_photo(Path(name), level=20 + number)
    return tmp_path


def shown(undark: Undark, name: str) -> dict[str, object]:
    done = undark("show", name, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_a_result_is_shown(undark: Undark, here: Path, gain_model: Path) -> None:
    done = undark("enhance", "night.jpg", "-m", gain_model, "--strength", 0.5, "--quality", 77)
    assert done.exit_code == 0, done.stderr
    record = shown(undark, "night.undark.jpg")
    assert record["model"]["name"] == "gain"  # type: ignore[index]
    assert record["adjust"]["strength"] == 0.5  # type: ignore[index]
    assert record["quality"] == 77
    text = undark("show", "night.undark.jpg").stdout
    for part in ("gain", "strength 0.5", "exposure 0 EV", str(record["digest"]), "undark 0."):
        assert part in text
    none = undark("show", "night.jpg")
    assert (none.exit_code, none.stdout) == (1, "")
    assert "night.jpg: has no record" in none.stderr
    for missing in ("none.jpg", "."):
        assert undark("show", missing).exit_code == 2


def test_another_is_made_like_it_and_what_is_given_wins(undark: Undark, here: Path) -> None:
    undark("enhance", "night.jpg", "-m", "curve", "--strength", 0.5, "--exposure", -1)
    done = undark("enhance", "--like", "night.undark.jpg", "other.jpg", "--exposure", 0)
    assert done.exit_code == 0, done.stderr
    assert "curve by" in done.stderr
    record = shown(undark, "other.undark.jpg")
    assert record["adjust"] == {"strength": 0.5, "exposure": 0.0, "denoise": 1.0, "local": 1.0}
    same = undark("enhance", "--like", "night.undark.jpg", "night.jpg")
    assert "skipped, it was made in this way already" in same.stderr
    done = undark("enhance", "--like", "night.undark.jpg", "other.jpg", "-m", "agent")
    assert done.exit_code == 0, done.stderr
    assert shown(undark, "other.undark.jpg")["adjust"]["exposure"] == -1.0  # type: ignore[index]


def test_a_recipe_file_is_followed_as_its_result_is(undark: Undark, here: Path) -> None:
    undark("enhance", "night.jpg", "-m", "curve", "--strength", 0.5)
    recipe = here / "night.json"
    recipe.write_text(undark("show", "night.undark.jpg", "--json").stdout)
    done = undark("enhance", "--like", "night.json", "other.jpg", "--exposure", 1)
    assert done.exit_code == 0, done.stderr
    record = shown(undark, "other.undark.jpg")
    assert record["model"]["name"] == "curve"  # type: ignore[index]
    assert record["adjust"] == {"strength": 0.5, "exposure": 1.0, "denoise": 1.0, "local": 1.0}
    recipe.write_text(recipe.read_text().replace('"strength": 0.5', '"strength": 5'))
    done = undark("enhance", "--like", "night.json", "other.jpg", "-o", "none.jpg")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "night.json: is no recipe: strength must be between 0 and 1, not 5" in done.stderr
    assert not Path("none.jpg").exists()


def test_what_cannot_be_followed_is_wrong_usage(
    undark: Undark, here: Path, gain_model: Path
) -> None:
    undark("enhance", "night.jpg", "-m", gain_model)
    (here / "edit.json").write_text('{"schema": 1, "steps": []}')
    undark("apply", "edit.json", "night.jpg", "-o", "edited/")
    for name, says in (
        ("none.jpg", "no such file"),
        ("night.jpg", "no record"),
        ("night.undark.jpg", "name one with -m"),
        ("edited/night.jpg", "undark apply"),
    ):
        done = undark("enhance", "--like", name, "other.jpg")
        assert done.exit_code == 2, name
        assert says in done.stderr
    done = undark("enhance", "--like", "night.undark.jpg", "other.jpg", "-m", gain_model)
    assert done.exit_code == 0, done.stderr


def test_results_say_nothing_where_that_is_asked(
    undark: Undark, here: Path, gain_model: Path
) -> None:
    os.utime("night.jpg", (1, 1))
    command = ["enhance", "night.jpg", "-m", gain_model, "--no-record", "--no-times"]
    assert undark(*command).exit_code == 0
    assert b"undark" not in Path("night.undark.jpg").read_bytes()
    assert Path("night.undark.jpg").stat().st_mtime > 1
    again = undark(*command)
    assert again.exit_code == 0
    assert "skipped, it already exists; without a record" in again.stderr
    with_record = undark(*command[:-2])
    assert with_record.exit_code == 1
    assert "undark did not write it" in with_record.stderr
    assert "(--overwrite)" in with_record.stderr


def test_the_readmes_commands_work_in_their_order_on_one_photo(
    undark: Undark, here: Path, steps_model: Path, gain_model: Path
) -> None:
    for options in (
        [],
        ["--strength", 0.7, "--exposure", -0.5],
        ["-m", steps_model, "--explain", "--save-steps", "edit.json"],
        ["-m", "curve"],
    ):
        chosen = options if "-m" in options else [*options, "-m", gain_model]
        done = undark("enhance", "night.jpg", *chosen)
        assert done.exit_code == 0, done.stderr
        assert done.stdout == "night.undark.jpg\n"
    assert undark("apply", "edit.json", "other.jpg").exit_code == 0


def test_steps_are_kept_of_what_is_skipped(undark: Undark, here: Path, steps_model: Path) -> None:
    command = ["enhance", "night.jpg", "-m", steps_model]
    assert undark(*command).exit_code == 0
    done = undark(*command, "--save-steps", "edit.json", "--explain", "--json")
    assert done.exit_code == 0, done.stderr
    line = json.loads(done.stdout)
    assert line["status"] == "skipped"
    assert line["steps"][0]["operation"] == "exposure"
    assert "exposure +1.2" in done.stderr
    assert json.loads(Path("edit.json").read_text())["steps"] == line["steps"]
    assert undark("enhance", "night.jpg", "-m", steps_model).stdout == ""


def test_a_photo_from_stdin_is_judged_alike(
    undark: Undark, here: Path, gain_model: Path, steps_model: Path
) -> None:
    night, other = (Path(name).read_bytes() for name in ("night.jpg", "other.jpg"))
    command = ["enhance", "-", "-m", gain_model, "-o", "out.jpg"]
    assert undark(*command, stdin=night).stdout == "out.jpg\n"
    assert "skipped" in undark(*command, stdin=night).stderr
    assert "the source has changed" in undark(*command, stdin=other).stderr
    undark("enhance", "other.jpg", "-m", gain_model)
    assert Path("other.undark.jpg").read_bytes() == Path("out.jpg").read_bytes()
    shutil.copy("night.jpg", "theirs.jpg")
    done = undark(*command[:-1], "theirs.jpg", stdin=other)
    assert done.exit_code == 1
    assert "undark did not write it" in done.stderr
    assert Path("theirs.jpg").read_bytes() == night
    piped = undark("enhance", "-", "-m", gain_model, stdin=other)
    assert piped.stdout_bytes == Path("out.jpg").read_bytes()
    assert undark("enhance", "-", "-m", gain_model, "-o", "new/", stdin=other).exit_code == 2


def test_what_is_not_there_has_one_exit_code(undark: Undark, here: Path, gain_model: Path) -> None:
    (here / "empty").mkdir()
    for inputs in (["none.jpg"], ["*.nef"], ["empty"], ["none%03d.png"], ["none.mp4"]):
        done = undark("enhance", *inputs, "-m", gain_model)
        assert (done.exit_code, done.stdout) == (1, ""), inputs
        assert len(done.stderr.splitlines()) == 1
        assert inputs[0] in done.stderr
    done = undark("enhance", "none.jpg", "*.nef", "night.jpg", "-m", gain_model, "--json")
    assert done.exit_code == 1
    states = [json.loads(line)["status"] for line in done.stdout.splitlines()]
    assert states == ["failed", "failed", "done"]
    lines = done.stderr.splitlines()
    assert "none.jpg" in lines[0]
    assert "gain by" in lines[2], "what is missing is told before the model is loaded"


@pytest.mark.parametrize("name", ["my%20dog.jpg", "100%done.jpg", "%d.png", "50%05d.jpg"])
def test_a_per_cent_sign_in_a_name_is_no_number(
    undark: Undark, here: Path, gain_model: Path, dark_photo: Write, name: str
) -> None:
    dark_photo(Path(name))
    for options in (["-o", "out"], ["--in-place"]):
        done = undark("enhance", name, "-m", gain_model, *options)
        assert done.exit_code == 0, done.stderr
    with Image.open(Path("out") / name) as image:
        assert image.size == (40, 24)
    assert Path("out", name).read_bytes() == Path(name).read_bytes()


def test_a_slash_makes_a_folder(undark: Undark, here: Path, gain_model: Path) -> None:
    for folder in ("out.v2/", "out.jpg/", "out/"):
        done = undark("enhance", "night.jpg", "-m", gain_model, "-o", folder)
        assert (done.exit_code, done.stdout) == (0, f"{folder}night.jpg\n"), done.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_pipes_in_a_folder_are_passed_over(
    undark: Undark, here: Path, gain_model: Path, dark_photo: Write
) -> None:
    dark_photo(Path("in/a.png"))
    os.mkfifo("in/b.jpg")
    Path("in/c.jpg").symlink_to("/dev/null")
    done = undark("enhance", "in", "-m", gain_model, "-o", "out")
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"{Path('out/a.png')}\n"
