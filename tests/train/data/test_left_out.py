"""What cannot be used is left out by name; too much of it is an error."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from undark.errors import DataError
from undark.train.data.datasets import load_datasets
from undark.train.recipe import Data, Source


@pytest.fixture
def damaged(pairs: Path, tmp_path: Path) -> Path:
    """Eight pairs, one of unequal sizes."""
    folder = tmp_path / "mine"
    shutil.copytree(pairs, folder)
    Image.new("RGB", (50, 40)).save(folder / "light" / "3.png")
    return folder


def load(folder: Path, **data: object):
    told: list[str] = []
    plan = Data(crop=32, batch=2, **data)  # pyright: ignore[reportArgumentType]
    datasets, held = load_datasets(plan, root=folder, glance=16, seed=1, notify=told.append)
    count = sum(map(len, datasets)) + sum(map(len, held.values()))
    return count, told


def test_one_bad_pair_is_left_out_by_name(damaged: Path) -> None:
    count, told = load(damaged)
    assert count == 7
    (line,) = [line for line in told if "left out" in line]
    assert "3.png is 48×40 but its partner" in line
    assert "50×40" in line


def test_the_size_that_is_told_is_the_files_own(damaged: Path) -> None:
    Image.new("RGB", (400, 90)).save(damaged / "light" / "3.png")
    _, told = load(damaged, max_side=64)
    assert any("is 400×90" in line for line in told)


def test_of_several_kinds_of_bad_pairs_a_named_share_is_allowed(damaged: Path) -> None:
    (damaged / "dark" / "5.png").write_bytes(b"torn")
    with pytest.raises(DataError, match=r"2 of 8 pairs .* data\.left_out = 0\.1 .*the first: "):
        load(damaged)
    count, told = load(damaged, left_out=0.25)
    assert count == 6
    assert len([line for line in told if "left out" in line]) == 2


@pytest.mark.parametrize("held_out", [0.15, 0.0])
def test_bad_pairs_that_were_held_out_stop_nothing(
    pairs: Path, tmp_path: Path, held_out: float
) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(pairs, folder)
    for name in ("2", "3"):  # the scene that is held out
        (folder / "dark" / f"{name}.png").write_bytes(b"torn")
    count, _ = load(folder, left_out=0.3, held_out=held_out)
    assert count == 6


def test_a_stack_with_a_bad_photo_and_folders_inside(pairs: Path, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"evening{number}").mkdir()
        shutil.copy(pairs / "dark" / f"{number}.png", tmp_path / f"evening{number}")
    (tmp_path / "torn.png").write_bytes(b"torn")
    count, told = load(tmp_path, sources=(Source(kind="dark"),))
    assert count == 3
    assert [line for line in told if "torn.png" in line]


def test_a_folder_of_sides_without_partners_is_no_stack(tmp_path: Path) -> None:
    for side, name in (("low", "1"), ("high", "2")):
        (tmp_path / side).mkdir()
        Image.new("RGB", (40, 40)).save(tmp_path / side / f"{name}.png")
    with pytest.raises(DataError, match="2 without"):
        load(tmp_path, sources=(Source(kind="dark"),))


def test_how_pairs_were_matched_is_told_once(pairs: Path) -> None:
    _, told = load(pairs, sources=(Source(), Source(kind="darken", weight=0.2)))
    assert [line for line in told if "8 pairs; dark/ with light/" in line] == told[:1]
    assert told[1:4] == [f"  dark/{n}.png with light/{n}.png" for n in (0, 4, 7)]


def test_a_single_pair_says_that_nothing_is_held_out(pairs: Path, tmp_path: Path) -> None:
    shutil.copy(pairs / "dark" / "0.png", tmp_path / "before.png")
    shutil.copy(pairs / "light" / "0.png", tmp_path / "after.png")
    count, told = load(tmp_path)
    assert count == 1
    assert any("a single pair; nothing is held out" in line for line in told)
    _, told = load(tmp_path, held_out=0.0)
    assert not any("nothing is held out" in line for line in told)
