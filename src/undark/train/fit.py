"""One training run, from a recipe to exportable weights, in a folder of its own.

The folder holds ``recipe.toml``, ``last.ckpt`` (to resume from), ``weights.safetensors`` (to
export, or to start another run from), ``history.csv``, ``curves.png``, ``grids/`` and TensorBoard
events.
"""

from __future__ import annotations

import ctypes
import json
import logging
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightning
import torch
from torch.utils.data import DataLoader

from undark.errors import DataError, RecipeError, TrainError, UsageError
from undark.io.atomic import write_atomically
from undark.train.callbacks import Average, History, Save, Stop, Stopped, Validate
from undark.train.data.datasets import Dataset, load_datasets
from undark.train.data.fitting import fit_sources, usual_data
from undark.train.data.loading import LoadedPair
from undark.train.methods import make_method, method_class
from undark.train.methods.base import Method
from undark.train.precision import Exact, choose_precision
from undark.train.recipe import Recipe, Source, load_recipe, override, parse
from undark.train.weights import (
    CHECKPOINT,
    WEIGHTS,
    Weights,
    load_checkpoint,
    load_into,
    load_weights,
    save_weights,
)

__all__ = ["Run", "run"]

Notify = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Run:
    """What a finished run left.

    Attributes:
        folder: The run's folder.
        weights: The exportable weights in it.
        measured: A record per held-out source: ``on``, ``pictures`` and means of the metrics.
    """

    folder: Path
    weights: Path
    measured: list[dict[str, Any]]


def _quiet(message: str) -> None:
    del message


def run(
    recipe: str | Path | Recipe = "unet",
    *,
    data: Path | None = None,
    dark: Path | None = None,
    light: Path | None = None,
    out: Path | None = None,
    overrides: Sequence[str] = (),
    start: str | Path | None = None,
    resume: bool = False,
    device: str = "auto",
    notify: Notify = _quiet,
) -> Run:
    """Train.

    Args:
        recipe: A recipe, the path of its TOML file, or the name of a method, which takes that
            method's defaults and learns from what is in `data`, or in `dark` and `light`.
        data: Folder that the recipe's sources are relative to; where it has none of them, it is
            itself what is learned from. By default ``data``, if that holds what is needed.
        dark: A stack of dark photos that takes the place of the recipe's sources.
        light: The same with light photos.
        out: Folder of the run; by default ``runs/NAME``.
        overrides: ``key=value`` settings put into the recipe, such as ``fit.steps=100``.
        start: Weights to start from instead of random ones: a run's folder, a ``.safetensors``
            file, an ONNX file that undark exported, or a name of the catalog. A recipe given as a
            method's name takes the network's sizes from there.
        resume: Go on from the run's last checkpoint, to the very step.
        device: ``auto``, ``cpu`` or ``cuda``.
        notify: Called with notices of progress, a line each.

    Raises:
        RecipeError: The recipe does not hold up, or differs from the one being resumed.
        DataError: The data are missing or do not fit.
        ModelError: The weights to start from are not usable.
        DivergedError: The loss became NaN or infinite.
        KeyboardInterrupt: The run was asked to stop; its state was saved first.
        TrainError: The folder holds another run.
    """
    origin = load_weights(start) if start is not None else None
    written = _read(recipe, origin)
    plan = _settled(override(_with_stacks(written, dark, light), overrides))
    if data is None and dark is None and light is None and (data := usual_data(plan)):
        notify(f"no data are named; learning from the folder {data}/ that is here")
    root = Path() if data is None else Path(data)
    if data is None and dark is None and light is None:
        diet = method_class(plan.method).diet
        raise UsageError(f"{plan.method} learns from {diet}", argument="data")
    if not root.is_dir():
        raise DataError(f"{data}: no such folder of training data", argument="data")
    plan = fit_sources(plan, root, notify, written=written)
    folder = Path("runs") / plan.name if out is None else Path(out)
    _prepare(folder, plan, root, resume=resume)

    _tune_allocator()
    torch.manual_seed(plan.seed)
    method = make_method(plan)
    if origin is not None and not resume:
        load_into(method.network, origin)
    datasets, held = load_datasets(
        plan.data,
        root=root,
        glance=method.glance,
        seed=plan.seed,
        notify=notify,
        guides=method.guides,
    )
    counts = ", ".join(
        f"{len(dataset)} of {source.name}"
        for dataset, source in zip(datasets, plan.data.sources, strict=True)
    )
    notify(
        f"{plan.name}: {sum(p.numel() for p in method.network.parameters())} parameters;"
        f" learning from {counts}; unseen: {sum(map(len, held.values()))} pairs"
    )
    return _learn(method, datasets, held, folder, resume=resume, device=device, notify=notify)


