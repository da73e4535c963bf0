"""What cannot be used is left out by name; too much of it is an error."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from undark.cli.app import app
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


def test_pairs_too_small_to_be_measured_are_left_out_by_name(pairs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(pairs, folder)
    for side in ("dark", "light"):
        Image.new("RGB", (5, 30)).save(folder / side / "2.png")
    count, told = load(folder)
    assert count == 7
    (line,) = [line for line in told if "left out" in line]
    assert "2.png is 5×30 and so too small to be measured, which takes 7×7 pixels" in line
    with pytest.raises(
        DataError, match=r"is 48×40, shrunk to data\.max_side = 7, and so too small"
    ):
        load(pairs, max_side=7)
    done = CliRunner().invoke(app, ["data", str(folder)])
    assert "1 cannot be used: 2 (5×30, less than 7×7)" in done.stdout


def swap(pairs: Path, folder: Path, ends: tuple[str, ...] = ()) -> None:
    """The pairs with their sides exchanged, but for those whose names have these ends."""
    for one, other in (("dark", "light"), ("light", "dark")):
        (folder / one).mkdir(parents=True, exist_ok=True)
        for path in (pairs / other).iterdir():
            side = other if path.stem in ends else one
            (folder / side).mkdir(exist_ok=True)
            shutil.copy(path, folder / side / path.name)


def test_sides_that_seem_swapped_are_told(pairs: Path, tmp_path: Path) -> None:
    swap(pairs, tmp_path / "all")
    swap(pairs, tmp_path / "few", ("0", "1", "2", "3"))
    for folder in (pairs, tmp_path / "few"):
        assert not any("warning" in line for line in load(folder)[1])
    says = (
        "in 8 of 8 pairs the dark side is brighter than the truth; if the sides are swapped,"
        " exchange the names of the folders dark/ and light/"
    )
    (line,) = [line for line in load(tmp_path / "all")[1] if "warning" in line]
    assert line == f"warning: {tmp_path / 'all'}: {says}"
    assert says in CliRunner().invoke(app, ["data", str(tmp_path / "all")]).stdout
    assert "warning" not in CliRunner().invoke(app, ["data", str(pairs)]).stdout


def test_swapped_halves_names_and_tables_are_told_each_in_its_way(
    pairs: Path, tmp_path: Path
) -> None:
    dark, light = (Image.open(pairs / side / "1.png") for side in ("dark", "light"))
    for number in range(3):
        both = Image.new("RGB", (96, 40))
        both.paste(light, (0, 0))
        both.paste(dark, (48, 0))
        (tmp_path / "halves").mkdir(exist_ok=True)
        both.save(tmp_path / "halves" / f"{number}.png")
    words = ["data", str(tmp_path / "halves"), "--ab"]
    done = CliRunner().invoke(app, [*words, "left"])
    assert "in 3 of 3 pairs" in done.stdout
    assert "say --ab right" in done.stdout
    assert "warning" not in CliRunner().invoke(app, [*words, "right"]).stdout
    (tmp_path / "names").mkdir()
    light.save(tmp_path / "names" / "a_low.png")
    dark.save(tmp_path / "names" / "a_high.png")
    done = CliRunner().invoke(app, ["data", str(tmp_path / "names")])
    assert "in its pair the dark side is brighter" in done.stdout
    assert "\n1 usable pair of 1 scene\n" in done.stdout
    assert "exchange the words for the sides in the names (a_low.png, a_high.png)" in done.stdout
    rows = "low,high\na_low.png,a_high.png\n"
    (tmp_path / "names" / "pairs.csv").write_text(rows, encoding="utf-8")
    done = CliRunner().invoke(app, ["data", str(tmp_path / "names")])
    assert "exchange the columns low and high of pairs.csv" in done.stdout
