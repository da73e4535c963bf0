"""`undark train`: learn a model."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from undark.cli.opening import learning
from undark.cli.options import Ab, Debug, filled, path
from undark.cli.progress import progress_bar
from undark.cli.shell import FAILED, INTERRUPTED, command, result, say
from undark.errors import UsageError

if TYPE_CHECKING:
    from undark.train import Checked, FoundRate, Progress, Swept

__all__ = ["train"]


@command
def train(
    recipe: Annotated[
        str | None,
        typer.Argument(
            metavar="[RECIPE]",
            parser=filled,
            help="A recipe's .toml file, or a method's name [default: unet]; with --resume a run's "
            "folder.",
            show_default=False,
        ),
    ] = None,
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DIR",
            parser=path,
            help="What to learn from: the folder that a recipe's sources lie in, or for a method's "
            "name pairs in low/ + high/, dark/ + light/, input/ + target/, low_light/ + "
            "ground_truth/, files such as a_low.png + a_high.png or a pairs.csv; for curve a "
            "folder of dark photos [default: data, if it is there].",
        ),
    ] = None,
    dark: Annotated[
        Path | None,
        typer.Option(
            "--dark", metavar="DIR", parser=path, help="A stack of dark photos, without pairs."
        ),
    ] = None,
    light: Annotated[
        Path | None,
        typer.Option(
            "--light", metavar="DIR", parser=path, help="A stack of light photos, without pairs."
        ),
    ] = None,
    dark_half: Ab = "",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            parser=path,
            help="Where the run is kept [default: runs/NAME].",
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one value of the recipe; repeat."),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps", metavar="N", help="Steps in all; more of them make a finished run go on."
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="MODEL",
            parser=filled,
            help="Start from these weights, not from random ones.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with the run in the folder RECIPE, or in --out, as its own recipe says.",
        ),
    ] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Only see, in a minute, whether data, loss and network fit."),
    ] = False,
    find_lr: Annotated[
        bool,
        typer.Option("--find-lr", help="Only try learning rates, and say which to use."),
    ] = False,
    axes: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep",
            metavar="KEY=A,B",
            help="Run with each of these values, or with some in KEY=LOW..HIGH, and compare; "
            "repeat for several keys.",
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option("--trials", metavar="N", help="Runs of a sweep at most."),
    ] = None,
    device: Annotated[
        str, typer.Option("--device", metavar="NAME", help="Where to train: auto, cpu or cuda.")
    ] = "auto",
    devices: Annotated[
        int,
        typer.Option(
            "--devices", metavar="N", help="GPUs that share each batch; on a CPU, processes."
        ),
    ] = 1,
    nodes: Annotated[
        int,
        typer.Option(
            "--nodes", metavar="N", help="Machines that share each batch; each runs this command."
        ),
    ] = 1,
    loggers: Annotated[
        list[str] | None,
        typer.Option(
            "--logger",
            metavar="NAME",
            help="Log to wandb, mlflow or aim too, if it is installed; repeat for several.",
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads", metavar="N", help="Threads to train on [default: as PyTorch chooses]."
        ),
    ] = None,
    debug: Debug = False,  # noqa: ARG001 - read by @command
) -> None:
    """Learn a model: from pairs, from two stacks, or from dark photos alone."""
    try:
        if trials is not None and not axes:
            raise UsageError("--trials is of a sweep: name what to try with --sweep")
        if resume and axes:
            raise UsageError("a sweep goes on by the same command, without --resume")
        if (check or find_lr) and (resume or axes or (check and find_lr)):
            raise UsageError("--check, --find-lr, --sweep and --resume exclude each other")
        given = {"data": data, "dark": dark, "light": light, "start": start, "device": device}
        given |= {"dark_half": dark_half or None, "overrides": changes or ()}
        more: dict[str, Any] = {"steps": steps, "loggers": loggers or ()}
        more |= {"devices": devices, "nodes": nodes, "threads": threads}
        learning("check_early")(
            recipe, out=out, resume=resume, trial=check or find_lr, axes=axes or (), trials=trials,
            **given, **more,
        )  # fmt: skip
        if check or find_lr:
            (_check if check else _find)(recipe, notify=say, **given)
            return
        given |= more
        if axes:
            _sweep(recipe, axes, out, trials, given)
            return
        learn = learning("run")
        with progress_bar(timed=False, below=True) as bar:
            watch = _shown_on(bar) if sys.stderr.isatty() else None
            done = learn(recipe, out=out, resume=resume, notify=say, progress=watch, **given)
    except KeyboardInterrupt as stop:
        say(_parting(getattr(stop, "folder", None), getattr(stop, "step", None), resume=resume))
        raise typer.Exit(INTERRUPTED) from None
    if done.leads:
        result(str(done.weights))


def _check(recipe: str | None, **given: Any) -> None:
    """Learn one batch by heart, and say how that went; exit with 1 where it went wrong."""
    found: Checked = learning("check")(recipe, **given)
    say(f"one batch, learned by heart for {found.steps} steps:")
    for name, value in found.first.items():
        say(f"  {name}: {value:.4f} at first, {found.last[name]:.4f} in the end")
    if found.levels is not None:
        say(
            "  mean level: {:.3f} of the dark images, {:.3f} of the light ones".format(
                *found.levels
            )
        )
    for line in found.problems:
        say(f"  {line}")
    result("does not fit" if found.problems else "data, loss and network fit")
    if found.problems:
        raise typer.Exit(FAILED)


def _find(recipe: str | None, **given: Any) -> None:
    """Try learning rates, and print the one to use as a setting."""
    found: FoundRate = learning("find_lr")(recipe, **given)
    every = max(1, len(found.rates) // 12)
    for rate, loss in list(zip(found.rates, found.losses, strict=True))[::every]:
        say(f"  learning rate {rate:.1e}: loss {loss:.4f}")
    result(f"fit.lr={found.lr:g}")


def _sweep(
    recipe: str | None, axes: list[str], out: Path | None, trials: int | None, given: dict[str, Any]
) -> None:
    """Run the trials of a sweep; print their table, and the weights of the best."""
    from undark.train.names import STUDY

    name = recipe or "unet"
    folder = out or Path("runs") / f"{Path(name).stem}-sweep"
    try:
        with progress_bar(timed=False, below=True) as bar:
            watch = _shown_on(bar) if sys.stderr.isatty() else None
            found: Swept = learning("sweep")(
                name, axes, out=folder, trials=trials, notify=say, progress=watch, **given
            )
    except KeyboardInterrupt:
        if (folder / STUDY).is_file():
            say(f"stopped; the same command goes on with the sweep in {folder}")
        else:
            say("stopped before the first trial; nothing was begun yet")
        raise typer.Exit(INTERRUPTED) from None
    rows = [("trial", "state", "score", "settings", "folder")]
    for trial in found.trials:
        score = "" if trial.score is None else f"{trial.score:.3f}"
        settings = " ".join(trial.settings)
        rows.append((str(trial.number), trial.state, score, settings, str(trial.folder)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        parts = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        result("  ".join(parts).rstrip())
    say(f"wrote {folder / 'trials.csv'} and {folder / 'sweep.png'}")
    if (best := found.best) is not None:
        say(f"best: {' '.join(f'--set {shlex.quote(setting)}' for setting in best.settings)}")
        result(str(best.folder / "weights.safetensors"))


def _shown_on(bar: Callable[[float, int, str], None]) -> Callable[[Progress], None]:
    def show(now: Progress) -> None:
        minutes, seconds = divmod(round(now.left), 60)
        parts = (
            f"{now.rate:.3g} steps/s",
            f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d} left",
            *(f"{name} {value:.4f}" for name, value in now.losses.items()),
            now.scores,
        )
        bar(now.step, now.steps, "  ".join(part for part in parts if part))

    return show


def _parting(folder: Path | None, step: int | None, *, resume: bool) -> str:
    """What to say of a run that was stopped: where it can go on, if it can."""
    if step is not None:
        return f"stopped; undark train --resume {folder} goes on from step {step}"
    if resume:
        return "stopped before the first step; the run is as it was"
    return "stopped before the first step; nothing was learned yet"
