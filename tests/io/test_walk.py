"""From what a user names to sources and destinations."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from undark.errors import UnreadableError, UsageError
from undark.io.photo import read_photo
from undark.io.walk import Pair, plan


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shown(pairs: list[Pair]) -> dict[str, str]:
    return {pair.source.as_posix(): pair.destination.as_posix() for pair in pairs}


def test_beside_the_source(here: Path) -> None:
    touch(here, "night.jpg", "b.NEF", "c.gif", "d.JPEG", "e.mpo", "plain", "v1.2.png")
    assert shown(plan(["night.jpg", "b.NEF", "c.gif", "d.JPEG", "e.mpo", "plain", "v1.2.png"])) == {
        "night.jpg": "night.undark.jpg",
        "b.NEF": "b.undark.tif",
        "c.gif": "c.undark.png",
        "d.JPEG": "d.undark.JPEG",
        "e.mpo": "e.undark.jpg",
        "plain": "plain.undark.png",
        "v1.2.png": "v1.2.undark.png",
    }


def test_folder_takes_its_own_photos_in_natural_order(here: Path) -> None:
    touch(here, *(f"in/{n}" for n in ("10.jpg", "2.png", "1.heic", ".x.jpg", "notes.txt")))
    touch(here, "in/2.undark.png", "in/.1.heic.ab12.undark-part", "in/sub/3.jpg", "in/.trash/4.jpg")
    assert list(shown(plan(["in"]))) == ["in/1.heic", "in/2.png", "in/10.jpg"]
    deep = shown(plan(["in"], recursive=True, output="out"))
    assert deep == {
        "in/1.heic": "out/1.heic",
        "in/2.png": "out/2.png",
        "in/10.jpg": "out/10.jpg",
        "in/sub/3.jpg": "out/sub/3.jpg",
    }


def test_the_output_folder_is_no_input(here: Path) -> None:
    touch(here, "in/1.jpg", "in/out/1.jpg")
    assert shown(plan(["in"], recursive=True, output="in/out")) == {"in/1.jpg": "in/out/1.jpg"}


def test_globs(here: Path) -> None:
    touch(here, "in/2.jpg", "in/10.jpg", "in/a/3.jpg", "in/3.txt", "in/2.undark.jpg", "in/[x].jpg")
    assert list(shown(plan(["in/*.jpg"]))) == ["in/2.jpg", "in/10.jpg", "in/[x].jpg"]
    assert shown(plan(["in/**/3.*"], output="out")) == {"in/a/3.jpg": "out/a/3.jpg"}
    assert list(shown(plan(["in/?.jpg"]))) == ["in/2.jpg"]
    assert list(shown(plan(["in/[x].jpg"]))) == ["in/[x].jpg"], "a file of that name goes first"


def test_a_shells_glob_that_catches_results(here: Path) -> None:
    touch(here, "a.jpg", "a.undark.jpg", "b.dng", "b.undark.tif", "c.undark.jpg")
    named = ["a.jpg", "a.undark.jpg", "b.dng", "b.undark.tif", "c.undark.jpg"]
    assert list(shown(plan(named))) == ["a.jpg", "b.dng", "c.undark.jpg"]


@pytest.mark.parametrize("output", ["out", "out/", "out.v2/"])
def test_output_folder(here: Path, output: str) -> None:
    touch(here, "deep/night.jpg")
    folder = output.rstrip("/")
    assert shown(plan(["deep/night.jpg"], output=output)) == {
        "deep/night.jpg": f"{folder}/night.jpg"
    }


def test_existing_folder_with_a_suffix(here: Path) -> None:
    touch(here, "night.jpg", "out.png/other.png")
    assert shown(plan(["night.jpg"], output=Path("out.png"))) == {"night.jpg": "out.png/night.jpg"}


def test_output_file(here: Path) -> None:
    touch(here, "a.jpg", "b.jpg")
    assert shown(plan(["a.jpg"], output="day.webp")) == {"a.jpg": "day.webp"}
    for inputs, output, options, says in (
        (["a.jpg"], "day.xyz", {}, "does not write .xyz"),
        (["a.jpg"], "day.gif", {}, "does not write .gif"),
        (["a.jpg", "b.jpg"], "day.png", {}, "need a folder"),
        (["."], "day.png", {}, "need a folder"),
        (["*.jpg"], "day.png", {}, "need a folder"),
        (["a.jpg"], "day.png", {"format": "jpg"}, "contradict"),
        (["a.jpg"], "a.jpg", {}, "would be replaced"),
    ):
        with pytest.raises(UsageError, match=says):
            plan(inputs, output=output, **options)


def test_format(here: Path) -> None:
    touch(here, "a.JPG", "b.png", "c.cr2")
    pairs = plan(["a.JPG", "b.png", "c.cr2"], output="out", format="jpg")
    assert [pair.destination.name for pair in pairs] == ["a.JPG", "b.jpg", "c.jpg"]
    with pytest.raises(UsageError, match="choose one of jpg, png"):
        plan(["b.png"], format="gif")


def test_sources_that_differ_in_suffix_keep_it(here: Path) -> None:
    touch(here, "x.heic", "x.jpg", "y.jpg")
    named = ["x.heic", "x.jpg", "y.jpg"]
    assert shown(plan(named, format="jpg")) == {
        "x.heic": "x.heic.undark.jpg",
        "x.jpg": "x.jpg.undark.jpg",
        "y.jpg": "y.undark.jpg",
    }
    assert shown(plan(named, format="jpg", output="out"))["x.heic"] == "out/x.heic.jpg"
    touch(here, "x.heic.undark.jpg")
    assert len(plan([*named, "x.heic.undark.jpg"], format="jpg")) == 3, "known as a result"


def test_two_sources_never_share_a_destination(here: Path) -> None:
    touch(here, "a/x.jpg", "b/x.jpg")
    with pytest.raises(UsageError, match=r"a.x\.jpg and b.x\.jpg would both become out.x\.jpg"):
        plan(["a", "b"], output="out")
    assert len(plan(["a", "b"])) == 2


def test_a_source_is_never_replaced_unasked(here: Path) -> None:
    touch(here, "a/x.jpg", "b/y.jpg")
    with pytest.raises(UsageError, match="would be replaced"):
        plan(["a"], output="a")
    touch(here, "b/x.jpg")
    with pytest.raises(UsageError, match=r"would (be replaced|both)"):
        plan(["a/x.jpg", "b/x.jpg"], output="b")
    (here / "link").symlink_to("a")
    with pytest.raises(UsageError, match="would be replaced"):
        plan(["a"], output="link")


def test_in_place(here: Path) -> None:
    touch(here, "a.jpg", "b.dng", "c.gif")
    assert shown(plan(["a.jpg"], in_place=True)) == {"a.jpg": "a.jpg"}
    for name in ("b.dng", "c.gif"):
        with pytest.raises(UsageError, match="in place"):
            plan([name], in_place=True)
    assert len(plan(["."], in_place=True)) == 3, "each is judged by itself"
    with pytest.raises(UsageError, match="neither an output nor a format"):
        plan(["a.jpg"], in_place=True, output="out")


def test_nothing_found(here: Path) -> None:
    touch(here, "in/sub/1.jpg", "in/notes.txt")
    with pytest.raises(UsageError, match="no input given"):
        plan([])
    with pytest.raises(UnreadableError, match="in: no photo or video found") as caught:
        plan(["in"])
    assert "\n" not in str(caught.value)
    assert len(plan(["in"], recursive=True)) == 1


def test_a_missing_file_does_not_stop_the_others(here: Path) -> None:
    touch(here, "a.jpg")
    pairs = plan(["gone.jpg", "a.jpg", "no*.png"])
    assert [pair.source.name for pair in pairs] == ["gone.jpg", "a.jpg", "no*.png"]
    with pytest.raises(UnreadableError, match="no such file"):
        read_photo(pairs[0].source)


def test_each_source_once(here: Path) -> None:
    touch(here, "in/a.jpg", "in/b.jpg")
    pairs = plan(["in/b.jpg", "in", str(here / "in" / "a.jpg"), "./in/b.jpg"])
    assert [pair.source.name for pair in pairs] == ["b.jpg", "a.jpg"]


def test_loops_of_links(here: Path) -> None:
    touch(here, "in/a.jpg", "in/sub/b.jpg")
    (here / "in" / "sub" / "up").symlink_to("..")
    (here / "in" / "self").symlink_to(".")
    assert list(shown(plan(["in"], recursive=True))) == ["in/a.jpg", "in/sub/b.jpg"]


def test_a_folder_that_may_not_be_listed_is_reported(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(here, "in/a.jpg", "in/closed/b.jpg")
    listed = os.scandir

    def deny(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", deny)
    assert list(shown(plan(["in"], recursive=True))) == ["in/a.jpg", "in/closed"]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_unicode_names(here: Path, form: str) -> None:
    name = unicodedata.normalize(form, "夜のé.jpg")
    touch(here, f"ß/{name}")
    ((source, destination),) = shown(plan(["ß"])).items()
    assert source == f"ß/{name}"
    assert destination == f"ß/{name[:-4]}.undark.jpg"
