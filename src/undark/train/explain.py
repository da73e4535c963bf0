"""Every value of a recipe, and where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from undark.train.layers import leaves, read_tables, setting
from undark.train.methods import method_class, method_names
from undark.train.names import RECIPE
from undark.train.recipe import load_recipe, override

__all__ = ["Setting", "explain_recipe", "recipe_file"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One value of a recipe.

    Attributes:
        key: As ``--set`` and :func:`undark.train.recipe.override` name it.
        value: As TOML holds it.
        origin: The file that says it, ``setting`` (an override), ``method`` (the method's own
            default) or ``default``.
    """

    key: str
    value: Any
    origin: str


def explain_recipe(recipe: str | Path, overrides: Sequence[str] = ()) -> list[Setting]:
    """What a run of `recipe` with `overrides` would be, value by value, in the recipe's order.

    Args:
        recipe: The path of a recipe's TOML file, the folder of a run, or the name of a method.
        overrides: ``key=value`` settings.

    Raises:
        RecipeError: The recipe does not hold up.
    """
    text = str(recipe)
    if (file := recipe_file(text)) is not None:
        plan = load_recipe(file)
        origins = read_tables(file)[1]
    else:
        kind = method_class(text)
        plan = kind.default_recipe(text)
        origins = dict.fromkeys(("name", "method", *kind.defaults), "method")
    for item in overrides:
        key = ".".join(setting(item)[0])
        origins = {k: who for k, who in origins.items() if not k.startswith(f"{key}.")}
        origins[key] = "setting"
    plan = method_class(plan.method).settle(override(plan, overrides))
    return [Setting(key, value, _origin(key, origins)) for key, value in leaves(plan.to_dict())]


def recipe_file(text: str) -> Path | None:
    """The file that `text` names, itself or by the folder of a run; None for a method's name."""
    if text.endswith(".toml"):
        return Path(text)
    own = Path(text) / RECIPE
    return own if own.is_file() and text not in method_names() else None


def _origin(key: str, origins: dict[str, str]) -> str:
    """Who said `key`: it was named itself, or as a part of a list or table that was."""
    parts = key.split(".")
    for length in range(len(parts), 0, -1):
        if (origin := origins.get(".".join(parts[:length]))) is not None:
            return origin
    return "method" if parts[0] == "options" else "default"
