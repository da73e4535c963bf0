"""`undark models`: what there is to choose from."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from undark.cli.options import Debug, Json
from undark.cli.shell import command, result, result_json

if TYPE_CHECKING:
    from undark.models import Model

__all__ = ["models"]


@command
def models(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Show this model's card: a name or an .onnx file."),
    ] = None,
    *,
    as_json: Json = False,
    debug: Debug = False,  # noqa: ARG001 - read by @command
) -> None:
    """List the models, or show the card of one."""
    from undark.models import names, resolve

    if name is not None:
        model = resolve(name)
        if as_json:
            result_json(_described(model), indent=2)
        else:
            _show_card(model)
        return
    found = [resolve(entry) for entry in names()]
    if as_json:
        result_json([_described(model) for model in found], indent=2)
        return
    for model in found:
        card = model.card
        result(f"{card.name:<16} {card.title}")
        for line in textwrap.wrap(card.summary, 80):
            result(f"{'':<16} {line}")
        result(f"{'':<16} {_size(model)}, {card.method}; {_headline(model)}")
        result(f"{'':<16} licence: {card.licence}")


def _described(model: Model) -> dict[str, Any]:
    return {
        **json.loads(model.card.dump()),
        "path": str(model.path),
        "bytes": model.path.stat().st_size,
    }


def _size(model: Model) -> str:
    return f"{model.path.stat().st_size / 1e6:.1f} MB"


def _headline(model: Model) -> str:
    if not model.card.metrics:
        return "not measured"
    first = model.card.metrics[0]
    return f"{_values(first.values)} on {first.on} ({first.protocol}, {first.pictures} images)"


def _values(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items())


def _show_card(model: Model) -> None:
    from undark.adjust import CONTROLS
    from undark.modes import mode_of

    card = model.card
    # First, for a mode that is not known is an error, and then nothing is to be shown.
    mode = mode_of(card, str(model.path))
    how = mode.describe(card.scaling)
    general = [name for name, control in CONTROLS.items() if control.general]
    result(f"{card.name}: {card.title}")
    result("")
    result(card.summary)
    result("")
    rows = [
        ("method", card.method),
        ("size", f"{_size(model)}, {card.parameters:,} parameters"),
        ("large photos", how),
        ("adjusts", ", ".join(name for name in CONTROLS if name in {*general, *mode.controls})),
        ("licence", card.licence),
        *([("author", card.author)] if card.author else []),
        ("recipe", card.recipe),
        *(("learned from", _source(item.name, item.licence, item.source)) for item in card.data),
        *(
            (
                "measured",
                f"{item.on}, {item.protocol}, {item.pictures} images: {_values(item.values)}",
            )
            for item in card.metrics
        ),
        *(("paper", paper) for paper in card.papers),
        ("sha256", card.sha256),
        ("file", str(model.path)),
    ]
    for key, value in rows:
        result(f"{key:<13} {value}")


def _source(name: str, licence: str, source: str) -> str:
    return f"{name} ({licence}){', ' + source if source else ''}"
