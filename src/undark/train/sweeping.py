"""Many runs of one recipe with other values: every combination, or a search among them.

The folder of a sweep holds ``study.log`` (what Optuna knows, so that the same command goes on), a
folder for each trial, which is a run like any other, ``trials.csv`` and ``sweep.png``.
"""

from __future__ import annotations

import csv
import io
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from undark.errors import DivergedError, RecipeError, TrainError
from undark.io.atomic import write_atomically
from undark.train.data.fitting import usual_data
from undark.train.early import check_early
from undark.train.fit import Stopped, run
from undark.train.history import Notify, quiet
from undark.train.names import CHECKPOINT
from undark.train.plan import completed, read_recipe, settings_of
from undark.train.plot import plot_trials
from undark.train.recipe import Recipe, override
from undark.train.space import GRID, Axis, combinations, read_axes
from undark.train.study import FOLDER, STATE, counted, next_trial, open_study, requeue
from undark.train.weights import load_weights

__all__ = ["Swept", "Trial", "sweep"]

_LOOKED_AT = 256
"""Combinations up to which it is seen beforehand which values fit in none."""

_LATE = ("progress",)
"""Arguments of a run that nothing can be wrong with before it begins."""

_SCORE = "psnr"
"""The metric that trials are compared by."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of a sweep.

    Attributes:
        number: From 0; that of its folder.
        state: ``complete``, ``pruned`` (stopped early, as it was worse than others at that step) or
            ``failed``.
        score: Mean PSNR of unseen pairs over the sources, in dB, of a pruned trial at its last
            validation; where nothing is held out, the last loss, negated; None of a failed one.
        settings: ``key=value`` for each key.
        folder: Its run.
        seconds: That it took.
        why: It failed.
    """

    number: int
    state: str
    score: float | None
    settings: tuple[str, ...]
    folder: Path
    seconds: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep found.

    Attributes:
        folder: Where all of it lies.
        trials: By number, which is nearly the order in which they ran.
    """

    folder: Path
    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial | None:
        """The finished trial with the highest score."""
        done = [t for t in self.trials if t.state == "complete" and t.score is not None]
        return max(done, key=lambda trial: trial.score or 0.0, default=None)


def sweep(
    recipe: str | Path,
    axes: Sequence[str],
    *,
    out: Path,
    trials: int | None = None,
    overrides: Sequence[str] = (),
    notify: Notify = quiet,
    **given: Any,
) -> Swept:
    """Run `recipe` with many values of some keys, and tell which scores best on unseen pairs.

    Every combination of listed values is tried, unless there are more than `trials`, or more than
    64: these, and ranges, are searched by a tree-structured Parzen estimator (Bergstra et al.,
    "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011). A trial that at a validation is
    below the median of those before it at that step is stopped. The same call goes on where a
    sweep was stopped, in the middle of a trial too; with more `trials`, a search goes on longer.

    Args:
        recipe: As for :func:`undark.train.run`.
        axes: ``KEY=A,B,C`` or ``KEY=LOW..HIGH``; see :func:`undark.train.space.read_axis`.
        out: The sweep's folder.
        trials: How many runs at most.
        overrides: ``key=value`` settings of all trials.
        notify: Called with notices, a line each.
        **given: The rest of :func:`undark.train.run`'s arguments.

    Raises:
        UsageError: An axis makes no sense, or a range has no number of trials.
        RecipeError: The recipe does not hold up, or takes a listed value in no combination.
        MissingExtraError: Optuna is not installed.
        TrainError: The folder holds a sweep of something else, or no trial could run.
        Stopped: The sweep was asked to stop.
    """
    check_early(
        str(recipe),
        out=out,
        axes=axes,
        trials=trials,
        overrides=overrides,
        **{k: v for k, v in given.items() if k not in _LATE},
    )
    found = read_axes(axes, trials)
    grid = combinations(found)
    common = _common(recipe, found, overrides, given)
    study = open_study(out, found, common, _asked(common, overrides, given))
    searched = grid is None or len(grid) > (GRID if trials is None else trials)
    count = trials if grid is None or searched else len(grid)
    assert count is not None  # read_axes asks for it where there is something to search
    requeue(study)
    for values in () if grid is None or searched else grid:
        study.enqueue_trial(values, skip_if_exists=True)
    notify(
        f"sweep: {count} trials, {'a search' if searched else 'every combination'} of"
        f" {', '.join(axis.key for axis in found)}"
    )
    while len(counted(study)) < count:
        trial, settings = next_trial(study, found, grid)
        _try(study, trial, settings, recipe, out, overrides=overrides, notify=notify, **given)
        _write(study, found, out)
    swept = _write(study, found, out)
    if all(trial.state == "failed" for trial in swept.trials):
        raise TrainError(f"{out}: no trial could run; the last: {swept.trials[-1].why}")
    return swept


def _common(
    recipe: str | Path, axes: Sequence[Axis], overrides: Sequence[str], given: dict[str, Any]
) -> Recipe:
    """What all trials have in common, once no listed value is one that the method never takes.

    Raises:
        RecipeError: A value cannot be with any of the others; of a range, both ends count.
    """
    start = given.get("start")
    origin = None if start is None else load_weights(start)
    settings = settings_of(overrides, given.get("steps"))
    written = read_recipe(recipe, origin)
    product = itertools.product(*(axis.examples for axis in axes))
    every = list(itertools.islice(product, _LOOKED_AT + 1))
    failed: dict[str, RecipeError] = {}
    fitting: set[str] = set()
    for values in every:
        swept = [f"{axis.key}={value}" for axis, value in zip(axes, values, strict=True)]
        try:
            completed(override(written, [*settings, *swept]))
            fitting.update(swept)
        except RecipeError as error:
            failed |= dict.fromkeys(swept, error)
    wrong = [text for text in failed if text not in fitting]
    if wrong and len(every) <= _LOOKED_AT:
        text = next((t for t in wrong if t.partition("=")[0] in str(failed[t])), wrong[0])
        raise RecipeError(f"{text}: {failed[text]}", argument="sweep")
    return override(written, settings)


def _asked(
    common: Recipe, overrides: Sequence[str], given: dict[str, Any]
) -> dict[str, str | list[str] | None]:
    """What a sweep is of besides its axes and its recipe, to be compared when it goes on."""
    data, start = given.get("data"), given.get("start")
    stacks = [given.get(side) for side in ("dark", "light")]
    if data is None and not any(stacks):
        data = usual_data(common)
    places = [None if place is None else str(Path(place).resolve()) for place in (data, *stacks)]
    if start is not None:
        start = str(Path(start).resolve()) if Path(start).exists() else str(start)
    return {
        "overrides": list(overrides),
        **dict(zip(("data", "dark", "light"), places, strict=True)),
        "dark_half": given.get("dark_half"),
        "from": start,
    }


def _try(
    study: Any,
    trial: Any,
    settings: Sequence[str],
    recipe: str | Path,
    out: Path,
    *,
    overrides: Sequence[str],
    notify: Notify,
    **given: Any,
) -> None:
    """Run one trial, or what is left of it; raises `Stopped` where the user asked for that."""
    from optuna.trial import TrialState

    folder = out / trial.user_attrs[FOLDER]
    number = int(folder.name)
    goes_on = (folder / CHECKPOINT).is_file()
    notify(f"trial {number}{' goes on' if goes_on else ''}: {', '.join(settings)}")
    seen: list[float] = []
    worse = False

    def scored(step: int, records: list[dict[str, Any]]) -> bool:
        nonlocal worse
        if (value := _mean_score(records)) is None:
            return False
        seen.append(value)
        trial.report(value, step)
        worse = bool(trial.should_prune())
        return worse

    if goes_on:
        given["start"] = None  # it has weights of its own
    began = time.monotonic()
    ended: dict[str, Any] = {STATE: "complete"}
    try:
        done = run(
            None if goes_on else recipe,
            out=folder,
            resume=goes_on,
            overrides=[] if goes_on else [*overrides, *settings],
            notify=notify,
            scored=scored,
            **given,
        )
        value = _mean_score(done.measured)
        ended["score"] = -_last_loss(folder) if value is None else value
    except Stopped:
        if not worse:
            raise
        ended = {STATE: "pruned", "score": seen[-1]}
        notify(f"trial {number} is below the median at this step, and ends here")
    except (RecipeError, DivergedError) as error:
        ended = {STATE: "failed", "why": str(error)}
        notify(f"trial {number} failed: {error}")
    ended["seconds"] = round(time.monotonic() - began, 1)
    for key, item in ended.items():
        trial.set_user_attr(key, item)
    states = {"pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
    if ended[STATE] in states:
        study.tell(trial, state=states[ended[STATE]])
    else:
        study.tell(trial, ended["score"])


def _mean_score(records: Sequence[dict[str, Any]]) -> float | None:
    """The score of a validation: its mean over the sources."""
    values = [float(record[_SCORE]) for record in records if _SCORE in record]
    return sum(values) / len(values) if values else None


def _last_loss(folder: Path) -> float:
    with (folder / "history.csv").open(encoding="utf-8", newline="") as file:
        losses = [float(row["train/loss"]) for row in csv.DictReader(file) if row["train/loss"]]
    return losses[-1]


def _write(study: Any, axes: Sequence[Axis], out: Path) -> Swept:
    """Leave the table and the plot of what is known."""
    trials: list[Trial] = []
    values: list[dict[str, Any]] = []
    for known in sorted(counted(study), key=lambda known: int(known.user_attrs[FOLDER])):
        told = known.user_attrs
        trials.append(
            Trial(
                int(told[FOLDER]),
                told[STATE],
                told.get("score"),
                tuple(f"{axis.key}={axis.written(known.params[axis.key])}" for axis in axes),
                out / told[FOLDER],
                told["seconds"],
                told.get("why", ""),
            )
        )
        values.append(known.params)
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(
        ["trial", "state", "score", *(axis.key for axis in axes), "seconds", "folder", "why"]
    )
    for trial in trials:
        parts = [setting.partition("=")[2] for setting in trial.settings]
        score = "" if trial.score is None else f"{trial.score:.4f}"
        row = [trial.number, trial.state, score, *parts, trial.seconds, trial.folder, trial.why]
        table.writerow(row)
    write_atomically(out / "trials.csv", text.getvalue().encode())
    shown = [
        (trial.number, trial.score, trial.state == "complete", found)
        for trial, found in zip(trials, values, strict=True)
        if trial.score is not None
    ]
    if shown:
        logarithmic = [axis.key for axis in axes if axis.logarithmic]
        write_atomically(out / "sweep.png", plot_trials(shown, logarithmic=logarithmic))
    return Swept(out, tuple(trials))
