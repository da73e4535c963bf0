"""A run that goes on holds out what it held out before, whatever became of its folder of pairs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_recipe import SMALL

from undark.errors import DataError
from undark.train import run
from undark.train.data.datasets import load_datasets
from undark.train.data.remembered import Splits
from undark.train.recipe import Data, Source


def add(folder: Path, *names: str) -> None:
    """Pairs of noise, so that no two are alike."""
    for name in names:
        pixels = np.random.default_rng(len(name) + ord(name[-1])).integers(60, 250, (40, 48, 3))
        for side, gain in (("low", 0.1), ("high", 1.0)):
            (folder / side).mkdir(parents=True, exist_ok=True)
            Image.fromarray((pixels * gain).astype(np.uint8)).save(folder / side / f"{name}.png")


@pytest.fixture
def grown(tmp_path: Path) -> tuple[Path, Path]:
    """A run of eleven pairs, of which p5 and p6 were held out, and its folder of pairs."""
    folder = tmp_path / "pairs"
    add(folder, *(f"p{number}" for number in range(1, 12)))
    done = run("unet", data=folder, out=tmp_path / "run", overrides=SMALL, steps=2)
    assert held_out(done.folder) == {"p5", "p6"}
    return done.folder, folder


def held_out(out: Path) -> set[str]:
    written = json.loads((out / "split.json").read_text(encoding="utf-8"))
    return set(written["sources"]["0"]["held_out"])


def resumed(out: Path, data: Path | None = None, steps: int = 3) -> str:
    told: list[str] = []
    run(out, resume=True, data=data, steps=steps, notify=told.append)
    return "\n".join(told)


def test_new_pairs_are_learned_from_and_the_same_ones_held_out(grown: tuple[Path, Path]) -> None:
    out, folder = grown
    add(folder, "a0", "a1")  # which moves all others in their order
    told = resumed(out)
    assert "learning from 11 of pairs; unseen: 2 pairs" in told
    assert "2 pairs are new since the run was begun" in told
    assert held_out(out) == {"p5", "p6"}
    told = resumed(out, steps=4)  # now these are not new any more
    assert "learning from 11 of pairs; unseen: 2 pairs" in told
    assert "new since" not in told


def test_vanished_ones_are_told_and_held_out_when_they_are_back(grown: tuple[Path, Path]) -> None:
    out, folder = grown
    (folder / "low" / "p5.png").rename(folder / "p5.png")
    (folder / "high" / "p5.png").unlink()
    told = resumed(out)
    assert "low/p5 was held out and is no longer there" in told
    assert "learning from 9 of pairs; unseen: 1 pair" in told
    add(folder, "p5")
    assert "learning from 9 of pairs; unseen: 2 pairs" in resumed(out, steps=4)
    for name in ("p5", "p6"):
        (folder / "low" / f"{name}.png").unlink()
    told = resumed(out, steps=5)
    assert "none of the pairs that the run holds out is there; nothing is held out" in told


def test_data_may_be_moved_but_not_be_others(grown: tuple[Path, Path], tmp_path: Path) -> None:
    out, folder = grown
    moved = tmp_path / "elsewhere" / "set"
    shutil.move(folder, moved)
    assert "unseen: 2 pairs" in resumed(out, moved)
    add(tmp_path / "others", "q1", "q2", "q3")
    with pytest.raises(DataError, match=r"none of the pairs .* such as low/p5.*--from .*run"):
        resumed(out, tmp_path / "others", steps=4)


def test_names_may_change_where_a_second_folder_comes_to_lie_beside(tmp_path: Path) -> None:
    add(tmp_path / "set" / "one", "p1", "p2", "p3", "p4")
    data = Data(crop=32, batch=2, sources=(Source(path="set"),))
    first = Splits()
    load_datasets(data, root=tmp_path, glance=0, seed=1, notify=print, splits=first)
    first.write(tmp_path)
    add(tmp_path / "set" / "another", "p1", "p2", "p3", "p4")  # so names become one/p1
    (dataset,), held = load_datasets(
        data, root=tmp_path, glance=0, seed=1, notify=print, splits=Splits.read(tmp_path)
    )
    assert len(dataset) == 7
    assert [pair.name for pair in held["set"]] == ["one/p2"]


def test_a_run_without_a_record_goes_on_and_gets_one(grown: tuple[Path, Path]) -> None:
    out, _ = grown
    (out / "split.json").unlink()
    assert "unseen: 2 pairs" in resumed(out)
    assert held_out(out) == {"p5", "p6"}
    (out / "split.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match=r"split\.json: does not say which pairs"):
        resumed(out, steps=4)


def test_new_pairs_of_a_scene_that_is_held_out_are_not_learned_from(
    pairs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(pairs, folder)
    data = Data(crop=32, batch=2, sources=(Source(), Source(kind="darken")))

    def load(splits: Splits) -> tuple[list[int], set[str], str]:
        told: list[str] = []
        datasets, held = load_datasets(
            data, root=folder, glance=0, seed=1, notify=told.append, splits=splits
        )
        names = {pair.name for pair in held["mine"]}
        return [len(dataset) for dataset in datasets], names, "\n".join(told)

    first = Splits()
    assert load(first)[:2] == ([6, 6], {"2", "3"})
    first.write(tmp_path)
    for side in ("dark", "light"):
        for name in ("8", "9"):
            shutil.copy(folder / side / "2.png", folder / side / f"{name}.png")
    with (folder / "scenes.csv").open("a", encoding="utf-8") as file:
        file.write("1,8\n4,9\n")  # scene 1 is that of 2 and 3
    counts, names, told = load(Splits.read(tmp_path))
    assert (counts, names) == ([7, 7], {"2", "3"})
    assert "8 is new and shows a scene that is held out; left out" in told
