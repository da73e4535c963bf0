"""Finding pairs in the layouts people have; nothing is decoded, so the files are empty."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from undark.errors import DataError
from undark.io.pairs import LAYOUTS, find_pairs


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize(("low", "high"), LAYOUTS)
@pytest.mark.parametrize("spell", [str.lower, str.title, str.upper])
def test_usual_layouts(tmp_path: Path, low: str, high: str, spell) -> None:
    touch(tmp_path, f"{spell(low)}/1.webp", f"{spell(high)}/1.jpg", f"{spell(low)}/.1.jpg")
    found = find_pairs(tmp_path)
    (pair,) = found.pairs
    assert pair.low == tmp_path / spell(low) / "1.webp"
    assert pair.high == tmp_path / spell(high) / "1.jpg"
    assert pair.name == "1"
    assert found.unmatched == ()


def test_natural_order_and_what_has_no_partner(tmp_path: Path) -> None:
    touch(
        tmp_path, *(f"low/{n}.png" for n in (10, 2, 1, 7)), *(f"high/{n}.JPG" for n in (1, 2, 10))
    )
    touch(tmp_path, "high/99.png", "high/notes.txt")
    found = find_pairs(tmp_path)
    assert [pair.name for pair in found.pairs] == ["1", "2", "10"]
    assert found.unmatched == (tmp_path / "low/7.png", tmp_path / "high/99.png")
    assert len({pair.scene for pair in found.pairs}) == 3


def test_names_that_repeat_the_side(tmp_path: Path) -> None:
    touch(
        tmp_path, "Low/low001.png", "Low/low002.png", "Normal/normal001.png", "Normal/normal002.png"
    )
    found = find_pairs(tmp_path)
    assert [(p.low.name, p.high.name) for p in found.pairs] == [
        ("low001.png", "normal001.png"),
        ("low002.png", "normal002.png"),
    ]


def test_unicode_forms_match(tmp_path: Path) -> None:
    name = "nächte"
    composed, split = (unicodedata.normalize(form, name) for form in ("NFC", "NFD"))
    touch(tmp_path, f"dark/{composed}.jpg", f"light/{split}.jpg")
    assert len(find_pairs(tmp_path).pairs) == 1


def test_scenes_file(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{side}/{n}.png" for side in ("low", "high") for n in (1, 2, 3)))
    (tmp_path / "scenes.csv").write_text("scene,name\n3,1\n3,2\n")
    scenes = [pair.scene for pair in find_pairs(tmp_path).pairs]
    assert scenes[0] == scenes[1] == "3"
    assert scenes[2] != "3", "a pair that the file leaves out is a scene of its own"


def test_table_with_scenes_and_images_folder(tmp_path: Path) -> None:
    touch(tmp_path, "images/2.jpg", "images/10.jpg", "images/5.jpg", "here.jpg")
    (tmp_path / "pairs.csv").write_text(
        "\ufeffscene,low,high\n1,10.jpg,5.jpg\n1,2.jpg,5.jpg\n\n2,here.jpg,5.jpg\n2,gone.jpg,5.jpg\n",
        encoding="utf-8",
    )
    found = find_pairs(tmp_path)
    assert [(p.name, p.scene, p.high.name) for p in found.pairs] == [
        ("2", "1", "5.jpg"),
        ("10", "1", "5.jpg"),
        ("here", "2", "5.jpg"),
    ]
    assert found.pairs[2].low == tmp_path / "here.jpg"
    assert found.unmatched == (tmp_path / "gone.jpg",)


def test_table_same_dark_picture_with_two_truths(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    (tmp_path / "pairs.csv").write_text("low,high\na.jpg,b.jpg\na.jpg,c.jpg\n")
    assert len({pair.name for pair in find_pairs(tmp_path).pairs}) == 2


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("a,b\n1,2\n", "'low'"),
        ("low,high\na.jpg,\n", "line 2"),
        ("low,high\na.jpg,b.jpg\na.jpg,b.jpg\n", "repeats"),
        ("low,high\nx.jpg,y.jpg\n", "no dark photo"),
        ("", "'low'"),
    ],
)
def test_bad_tables(tmp_path: Path, table: str, says: str) -> None:
    touch(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / "pairs.csv").write_text(table)
    with pytest.raises(DataError, match=says) as caught:
        find_pairs(tmp_path)
    assert "\n" not in str(caught.value)


def test_nothing_recognised_lists_the_layouts(tmp_path: Path) -> None:
    touch(tmp_path, "photos/1.jpg")
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(DataError, match=r"ground_truth/.*pairs\.csv"):
            find_pairs(folder)


def test_two_layouts_at_once_and_doubled_stems(tmp_path: Path) -> None:
    touch(tmp_path, "low/1.jpg", "high/1.jpg", "low/1.png")
    with pytest.raises(DataError, match="same stem"):
        find_pairs(tmp_path)
    touch(tmp_path, "dark/1.jpg", "light/1.jpg")
    with pytest.raises(DataError, match=r"pairs\.csv"):
        find_pairs(tmp_path)


def test_folders_without_a_match(tmp_path: Path) -> None:
    touch(tmp_path, "low/1.jpg", "high/2.jpg")
    with pytest.raises(DataError, match="2 without"):
        find_pairs(tmp_path)
