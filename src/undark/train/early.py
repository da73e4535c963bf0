"""The mistakes that can be found without PyTorch, whose import takes seconds."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from undark.errors import DataError, MissingExtraError, ModelError, RecipeError, UsageError
from undark.models.store import check_learned
from undark.train.explain import recipe_file
from undark.train.names import RECIPE
from undark.train.plan import (
    USUAL,
    check_free,
    check_half,
    check_method,
    check_place,
    run_of,
    settings_of,
)
from undark.train.recipe import Recipe, load_recipe, override
from undark.train.space import Axis, read_axes

__all__ = [
    "DEVICES",
    "LOGGERS",
    "check_early",
    "check_export",
    "check_loggers",
    "check_machine",
    "check_onnx_name",
    "check_recipe",
    "check_start",
]

DEVICES: Final = ("auto", "cpu", "cuda")
"""Where a run may compute."""

LOGGERS: Final[dict[str, str]] = {"wandb": "wandb", "mlflow": "mlflow", "aim": "aim"}
"""What may be logged to by name, and the package that it needs, which has its module's name."""


def check_early(
    recipe: str | None,
    *,
    data: Path | None = None,
    dark: Path | None = None,
    light: Path | None = None,
    dark_half: str | None = None,
    out: Path | None = None,
    overrides: Sequence[str] = (),
    steps: int | None = None,
    start: str | Path | None = None,
    resume: bool = False,
    device: str = "auto",
    devices: int = 1,
    nodes: int = 1,
    threads: int | None = None,
    loggers: Sequence[str] = (),
    trial: bool = False,
    axes: Sequence[str] = (),
    trials: int | None = None,
) -> None:
    """Find what is wrong with a run or a sweep before PyTorch is imported.

    Args:
        recipe: As for :func:`undark.train.run`, as are the others.
        trial: Whether nothing is to be written.
        axes: Of a sweep; see :func:`undark.train.sweep`.
        trials: Of a sweep.

    Raises:
        UndarkError: What `run` or `sweep` would raise.
    """
    check_machine(device, devices=devices, nodes=nodes, threads=threads)
    check_loggers(loggers)
    check_half(dark_half)
    for folder in (data, dark, light):
        if folder is not None and not folder.is_dir():
            raise DataError(f"{folder}: no such folder of training data", argument="data")
    check_start(start, resume=resume)
    found = read_axes(axes, trials)
    if axes and importlib.util.find_spec("optuna") is None:
        raise MissingExtraError("sweeps", "sweep")
    settings = settings_of(overrides, steps)
    if resume:
        _check_resumed(recipe, out, settings)
        return
    plan = _plain(USUAL if recipe is None else recipe)
    _check_values(plan, settings, found)
    if trial:
        return
    if axes:
        check_place(Path("runs") if out is None else out)
        return
    folder = Path("runs") / plan.name if out is None else out
    check_place(folder)
    check_free(folder)


def check_machine(
    device: str, *, devices: int = 1, nodes: int = 1, threads: int | None = None
) -> None:
    """Whether a run can be asked to compute so; whether the GPUs are there is seen later.

    Raises:
        UsageError: The device is unknown, or a number is below 1.
    """
    if device not in DEVICES:
        raise UsageError(
            f"no such device: {device!r}; known: {', '.join(DEVICES)}", argument="device"
        )
    for name, value in (("devices", devices), ("nodes", nodes), ("threads", threads)):
        if value is not None and value < 1:
            raise UsageError(f"{name} must be at least 1, not {value}", argument=name)


def check_loggers(names: Sequence[str]) -> None:
    """Whether all of `names` are known and installed.

    Raises:
        UsageError: One is unknown, or not installed.
    """
    for name in names:
        if name not in LOGGERS:
            known = ", ".join(LOGGERS)
            raise UsageError(
                f"no such logger: {name!r}; known: {known} (a CSV file and TensorBoard's events"
                " are written always)",
                argument="loggers",
            )
        if importlib.util.find_spec(LOGGERS[name]) is None:
            raise UsageError(
                f"logging to {name} needs a package: pip install {LOGGERS[name]}",
                argument="loggers",
            )


def check_start(start: str | Path | None, *, resume: bool) -> None:
    """Whether there may be weights to start from, and a run that can start from them.

    Raises:
        UsageError: A run that goes on has weights of its own.
        ModelError: There is nothing of that name or in that place.
    """
    if start is None:
        return
    if resume:
        raise UsageError(
            f"a run that goes on has weights of its own, and cannot start from {start}: leave it"
            " out, or begin a run in another folder",
            argument="start",
        )
    check_learned(start)


def check_export(checkpoint: Path, output: Path | None) -> Path:
    """The ONNX file to write, if there may be weights to write and it has such a name.

    Raises:
        ModelError: There are no weights, or the name ends otherwise.
        UsageError: No file is named.
    """
    check_learned(checkpoint)
    if output is None:
        raise UsageError("name the ONNX file to write, such as model.onnx", argument="output")
    check_onnx_name(output)
    return output


def check_onnx_name(output: Path) -> None:
    """Whether `output` is called as an exported model must be.

    Raises:
        ModelError: It is not.
    """
    if output.suffix.lower() != ".onnx":
        raise ModelError(f"{output}: an exported model's name must end in .onnx")


def check_recipe(recipe: str, overrides: Sequence[str] = ()) -> None:
    """Whether a recipe can be shown, as far as its method need not be asked.

    Raises:
        RecipeError: It cannot.
    """
    override(_plain(str(recipe_file(recipe) or recipe)), overrides)


def _plain(text: str) -> Recipe:
    """The recipe `text` as far as its method need not be asked, which brings PyTorch."""
    plan = load_recipe(Path(text)) if text.endswith(".toml") else Recipe(text, text)
    check_method(plan.method)
    return plan


def _check_resumed(recipe: str | None, out: Path | None, settings: Sequence[str]) -> None:
    folder = run_of(recipe, out)
    if folder is None:  # a recipe's file, which the run must equal
        plan = _plain(str(recipe))
        folder = run_of(None, Path("runs") / plan.name if out is None else out)
    elif recipe is not None and not Path(recipe).is_dir() and out is not None:
        check_method(recipe)  # a mistyped name is not the run's method
        plan = replace(load_recipe(folder / RECIPE), method=recipe)
    else:
        plan = load_recipe(folder / RECIPE)
    override(plan, settings)


def _check_values(plan: Recipe, settings: Sequence[str], axes: Sequence[Axis]) -> None:
    """Whether the recipe takes the settings, and with them each value that a sweep names."""
    if not axes:
        override(plan, settings)
    first = [f"{axis.key}={axis.examples[0]}" for axis in axes]
    for number, axis in enumerate(axes):
        others = [*settings, *first[:number], *first[number + 1 :]]
        for value in axis.examples:
            try:
                override(plan, [*others, f"{axis.key}={value}"])
            except RecipeError as error:
                raise RecipeError(f"{axis.key}={value}: {error}", argument="sweep") from error
