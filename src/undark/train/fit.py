"""One training run, from a recipe to exportable weights, in a folder of its own.

The folder holds ``recipe.toml``, ``last.ckpt`` (to resume from), ``split.json`` (which pairs are
held out), ``weights.safetensors`` (to export, or to start another run from), ``history.csv``,
``curves.png``, ``grids/`` and TensorBoard events.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import torch

from undark.errors import RecipeError, UsageError
from undark.io.atomic import write_atomically
from undark.io.halves import DarkHalf
from undark.io.names import counted
from undark.train.callbacks import Average, Schedule, Scored, Stop, Validate
from undark.train.compiling import compile_losses
from undark.train.data.datasets import Dataset, load_datasets
from undark.train.data.loading import LoadedPair
from undark.train.early import check_loggers, check_machine, check_start
from undark.train.history import History, Notify, Watch, quiet
from undark.train.logs import open_logs
from undark.train.loop import loop
from undark.train.methods import make_method, method_class
from undark.train.methods.base import Method
from undark.train.names import CHECKPOINT, WEIGHTS
from undark.train.parallel import World, companions, find_world
from undark.train.plan import Plan, begun, plan_run, settings_of
from undark.train.precision import choose_precision
from undark.train.recipe import Recipe
from undark.train.weights import (
    Weights,
    load_into,
    load_weights,
    save_weights,
)

__all__ = ["Run", "Stopped", "load_data", "run"]


@dataclass(frozen=True, slots=True)
class Run:
    """What a finished run left.

    Attributes:
        folder: The run's folder.
        weights: The exportable weights in it.
        measured: A record per held-out source: ``on``, ``pictures`` and means of the metrics.
        leads: Whether this process is the first of the run, which alone wrote it.
    """

    folder: Path
    weights: Path
    measured: list[dict[str, Any]]
    leads: bool = True


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
    dark_half: DarkHalf | None = None,
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
    notify: Notify = quiet,
    progress: Watch | None = None,
    scored: Scored | None = None,
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
        dark_half: Of images that hold both sides, for all sources; by default as each says.
        out: Folder of the run; by default ``runs/NAME``.
        overrides: ``key=value`` settings put into the recipe, such as ``fit.steps=100``.
        steps: The same as ``fit.steps``: steps in all, those of before a resume among them.
        start: Weights to start from instead of random ones, not with `resume`: a run's folder, a
            ``.safetensors`` file, an ONNX file that undark exported, or a name of the catalog. A
            recipe given as a method's name takes the network's sizes from there.
        resume: Go on from the run's last checkpoint, to the very step. The folder's own
            ``recipe.toml`` is the recipe, unless another is given, which must then equal it;
            keys in :data:`undark.train.plan.FREE` may change. A finished run goes on if it gets
            more `steps`; the learning rate is from there on that of a run of the new length.
        device: ``auto``, ``cpu`` or ``cuda``.
        devices: GPUs of this machine that share each batch, a process each; on a CPU, processes.
            The other processes import the running script, which must start this under
            ``if __name__ == "__main__":``.
        nodes: Machines that share each batch; see :mod:`undark.train.parallel`.
        threads: Threads of PyTorch and OpenCV in each process; by default as these choose, or,
            where processes share a CPU, as many as there are for each.
        loggers: What to log to besides the run's folder: ``wandb``, ``mlflow``, ``aim``.
        notify: Called with notices of progress, a line each: at least one in 30 seconds.
        progress: Called after each step, and in place of `notify` with what is a step's only.
        scored: Called after each validation with the step and its records; a run that it answers
            with true stops there, as if it had been asked to.

    Raises:
        UsageError: It is not said what to learn, from what, or which run is to go on; there are
            not as many devices; or a logger is not installed.
        RecipeError: The recipe does not hold up, or differs from the one being resumed.
        DataError: The data are missing or do not fit.
        ModelError: The weights to start from are not usable.
        DivergedError: The loss became NaN or infinite.
        Stopped: The run was asked to stop; its state was saved first, if it had come to a step.
        TrainError: The folder holds another run, or one of several processes failed.
    """
    check_machine(device, devices=devices, nodes=nodes, threads=threads)
    check_loggers(loggers)
    check_start(start, resume=resume)
    world = find_world(devices, nodes, device)
    if not world.leads:
        notify, progress = quiet, None
    origin = None if start is None else load_weights(start)
    plan = plan_run(
        recipe,
        data=data,
        dark=dark,
        light=light,
        dark_half=dark_half,
        out=out,
        overrides=settings_of(overrides, steps),
        origin=origin,
        notify=notify,
        resume=resume,
    )
    _check_shared(plan.recipe, world)
    if world.leads:
        plan.write()
    for line in plan.changed:
        notify(line)
    work = partial(_work, plan=plan, origin=origin, resume=resume, device=device, threads=threads)
    try:
        with companions(world, work, notify) as met:
            return work(met, loggers=loggers, notify=notify, progress=progress, scored=scored)
    except KeyboardInterrupt:
        saved = (plan.folder / CHECKPOINT).is_file()
        raise Stopped(plan.folder, begun(plan.folder).step if saved else None) from None


