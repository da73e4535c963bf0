"""What happens beside the loop: averaged weights, validation, checkpoints, and stopping."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray
from torch import Tensor

from undark.errors import DivergedError
from undark.evaluate.report.grid import image_grid
from undark.io.names import counted
from undark.train import shares
from undark.train.data.loading import LoadedPair
from undark.train.history import History, Notify
from undark.train.methods.base import Method

__all__ = [
    "SIGNALS",
    "Asked",
    "Average",
    "Rescue",
    "Save",
    "Schedule",
    "Scored",
    "Stop",
    "Validate",
]

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""What asks a run to stop: Ctrl-C, another process, and a terminal that closes."""

_Measured = tuple[int, str, dict[str, float], str, list[NDArray[Any]] | None]
"""Of one image: its number, its source, the metrics, and what of it is shown."""

Scored = Callable[[int, list[dict[str, Any]]], bool]
"""Is shown a validation's step and records; says whether the run is to stop."""

_MEANINGS = {
    "psnr": "against the truth, in dB",
    "psnr_told": "the same, had the network been told how bright the truth is",
    "psnr_matched": "the same, once the result is scaled to the truth's mean level",
    "error_ev": "how far the results' brightness is off, in stops (root mean square)",
}


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
        if pl_module.part:
            return
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


