"""What a run tells while it goes: losses and metrics by step, as lines, files and curves."""

from __future__ import annotations

import csv
import io
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray

from undark.io.atomic import write_atomically
from undark.train.logs import Logs
from undark.train.plot import plot_curves

__all__ = ["History", "Notify", "Progress", "Watch", "quiet"]

Notify = Callable[[str], None]
"""Takes a notice of one line."""


def quiet(message: str) -> None:
    """A `Notify` that drops it."""
    del message


_SILENCE = 30.0
"""Seconds after which a run that has no one to watch each step says something."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands.

    Attributes:
        step: Steps done.
        steps: Steps in all.
        rate: Steps a second, of late; time spent on validation does not count.
        left: Seconds to the last step at that rate.
        losses: Means of the loss's terms since the last row of the history; ``loss`` is minimised.
        scores: The last validation in words; empty before the first.
    """

    step: int
    steps: int
    rate: float
    left: float
    losses: dict[str, float]
    scores: str

    def __str__(self) -> str:
        """The step, the losses, the rate, and the time left: one line."""
        losses = ", ".join(f"{name} {value:.4f}" for name, value in self.losses.items())
        return (
            f"step {self.step} of {self.steps}: {losses}"
            f" ({self.rate:.3g} steps a second, {_duration(self.left)} left)"
        )


Watch = Callable[[Progress], None]
"""Is shown where a run stands, after each step."""


class History(Callback):
    """Losses and metrics by step: notices, logs, a CSV and a plot."""

    def __init__(
        self,
        folder: Path,
        logs: Logs | None,
        *,
        every: int,
        notify: Notify,
        progress: Watch | None = None,
    ) -> None:
        """Write into `folder` and `logs`, or nothing without logs; means are over `every` steps.

        Lines about steps go to `notify`, or every step to `progress` where there is one.
        """
        self._folder = folder
        self._every = every
        self._notify = notify
        self._progress = progress
        self._rows: list[dict[str, float]] = []
        self._sums: dict[str, float] = {}
        self._count = 0
        self._open: dict[str, float] = {}  # the row that is not yet full
        self._scores = ""
        self._lr = 0.0
        self._seconds: deque[float] = deque(maxlen=50)
        self._mark = self._said = time.monotonic()
        self._due = 0.0  # a plot takes a second: when there may be another
        self._logs = logs
        self.begun: bool = False  # until there is a step to do

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin the logs, and say where a resumed run goes on."""
        del trainer
        self.begun = True
        step, steps = pl_module.batches, pl_module.recipe.fit.steps
        if self._logs is not None:
            self._logs.begin(step)
        if step:
            self._notify(f"resumed at step {step} of {steps}")
        self.start_clock()
        self._said = self._mark

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note the rate that this step learns by."""
        del pl_module, batch, batch_idx
        self._lr = trainer.optimizers[0].param_groups[0]["lr"]

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Gather the step's losses."""
        del trainer, outputs, batch, batch_idx
        for name, value in pl_module.losses_now.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._count += 1
        if pl_module.part:
            return
        self._seconds.append(time.monotonic() - self._mark)
        self.start_clock()
        step, steps = pl_module.batches, pl_module.recipe.fit.steps
        means = {name: value / self._count for name, value in self._sums.items()}
        row = step % self._every == 0 or step >= steps
        values = {**{f"train/{name}": mean for name, mean in means.items()}, "lr": self._lr}
        self._open = {"step": step, **values}
        if row:
            self.add(step, values)
            self._sums, self._count, self._open = {}, 0, {}
        seconds = max(sum(self._seconds) / len(self._seconds), 1e-9)
        now = Progress(step, steps, 1 / seconds, (steps - step) * seconds, means, self._scores)
        if self._progress is not None:
            self._progress(now)
        elif row:
            self._say(str(now))
        else:
            self.break_silence(str(now))

    def start_clock(self) -> None:
        """Let the next step's time count from now on."""
        self._mark = time.monotonic()

    def break_silence(self, line: str) -> None:
        """Say `line` if nothing was said for long and nobody watches each step."""
        if self._progress is None and time.monotonic() - self._said >= _SILENCE:
            self._say(line)

    def _say(self, line: str) -> None:
        self._said = time.monotonic()
        self._notify(line)

    def add(self, step: int, values: dict[str, float]) -> None:
        """Note `values` at `step`."""
        self._rows.append({"step": step, **values})
        if self._logs is not None:
            self._logs.add(step, values)

    def show(self, step: int, picture: NDArray[np.uint8]) -> None:
        """Note a picture, H×W×3: a grid of what was validated."""
        done, coded = cv2.imencode(".png", picture[:, :, ::-1])
        if done and self._logs is not None:
            write_atomically(self._folder / "grids" / f"step_{step:07d}.png", coded.tobytes())
            self._logs.show(step, picture)

    def validated(self, records: list[dict[str, Any]]) -> None:
        """Remember the scores for whoever watches, and write all that was noted."""
        self._scores = "; ".join(
            f"{record['on']} {record['psnr']:.2f} dB, SSIM {record['ssim']:.3f}"
            for record in records
            if {"psnr", "ssim"} <= record.keys()
        )
        self.write()

    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Keep what was noted."""
        del trainer, pl_module
        checkpoint["history"] = self._rows
        checkpoint["gathered"] = (self._sums, self._count)

    def on_load_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Go on with what was noted."""
        del trainer, pl_module
        self._rows = list(checkpoint["history"])
        sums, self._count = checkpoint.get("gathered", ({}, 0))
        self._sums = dict(sums)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Leave what was noted, whatever ends the run."""
        del trainer, pl_module, exception
        self.close(done=False)

    def write(self, *, last: bool = False) -> None:
        """Write ``history.csv``, and ``curves.png`` the `last` time and unless it would delay.

        Drawing takes up to a tenth of the time. The row that is not yet full is written too: a run
        that goes on writes it again.
        """
        rows = [*self._rows, self._open] if self._open else self._rows
        if not rows or self._logs is None:
            return
        names = ["step", *dict.fromkeys(k for row in rows for k in row if k != "step")]
        text = io.StringIO(newline="")
        table = csv.DictWriter(text, names)
        table.writeheader()
        table.writerows(rows)
        write_atomically(self._folder / "history.csv", text.getvalue().encode())
        begun = time.monotonic()
        if last or begun >= self._due:
            write_atomically(self._folder / "curves.png", plot_curves(rows))
            ended = time.monotonic()
            self._due = ended + 10 * (ended - begun)
        self._logs.flush()

    def close(self, *, done: bool = True) -> None:
        """Write all, and close the logs; `done` says whether the run came to its end."""
        self.write(last=True)
        if self._logs is not None:
            self._logs.close(done=done)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
