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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import lightning
import torch
from torch.utils.data import DataLoader

from undark.errors import UsageError
from undark.io.atomic import write_atomically
from undark.train.callbacks import Asked, Average, Save, Schedule, Stop, Validate
from undark.train.data.datasets import Dataset, load_datasets
from undark.train.data.loading import LoadedPair
from undark.train.history import History, Notify, Watch, quiet
from undark.train.methods import make_method
from undark.train.methods.base import Method
from undark.train.names import CHECKPOINT, WEIGHTS
from undark.train.plan import Plan, begun, plan_run
from undark.train.precision import Exact, choose_precision
from undark.train.recipe import Recipe
from undark.train.weights import (
    Weights,
    load_into,
    load_weights,
    save_weights,
)

__all__ = ["Run", "Stopped", "load_data", "make_trainer", "run"]


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


class Stopped(KeyboardInterrupt):
    """A run was asked to stop.

    Attributes:
        folder: The run's folder.
        step: The step that its last checkpoint is of; None where there is no checkpoint.
    """

    def __init__(self, folder: Path, step: int | None) -> None:
        """Say which run, and where it can go on."""
        super().__init__()
        self.folder = folder
        self.step = step


def run(
    recipe: str | Path | Recipe | None = None,
    *,
    data: Path | None = None,
    dark: Path | None = None,
    light: Path | None = None,
    out: Path | None = None,
    overrides: Sequence[str] = (),
    steps: int | None = None,
    start: str | Path | None = None,
    resume: bool = False,
    device: str = "auto",
    threads: int | None = None,
    notify: Notify = quiet,
    progress: Watch | None = None,
) -> Run:
    """Train.

    Args:
        recipe: A recipe, the path of its TOML file, or the name of a method, which takes that
            method's defaults and learns from what is in `data`, or in `dark` and `light`; by
            default ``unet``. With `resume`, also the folder of the run.
        data: Folder that the recipe's sources are relative to; where it has none of them, it is
            itself what is learned from. By default ``data``, if that holds what is needed. A run
            that goes on knows its own.
        dark: A stack of dark photos that takes the place of the recipe's sources.
        light: The same with light photos.
        out: Folder of the run; by default ``runs/NAME``.
        overrides: ``key=value`` settings put into the recipe, such as ``fit.steps=100``.
        steps: The same as ``fit.steps``: steps in all, those of before a resume among them.
        start: Weights to start from instead of random ones: a run's folder, a ``.safetensors``
            file, an ONNX file that undark exported, or a name of the catalog. A recipe given as a
            method's name takes the network's sizes from there.
        resume: Go on from the run's last checkpoint, to the very step. The folder's own
            ``recipe.toml`` is the recipe, unless another is given, which must then equal it;
            keys in :data:`undark.train.plan.FREE` may change. A finished run goes on if it gets
            more `steps`; the learning rate is from there on that of a run of the new length.
        device: ``auto``, ``cpu`` or ``cuda``.
        threads: Threads of PyTorch and OpenCV in the main process; by default as these choose.
        notify: Called with notices of progress, a line each: at least one in 30 seconds.
        progress: Called after each step, and in place of `notify` with what is a step's only.

    Raises:
        UsageError: It is not said what to learn, from what, or which run is to go on.
        RecipeError: The recipe does not hold up, or differs from the one being resumed.
        DataError: The data are missing or do not fit.
        ModelError: The weights to start from are not usable.
        DivergedError: The loss became NaN or infinite.
        Stopped: The run was asked to stop; its state was saved first, if it had come to a step.
        TrainError: The folder holds another run.
    """
    origin = load_weights(start) if start is not None and not resume else None
    plan = plan_run(
        recipe,
        data=data,
        dark=dark,
        light=light,
        out=out,
        overrides=[*overrides, *([] if steps is None else [f"fit.steps={steps}"])],
        origin=origin,
        notify=notify,
        resume=resume,
    )
    if threads is not None and threads < 1:
        raise UsageError(f"threads must be at least 1, not {threads}", argument="threads")
    plan.write()
    for line in plan.changed:
        notify(line)
    try:
        _use_threads(threads)
        _tune_allocator()
        torch.manual_seed(plan.recipe.seed)
        method = make_method(plan.recipe)
        if origin is not None:
            load_into(method.network, origin)
        datasets, held = load_data(method, plan, notify)
        return _learn(
            method,
            datasets,
            held,
            plan.folder,
            resume=resume,
            device=device,
            notify=notify,
            progress=progress,
        )
    except KeyboardInterrupt:
        saved = (plan.folder / CHECKPOINT).is_file()
        raise Stopped(plan.folder, begun(plan.folder).step if saved else None) from None