class Validate(Callback):
    """Measures whole held-out images with the averaged weights, now and then."""

    _SHOWN = 4

    def __init__(
        self,
        held: dict[str, list[LoadedPair]],
        average: Average,
        history: History,
        stop: Stop,
        *,
        notify: Notify,
        scored: Scored | None = None,
    ) -> None:
        """Validate on `held`, pairs by source name; `stop` where `scored` says so."""
        self._held = held
        self._average = average
        self._history = history
        self._notify = notify
        self._explained = False
        self._stop = stop
        self._scored = scored

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Measure a few images every so many steps."""
        del trainer, outputs, batch, batch_idx
        fit = pl_module.recipe.fit
        due = pl_module.batches % fit.validate_every == 0 and pl_module.batches < fit.steps
        if due and not pl_module.part and pl_module.batches:
            records = self.run(pl_module, limit=fit.validate_on)
            if self._scored is not None and self._scored(pl_module.batches, records):
                self._stop.ask()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Show where a run stands that was asked to stop: a grid, without scores."""
        del trainer
        if isinstance(exception, Asked):
            self._measured(pl_module, limit=self._SHOWN)

    def run(self, method: Method[Any, Any], *, limit: int | None = None) -> list[dict[str, Any]]:
        """Measure up to `limit` images per source, evenly spread; draws an image grid.

        Returns:
            One record per source: ``on``, ``pictures`` and the means of the metrics.
        """
        records: list[dict[str, Any]] = []
        for name, values in self._measured(method, limit=limit).items():
            means = {key: float(np.mean([v[key] for v in values])) for key in values[0]}
            means["error_ev"] = float(np.sqrt(np.mean([v["error_ev"] ** 2 for v in values])))
            records.append({"on": name, "pictures": len(values), **means})
            self._history.add(
                method.batches, {f"val/{name}/{key}": value for key, value in means.items()}
            )
            shown = ", ".join(f"{key} {value:.3f}" for key, value in means.items())
            count = counted(len(values), "unseen image")
            self._notify(f"step {method.batches}, {count} of {name}: {shown}")
        if records and not self._explained:
            self._notify(_explained(records))
            self._explained = True
        self._history.validated(records)
        self._history.start_clock()
        return records

    def _measured(
        self, method: Method[Any, Any], *, limit: int | None
    ) -> dict[str, list[dict[str, float]]]:
        """Metrics of each image, by source, measured with the averaged weights; and the grid."""
        own = {key: value.detach().clone() for key, value in method.network.state_dict().items()}
        method.network.load_state_dict(self._average.state)
        chosen: list[tuple[str, LoadedPair, bool]] = []
        for name, pairs in self._held.items():
            count = len(pairs) if limit is None else min(limit, len(pairs))
            for number, pair in enumerate(pairs[i * len(pairs) // count] for i in range(count)):
                shown = number * self._SHOWN // count != (number - 1) * self._SHOWN // count
                chosen.append((name, pair, shown))
        own_number, processes = shares.place()
        done: list[_Measured] = []
        try:
            for number in range(own_number, len(chosen), processes):
                name, pair, shown = chosen[number]
                self._history.break_silence(f"measuring unseen image {number + 1} of {len(chosen)}")
                measured, output = method.measure(pair)
                row = [pair.low, output, pair.high] if shown else None
                caption = f"{name} {pair.name}: {measured['psnr']:.2f} dB"
                done.append((number, name, measured, caption, row))
        finally:  # what is saved of a run that fails here are its own weights
            method.network.load_state_dict(own)
            method.network.train()
        every = sorted(chain(*shares.gather(done)), key=lambda item: item[0])
        rows = [(caption, row) for *_, caption, row in every if row is not None]
        if rows:
            grid = image_grid(
                [row for _, row in rows],
                labels=["dark", "output", "truth"],
                captions=[caption for caption, _ in rows],
            )
            self._history.show(method.batches, grid)
        found: dict[str, list[dict[str, float]]] = {}
        for _, name, measured, *_ in every:
            found.setdefault(name, []).append(measured)
        return found


def _explained(records: list[dict[str, Any]]) -> str:
    """What the metrics of `records` mean, for those who meet them first."""
    shown = {key for record in records for key in record}
    return "; ".join(f"{name}: {meaning}" for name, meaning in _MEANINGS.items() if name in shown)


class Schedule(Callback):
    """Lets the learning rate follow the recipe as it is, also where it changed before a resume.

    At step k it is what a run by this recipe has at step k, whatever length or peak the run was
    begun with.
    """

    def __init__(self) -> None:
        """Ask the method's own optimiser and schedule, when training starts."""
        self._peak: float | None = None

    def on_load_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Learn by which peak the restored state was made."""
        del trainer, pl_module
        self._peak = checkpoint["recipe"]["fit"]["lr"]

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Put the rates right that were restored."""
        if self._peak is None:
            return
        ratio = pl_module.recipe.fit.lr / self._peak
        for config in trainer.lr_scheduler_configs:
            schedule = config.scheduler
            schedule.base_lrs = [base * ratio for base in schedule.base_lrs]
            for group, base, factor in zip(
                schedule.optimizer.param_groups,
                schedule.base_lrs,
                schedule.lr_lambdas,
                strict=True,
            ):
                group["initial_lr"] = base
                group["lr"] = base * factor(schedule.last_epoch)


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
        del outputs, batch, batch_idx
        if pl_module.part:
            return
        # The clocks of several processes differ, so all go by whether one of them is due.
        if shares.one_of_all(time.monotonic() - self._last >= self._seconds):
            trainer.save_checkpoint(self._checkpoint)
            self._last = time.monotonic()


class Rescue(Callback):
    """Saves a checkpoint where a run fails between two steps: in a validation, or for want of data.

    Within a step the weights may be half changed. It must be the first callback, since any of the
    others may fail.
    """

    def __init__(self, checkpoint: Path, notify: Notify) -> None:
        """Save to `checkpoint`, and tell `notify`."""
        self._checkpoint = checkpoint
        self._notify = notify
        self._between = False

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        """From here on the state is not to be saved."""
        del trainer, pl_module, batch, batch_idx
        self._between = False

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """From here on it is, unless the step has another part."""
        del trainer, outputs, batch, batch_idx
        self._between = not pl_module.part

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Save, unless that is done already or what was learned is worth nothing."""
        if not self._between or not isinstance(exception, Exception):
            return
        state = pl_module.network.state_dict().values()
        spoilt = isinstance(exception, DivergedError) or not all(
            bool(torch.isfinite(value).all()) for value in state
        )
        if spoilt or isinstance(exception, Asked):
            return
        try:
            trainer.save_checkpoint(self._checkpoint)
        except OSError as error:  # of the two errors, the first is the one to raise
            self._notify(f"{self._checkpoint}: cannot be written: {error}")
            return
        self._notify(
            f"the run failed after step {pl_module.batches}, which is saved; once that is mended,"
            f" undark train --resume {self._checkpoint.parent} goes on from there"
        )


class Asked(Exception):  # noqa: N818 - not an error: the user asked for it
    """The run was asked to stop and its state is saved."""


class Stop(Callback):
    """On one of `SIGNALS`: finish the step, save, and raise `Asked`."""

    def __init__(self, checkpoint: Path, *, listens: bool = True) -> None:
        """Save to `checkpoint`; where another process `listens`, that one's signals count."""
        self._checkpoint = checkpoint
        self._listens = listens
        self._asked = False
        self._before: dict[int, Any] = {}

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Listen to signals, where this is the main thread."""
        del trainer, pl_module
        if self._listens and threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
                    self._before[number] = signal.signal(number, self._ask)

    def ask(self) -> None:
        """Stop after this step."""
        self._asked = True

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
            Asked: A signal came.
        """
        del outputs, batch, batch_idx
        if not pl_module.part and shares.one_of_all(self._asked):
            trainer.save_checkpoint(self._checkpoint)
            raise Asked

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Give the signals back."""
        del trainer, pl_module, stage
        self._give_back()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Give the signals back where Lightning does not come to tear down."""
        del trainer, pl_module, exception
        self._give_back()

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