def _check_shared(recipe: Recipe, world: World) -> None:
    """Whether the processes of `world` can share the batches of `recipe`."""
    if world.size == 1:
        return
    if not method_class(recipe.method).divides:
        raise UsageError(
            f"{recipe.method} learns in one process, not in {world.size}", argument="devices"
        )
    if recipe.data.batch % world.size:
        raise RecipeError(
            f"data.batch: {recipe.data.batch} crops cannot be shared equally by {world.size}"
            " processes; make it a multiple"
        )


def _work(
    world: World,
    *,
    plan: Plan,
    origin: Weights | None,
    resume: bool,
    device: str,
    threads: int | None,
    loggers: Sequence[str] = (),
    notify: Notify = quiet,
    progress: Watch | None = None,
    scored: Scored | None = None,
) -> Run:
    """What each process of a run does."""
    with _threads(threads, world, device):
        _tune_allocator()
        torch.manual_seed(plan.recipe.seed)
        method = make_method(plan.recipe)
        compile_losses(method)
        if origin is not None:
            load_into(method.network, origin)
        datasets, held = load_data(method, plan, notify)
        if world.leads:
            plan.splits.write(plan.folder)
        return _learn(
            method,
            datasets,
            held,
            plan.folder,
            world=world,
            resume=resume,
            device=device,
            loggers=loggers,
            notify=notify,
            progress=progress,
            scored=scored,
        )


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
        splits=plan.splits,
    )
    counts = ", ".join(
        f"{len(dataset)} of {source.name}"
        for dataset, source in zip(datasets, recipe.data.sources, strict=True)
    )
    notify(
        f"{recipe.name}: {sum(p.numel() for p in method.network.parameters())} parameters;"
        f" learning from {counts}; unseen: {counted(sum(map(len, held.values())), 'pair')}"
    )
    return datasets, held


def _learn(
    method: Method[Any, Any],
    datasets: Sequence[Dataset],
    held: dict[str, list[LoadedPair]],
    folder: Path,
    *,
    world: World,
    resume: bool,
    device: str,
    loggers: Sequence[str],
    notify: Notify,
    progress: Watch | None,
    scored: Scored | None,
) -> Run:
    """Run the loop, measure what it has learned on the pairs `held` out, and leave all in place."""
    plan = method.recipe
    average = Average(plan.fit.ema)
    every = max(1, min(100, plan.fit.steps // 20))
    logs = open_logs(loggers, folder, plan, resume=resume) if world.leads else None
    history = History(folder, logs, every=every, notify=notify, progress=progress)
    stop = Stop(folder / CHECKPOINT, listens=world.leads or world.given)
    validate = Validate(held, average, history, stop, notify=notify, scored=scored)
    precision, reason = choose_precision(plan.fit.precision, device)
    notify(reason)
    if world.size > 1:
        notify(
            f"{world.size} processes share each batch,"
            f" {counted(plan.data.batch // world.size, 'crop')} each"
        )
    try:
        loop(
            method,
            datasets,
            [Schedule(), average, history, validate],
            stop,
            world=world,
            folder=folder,
            resume=resume,
            device=device,
            precision=precision,
            notify=notify,
        )
        if not history.begun:
            notify(f"all of its {plan.fit.steps} steps are done; more (--steps) lengthen it")
        measured = validate.run(method) if held else []
    except BaseException:
        history.close(done=False)
        raise
    history.close()
    weights = folder / WEIGHTS
    if world.leads:
        method.finish(folder)
        save_weights(Weights(average.state, plan, measured), weights)
        write_atomically(folder / "measured.json", json.dumps(measured, indent=2).encode())
    return Run(folder, weights, measured, world.leads)


@contextmanager
def _threads(threads: int | None, world: World, device: str) -> Generator[None, None, None]:
    """Compute with so many threads, and afterwards with as many as before."""
    on_cpu = device == "cpu" or not torch.cuda.is_available()
    if threads is None and on_cpu and world.devices > 1:
        threads = max(1, (os.cpu_count() or 1) // world.devices)
    before = torch.get_num_threads(), cv2.getNumThreads()
    if threads is not None:
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


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