def load_data(
    method: Method[Any, Any], plan: Plan, notify: Notify
) -> tuple[list[Dataset], dict[str, list[LoadedPair]]]:
    """The data, and one line on what there is."""
    recipe = plan.recipe
    datasets, held = load_datasets(
        recipe.data,
        root=plan.root,
        glance=method.glance,
        seed=recipe.seed,
        notify=notify,
        guides=method.guides,
    )
    counts = ", ".join(
        f"{len(dataset)} of {source.name}"
        for dataset, source in zip(datasets, recipe.data.sources, strict=True)
    )
    notify(
        f"{recipe.name}: {sum(p.numel() for p in method.network.parameters())} parameters;"
        f" learning from {counts}; unseen: {sum(map(len, held.values()))} pairs"
    )
    return datasets, held


def _learn(
    method: Method[Any, Any],
    datasets: Sequence[Dataset],
    held: dict[str, list[LoadedPair]],
    folder: Path,
    *,
    resume: bool,
    device: str,
    notify: Notify,
    progress: Watch | None,
) -> Run:
    """Run the loop, measure what it has learned on the pairs `held` out, and leave all in place."""
    plan = method.recipe
    average = Average(plan.fit.ema)
    every = max(1, min(100, plan.fit.steps // 20))
    history = History(folder, every=every, notify=notify, progress=progress)
    validate = Validate(held, average, history, folder=folder, notify=notify)
    precision, reason = choose_precision(plan.fit.precision, device)
    notify(reason)
    _fit(
        method,
        datasets,
        [Schedule(), average, history, validate],
        folder=folder,
        resume=resume,
        device=device,
        precision=precision,
    )
    measured = validate.run(method) if held else []
    history.close()
    method.finish(folder)
    weights = folder / WEIGHTS
    save_weights(Weights(average.state, plan, measured), weights)
    write_atomically(folder / "measured.json", json.dumps(measured, indent=2).encode())
    return Run(folder, weights, measured)


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
                worker_init_fn=_begin_worker,
            )

    saver = Save(folder / CHECKPOINT, minutes=plan.fit.checkpoint_minutes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = make_trainer(
            method,
            [*callbacks, saver, Stop(folder / CHECKPOINT)],
            steps=plan.fit.steps,
            device=device,
            precision=precision,
        )
        try:
            trainer.fit(
                method,
                datamodule=Loaders(),
                ckpt_path=str(folder / CHECKPOINT) if resume else None,
            )
        except (Asked, SystemExit):  # Lightning exits where Ctrl-C reaches its start-up
            raise KeyboardInterrupt from None
        trainer.save_checkpoint(folder / CHECKPOINT)


def make_trainer(
    method: Method[Any, Any],
    callbacks: list[Any],
    *,
    steps: int,
    device: str,
    precision: Exact,
) -> lightning.Trainer:
    """Lightning's loop for a method, for so many `steps`, silent and leaving no files of its own.

    Args:
        method: Whose recipe says how gradients are gathered and clipped.
        callbacks: Lightning's.
        steps: After which it ends.
        device: ``auto``, ``cpu`` or ``cuda``.
        precision: As :func:`undark.train.precision.choose_precision` gives it.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)  # its tips are not for users
    fit = method.recipe.fit
    return lightning.Trainer(
        accelerator={"cuda": "gpu"}.get(device, device),
        devices=1,
        precision=precision,
        max_steps=steps,
        accumulate_grad_batches=fit.accumulate,
        # A method that takes its own gradients clips them too.
        gradient_clip_val=fit.clip or None if method.automatic_optimization else None,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        num_sanity_val_steps=0,
        limit_val_batches=0,
    )


def _begin_worker(worker: int) -> None:
    """Deaf to Ctrl-C, which reaches the whole group: the run has a step to end.

    A worker goes when the run tells it to, or when the run is gone. PyTorch gives it one thread.
    """
    del worker
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _use_threads(threads: int | None) -> None:
    if threads is not None:
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)


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
