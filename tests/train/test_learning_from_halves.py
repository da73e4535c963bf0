"""A|B images are learned from as two folders of the same pairs would be."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from small_recipe import SMALL

from undark.errors import RecipeError
from undark.train import run
from undark.train.weights import load_weights

TINY = (*SMALL, "data.crop=16", "fit.steps=2", "data.sources.0.name=night")


@pytest.fixture
def joined(pairs: Path, tmp_path: Path) -> Path:
    """The pairs with both sides in one image, the light one on the left."""
    folder = tmp_path / "ab"
    folder.mkdir()
    for path in (pairs / "light").iterdir():
        both = Image.new("RGB", (96, 40))
        both.paste(Image.open(path), (0, 0))
        both.paste(Image.open(pairs / "dark" / path.name), (48, 0))
        both.save(folder / path.name)
    return folder


def test_they_are_learned_from_as_two_folders_are(
    pairs: Path, joined: Path, tmp_path: Path
) -> None:
    apart = tmp_path / "apart"
    for side in ("dark", "light"):
        (apart / side).mkdir(parents=True)
        for path in (pairs / side).iterdir():
            (apart / side / path.name).write_bytes(path.read_bytes())
    told: list[str] = []
    one = run("unet", data=joined, out=tmp_path / "one", overrides=TINY, notify=told.append)
    two = run("unet", data=apart, out=tmp_path / "two", overrides=TINY)
    first, second = load_weights(one.folder).state, load_weights(two.folder).state
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert any("its right half is the dark one" in line for line in told)
    assert "  0.png, right half, with 0.png, left half," in told


def test_which_half_is_dark_is_kept_with_the_run(joined: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run("unet", data=joined, out=out, overrides=TINY, dark_half="left")
    assert load_weights(out).recipe.data.sources[0].dark_half == "left"
    run(out, resume=True, steps=3)
    with pytest.raises(RecipeError, match=r"dark_half: 'left' there, 'right' asked"):
        run(out, resume=True, steps=4, dark_half="right")
