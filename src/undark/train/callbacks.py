"""What happens beside the loop: averaged weights, history, plots and image grids."""

from __future__ import annotations

import csv
import io
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from undark.evaluate.report.grid import image_grid
from undark.io.atomic import write_atomically
from undark.train.data.loading import LoadedPair
from undark.train.methods.base import Method
from undark.train.plot import plot_curves

__all__ = ["Average", "History", "Save", "Stop", "Stopped", "Validate"]


class Average(Callback):
    """An exponential moving average of the network's weights, in float32.

    After Polyak and Juditsky (1992); the decay grows from small values, so that the random start
    is forgotten: ``min(decay, (1 + n) / (10 + n))``.
    """

    def __init__(self, decay: float) -> None:
        """Average with `decay` in [0, 1); 0 follows the weights themselves."""
        self.decay = decay
        self.state: dict[str, Tensor] = {}

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Begin at the network's weights, unless resumed."""
        del trainer
        current = pl_module.network.state_dict()
        if self.state:
            self.state = {k: v.to(current[k].device) for k, v in self.state.items()}
        else:
            self.state = {key: value.detach().clone() for key, value in current.items()}

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Follow the weights."""
        del trainer, outputs, batch, batch_idx
        decay = min(self.decay, (1 + pl_module.batches) / (10 + pl_module.batches))
        for key, value in pl_module.network.state_dict().items():
            if value.is_floating_point():
                self.state[key].lerp_(value, 1.0 - decay)
            else:
                self.state[key].copy_(value)

    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Keep the average."""
        del trainer, pl_module
        checkpoint["average"] = self.state

    def on_load_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Go on with the average."""
        del trainer, pl_module
        self.state = dict(checkpoint["average"])


class History(Callback):
    """Losses and metrics by step: a line now and then, TensorBoard scalars, a CSV and a plot."""

    def __init__(self, folder: Path, *, every: int, notify: Callable[[str], None]) -> None:
        """Write into `folder`; average losses over `every` steps."""
        self._folder = folder
        self._every = every
        self._notify = notify
        self._rows: list[dict[str, float]] = []
        self._sums: dict[str, float] = {}
        self._count = 0
        self._began = 0.0
        self.writer: SummaryWriter | None = None

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Open the TensorBoard log."""
        del trainer
        self.writer = SummaryWriter(str(self._folder), purge_step=pl_module.batches)
        self._began = time.monotonic()

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Gather the step's losses."""
        del trainer, outputs, batch, batch_idx
        for name, value in pl_module.losses_now.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._count += 1
        if pl_module.batches % self._every and pl_module.batches < pl_module.recipe.fit.steps:
            return
        seconds = (time.monotonic() - self._began) / self._count
        means = {f"train/{name}": value / self._count for name, value in self._sums.items()}
        self.add(pl_module.batches, means)
        shown = ", ".join(f"{name[6:]} {value:.4f}" for name, value in means.items())
        self._notify(
            f"step {pl_module.batches} of {pl_module.recipe.fit.steps}: {shown}"
            f" ({1000 * seconds:.0f} ms a step)"
        )
        self._sums, self._count, self._began = {}, 0, time.monotonic()

    def add(self, step: int, values: dict[str, float]) -> None:
        """Note `values` at `step`."""
        self._rows.append({"step": step, **values})
        if self.writer is not None:
            for name, value in values.items():
                self.writer.add_scalar(name, value, step)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Time spent validating is no step's."""
        del trainer, pl_module
        self._began, self._sums, self._count = time.monotonic(), {}, 0

    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Keep what was noted."""
        del trainer, pl_module
        checkpoint["history"] = self._rows

    def on_load_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Go on with what was noted."""
        del trainer, pl_module
        self._rows = list(checkpoint["history"])

    def write(self) -> None:
        """Write ``history.csv`` and ``curves.png``, and close the TensorBoard log."""
        names = ["step", *dict.fromkeys(k for row in self._rows for k in row if k != "step")]
        text = io.StringIO(newline="")
        table = csv.DictWriter(text, names)
        table.writeheader()
        table.writerows(self._rows)
        write_atomically(self._folder / "history.csv", text.getvalue().encode())
        write_atomically(self._folder / "curves.png", plot_curves(self._rows))
        if self.writer is not None:
            self.writer.close()


