"""What a run is to do: a new one by a recipe, or the one of a folder that goes on.

A run's own ``recipe.toml`` is its recipe, and ``run.json`` says where its data lie, so that the
folder alone is enough to go on with it. ``split.json`` says which pairs it holds out.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from undark.errors import DataError, RecipeError, TrainError, UsageError
from undark.io.atomic import write_atomically
from undark.io.halves import DARK_HALVES, DarkHalf
from undark.train.data.fitting import fit_sources, usual_data
from undark.train.data.remembered import Splits
from undark.train.methods import method_class, method_names
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
    "check_free",
    "check_half",
    "check_method",
    "check_place",
    "completed",
    "differences",
    "plan_run",
    "read_recipe",
    "run_of",
    "settings_of",
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
    check_half(dark_half)
    folder = run_of(recipe, out) if resume else None
    if folder is not None:
        written = load_recipe(folder / RECIPE)
        if isinstance(recipe, str) and not _holds_a_run(Path(recipe)):
            method_class(recipe)  # a mistyped name is not the run's method
            written = replace(written, method=recipe)
    else:
        written = read_recipe(USUAL if recipe is None else recipe, origin)
    asked = override(_with_stacks(written, dark, light), overrides)
    if dark_half is not None:
        sources = tuple(replace(source, dark_half=dark_half) for source in asked.data.sources)
        asked = replace(asked, data=replace(asked.data, sources=sources))
    asked = _settled(asked)
    stacks = dark is not None or light is not None
    root = _root(asked, data, run_of(recipe, out) or out if resume else None, stacks, notify)
    asked = fit_sources(asked, root, notify, written=written)
    if folder is None:
        folder = Path("runs") / asked.name if out is None else Path(out)
    if not trial:
        check_place(folder)
    if not (resume or trial):
        check_free(folder)
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


def settings_of(overrides: Sequence[str], steps: int | None) -> list[str]:
    """The ``key=value`` settings of a run, its number of steps among them where it is given."""
    return [*overrides, *([] if steps is None else [f"fit.steps={steps}"])]


def check_method(text: str) -> None:
    """Whether there is a method `text`; it is not imported for that.

    Raises:
        RecipeError: There is none; a folder may have been meant, where the message says how.
    """
    if text in method_names():
        return
    if Path(text).is_dir():
        what = (
            "holds a run, which --resume goes on with"
            if _holds_a_run(Path(text))
            else (f"is a folder without a run (no {RECIPE})")
        )
        raise RecipeError(f"{text} {what}; a recipe is a .toml file or a method's name")
    method_class(text)


def check_half(dark_half: str | None) -> None:
    """Whether there is such a half of an image, where one is given.

    Raises:
        UsageError: There is not.
    """
    if dark_half is not None and dark_half not in DARK_HALVES:
        raise UsageError(f"the dark half is left or right, not {dark_half!r}", argument="dark_half")


def check_free(folder: Path) -> None:
    """Whether a new run would not meet another one in `folder`.

    Raises:
        TrainError: It would.
    """
    if (folder / CHECKPOINT).exists():
        raise TrainError(
            f"{folder} already holds a run: resume it, or choose another folder",
            argument="resume",
        )


def check_place(folder: Path) -> None:
    """Whether `folder` is one that can be written to, or made; nothing is left behind.

    Raises:
        UsageError: It is a file, or lies where nothing can be written.
    """
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            folder.stat()  # whether it may be called so at all
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        if not there.is_dir():
            what = "" if there == folder else f": {there}"
            raise UsageError(f"{folder}{what} is a file; name a folder for the run", argument="out")
        with tempfile.TemporaryDirectory(prefix=".undark-", dir=there):
            pass
    except (OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"{folder}: no run can be kept there ({reason}); name another folder", argument="out"
        ) from error


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
    return Begun(completed(parse(held["recipe"])), held["batches"])


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


def run_of(recipe: str | Path | Recipe | None, out: Path | None) -> Path | None:
    """The folder whose own recipe is meant; None where `recipe` is one that must equal it.

    Raises:
        UsageError: No folder is named, or two are.
        TrainError: The folder holds no run.
    """
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
        named = Path(recipe)
        meant = named.is_dir() and str(recipe) not in method_names()
        if meant and named.resolve() != folder.resolve():
            raise UsageError(
                f"which run is to go on, {recipe} or {out}? name one folder", argument="resume"
            )
    else:
        named = Path("runs") / str(recipe)
        folder = named if _holds_a_run(named) else Path(recipe)
    _check_run(folder)
    return folder


def _check_run(folder: Path) -> None:
    """Whether `folder` holds a run that can go on."""
    has_recipe = (folder / RECIPE).is_file()
    if has_recipe and (folder / CHECKPOINT).is_file():
        return
    if has_recipe:
        why = ", for it was stopped before its first checkpoint: start it again instead"
    else:
        what = f"it holds no run: no {RECIPE}" if folder.is_dir() else "there is no such folder"
        why = f" ({what}); name the folder of one"
    raise TrainError(f"{folder}: there is no run to resume{why}", argument="resume")


def _data_of(folder: Path) -> Path | None:
    """Where the data of the run in `folder` lie; None where it does not say."""
    try:
        return Path(json.loads((folder / _ABOUT).read_text(encoding="utf-8"))["data"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_recipe(recipe: str | Path | Recipe, origin: Weights | None) -> Recipe:
    """A recipe as it is written, by its file or as a method's defaults for a start from `origin`.

    Raises:
        RecipeError: It does not hold up.
    """
    if isinstance(recipe, Recipe):
        return recipe
    text = str(recipe)
    if text.endswith(".toml"):
        plan = load_recipe(Path(text))
        try:
            return completed(plan)
        except RecipeError as error:
            raise RecipeError(f"{text}: {error}") from error
    check_method(text)
    method = method_class(text)
    if origin is None:
        return method.default_recipe(text)
    return replace(method.default_recipe(text, tuning=True), net=origin.recipe.net)


def completed(plan: Recipe) -> Recipe:
    """The recipe with its method's options spelled out.

    Raises:
        RecipeError: The method does not take it.
    """
    return method_class(plan.method).settle(plan)


def _settled(plan: Recipe) -> Recipe:
    """The recipe as its method completes it, once the method is content with it."""
    method_class(plan.method).check_sources(plan)
    return completed(plan)


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
