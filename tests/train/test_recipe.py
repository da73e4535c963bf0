from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undark.errors import RecipeError
from undark.train.methods import cyclegan, pix2pix
from undark.train.recipe import Recipe, load_recipe, override, parse

BASE = Recipe(name="night", method="unet")
ROOT = Path(__file__).parents[2]


def test_a_recipe_survives_the_trip_through_toml() -> None:
    recipe = override(BASE, ["net.widths=[8, 16]", "loss.colour=0.5"])
    assert parse(tomllib.loads(recipe.to_toml())) == recipe


@given(
    steps=st.integers(1, 10**6),
    lr=st.floats(1e-8, 1.0),
    widths=st.lists(st.integers(1, 512), min_size=1, max_size=4),
    seed=st.integers(0, 2**31),
)
def test_any_setting_arrives(steps: int, lr: float, widths: list[int], seed: int) -> None:
    recipe = override(
        BASE,
        [f"fit.steps={steps}", f"fit.lr={lr!r}", f"net.widths={widths}", f"seed={seed}"],
    )
    assert (recipe.fit.steps, recipe.fit.lr) == (steps, lr)
    assert (recipe.net.widths, recipe.seed) == (tuple(widths), seed)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name='a'\nmethod='unet'\n[fit]\nstpes=3", "'fit.steps'"),
        ("name='a'\nmethod='unet'\n[fitt]\nsteps=3", "'fit'"),
        ("name='a'\nmethod='unet'\n[fit]\nsteps='many'", "expected int"),
        ("name='a'\nmethod='unet'\n[fit]\nsteps=true", "expected int"),
        ("name='a'\nmethod='unet'\n[fit]\nsteps=0", "at least 1"),
        ("name='a'\nmethod='unet'\n[fit]\nprecision='8-bit'", "'bf16-mixed'"),
        ("name='a'\nmethod='unet'\n[data]\ncrop=8", "at least 16"),
        ("name='a'\nmethod='unet'\noptions=3", "options: expected a table"),
        ("name='a'\nmethod='unet'\n[[data.sources]]\nkind='pears'", "'pairs'"),
        ("name='a'\nmethod='unet'\n[data]\nsources=3", "list"),
        ("method='unet'", "missing key name"),
        ("name=", "not a TOML file"),
    ],
)
def test_a_wrong_recipe_is_one_clear_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "r.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    message = str(caught.value)
    assert str(path) in message
    assert says in message
    assert "\n" not in message


@pytest.mark.parametrize("setting", ["fit.stepz=3", "fti.steps=3", "steps", "=3", "fit.steps="])
def test_a_wrong_setting_is_refused(setting: str) -> None:
    with pytest.raises(RecipeError):
        override(BASE, [setting])


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"none\.toml"):
        load_recipe(tmp_path / "none.toml")


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.toml")), ids=lambda p: p.stem)
def test_shipped_recipes_hold_up(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    assert recipe.summary
    assert all(source.licence != "not stated" for source in recipe.data.sources)


def test_the_page_for_those_who_come_from_elsewhere_names_keys_that_are_there() -> None:
    page = (ROOT / "docs" / "coming-from.md").read_text(encoding="utf-8")
    ours = [row.split(" | ")[-1] for row in page.splitlines() if row.startswith("| `")]
    keys = {
        key for cell in ours for key in re.findall(r"\b(?:fit|data|net|augment|options)\.\w+", cell)
    }
    known = {
        f"{table}.{key}"
        for table, held in BASE.to_dict().items()
        if isinstance(held, dict)
        for key in held
    }
    own = {f"options.{item.name}" for kind in (pix2pix, cyclegan) for item in fields(kind.Options)}
    assert len(keys) > 20
    assert keys <= known | own
