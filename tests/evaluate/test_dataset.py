"""What is wrong with a folder of pairs is found and shown."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from undark.cli.app import app
from undark.evaluate.dataset import look_at


def scene(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    coarse = random.uniform(30, 230, (35, 45, 3)).astype(np.float32)
    return cv2.resize(coarse, (180, 140), interpolation=cv2.INTER_CUBIC).clip(0, 255)


def save(folder: Path, name: str, light: np.ndarray, *, shift: tuple[int, int] = (0, 0)) -> None:
    random = np.random.default_rng(1)
    dark = (light * 0.1 + random.normal(0, 1.5, light.shape)).clip(0, 255)
    for side, pixels in (("low", dark), ("high", np.roll(light, shift[::-1], (0, 1)))):
        (folder / side).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / side / f"{name}.png")


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six scenes; `moved` is shifted, `again` shows scene 0 once more, `odd` differs in size."""
    folder = tmp_path_factory.mktemp("mixed")
    for number in range(6):
        save(folder, f"s{number}", scene(number))
    save(folder, "moved", scene(7), shift=(6, -3))
    save(folder, "again", np.clip(scene(0) + 1, 0, 255))
    save(folder, "odd", scene(8))
    Image.new("RGB", (9, 9)).save(folder / "high" / "odd.png")
    Image.new("RGB", (9, 9)).save(folder / "low" / "alone.png")
    return folder


def test_what_is_wrong_is_found(mixed: Path) -> None:
    found = look_at(mixed)
    assert len(found.facts) == 8
    (moved,) = found.misaligned
    assert moved.name == "moved"
    assert moved.shift == pytest.approx((6, -3), abs=1.0)
    assert [{item.first, item.second} for item in found.duplicates] == [{"again", "s0"}]
    assert found.leaks == found.duplicates
    assert [name for name, _ in found.unusable] == ["odd"]
    assert [path.name for path in found.found.unmatched] == ["alone.png"]
    assert all(item.low < 0.3 * item.high for item in found.facts)


def test_one_truth_at_two_exposures_is_no_duplicate(tmp_path: Path) -> None:
    save(tmp_path, "dark", scene(0))
    save(tmp_path, "darker", scene(0))
    low = tmp_path / "low" / "darker.png"
    Image.fromarray(np.asarray(Image.open(low)) // 2).save(low)
    found = look_at(tmp_path)
    assert not found.duplicates
    assert len(found.leaks) == 1


def test_one_scene_seen_twice_is_no_leak_where_the_folder_says_so(
    mixed: Path, tmp_path: Path
) -> None:
    shutil.copytree(mixed, tmp_path / "told")
    (tmp_path / "told" / "scenes.csv").write_text("scene,name\na,s0\na,again\n", encoding="utf-8")
    assert not look_at(tmp_path / "told").leaks


def test_what_is_measured_on_must_not_be_learned_from(mixed: Path, tmp_path: Path) -> None:
    save(tmp_path, "t1", scene(3))
    save(tmp_path, "t2", scene(50))
    found = look_at(mixed, against=tmp_path)
    assert [(item.first, item.second) for item in found.shared] == [("s3", "t1")]


def test_the_command_tells_and_writes_a_page(mixed: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = CliRunner().invoke(app, ["data", str(mixed), "--report", str(page)])
    assert done.exit_code == 0, done.stderr
    for line in (
        "8 usable pairs of 8 scenes",
        "sizes: 180×140",
        "1 cannot be used: odd (180×140 with 9×9)",
        "1 do not lie over each other: moved",
        "1 are nearly the same twice: again and s0",
    ):
        assert line in done.stdout
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/jpeg") >= 2 * (8 + 1 + 1)
    assert "has no partner" in text
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    found = json.loads(CliRunner().invoke(app, ["data", str(mixed), "--json"]).stdout)
    assert found["pairs"] == 8
    assert found["misaligned"][0]["pair"] == "moved"


def test_no_pairs_are_an_error(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["data", str(tmp_path)])
    assert done.exit_code == 2
    assert "no pairs found" in done.stderr
