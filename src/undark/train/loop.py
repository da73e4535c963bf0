"""Lightning's loop around a method: what it is fed with, what it is watched by, how it ends."""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
from torch.utils.data import DataLoader

from undark.train.callbacks import SIGNALS, Asked, Rescue, Save, Stop
from undark.train.data.datasets import Dataset
from undark.train.history import Notify
from undark.train.methods.base import Method
from undark.train.names import CHECKPOINT
from undark.train.parallel import ALONE, World
from undark.train.precision import Exact

__all__ = ["loop", "make_trainer"]


def loop(
    method: Method[Any, Any],
    datasets: Sequence[Dataset],
    callbacks: list[Any],
    stop: Stop,
    *,
    folder: Path,
    resume: bool,
    device: str,
    precision: Exact,
    world: World,
    notify: Notify,
) -> None:
    """Learn from `datasets` until the recipe's last step, and leave the checkpoint in `folder`.

    Args:
        method: What learns.
        datasets: What from.
        callbacks: Lightning's, called in this order, `stop` after them.
        stop: Ends the loop between two steps.
        folder: The run's.
        resume: Whether to go on from its checkpoint.
        device: ``auto``, ``cpu`` or ``cuda``.
        precision: What to compute in.
        world: The processes that share each batch.
        notify: Told where a run that fails can go on.

    Raises:
        KeyboardInterrupt: It was asked to stop.
    """
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
    # To save is a step that all processes take together, and those of several fail alone.
    rescue = [Rescue(folder / CHECKPOINT, notify)] if world.size == 1 else []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = make_trainer(
            method,
            [*rescue, *callbacks, saver, stop],
            steps=plan.fit.steps,
            device=device,
            precision=precision,
            world=world,
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
    world: World = ALONE,
) -> lightning.Trainer:
    """Lightning's loop for a method, for so many `steps`, silent and leaving no files of its own.

    Args:
        method: Whose recipe says how gradients are gathered and clipped.
        callbacks: Lightning's.
        steps: After which it ends.
        device: ``auto``, ``cpu`` or ``cuda``.
        precision: As :func:`undark.train.precision.choose_precision` gives it.
        world: The processes that share each batch.
    """
    for part in ("pytorch", "fabric"):  # their tips are not for users
        logging.getLogger(f"lightning.{part}").setLevel(logging.ERROR)
    fit = method.recipe.fit
    return lightning.Trainer(
        accelerator={"cuda": "gpu"}.get(device, device),
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
        **world.options(),
    )


def _begin_worker(worker: int) -> None:
    """Deaf to Ctrl-C, which reaches the whole group: the run has a step to end.

    A worker goes when the run tells it to, or when the run is gone. PyTorch gives it one thread.
    """
    del worker
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
