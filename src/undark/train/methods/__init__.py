"""The ways to learn, by name; a new one is one module here and one line in `METHODS`."""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING, Any

from undark.errors import RecipeError
from undark.train.recipe import Recipe

if TYPE_CHECKING:
    from undark.train.methods.base import Method

__all__ = ["METHODS", "make_method", "method_class"]

METHODS: dict[str, str] = {
    "relight": "undark.train.methods.relight:Relight",
    "unet": "undark.train.methods.supervised:Supervised",
    "curve": "undark.train.methods.curve:ZeroReference",
    "pix2pix": "undark.train.methods.pix2pix:Pix2Pix",
    "cyclegan": "undark.train.methods.unpaired:Unpaired",
    "agent": "undark.train.methods.reinforcement:Reinforcement",
}
"""Method name → ``module:class``; imported when asked for."""


def method_class(name: str) -> type[Method[Any]]:
    """The class of the method `name`.

    Raises:
        RecipeError: No method has that name.
    """
    try:
        module, _, kind = METHODS[name].partition(":")
    except KeyError:
        near = difflib.get_close_matches(name, METHODS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(METHODS)}"
        raise RecipeError(f"unknown method {name!r}{hint}") from None
    return getattr(importlib.import_module(module), kind)


def make_method(recipe: Recipe) -> Method[Any]:
    """The method that `recipe` names, with a freshly initialised network.

    Raises:
        RecipeError: No method has that name, or it does not learn from the recipe's sources.
    """
    kind = method_class(recipe.method)
    kinds = {source.kind for source in recipe.data.sources}
    if not kinds <= set(kind.reads) or (kind.needs and not set(kind.needs) <= kinds):
        raise RecipeError(f"the method {recipe.method} learns from {kind.diet}")
    return kind(recipe)