def _learn(
    method: Method[Any, Any],
    datasets: Sequence[Dataset],
    held: dict[str, list[LoadedPair]],
    folder: Path,
    *,
    resume: bool,
    device: str,
    notify: Notify,
) -> Run:
    """Run the loop, measure what it has learned on the pairs `held` out, and leave all in place."""
    plan = method.recipe
    average = Average(plan.fit.ema)
    history = History(folder, every=max(1, min(100, plan.fit.steps // 20)), notify=notify)
    validate = Validate(held, average, history, folder=folder, notify=notify)
    precision, reason = choose_precision(plan.fit.precision, device)
    notify(reason)
    _fit(
        method,
        datasets,
        [average, history, validate],
        folder=folder,
        resume=resume,
        device=device,
        precision=precision,
    )
    measured = validate.run(method) if held else []
    history.write()
    method.finish(folder)
    weights = folder / WEIGHTS
    save_weights(Weights(average.state, plan, measured), weights)
    write_atomically(folder / "measured.json", json.dumps(measured, indent=2).encode())
    return Run(folder, weights, measured)


def _read(recipe: str | Path | Recipe, origin: Weights | None) -> Recipe:
    if isinstance(recipe, Recipe):
        return recipe
    text = str(recipe)
    if text.endswith(".toml"):
        plan = load_recipe(Path(text))
        try:
            return method_class(plan.method).settle(plan)
        except RecipeError as error:
            raise RecipeError(f"{text}: {error}") from error
    plan = method_class(text).default_recipe(text)
    return plan if origin is None else replace(plan, net=origin.recipe.net)


def _settled(plan: Recipe) -> Recipe:
    """The recipe as its method completes it, once the method is content with it."""
    kind = method_class(plan.method)
    kind.check_sources(plan)
    return kind.settle(plan)


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


def _prepare(folder: Path, plan: Recipe, root: Path, *, resume: bool) -> None:
    """Make the run's folder and write its recipe; a folder that holds another run is refused."""
    checkpoint = folder / CHECKPOINT
    if resume:
        _check_same(plan, checkpoint, root)
    elif checkpoint.exists():
        raise TrainError(
            f"{folder} already holds a run: resume it, or choose another folder",
            argument="resume",
        )
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "recipe.toml", plan.to_toml().encode())


def _check_same(plan: Recipe, checkpoint: Path, root: Path) -> None:
    if not checkpoint.is_file():
        raise TrainError(f"{checkpoint.parent}: there is no run to resume", argument="resume")
    begun = parse(load_checkpoint(checkpoint)["recipe"])  # with what older runs do not spell out
    begun = fit_sources(begun, root, _quiet, written=begun)
    asked, stored = (json.loads(json.dumps(item.to_dict())) for item in (plan, begun))
    if asked != stored:
        keys = [key for key in asked if asked[key] != stored.get(key)]
        raise RecipeError(
            f"{checkpoint.parent} was begun with another recipe (it differs in {', '.join(keys)});"
            " resume it with the same recipe and settings, or choose another folder"
        )


def _fit(
    method: Method[Any, Any],
    datasets: Sequence[Dataset],
    callbacks: list[Any],
    *,
    folder: Path,
    resume: bool,
    device: str,
    precision: Exact,
) -> None:
    plan = method.recipe

    class Loaders(lightning.LightningDataModule):
        """BatchStream from the step that the run stands at, which is known once it is restored."""

        def train_dataloader(self) -> DataLoader[Any]:
            return DataLoader(
                method.stream(datasets),
                batch_size=None,
                num_workers=plan.data.workers,
                persistent_workers=plan.data.workers > 0,
                worker_init_fn=_leave_signals_to_the_run,
            )

    saver = Save(folder / CHECKPOINT, minutes=plan.fit.checkpoint_minutes)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)  # its tips are not for users
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = lightning.Trainer(
            accelerator={"cuda": "gpu"}.get(device, device),
            devices=1,
            precision=precision,
            max_steps=plan.fit.steps,
            # A method that takes its own gradients clips them too.
            gradient_clip_val=plan.fit.clip or None if method.automatic_optimization else None,
            callbacks=[*callbacks, saver, Stop(folder / CHECKPOINT)],
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=sys.stderr.isatty(),
            num_sanity_val_steps=0,
            limit_val_batches=0,
        )
        try:
            trainer.fit(
                method,
                datamodule=Loaders(),
                ckpt_path=str(folder / CHECKPOINT) if resume else None,
            )
        except Stopped:
            raise KeyboardInterrupt from None
        trainer.save_checkpoint(folder / CHECKPOINT)


def _leave_signals_to_the_run(worker: int) -> None:
    """Let a worker live on when Ctrl-C reaches the whole process group: the run has a step to end.

    It goes when the run tells it to, or when the run is gone.
    """
    del worker
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _tune_allocator() -> None:
    """Let glibc keep what it has: fresh pages cost a third of a training step on a CPU."""
    if sys.platform != "linux":
        return
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
    except (OSError, AttributeError):  # not glibc
        return
