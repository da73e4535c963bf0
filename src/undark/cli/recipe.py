"""`undark recipe`: what a recipe says, value by value."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from undark.cli.opening import learning
from undark.cli.options import Debug, Json
from undark.cli.shell import command, result, result_json

__all__ = ["recipe"]

_SHOWN = {"setting": "--set", "method": "the method's default", "default": "default"}


class _Action(StrEnum):
    SHOW = "show"


@command
def recipe(
    action: Annotated[  # noqa: ARG001 - the one that there is
        _Action, typer.Argument(metavar="show", help="Show every value and where it comes from.")
    ],
    name: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE", help="A recipe's .toml file, a run's folder, or a method's name."
        ),
    ],
    *,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one value of the recipe; repeat."),
    ] = None,
    as_json: Json = False,
    debug: Debug = False,  # noqa: ARG001 - read by @command
) -> None:
    """Show a recipe: every value, and whether a file, a setting or a default says it."""
    import json
    from dataclasses import asdict

    learning("check_recipe")(name, changes or ())
    learning("run")  # a method's own defaults need PyTorch; where it is missing, this says so
    found = learning("explain_recipe")(name, changes or ())
    if as_json:
        result_json([asdict(item) for item in found], indent=2)
        return
    # TOML writes plain values as JSON does.
    lines = [f"{item.key} = {json.dumps(item.value, ensure_ascii=False)}" for item in found]
    width = min(60, max(map(len, lines)))
    for line, item in zip(lines, found, strict=True):
        result(f"{line:<{width}}  # {_SHOWN.get(item.origin, item.origin)}")
