"""The ways to learn, by name; a new one is one module here and one line in `METHODS`."""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING, Any

from undark.errors import RecipeError
from undark.train.recipe import Recipe

if TYPE_CHECKING:
    from undark.train.methods.base import Method

__all__ = ["METHODS", "make_method"]

METHODS: dict[str, str] = {
    "unet": "undark.train.methods.supervised:Supervised",
}
"""Method name → ``module:class``; imported when asked for."""


def make_method(recipe: Recipe) -> Method[Any]:
    """The method that `recipe` names, with a freshly initialised network.

    Raises:
        RecipeError: No method has that name.
    """
    try:
        module, _, name = METHODS[recipe.method].partition(":")
    except KeyError:
        near = difflib.get_close_matches(recipe.method, METHODS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(METHODS)}"
        raise RecipeError(f"unknown method {recipe.method!r}{hint}") from None
    return getattr(importlib.import_module(module), name)(recipe)
