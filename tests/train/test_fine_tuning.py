"""`undark train relight --from ...`: defaults that suit a few pairs, and weights little changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from small_recipe import SMALL

from undark.train import run
from undark.train.recipe import Source, load_recipe

TINY = tuple(text for text in SMALL if not text.startswith("fit.warmup"))


@pytest.fixture(scope="module")
def start(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of relight from nothing."""
    folder = tmp_path_factory.mktemp("start") / "run"
    return run("relight", data=pairs, out=folder, overrides=SMALL).folder


@pytest.fixture(scope="module")
def tuned(start: Path, pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that goes on from there, with all that its defaults say but its length."""
    folder = tmp_path_factory.mktemp("tuned") / "run"
    short = ("fit.steps=6", "data.crop=32", "data.batch=2", "fit.precision=32-true")
    return run("relight", data=pairs, start=start, out=folder, overrides=short).folder


def test_a_run_from_nothing_keeps_its_defaults(start: Path) -> None:
    recipe = load_recipe(start / "recipe.toml")
    assert [source.kind for source in recipe.data.sources] == ["pairs"]
    assert recipe.fit.lr == 8e-4
    assert recipe.fit.glance_lr == 1


def test_a_run_from_weights_holds_the_decision_and_sees_light_photos(
    start: Path, tuned: Path
) -> None:
    recipe, before = (load_recipe(folder / "recipe.toml") for folder in (tuned, start))
    assert recipe.net == before.net
    assert [source.kind for source in recipe.data.sources] == ["pairs", "darken", "keep"]
    assert sum(source.weight for source in recipe.data.sources) == pytest.approx(1)
    assert recipe.fit.glance_lr < 0.1
    assert recipe.fit.lr < before.fit.lr
    assert all(source.name == "pairs0" for source in recipe.data.sources)
    assert Source().name == ""


def test_the_decision_hardly_moves_and_the_restoration_does(start: Path, tuned: Path) -> None:
    before, after = (load_file(folder / "weights.safetensors") for folder in (start, tuned))
    assert before.keys() == after.keys()
    apart: dict[bool, float] = {True: 0.0, False: 0.0}
    for name, value in after.items():
        decides = name.startswith("decision.")
        apart[decides] = max(apart[decides], float(np.abs(value - before[name]).max()))
    assert apart[True] < apart[False] / 10
    assert apart[False] > 0


def test_what_the_run_is_told_counts_for_more(start: Path, pairs: Path, tmp_path: Path) -> None:
    told = ("fit.lr=1e-4", "fit.glance_lr=0.5", 'data.sources=[{kind="pairs"}]', *TINY[2:])
    done = run("relight", data=pairs, start=start, out=tmp_path / "run", overrides=told)
    recipe = load_recipe(done.folder / "recipe.toml")
    assert recipe.fit.lr == 1e-4
    assert recipe.fit.glance_lr == 0.5
    assert len(recipe.data.sources) == 1
