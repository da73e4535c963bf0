"""Trials before a run: whether data, loss and network fit, and which learning rate suits them."""

from __future__ import annotations

import itertools
import math
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch.callbacks import Callback
from torch.utils.data import DataLoader, IterableDataset

from undark.errors import DivergedError, UsageError
from undark.io.halves import DarkHalf
from undark.train.early import check_machine
from undark.train.fit import load_data
from undark.train.history import Notify, quiet
from undark.train.loop import make_trainer
from undark.train.methods import make_method
from undark.train.methods.base import Method
from undark.train.parallel import check_gpus
from undark.train.plan import plan_run
from undark.train.precision import choose_precision
from undark.train.recipe import Recipe
from undark.train.weights import load_into, load_weights

__all__ = ["Checked", "FoundRate", "check", "find_lr"]

_SECONDS = 60.0
_STEPS = 300
_FALL = 0.7
_LONG = 1_000_000
_LOWEST, _HIGHEST, _RATES = 1e-6, 1.0, 100


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of learning one batch by heart.

    Attributes:
        steps: Steps taken, of 300 or as many as a minute has.
        first: Means of the loss's terms over the first tenth of them.
        last: The same over the last tenth.
        untouched: Parameters to which no gradient came.
        levels: Mean levels of the batch's dark images and of their truths, in [0, 1]; None
            without truths.
        problems: What is wrong, a line each; empty where all fits.
    """

    steps: int
    first: dict[str, float]
    last: dict[str, float]
    untouched: tuple[str, ...]
    levels: tuple[float, float] | None
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoundRate:
    """What came of a range test.

    Attributes:
        rates: Learning rates tried, rising.
        losses: The loss at each, smoothed.
        lr: What to use as the recipe's ``fit.lr``.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    lr: float


