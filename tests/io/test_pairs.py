"""Finding pairs in the layouts people have; nothing is decoded, so the files are empty."""

from __future__ import annotations

import time
import unicodedata
from pathlib import Path

import pytest

from undark.errors import DataError
from undark.io.matching import in_one_folder
from undark.io.pairs import LAYOUTS, find_pairs, holds_pairs


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


def matched(folder: Path) -> list[tuple[str, str]]:
    return [
        (p.low.relative_to(folder).as_posix(), p.high.relative_to(folder).as_posix())
        for p in find_pairs(folder).pairs
    ]


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ("a_low.png", "a_high.png"),
        ("low_a.png", "high_a.jpg"),
        ("Toy 3 LOW_LIGHT.png", "Toy 3 ground_truth.png"),
        ("a_in.png", "a_out.png"),
        ("a-before.jpg", "a-after.jpg"),
        ("before.jpg", "after.jpg"),
        ("a_lq.png", "a_gt.png"),
        ("a.dark.png", "a.normal.png"),
        ("a_input.png", "a_label.png"),
        ("low12.png", "normal12.png"),
        ("night_1_lq.png", "night_1_gt.png"),
        ("input_dark.png", "input_light.png"),
    ],
)
def test_files_of_one_folder_are_matched_by_the_word_for_their_side(
    tmp_path: Path, low: str, high: str
) -> None:
    touch(tmp_path, low, high, "readme.txt")
    assert matched(tmp_path) == [(low, high)]
    found = find_pairs(tmp_path)
    lines = found.explain(tmp_path)
    assert "1 pair;" in lines[0]
    assert f"{low} with {high}" in lines[1]


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ("before/1.png", "after/1.png"),
        ("input/1_in.png", "gt/1_gt.png"),
        ("lq/1.png", "gt/1.png"),
        ("A/1.png", "B/1.png"),
        ("dark/1_dark.png", "label/1.png"),
        ("low/night_1_lq.png", "high/night_1_gt.png"),
        ("short/k/1.png", "long/k/1.png"),
        ("low/1.png", "high/k/1.png"),
        ("train/low/1.png", "train/high/1.png"),
        ("a/b/x_low.png", "a/b/x_high.png"),
    ],
)
def test_other_words_for_the_sides_and_folders_inside_folders(
    tmp_path: Path, low: str, high: str
) -> None:
    touch(tmp_path, low, high)
    assert matched(tmp_path) == [(low, high)]


def test_names_of_nested_pairs_stay_apart_and_many_folders_are_scenes(tmp_path: Path) -> None:
    touch(
        tmp_path,
        *(f"clip{n}/{side}/{i}.png" for n in range(5) for side in ("low", "high") for i in (1, 2)),
    )
    pairs = find_pairs(tmp_path).pairs
    assert len({pair.name for pair in pairs}) == 10
    assert sorted({pair.scene for pair in pairs}) == [f"clip{n}" for n in range(5)]
    assert any("one scene" in line for line in find_pairs(tmp_path).explain(tmp_path))


def test_clips_inside_the_sides_are_scenes(tmp_path: Path) -> None:
    touch(
        tmp_path,
        *(f"{side}/clip{n}/{i}.png" for n in range(5) for side in ("low", "high") for i in (1, 2)),
    )
    assert sorted({pair.scene for pair in find_pairs(tmp_path).pairs}) == [
        f"clip{n}" for n in range(5)
    ]


def test_what_one_learns_from_and_what_one_measures_on_are_not_mixed(tmp_path: Path) -> None:
    touch(
        tmp_path,
        *(f"{part}/{side}/1.png" for part in ("our485", "eval15") for side in ("low", "high")),
    )
    with pytest.raises(DataError, match=r"learn from .*our485.* measure on .*eval15"):
        find_pairs(tmp_path)
    assert len(find_pairs(tmp_path / "eval15").pairs) == 1


def test_photos_that_are_no_pairs_are_not_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "1.png", "2.png", "3.png", "more/low/1.png", "more/high/1.png")
    with pytest.raises(DataError, match="its photos are no pairs"):
        find_pairs(tmp_path)


def test_three_pairs_show_how_they_were_matched(tmp_path: Path) -> None:
    touch(
        tmp_path,
        *(f"low/low{n}.png" for n in range(9)),
        *(f"normal/normal{n}.png" for n in range(9)),
    )
    lines = find_pairs(tmp_path).explain(tmp_path)
    assert "9 pairs; low/ with normal/, by the name without the word" in lines[0]
    assert [line.strip() for line in lines[1:]] == [
        f"low/low{n}.png with normal/normal{n}.png" for n in (0, 4, 8)
    ]


def test_thousands_of_names_are_matched_at_once(tmp_path: Path) -> None:
    photos = [tmp_path / f"night_{n}_{word}.png" for n in range(4000) for word in ("lq", "gt")]
    begun = time.process_time()
    assert len(in_one_folder(photos).pairs) == 4000
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ("night_in", "night_out"),
        ("Night-Low", "Night-High"),
        ("my set_low_light", "my set_ground_truth"),
        ("dark_kitchen", "light_kitchen"),
        ("in", "out"),
        ("input", "output"),
    ],
)
def test_two_folders_that_share_a_name(tmp_path: Path, low: str, high: str) -> None:
    touch(tmp_path, f"{low}/1.png", f"{high}/1.png", f"{low}/2_in.png", f"{high}/3.png")
    touch(tmp_path, "notes/read me.txt")
    found = find_pairs(tmp_path)
    assert [(pair.name, pair.scene) for pair in found.pairs] == [("1", "pair 1")]
    assert found.explain(tmp_path)[1] == f"  {low}/1.png with {high}/1.png"
    assert f"{low}/ with {high}/, by the same name" in found.explain(tmp_path)[0]
    assert len(found.unmatched) == 2


def test_several_such_folders_are_learned_from_together(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{name}_{side}/1.png" for name in ("day", "dusk") for side in ("in", "out")))
    found = find_pairs(tmp_path)
    assert [pair.name for pair in found.pairs] == ["day/1", "dusk/1"]
    assert found.pairs[1].high == tmp_path / "dusk_out" / "1.png"
    assert found.rules == (
        "day_in/ with day_out/, by the same name",
        "dusk_in/ with dusk_out/, by the same name",
        "in 2 folders",
    )
    touch(tmp_path, "test_in/1.png", "test_out/1.png")
    with pytest.raises(DataError, match="to measure on"):
        find_pairs(tmp_path)


def test_such_folders_that_fit_several_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "night_in/1.png", "night_out/1.png", "night_gt/1.png")
    with pytest.raises(DataError, match=r"night_in/ \+ night_gt/ and night_in/ \+ night_out/"):
        find_pairs(tmp_path)


def test_folders_of_plain_words_go_before_those_that_share_a_name(tmp_path: Path) -> None:
    touch(tmp_path, "low/1.png", "high/1.png", "old_low/1.png", "old_high/1.png")
    assert [pair.low for pair in find_pairs(tmp_path).pairs] == [tmp_path / "low" / "1.png"]


def test_folders_of_photos_that_only_sound_like_sides_are_no_pairs(tmp_path: Path) -> None:
    touch(tmp_path, "dark_street/1.png", "light_street/2.png")
    assert not holds_pairs(tmp_path)
