"""Images that hold both sides of a pair: told from others, and read as two photos."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from undark.cli.app import app
from undark.errors import DataError, UnsupportedError, UsageError
from undark.evaluate.samples import find_samples
from undark.io.halves import Half, halves_in, read_shot
from undark.io.pairs import find_pairs, holds_pairs


def scene(random: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    coarse = random.uniform(60, 220, (5, 6, 3)).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 255)


def both(
    folder: Path, count: int = 6, *, dark: str = "left", gain: float = 0.12, suffix: str = "png"
) -> Path:
    """A folder of A|B images, 40 pixels high, with halves 48 wide."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for number in range(count):
        light = scene(random, 40, 48)
        low = (light * gain + random.normal(0, 2, light.shape)).clip(0, 255)
        halves = (low, light) if dark == "left" else (light, low)
        joined = np.concatenate(halves, axis=1).astype(np.uint8)
        Image.fromarray(joined).save(folder / f"{number + 1}.{suffix}")
    return folder


@given(
    dark=st.sampled_from(["left", "right"]),
    gain=st.floats(0.03, 0.6),
    count=st.integers(1, 14),
)
@settings(max_examples=25, deadline=None)
def test_the_darker_half_is_found(
    tmp_path_factory: pytest.TempPathFactory, dark: str, gain: float, count: int
) -> None:
    folder = both(tmp_path_factory.mktemp("ab"), count, dark=dark, gain=gain)
    found = find_pairs(folder)
    assert len(found.pairs) == count
    assert [pair.name for pair in found.pairs] == [str(n + 1) for n in range(count)]
    for pair in found.pairs:
        low, high = read_shot(pair.low), read_shot(pair.high)
        assert low.pixels.shape == high.pixels.shape == (40, 48, 3)
        assert low.pixels.mean() < high.pixels.mean()
    assert f"its {dark} half is the dark one" in found.rules[0]


def test_it_is_said_with_three_examples_and_can_be_said_otherwise(tmp_path: Path) -> None:
    folder = both(tmp_path / "facades" / "train")
    lines = find_pairs(folder.parent).explain(folder.parent)
    assert "6 pairs" in lines[0]
    assert "it is darker in 6 of the 6 looked at" in lines[0]
    assert lines[1] == "  train/1.png, left half, with train/1.png, right half,"
    assert len(lines) == 4
    turned = find_pairs(folder, "right")
    assert turned.pairs[0].low == Half(folder / "1.png", "right")
    with pytest.raises(UsageError, match="left or right, not 'up'"):
        find_pairs(folder, "up")  # pyright: ignore[reportArgumentType]
    both(tmp_path / "facades" / "test")
    with pytest.raises(DataError, match="to measure on"):
        find_pairs(tmp_path / "facades")


def test_photos_that_hold_one_picture_are_not_taken_for_two(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    wide = tmp_path / "wide"
    wide.mkdir()
    for number in range(6):
        Image.fromarray((scene(random, 40, 96) * 0.2).astype(np.uint8)).save(wide / f"{number}.png")
    assert not holds_pairs(wide)
    assert find_samples(wide).has_truth is False
    stereo = both(tmp_path / "stereo", gain=0.95)  # seen twice, as bright
    assert not holds_pairs(stereo)
    assert holds_pairs(stereo, "left")
    mixed = both(tmp_path / "mixed", count=4)
    both(tmp_path / "other", count=4, dark="right")
    for path in (tmp_path / "other").iterdir():
        path.rename(mixed / f"r{path.name}")
    assert not holds_pairs(mixed)  # no half is the dark one of most
    assert halves_in([]) is None


def test_an_odd_width_has_no_halves(tmp_path: Path) -> None:
    Image.new("RGB", (9, 4)).save(tmp_path / "odd.png")
    with pytest.raises(UnsupportedError, match="9 pixels wide"):
        read_shot(Half(tmp_path / "odd.png", "left"))


def test_commands_take_them(tmp_path: Path) -> None:
    folder = both(tmp_path / "ab", dark="right", suffix="png")
    run = CliRunner()
    looked = run.invoke(app, ["data", str(folder), "--json"])
    assert looked.exit_code == 0, looked.stderr
    facts = json.loads(looked.stdout)
    assert facts["sizes"] == ["48×40"]
    assert facts["mean_level_low"] < 0.3 * facts["mean_level_high"]
    turned = json.loads(run.invoke(app, ["data", str(folder), "--ab", "left", "--json"]).stdout)
    assert turned["mean_level_low"] == facts["mean_level_high"]
    words = ["evaluate", "--data", str(folder), "-m", "curve", "--limit", "2", "--json"]
    measured = run.invoke(app, words)
    assert measured.exit_code == 0, measured.stderr
    assert "its right half is the dark one" in measured.stderr
    report = json.loads(measured.stdout)
    assert report["contenders"][0]["peak_memory"] is None or report["contenders"][0]["peak_memory"]
    wrong = run.invoke(app, ["evaluate", "--data", str(folder), "--ab", "up"])
    assert wrong.exit_code == 2
    assert "the dark half is left or right, not 'up' (--ab)" in wrong.stderr