class Validate(Callback):
    """Measures whole held-out images with the averaged weights, now and then."""

    _SHOWN = 4

    def __init__(
        self,
        held: dict[str, list[LoadedPair]],
        average: Average,
        history: History,
        *,
        folder: Path,
        notify: Callable[[str], None],
    ) -> None:
        """Validate on `held`, pairs by source name."""
        self._held = held
        self._average = average
        self._history = history
        self._folder = folder
        self._notify = notify

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Measure a few images every so many steps."""
        del trainer, outputs, batch, batch_idx
        fit = pl_module.recipe.fit
        if pl_module.batches % fit.validate_every == 0 and pl_module.batches < fit.steps:
            self.run(pl_module, limit=fit.validate_on)

    def run(self, method: Method[Any, Any], *, limit: int | None = None) -> list[dict[str, Any]]:
        """Measure up to `limit` images per source, evenly spread; draws an image grid.

        Returns:
            One record per source: ``on``, ``pictures`` and the means of the metrics.
        """
        own = {key: value.detach().clone() for key, value in method.network.state_dict().items()}
        method.network.load_state_dict(self._average.state)
        records: list[dict[str, Any]] = []
        rows: list[list[np.ndarray[Any, Any]]] = []
        captions: list[str] = []
        for name, pairs in self._held.items():
            count = len(pairs) if limit is None else min(limit, len(pairs))
            chosen = [pairs[i * len(pairs) // count] for i in range(count)]
            values: list[dict[str, float]] = []
            for number, pair in enumerate(chosen):
                measured, output = method.measure(pair)
                values.append(measured)
                if number * self._SHOWN // count != (number - 1) * self._SHOWN // count:
                    rows.append([pair.low, output, pair.high])
                    captions.append(f"{name} {pair.name}: {measured['psnr']:.2f} dB")
            means = {key: float(np.mean([v[key] for v in values])) for key in values[0]}
            means["error_ev"] = float(np.sqrt(np.mean([v["error_ev"] ** 2 for v in values])))
            records.append({"on": name, "pictures": count, **means})
            self._history.add(
                method.batches, {f"val/{name}/{key}": value for key, value in means.items()}
            )
            shown = ", ".join(f"{key} {value:.3f}" for key, value in means.items())
            self._notify(f"step {method.batches}, {count} unseen images of {name}: {shown}")
        if rows:
            grid = image_grid(rows, labels=["dark", "output", "truth"], captions=captions)
            done, coded = cv2.imencode(".png", grid[:, :, ::-1])
            if done:
                write_atomically(
                    self._folder / "grids" / f"step_{method.batches:07d}.png", coded.tobytes()
                )
            if self._history.writer is not None:
                self._history.writer.add_image("val", grid, method.batches, dataformats="HWC")
        method.network.load_state_dict(own)
        method.network.train()
        return records


class Save(Callback):
    """Saves a checkpoint every so many minutes, however the method takes its gradients.

    Lightning's own does so by the clock for automatic optimisation alone.
    """

    def __init__(self, checkpoint: Path, *, minutes: float) -> None:
        """Save to `checkpoint`."""
        self._checkpoint = checkpoint
        self._seconds = 60 * minutes
        self._last = time.monotonic()

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save between two steps, where it is time."""
        del pl_module, outputs, batch, batch_idx
        if time.monotonic() - self._last >= self._seconds:
            trainer.save_checkpoint(self._checkpoint)
            self._last = time.monotonic()


class Stopped(Exception):  # noqa: N818 - not an error: the user asked for it
    """The run was asked to stop and its state is saved."""


class Stop(Callback):
    """On SIGINT or SIGTERM: finish the step, save, and raise `Stopped`."""

    def __init__(self, checkpoint: Path) -> None:
        """Save to `checkpoint`."""
        self._checkpoint = checkpoint
        self._asked = False
        self._before: dict[int, Any] = {}

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Listen to signals, where this is the main thread."""
        del trainer, pl_module
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)

    def _ask(self, number: int, frame: Any) -> None:
        del frame
        if self._asked and callable(self._before[number]):
            self._before[number](number, None)  # asked twice: at once
        self._asked = True

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop between two steps.

        Raises:
            Stopped: A signal came.
        """
        del pl_module, outputs, batch, batch_idx
        if self._asked:
            trainer.save_checkpoint(self._checkpoint)
            raise Stopped

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Give the signals back."""
        del trainer, pl_module, stage
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
