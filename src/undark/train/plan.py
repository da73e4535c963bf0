"""What a run is to do: a new one by a recipe, or the one of a folder that goes on.

A run's own ``recipe.toml`` is its recipe, and ``run.json`` says where its data lie, so that the
folder alone is enough to go on with it. ``split.json`` says which pairs it holds out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from undark.errors import DataError, RecipeError, TrainError, UsageError
from undark.io.atomic import write_atomically
from undark.io.halves import DARK_HALVES, DarkHalf
from undark.train.data.fitting import fit_sources, usual_data
from undark.train.data.remembered import Splits
from undark.train.methods import METHODS, method_class
from undark.train.names import CHECKPOINT, RECIPE
from undark.train.recipe import Recipe, Source, load_recipe, override, parse

if TYPE_CHECKING:
    from undark.train.weights import Weights

__all__ = [
    "FREE",
    "USUAL",
    "Begun",
    "Plan",
    "begun",
    "check_early",
    "differences",
    "plan_run",
]

USUAL = "unet"
"""The method where neither a recipe nor a method is named."""

FREE = (
    "data.workers",
    "fit.checkpoint_minutes",
    "fit.compile",
    "fit.lr",
    "fit.precision",
    "fit.steps",
    "fit.validate_every",
    "fit.validate_on",
)
"""Keys that may change when a run goes on: they say how it goes, not what it learns."""

_ABOUT = "run.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do: the recipe, the folder that its sources are relative to, and the run's own.

    Attributes:
        changed: Keys that are no longer as the run was begun, as lines for a person.
        splits: How a run that goes on divided its pairs into those learned from and held out.
    """

    recipe: Recipe
    root: Path
    folder: Path
    changed: tuple[str, ...] = ()
    splits: Splits = field(default_factory=Splits)

    def write(self) -> None:
        """Make the run's folder, and leave in it what is needed to go on."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.folder / RECIPE, self.recipe.to_toml().encode())
        about = {"data": str(self.root.resolve())}
        write_atomically(self.folder / _ABOUT, json.dumps(about, indent=2).encode())


@dataclass(frozen=True, slots=True)
class Begun:
    """A run as its last checkpoint holds it: the recipe that it was begun by, and the step."""

    recipe: Recipe
    step: int


def plan_run(
    recipe: str | Path | Recipe | None,
    *,
    data: Path | None,
    dark: Path | None,
    light: Path | None,
    dark_half: DarkHalf | None = None,
    out: Path | None,
    overrides: Sequence[str],
    origin: Weights | None,
    notify: Callable[[str], None],
    resume: bool = False,
    trial: bool = False,
) -> Plan:
    """Settle what is to be done, before anything is built; see :func:`undark.train.run`.

    A `trial` leaves nothing in the run's folder, which may hold a run.
    """
    folder = _run_of(recipe, out) if resume else None
    if folder is not None:
        written = load_recipe(folder / RECIPE)
        if isinstance(recipe, str) and not _holds_a_run(Path(recipe)):
            method_class(recipe)  # a mistyped name is not the run's method
            written = replace(written, method=recipe)
    else:
        written = _read(USUAL if recipe is None else recipe, origin)
    asked = override(_with_stacks(written, dark, light), overrides)
    if dark_half is not None:
        if dark_half not in DARK_HALVES:
            raise UsageError(
                f"the dark half is left or right, not {dark_half!r}", argument="dark_half"
            )
        sources = tuple(replace(source, dark_half=dark_half) for source in asked.data.sources)
        asked = replace(asked, data=replace(asked.data, sources=sources))
    asked = _settled(asked)
    stacks = dark is not None or light is not None
    root = _root(asked, data, _run_of(recipe, out) or out if resume else None, stacks, notify)
    asked = fit_sources(asked, root, notify, written=written)
    if folder is None:
        folder = Path("runs") / asked.name if out is None else Path(out)
    if not (resume or trial):
        _check_free(folder)
    if resume:
        return Plan(asked, root, folder, _changes(asked, folder, root), Splits.read(folder))
    return Plan(asked, root, folder)


def _root(
    asked: Recipe,
    data: Path | None,
    run: Path | None,
    stacks: bool,
    notify: Callable[[str], None],
) -> Path:
    """The folder that the sources are relative to: named, that of the `run`, or the usual one."""
    if data is None and not stacks:
        data = None if run is None else _data_of(Path(run))
        if data is None and (data := usual_data(asked)):
            notify(f"no data are named; learning from the folder {data}/ that is here")
        if data is None:
            diet = method_class(asked.method).diet
            raise UsageError(f"{asked.method} learns from {diet}", argument="data")
    root = Path() if data is None else Path(data)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder of training data", argument="data")
    return root


def check_early(
    recipe: str | None,
    *,
    folders: Sequence[Path | None],
    out: Path | None,
    overrides: Sequence[str],
    resume: bool,
    trial: bool,
) -> None:
    """Find the mistakes that can be found without PyTorch, whose import takes seconds.

    Args:
        recipe: As for :func:`undark.train.run`, as are the others.
        folders: Of data, where they are given.
        out: The run's folder.
        overrides: ``key=value`` settings.
        resume: Whether a run is to go on.
        trial: Whether nothing is to be written.

    Raises:
        UndarkError: What `run` would raise.
    """
    for folder in folders:
        if folder is not None and not folder.is_dir():
            raise DataError(f"{folder}: no such folder of training data", argument="data")
    text = USUAL if recipe is None else recipe
    name = ""
    if resume:
        folder = _run_of(recipe, out)
        plan = None if folder is None else load_recipe(folder / RECIPE)
    elif text.endswith(".toml"):
        plan = load_recipe(Path(text))
        name = plan.name
    else:
        plan = Recipe(text, text)
        if text not in METHODS:
            method_class(text)
        name = text
    if not (resume or trial):
        _check_free(out or Path("runs") / name)
    if plan is not None:
        override(plan, overrides)


def _check_free(folder: Path) -> None:
    if (folder / CHECKPOINT).exists():
        raise TrainError(
            f"{folder} already holds a run: resume it, or choose another folder",
            argument="resume",
        )


def begun(folder: Path) -> Begun:
    """The run in `folder` as it was begun, and how far it is.

    Raises:
        TrainError: There is no checkpoint to go on from.
        ModelError: The checkpoint cannot be read.
    """
    from undark.train.weights import load_checkpoint  # brings PyTorch

    checkpoint = folder / CHECKPOINT
    if not checkpoint.is_file():
        raise TrainError(f"{folder}: there is no run to resume", argument="resume")
    held = load_checkpoint(checkpoint)
    return Begun(_completed(parse(held["recipe"])), held["batches"])


def differences(one: Recipe, other: Recipe) -> dict[str, tuple[Any, Any]]:
    """Keys in which two recipes differ, with the value in each; None where one lacks it."""
    first, second = _flat(one.to_dict()), _flat(other.to_dict())
    return {
        key: (first.get(key), second.get(key))
        for key in dict.fromkeys((*first, *second))
        if first.get(key) != second.get(key)
    }


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """Values by their whole path; the tables of a list are numbered, other lists are values."""
    if isinstance(value, dict):
        items: list[tuple[str, Any]] = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        items = [(str(number), item) for number, item in enumerate(value)]
    else:
        return {path: value}
    found: dict[str, Any] = {}
    for key, item in items:
        found |= _flat(item, f"{path}.{key}" if path else key)
    return found


def _changes(asked: Recipe, folder: Path, root: Path) -> tuple[str, ...]:
    """Which free keys differ from those that the run in `folder` was begun by."""
    known = begun(folder)
    recipe = fit_sources(known.recipe, root, lambda _: None, written=known.recipe)
    found = differences(recipe, asked)
    words = {key: f"{key}: {was!r} there, {now!r} asked" for key, (was, now) in found.items()}
    fixed = [line for key, line in words.items() if key not in FREE]
    if fixed:
        raise RecipeError(
            f"{folder} was begun with another recipe ({'; '.join(fixed)}); resume it with its own,"
            f" or choose another folder. Only {', '.join(FREE)} may change"
        )
    if asked.fit.steps < known.step:
        raise RecipeError(
            f"{folder} stands at step {known.step} already: fit.steps cannot be {asked.fit.steps}"
        )
    return tuple(f"{key} is now {now!r} (was {was!r})" for key, (was, now) in found.items())


def _holds_a_run(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (RECIPE, CHECKPOINT))


def _run_of(recipe: str | Path | Recipe | None, out: Path | None) -> Path | None:
    """The folder whose own recipe is meant; None where `recipe` is one that must equal it."""
    if isinstance(recipe, Recipe):
        return None
    if recipe is None:
        if out is None:
            raise UsageError("which run is to go on? name its folder", argument="resume")
        folder = Path(out)
    elif _holds_a_run(Path(recipe)) and out is None:
        folder = Path(recipe)
    elif str(recipe).endswith(".toml"):
        return None
    elif out is not None:
        folder = Path(out)
    else:
        named = Path("runs") / str(recipe)
        folder = named if _holds_a_run(named) else Path(recipe)
    if not (folder / CHECKPOINT).is_file():
        early = ", for it was stopped before its first checkpoint: start it again instead"
        why = early if (folder / RECIPE).is_file() else ""
        raise TrainError(f"{folder}: there is no run to resume{why}", argument="resume")
    return folder


def _data_of(folder: Path) -> Path | None:
    """Where the data of the run in `folder` lie; None where it does not say."""
    try:
        return Path(json.loads((folder / _ABOUT).read_text(encoding="utf-8"))["data"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _read(recipe: str | Path | Recipe, origin: Weights | None) -> Recipe:
    if isinstance(recipe, Recipe):
        return recipe
    text = str(recipe)
    if text.endswith(".toml"):
        plan = load_recipe(Path(text))
        try:
            return _completed(plan)
        except RecipeError as error:
            raise RecipeError(f"{text}: {error}") from error
    method = method_class(text)
    if origin is None:
        return method.default_recipe(text)
    return replace(method.default_recipe(text, tuning=True), net=origin.recipe.net)


def _completed(plan: Recipe) -> Recipe:
    return method_class(plan.method).settle(plan)


def _settled(plan: Recipe) -> Recipe:
    """The recipe as its method completes it, once the method is content with it."""
    method_class(plan.method).check_sources(plan)
    return _completed(plan)


def _with_stacks(plan: Recipe, dark: Path | None, light: Path | None) -> Recipe:
    """The recipe with stacks of photos in the place of its sources."""
    sources: list[Source] = []
    if dark is not None:
        sources.append(Source(kind="dark", path=str(dark), name=Path(dark).resolve().name))
    if light is not None:
        sources.append(Source(kind="light", path=str(light), name=Path(light).resolve().name))
    if not sources:
        return plan
    return replace(plan, data=replace(plan.data, sources=tuple(sources)))
