"""Where a run's numbers go besides its own CSV: TensorBoard's files, and what else is asked for.

Nothing is sent anywhere unless a logger is named; each keeps to its own settings, such as
``WANDB_MODE=offline`` or ``MLFLOW_TRACKING_URI``.
"""

from __future__ import annotations

import contextlib
import json
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from lightning.pytorch.loggers import Logger
from numpy.typing import NDArray
from torch.utils.tensorboard import SummaryWriter

from undark.errors import TrainError
from undark.io.atomic import write_atomically
from undark.train.recipe import Recipe

__all__ = ["Logs", "open_logs"]

_PROJECT = "undark"
_KNOWN_RUNS = "loggers.json"

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Kind:
    """A logger: how it is opened, which run it is, and how it takes images.

    Attributes:
        open: Given the run's folder, its name, and the logger's own name of the run that goes on.
    """

    open: Callable[[Path, str, str | None], Logger]
    run: Callable[[Any], str]
    show: Callable[[Any, Picture, int], None]
    close: Callable[[Any], None] = lambda _: None


def _open_wandb(folder: Path, name: str, run: str | None) -> Logger:
    from lightning.pytorch.loggers import WandbLogger

    project = os.environ.get("WANDB_PROJECT", _PROJECT)
    more: dict[str, Any] = {"settings": _wandb_settings(), "resume": "allow"}
    return WandbLogger(name=name, save_dir=folder, project=project, id=run, **more)


def _wandb_settings() -> Any:
    import wandb  # pyright: ignore[reportMissingImports]

    return wandb.Settings(console="off", silent=True)


def _open_mlflow(folder: Path, name: str, run: str | None) -> Logger:
    import mlflow  # pyright: ignore[reportMissingImports]
    from lightning.pytorch.loggers import MLFlowLogger

    del folder
    experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME", _PROJECT)
    return MLFlowLogger(
        experiment_name=experiment,
        run_name=name,
        tracking_uri=mlflow.get_tracking_uri(),
        run_id=run,
    )


def _open_aim(folder: Path, name: str, run: str | None) -> Logger:
    from aim.pytorch_lightning import AimLogger  # pyright: ignore[reportMissingImports]

    del folder, name
    return AimLogger(experiment=_PROJECT, run_hash=run)


def _show_wandb(logger: Any, picture: Picture, step: int) -> None:
    logger.log_image("val", [picture], step=step)


def _show_mlflow(logger: Any, picture: Picture, step: int) -> None:
    logger.experiment.log_image(logger.run_id, picture, f"grids/step_{step:07d}.png")


def _show_aim(logger: Any, picture: Picture, step: int) -> None:
    from aim import Image  # pyright: ignore[reportMissingImports]
    from PIL import Image as pillow  # noqa: N813 - both are named so

    logger.experiment.track(Image(pillow.fromarray(picture)), name="val", step=step)


_KINDS: Final[dict[str, _Kind]] = {
    "wandb": _Kind(
        _open_wandb,
        lambda logger: str(logger.experiment.id),
        _show_wandb,
        lambda logger: logger.experiment.finish(),
    ),
    "mlflow": _Kind(_open_mlflow, lambda logger: logger.run_id, _show_mlflow),
    "aim": _Kind(_open_aim, lambda logger: logger.experiment.hash, _show_aim),
}
"""Those that may be asked for by name; :data:`undark.train.early.LOGGERS` has their packages."""


def open_logs(names: Sequence[str], folder: Path, recipe: Recipe, *, resume: bool) -> Logs:
    """The logs of a run, with its recipe as their hyperparameters.

    A run that goes on goes on in each logger too, with the recipe that it was begun by.

    Raises:
        TrainError: A logger cannot start.
    """
    known = _known_runs(folder) if resume else {}
    opened: list[tuple[_Kind, Logger]] = []
    for name in dict.fromkeys(names):
        kind = _KINDS[name]
        try:
            with _hushed():
                logger = kind.open(folder, folder.resolve().name, known.get(name))
                if name not in known:
                    logger.log_hyperparams(recipe.to_dict())
                known[name] = kind.run(logger)
        except Exception as error:
            reason = " ".join(str(error).split())[:300]
            raise TrainError(f"{name} cannot start: {reason}", argument="loggers") from error
        opened.append((kind, logger))
    if names:
        write_atomically(folder / _KNOWN_RUNS, json.dumps(known, indent=2).encode())
    return Logs(folder, opened)


def _known_runs(folder: Path) -> dict[str, str]:
    try:
        found = json.loads((folder / _KNOWN_RUNS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


class Logs:
    """TensorBoard's events in `folder`, and the loggers that were asked for."""

    def __init__(self, folder: Path, opened: Sequence[tuple[_Kind, Logger]]) -> None:
        """Log to what is `opened` already."""
        self._folder = folder
        self._opened = list(opened)
        self._writer: SummaryWriter | None = None

    def begin(self, step: int) -> None:
        """Go on from `step`: what TensorBoard has of later ones is forgotten."""
        self._writer = SummaryWriter(str(self._folder), purge_step=step)

    def add(self, step: int, values: dict[str, float]) -> None:
        """Log `values` by name."""
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)
        with _hushed():
            for _, logger in self._opened:
                logger.log_metrics(values, step)

    def show(self, step: int, picture: Picture) -> None:
        """Log a picture, H×W×3."""
        if self._writer is not None:
            self._writer.add_image("val", picture, step, dataformats="HWC")
        with _hushed():
            for kind, logger in self._opened:
                kind.show(logger, picture, step)

    def flush(self) -> None:
        """Leave all that was logged in TensorBoard's file."""
        if self._writer is not None:
            self._writer.flush()

    def close(self, *, done: bool) -> None:
        """End; `done` says whether the run came to its end."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        with _hushed():
            for kind, logger in self._opened:
                logger.finalize("success" if done else "failed")
                kind.close(logger)
        self._opened = []


@contextlib.contextmanager
def _hushed() -> Any:
    """Without the warnings of others' packages, which the user can do nothing about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
