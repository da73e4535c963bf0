"""What a sweep's folder holds of the sweep: Optuna's study, and what was asked for."""

from __future__ import annotations

import random
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import optuna
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from undark.errors import RecipeError, TrainError
from undark.train.names import STUDY
from undark.train.plan import differences
from undark.train.recipe import Recipe, parse
from undark.train.space import Axis

__all__ = ["FOLDER", "STATE", "counted", "next_trial", "open_study", "requeue"]

FOLDER: Final = "folder"
"""A trial's attribute: its run's folder, within the sweep's."""

STATE: Final = "state"
"""A trial's attribute: how it ended; it has one only then."""

_WORDS: Final = {
    "axes": "keys or values to try",
    "overrides": "settings",
    "data": "data",
    "dark": "dark photos",
    "light": "light photos",
    "dark_half": "dark half",
    "from": "weights to start from",
}


def open_study(
    out: Path, axes: Sequence[Axis], recipe: Recipe, given: Mapping[str, Any]
) -> optuna.Study:
    """The study in the folder `out`, or a new one.

    Args:
        out: The sweep's folder.
        axes: What is swept.
        recipe: What all trials have in common.
        given: What else was asked for, by the keys of `_WORDS`, as JSON holds it.

    Raises:
        TrainError: The folder holds a sweep of something else; the message names what differs.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    out.mkdir(parents=True, exist_ok=True)
    about = {"axes": [repr(axis) for axis in axes], **given, "recipe": recipe.to_dict()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(
            storage=optuna.storages.JournalStorage(JournalFileBackend(str(out / STUDY))),
            study_name="sweep",
            direction="maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
        )
        # A search that goes on must not draw again what it drew.
        study.sampler = optuna.samplers.TPESampler(seed=len(study.trials), n_startup_trials=8)
    known = study.user_attrs.get("about", about)
    if found := _differing(known, about, recipe, [axis.key for axis in axes]):
        raise TrainError(
            f"{out} holds another sweep ({'; '.join(found)}): choose another folder",
            argument="out",
        )
    study.set_user_attr("about", about)
    return study


def _differing(
    known: Mapping[str, Any], about: Mapping[str, Any], recipe: Recipe, swept: Sequence[str]
) -> list[str]:
    """What differs, a line each. Of a study from before all was noted, what was is compared."""
    names = [name for name in _WORDS if name in known and name in about]
    begun = _parsed(known.get("recipe"))
    if begun is not None:
        names.remove("overrides")  # the recipe has them
    found = [
        f"{_WORDS[name]}: {_shown(known[name])} there, {_shown(about[name])} asked"
        for name in names
        if known[name] != about[name]
    ]
    changed = {} if begun is None else differences(begun, recipe)
    return found + [
        f"{key}: {was!r} there, {now!r} asked"
        for key, (was, now) in changed.items()
        if not any(key == name or key.startswith(f"{name}.") for name in swept)
    ]


def _parsed(raw: Any) -> Recipe | None:
    """The recipe that was noted; None where none was, or this version cannot read it."""
    try:
        return None if raw is None else parse(raw)
    except RecipeError:
        return None


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def requeue(study: optuna.Study) -> None:
    """Try again what something ended in its middle; its run goes on in its own folder."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        if trial.params:
            kept = {key: value for key, value in trial.user_attrs.items() if key == FOLDER}
            study.enqueue_trial(trial.params, user_attrs=kept)


def counted(study: optuna.Study) -> list[Any]:
    """Trials that came to an end of their own."""
    return [trial for trial in study.get_trials(deepcopy=False) if STATE in trial.user_attrs]


def next_trial(
    study: optuna.Study, axes: Sequence[Axis], grid: Sequence[dict[str, str]] | None
) -> tuple[optuna.Trial, list[str]]:
    """A trial with a folder, and its settings; of a `grid` none that came to an end already.

    Optuna numbers what is tried again anew, so a trial goes by its folder's number.
    """
    trial = study.ask()
    settings = [f"{axis.key}={axis.ask(trial)}" for axis in axes]
    known = [trial.params for trial in counted(study)]
    if grid is not None and trial.params in known:
        study.tell(trial, state=TrialState.FAIL)
        untried = [values for values in grid if values not in known]
        study.enqueue_trial(random.Random(trial.number).choice(untried))
        trial = study.ask()
        settings = [f"{axis.key}={axis.ask(trial)}" for axis in axes]
    if FOLDER not in trial.user_attrs:
        taken = [
            int(other.user_attrs[FOLDER])
            for other in study.get_trials(deepcopy=False)
            if FOLDER in other.user_attrs
        ]
        trial.set_user_attr(FOLDER, f"{max(taken, default=-1) + 1:03d}")
    return trial, settings
