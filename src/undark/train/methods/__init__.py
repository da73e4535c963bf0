"""The ways to learn, by name; a new one is one module here and one line in `METHODS`.

Other packages bring theirs by an entry point in the group ``undark.methods``::

    [project.entry-points."undark.methods"]
    mine = "my_package.learning:Mine"

Its object is a subclass of :class:`undark.train.methods.base.Method`. Nothing is ever imported
because a recipe says so: a recipe's ``method`` is looked up here and among the entry points of what
is installed, and nowhere else.
"""

from __future__ import annotations

import difflib
import importlib
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final

from undark.errors import RecipeError
from undark.train.recipe import Recipe

if TYPE_CHECKING:
    from undark.train.methods.base import Method

__all__ = ["GROUP", "METHODS", "make_method", "method_class", "method_names"]

METHODS: Final[dict[str, str]] = {
    "relight": "undark.train.methods.relight:Relight",
    "unet": "undark.train.methods.unet:SupervisedUNet",
    "curve": "undark.train.methods.curve:Curve",
    "pix2pix": "undark.train.methods.pix2pix:Pix2Pix",
    "cyclegan": "undark.train.methods.cyclegan:CycleGAN",
    "agent": "undark.train.methods.agent:Agent",
}
"""Method name → ``module:class``; imported when asked for."""

GROUP: Final = "undark.methods"
"""The group of entry points by which other packages bring methods."""


def method_names() -> tuple[str, ...]:
    """All names: those of `METHODS`, then those that installed packages bring."""
    brought = sorted({point.name for point in entry_points(group=GROUP)} - METHODS.keys())
    return (*METHODS, *brought)


def method_class(name: str) -> type[Method[Any, Any]]:
    """The class of the method `name`; a name of `METHODS` is nobody else's.

    Raises:
        RecipeError: No method has that name, or the package that brings it does not give one.
    """
    if name in METHODS:
        module, _, kind = METHODS[name].partition(":")
        return getattr(importlib.import_module(module), kind)
    for point in entry_points(group=GROUP, name=name):
        return _brought(name, point)
    known = method_names()
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"
    raise RecipeError(f"unknown method {name!r}{hint}")


def _brought(name: str, point: Any) -> type[Method[Any, Any]]:
    from undark.train.methods.base import Method

    try:
        kind = point.load()
    except Exception as error:  # another package's code: anything may go wrong in it
        reason = " ".join(str(error).split())
        raise RecipeError(
            f"the method {name!r} ({point.value}) cannot be used: {reason}"
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, Method)):
        raise RecipeError(f"the method {name!r} ({point.value}) is no subclass of Method")
    return kind


def make_method(recipe: Recipe) -> Method[Any, Any]:
    """The method that `recipe` names, with a freshly initialised network.

    Raises:
        RecipeError: No method has that name, or the recipe is not what it needs.
    """
    kind = method_class(recipe.method)
    kind.check_sources(recipe)
    return kind(kind.settle(recipe))
