"""A recipe and the folder that it is given: names that fit, folders that are not there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from small_recipe import SMALL

from undark.errors import DataError, RecipeError, UsageError
from undark.train import run
from undark.train.data.fitting import fit_sources
from undark.train.recipe import Recipe, load_recipe, override, parse

ROOT = Path(__file__).parents[2]
QUICK = [*SMALL, "fit.steps=2"]


def fitted(recipe: Recipe, root: Path, *settings: str) -> tuple[Recipe, list[str]]:
    told: list[str] = []
    plan = override(recipe, settings)
    return fit_sources(plan, root, told.append, written=recipe), told


@pytest.mark.parametrize(
    "name", ["pix2pix-toys", "unet-toys", "unet", "pix2pix", "relight", "agent"]
)
def test_a_shipped_recipe_learns_from_any_folder_of_pairs(pairs: Path, name: str) -> None:
    recipe = load_recipe(ROOT / "recipes" / f"{name}.toml")
    plan, told = fitted(recipe, pairs)
    kinds = [source.kind for source in plan.data.sources]
    assert "pairs" in kinds
    assert len(kinds) == len(set(kinds))
    assert all(source.path == "." for source in plan.data.sources)
    weights = {kind: sum(s.weight for s in recipe.data.sources if s.kind == kind) for kind in kinds}
    assert {s.kind: s.weight for s in plan.data.sources} == pytest.approx(weights)
    assert "learning from" in told[0]


def test_a_card_does_not_claim_the_data_of_a_recipe_that_were_not_there(pairs: Path) -> None:
    recipe = load_recipe(ROOT / "recipes" / "pix2pix-toys.toml")
    plan, _ = fitted(recipe, pairs, "author=Ada")
    (source,) = plan.data.sources
    assert (source.name, source.licence) == (pairs.name, "not stated")
    assert (plan.title, plan.licence, plan.author) == ("", "as the data's", "Ada")
    assert fitted(plan, pairs)[0] == plan


def test_folders_that_are_there_are_taken_and_named(pairs: Path, tmp_path: Path) -> None:
    shutil.copytree(pairs, tmp_path / "toys_train")
    recipe = load_recipe(ROOT / "recipes" / "pix2pix-toys.toml")
    plan, told = fitted(recipe, tmp_path)
    assert plan == recipe
    assert not told
    unnamed = parse({"name": "a", "method": "unet", "data": {"sources": [{"path": "toys_train"}]}})
    assert fitted(unnamed, tmp_path)[0].data.sources[0].name == "toys_train"


def test_some_missing_folders_or_a_folder_of_nothing_are_errors(
    pairs: Path, tmp_path: Path
) -> None:
    recipe = load_recipe(ROOT / "recipes" / "unet.toml")
    with pytest.raises(DataError, match=r"lol_v1_train.*expected"):
        fitted(recipe, tmp_path)
    shutil.copytree(pairs, tmp_path / "sice_train")
    with pytest.raises(DataError, match="lacks lol_v1_train, well_lit"):
        fitted(recipe, tmp_path)
    with pytest.raises(DataError, match="typo: no such folder"):
        fitted(
            load_recipe(ROOT / "recipes" / "pix2pix-toys.toml"), pairs, "data.sources.0.path=typo"
        )


def test_a_source_is_set_by_its_number() -> None:
    recipe = load_recipe(ROOT / "recipes" / "unet.toml")
    changed = override(recipe, ["data.sources.1.path=mine", "data.sources.1.weight=2"])
    assert changed.data.sources[1].path == "mine"
    assert changed.data.sources[1].weight == 2.0
    assert changed.data.sources[0] == recipe.data.sources[0]
    assert override(recipe, ["net.widths.0=16"]).net.widths[0] == 16


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("data.sources.9.path=x", "number of an item, 0 to 3, not '9'"),
        ("data.sources.first.path=x", "not 'first'"),
        ("data.sources.0.pth=x", r"did you mean 'data\.sources\.0\.path'"),
        ("data.sources.0.path.x=x", "unknown key"),
    ],
)
def test_a_wrong_number_or_name_of_a_source(setting: str, says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        override(load_recipe(ROOT / "recipes" / "unet.toml"), [setting])


def test_the_usual_folder_is_learned_from_with_nothing_else_given(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="unet learns from pairs"):
        run(overrides=QUICK)
    shutil.copytree(pairs / "dark", "data/low_light")
    shutil.copytree(pairs / "light", "data/ground_truth")
    told: list[str] = []
    done = run(overrides=QUICK, notify=told.append)
    assert done.folder == Path("runs/unet")
    assert "folder data/ that is here" in told[0]
    assert any("8 pairs; low_light/ with ground_truth/" in line for line in told)


def test_a_run_whose_recipe_spells_out_less_is_resumed(pairs: Path, tmp_path: Path) -> None:
    """As runs of older versions do: their sources have no name and no key that came later."""
    import torch

    done = run("unet", data=pairs, out=tmp_path / "old", overrides=QUICK)
    path = done.folder / "last.ckpt"
    stored = torch.load(path, weights_only=True)
    recipe = json.loads(json.dumps(stored["recipe"]))
    del recipe["author"], recipe["data"]["left_out"], recipe["data"]["sources"][0]["name"]
    torch.save(stored | {"recipe": recipe}, path)
    again = run("unet", data=pairs, out=tmp_path / "old", overrides=QUICK, resume=True)
    assert again.measured == done.measured


def test_a_stack_that_is_not_there_is_not_replaced(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nosuch: no such folder"):
        run("curve", dark=tmp_path / "nosuch", out=tmp_path / "run")