def check(
    recipe: str | Path | Recipe | None = None,
    *,
    data: Path | None = None,
    dark: Path | None = None,
    light: Path | None = None,
    dark_half: DarkHalf | None = None,
    overrides: Sequence[str] = (),
    start: str | Path | None = None,
    device: str = "auto",
    notify: Notify = quiet,
) -> Checked:
    """Learn one batch by heart, for a minute at most: what cannot do that learns nothing else.

    Nothing is written. The arguments, and the errors, are those of :func:`undark.train.run`; the
    warm-up is left out, and the learning rate stays at its peak.
    """
    method, datasets = _prepared(
        recipe,
        data=data,
        dark=dark,
        light=light,
        dark_half=dark_half,
        overrides=overrides,
        start=start,
        device=device,
        notify=notify,
    )
    batch = next(iter(method.stream(datasets)))
    watch = _Watch()
    _short_run(method, itertools.repeat(batch), watch, steps=_STEPS, device=device, notify=notify)
    tenth = max(1, len(watch.seen) // 10)
    first, last = _means(watch.seen[:tenth]), _means(watch.seen[-tenth:])
    untouched = tuple(
        name
        for name, parameter in method.network.named_parameters()
        if parameter.requires_grad and name not in watch.touched
    )
    levels = None
    if {"image", "truth"} <= batch.keys():
        levels = (float(batch["image"].mean()), float(batch["truth"].mean()))
    problems = _problems(first, last, untouched, levels)
    return Checked(len(watch.seen), first, last, untouched, levels, problems)


def find_lr(
    recipe: str | Path | Recipe | None = None,
    *,
    data: Path | None = None,
    dark: Path | None = None,
    light: Path | None = None,
    dark_half: DarkHalf | None = None,
    overrides: Sequence[str] = (),
    start: str | Path | None = None,
    device: str = "auto",
    notify: Notify = quiet,
) -> FoundRate:
    """A range test of the learning rate (Smith, "Cyclical Learning Rates", 2017).

    The rate rises from 1e-6 to 1 in a hundred steps, until the smoothed loss is four times its
    least. What is suggested is a third of the rate at which the loss is least. Nothing is written;
    arguments and errors are those of :func:`undark.train.run`.
    """
    method, datasets = _prepared(
        recipe,
        data=data,
        dark=dark,
        light=light,
        dark_half=dark_half,
        overrides=overrides,
        start=start,
        device=device,
        notify=notify,
    )
    growth = (_HIGHEST / _LOWEST) ** (1 / (_RATES - 1))
    rates = [_LOWEST * growth**step for step in range(_RATES)]
    watch = _Watch(rates)
    stream = cast("IterableDataset[Any]", method.stream(datasets))
    try:
        _short_run(method, stream, watch, steps=_RATES, device=device, notify=notify)
    except DivergedError:  # which is what the test is after
        if not watch.seen:
            raise
    losses = tuple(_smoothed([terms["loss"] for terms in watch.seen]))
    best = min(range(len(losses)), key=losses.__getitem__)
    return FoundRate(tuple(rates[: len(losses)]), losses, float(f"{rates[best] / 3:.1e}"))


def _prepared(
    recipe: str | Path | Recipe | None,
    *,
    data: Path | None,
    dark: Path | None,
    light: Path | None,
    dark_half: DarkHalf | None,
    overrides: Sequence[str],
    start: str | Path | None,
    device: str,
    notify: Notify,
) -> tuple[Method[Any, Any], Sequence[Any]]:
    """The method at the peak of its learning rate, and its data."""
    check_machine(device)
    check_gpus(device)
    origin = None if start is None else load_weights(start)
    plan = plan_run(
        recipe,
        data=data,
        dark=dark,
        light=light,
        dark_half=dark_half,
        out=None,
        overrides=overrides,
        origin=origin,
        notify=notify,
        trial=True,
    )
    fit = replace(plan.recipe.fit, warmup=0, steps=_LONG, accumulate=1)
    torch.manual_seed(plan.recipe.seed)
    method = make_method(replace(plan.recipe, fit=fit))
    if not method.automatic_optimization:
        raise UsageError(
            f"{plan.recipe.method} takes its own gradients, in rounds, and cannot be tried so",
            argument="trial",
        )
    if origin is not None:
        load_into(method.network, origin)
    datasets, _ = load_data(method, plan, notify)
    return method, datasets


class _Watch(Callback):
    """Gathers each step's losses; sets the learning rate where `rates` say which."""

    def __init__(self, rates: Sequence[float] = ()) -> None:
        self.seen: list[dict[str, float]] = []
        self.touched: set[str] = set()
        self._rates = rates
        self._began = time.monotonic()

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        del batch
        for group in trainer.optimizers[0].param_groups if self._rates else ():
            share = group["initial_lr"] / pl_module.recipe.fit.lr
            group["lr"] = share * self._rates[batch_idx]

    def on_after_backward(self, trainer: Any, pl_module: Any) -> None:
        del trainer
        if not self.seen:
            self.touched = {
                name for name, p in pl_module.network.named_parameters() if p.grad is not None
            }

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        del outputs, batch, batch_idx
        self.seen.append(dict(pl_module.losses_now))
        smoothed = _smoothed([terms["loss"] for terms in self.seen]) if self._rates else ()
        wild = len(smoothed) > 10 and min(smoothed) > 0 and smoothed[-1] > 4 * min(smoothed)
        if wild or (not self._rates and time.monotonic() - self._began > _SECONDS):
            trainer.should_stop = True


def _short_run(
    method: Method[Any, Any],
    batches: Any,
    watch: _Watch,
    *,
    steps: int,
    device: str,
    notify: Notify,
) -> None:
    precision, reason = choose_precision(method.recipe.fit.precision, device)
    notify(reason)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = make_trainer(method, [watch], steps=steps, device=device, precision=precision)
        try:
            trainer.fit(method, train_dataloaders=DataLoader(_Given(batches), batch_size=None))
        except SystemExit:  # Lightning's answer to Ctrl-C
            raise KeyboardInterrupt from None


class _Given(IterableDataset[Any]):
    """What it is given, as data for Lightning."""

    def __init__(self, batches: Any) -> None:
        self._batches = batches

    def __iter__(self) -> Any:
        return iter(self._batches)


def _means(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}


def _smoothed(losses: Sequence[float], memory: float = 0.8) -> list[float]:
    """Exponential means, without their bias to the start."""
    found: list[float] = []
    mean = 0.0
    for number, loss in enumerate(losses, 1):
        mean = memory * mean + (1 - memory) * loss
        found.append(mean / (1 - memory**number))
    return found


def _problems(
    first: dict[str, float],
    last: dict[str, float],
    untouched: Sequence[str],
    levels: tuple[float, float] | None,
) -> tuple[str, ...]:
    found: list[str] = []
    # Two players who learn against each other have no loss that must fall.
    if "discriminator" not in first and not last["loss"] < _FALL * first["loss"]:
        found.append(
            f"the loss of one batch did not fall by a third (from {first['loss']:.4f} to"
            f" {last['loss']:.4f}): is fit.lr right, and do the images show the same thing?"
        )
    if untouched:
        found.append(f"no gradient comes to {len(untouched)} parameters, such as {untouched[0]}")
    if levels is not None and levels[0] >= levels[1]:
        stops = math.log2(max(levels[0], 1e-3) / max(levels[1], 1e-3))
        found.append(
            f"the dark images are {stops:.1f} stops brighter than the light ones: the wrong way"
            " around?"
        )
    return tuple(found)
