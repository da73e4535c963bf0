"""The right-click scripts, run as Nautilus and Dolphin run them."""

from __future__ import annotations

import configparser
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from around import ROOT

from undark.io.formats import FORMATS

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="for desktops of Linux")

Write = Callable[..., Path]
FOLDER = ROOT / "integrations" / "right-click"
NAMES = ("night.png", "two  words [1].png", "it's $HOME *.png")


@pytest.fixture
def photos(tmp_path: Path, dark_photo: Write) -> list[Path]:
    return [dark_photo(tmp_path / "pictures" / name) for name in NAMES]


def nautilus(paths: list[Path], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the script as Nautilus does: relative names as arguments, paths in a variable."""
    selected = "".join(f"{path}\n" for path in paths)
    return subprocess.run(
        [FOLDER / "undark-selected", *(path.name for path in paths)],
        env={**environment, "NAUTILUS_SCRIPT_SELECTED_FILE_PATHS": selected},
        cwd=paths[0].parent if paths else None,
        capture_output=True,
        text=True,
        check=False,
    )


def test_nautilus_brings_the_selected_photos_to_light(
    photos: list[Path], desktop: dict[str, str], tmp_path: Path
) -> None:
    done = nautilus(photos, desktop)
    assert done.returncode == 0, done.stderr
    assert all(path.with_suffix(".undark.png").is_file() for path in photos)
    assert (tmp_path / "told").read_text() == (
        "--app-name=undark undark 3 done, 0 skipped, 0 failed\n"
    )


def test_one_photo_and_one_that_fails_are_told(
    photos: list[Path], desktop: dict[str, str], tmp_path: Path
) -> None:
    assert nautilus(photos[1:2], desktop).returncode == 0
    torn = photos[0].with_name("torn.png")
    torn.write_bytes(photos[0].read_bytes()[:200])
    done = nautilus([torn], desktop)
    assert done.returncode == 1
    first, second = (tmp_path / "told").read_text().splitlines()
    assert first.endswith("done: two  words [1].png")
    assert "torn.png: " in second


def test_nothing_selected_and_nothing_installed_are_told(
    photos: list[Path], desktop: dict[str, str], tmp_path: Path
) -> None:
    done = subprocess.run([FOLDER / "undark-selected"], env=desktop, check=False)
    assert done.returncode == 2
    Path(desktop["HOME"], ".local/bin/undark").unlink()
    assert nautilus(photos, desktop).returncode == 127
    first, second = (tmp_path / "told").read_text().splitlines()
    assert "select photos" in first
    assert "not installed" in second


def menu() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(FOLDER / "undark.desktop", "utf-8")
    return parser


def test_dolphin_brings_the_selected_photos_to_light(
    photos: list[Path], desktop: dict[str, str]
) -> None:
    line = menu()["Desktop Action undark"]["Exec"]
    program, *fields = shlex.split(line)
    assert fields == ["%F"]
    shutil.copy(FOLDER / program, Path(desktop["HOME"], ".local/bin", program))
    path = f"{desktop['HOME']}/.local/bin:{desktop['PATH']}"
    done = subprocess.run(
        ["/usr/bin/env", program, *map(str, photos)],
        env={**desktop, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert all(path.with_suffix(".undark.png").is_file() for path in photos)


def test_the_menu_names_its_action_and_all_formats() -> None:
    parser = menu()
    entry = parser["Desktop Entry"]
    for action in entry["Actions"].rstrip(";").split(";"):
        assert parser[f"Desktop Action {action}"]["Name"]
    kinds = set(entry["MimeType"].rstrip(";").split(";"))
    missing = {item.mime for name, item in FORMATS.items() if name not in ("GIF", "RAW")} - kinds
    assert not missing
    assert os.access(FOLDER / "undark-selected", os.X_OK)
    if validate := shutil.which("desktop-file-validate"):
        subprocess.run([validate, FOLDER / "undark.desktop"], check=True)
