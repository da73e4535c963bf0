"""Recipes that build on others, and where each of their values comes from."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from undark.cli.app import app
from undark.errors import RecipeError
from undark.train import explain_recipe
from undark.train.recipe import load_recipe


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "a.toml").write_text(
        "name='a'\nmethod='unet'\n[fit]\nsteps=10\nlr=0.1\n"
        "[[data.sources]]\npath='one'\nlicence='CC0'\n[[data.sources]]\npath='two'\n"
    )
    (tmp_path / "b.toml").write_text("base='first/a.toml'\nname='b'\n[fit]\nsteps=20\n")
    path = tmp_path / "c.toml"
    path.write_text("base='b.toml'\n[fit]\nema=0.5\n[[data.sources]]\npath='three'\n")
    return path


def test_a_recipe_builds_on_others(mine: Path) -> None:
    recipe = load_recipe(mine)
    assert (recipe.name, recipe.fit.steps, recipe.fit.lr, recipe.fit.ema) == ("b", 20, 0.1, 0.5)
    assert [source.path for source in recipe.data.sources] == ["three"]
    assert recipe.data.sources[0].licence == "not stated"


def test_every_value_says_where_it_comes_from(mine: Path) -> None:
    found = {s.key: s for s in explain_recipe(mine, ["fit.warmup=3"])}
    origins = {key: Path(item.origin).name for key, item in found.items()}
    assert origins["fit.lr"] == "a.toml"
    assert origins["fit.steps"] == origins["name"] == "b.toml"
    assert origins["fit.ema"] == origins["data.sources.0.path"] == "c.toml"
    assert origins["fit.warmup"] == "setting"
    assert origins["fit.clip"] == origins["data.sources.0.licence"] == "default"
    assert found["fit.warmup"].value == 3


def test_a_methods_own_defaults_are_told_apart() -> None:
    origins = {s.key: s.origin for s in explain_recipe("pix2pix", ["data.sources.0.path=x"])}
    assert origins["net.widths"] == origins["options.criterion"] == "method"
    assert origins["fit.clip"] == "default"
    assert origins["data.sources.0.path"] == "setting"


def test_the_command_shows_it(mine: Path) -> None:
    done = CliRunner().invoke(app, ["recipe", "show", str(mine), "--set", "fit.lr=0.5"])
    assert done.exit_code == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("fit.lr = ")]
    assert line.split() == ["fit.lr", "=", "0.5", "#", "--set"]
    done = CliRunner().invoke(app, ["recipe", "show", str(mine), "--json"])
    assert {"key": "fit.steps", "value": 20, "origin": str(mine.parent / "b.toml")} in json.loads(
        done.stdout
    )


@pytest.mark.parametrize(
    ("base", "says"),
    [
        ("'none.toml'", "the base of .*cannot read"),
        ("'r.toml'", "circle"),
        ("3", "path of a recipe"),
    ],
)
def test_a_wrong_base(tmp_path: Path, base: str, says: str) -> None:
    (tmp_path / "r.toml").write_text(f"base={base}\nname='r'\nmethod='unet'\n")
    with pytest.raises(RecipeError, match=says):
        load_recipe(tmp_path / "r.toml")


def test_the_recipe_of_a_run_is_shown_by_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("name = 'mine'\nmethod = 'unet'\n[fit]\nsteps = 20\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["recipe", "show", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.stderr
    assert {"key": "fit.steps", "value": 20, "origin": str(path)} in json.loads(done.stdout)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["unte"], "did you mean 'unet'?"),
        (["."], ". is a folder without a run (no recipe.toml)"),
        (["none.toml"], "cannot read the recipe"),
        (["broken.toml"], "not a TOML file"),
        (["odd.toml"], "did you mean 'unet'?"),
        (["unet", "--set", "fit.step=3"], "did you mean 'fit.steps'?"),
        (["unet", "--set", "fit.lr=-1"], "fit.lr: must be above 0"),
    ],
)
def test_what_is_wrong_is_said_before_pytorch_is_loaded(
    words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.toml").write_text("name = [", encoding="utf-8")
    (tmp_path / "odd.toml").write_text("name = 'a'\nmethod = 'unte'", encoding="utf-8")
    for name in [name for name in sys.modules if name.startswith("undark.train")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    done = CliRunner().invoke(app, ["recipe", "show", *words])
    assert done.exit_code == 2
    assert says in done.stderr
