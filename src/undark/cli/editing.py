"""What the commands that make photos of photos share: planning, running a job, reporting."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from undark.cli.progress import progress_bar
from undark.cli.shell import FAILED, result, result_json, say, worded
from undark.errors import UsageError

if TYPE_CHECKING:
    from undark.io.walk import Pair
    from undark.jobs import Done, Event, Job, Skipped
    from undark.pixels.steps import Step

__all__ = ["StepsFiles", "keep_steps", "record", "run_job", "skipped", "tell"]


def run_job(
    job: Job,
    pairs: Sequence[Pair],
    *,
    as_json: bool,
    debug: bool,
    done: Callable[[Done | Skipped], None] | None = None,
) -> None:
    """Run a job: a bar while it runs, each input's last word as it comes, the counts at the end.

    Args:
        job: Of `pairs`.
        pairs: As planned.
        as_json: Report in JSON.
        debug: Show tracebacks.
        done: Called with each that is done or skipped, before its result is shown.

    Raises:
        Exit: With `FAILED`, where an input failed.
    """
    from undark.jobs import Done, Notice, Progress, Skipped

    fractions: dict[Path, float] = {}
    # Closed at once on Ctrl-C, so that the workers have ended before the command does.
    try:
        with progress_bar() as show, closing(job.run()) as events:
            for event in events:
                if not isinstance(event, Notice):
                    fractions[event.source] = event.fraction if isinstance(event, Progress) else 0.0
                text = event.source.name
                if isinstance(event, Progress) and event.fps is not None:
                    text = f"{text} {event.fps:.1f} fps"
                show(job.summary.total + sum(fractions.values()), len(pairs), text)
                if done is not None and isinstance(event, Done | Skipped):
                    done(event)
                tell(event, as_json=as_json, debug=debug)
    except KeyboardInterrupt:
        for path in job.partials:
            say(f"{path}: the part that was finished")
        raise
    summary = job.summary
    if len(pairs) > 1:
        say(f"{summary.done} done, {summary.skipped} skipped, {summary.failed} failed")
    if summary.failed:
        raise typer.Exit(FAILED)


def tell(event: Event, *, as_json: bool, debug: bool) -> None:
    """An input's last word: a result on stdout, and notices on stderr."""
    from undark.jobs import Done, Failed, Notice, Skipped

    match event:
        case Done(source, destination, seconds, steps):
            if as_json:
                result_json(record(source, destination, "done", seconds, steps=steps))
            else:
                result(str(destination))
        case Skipped(source, destination, reason, steps):
            say(skipped(destination, reason))
            if as_json:
                result_json(record(source, destination, "skipped", 0.0, steps=steps))
        case Notice(source, _, text):
            say(f"{source}: {text}")
        case Failed(source, destination, seconds, error):
            if debug:
                traceback.print_exception(error)
            message = worded(error)
            say(message if str(source) in message else f"{source}: {message}")
            if as_json:
                result_json(record(source, destination, "failed", seconds, error))
        case _:
            pass


def skipped(destination: Path, reason: str) -> str:
    """A line about a result that stays as it is."""
    if reason:
        return f"{destination}: skipped, it already exists; {reason} (--overwrite replaces it)"
    return f"{destination}: skipped, it was made in this way already (--overwrite repeats it)"


def record(
    source: Path | str,
    destination: Path,
    status: str,
    seconds: float,
    error: Exception | None = None,
    *,
    steps: Sequence[Step] | None = None,
) -> dict[str, object]:
    """An input's last word for programs; with steps only where they were asked for."""
    found: dict[str, object] = {
        "source": str(source),
        "destination": str(destination),
        "status": status,
        "seconds": round(seconds, 3),
        "error": None if error is None else {"type": type(error).__name__, "message": str(error)},
    }
    if steps is not None:
        found["steps"] = [step.to_dict() for step in steps]
    return found


def keep_steps(
    source: Path | str,
    destination: Path,
    steps: Sequence[Step] | None,
    explain: bool,
    files: StepsFiles | None,
) -> None:
    """Show the steps of a photo, where that is asked for, and keep them where there are files.

    Raises:
        OutputError: The file cannot be written.
    """
    if explain and steps is not None:
        _tell_steps(source, steps)
    if files is not None and steps is not None:
        files.write(destination, steps)


def _tell_steps(name: Path | str, steps: Sequence[Step]) -> None:
    """The steps that one photo is edited in, a line each."""
    say(f"{name}: {len(steps)} steps" if steps else f"{name}: no steps; the photo stays as it is")
    for number, step in enumerate(steps, start=1):
        say(f"  {number:2} {step}")


class StepsFiles:
    """Where the steps of photos are kept: a .json for one photo, or a folder with one for each.

    Args:
        target: Ends in .json for a file; all else is a folder, in which the steps of
            ``night.jpg`` become ``night.jpg.steps.json`` and a tree of results is kept.
        destinations: Of all photos.

    Raises:
        UsageError: A file was named for several photos.
    """

    def __init__(self, target: Path, destinations: Sequence[Path]) -> None:
        """Check that the target can hold them all."""
        self._file = target.suffix.lower() == ".json" and not target.is_dir()
        self._target = target
        if self._file and len(destinations) > 1:
            raise UsageError(
                f"{target}: one file cannot keep the steps of {len(destinations)} photos;"
                " name a folder"
            )
        folders = [path.absolute().parent for path in destinations]
        self._root = Path(os.path.commonpath(folders)) if folders else Path()

    def write(self, destination: Path, steps: Sequence[Step]) -> None:
        """Keep the steps of the photo that became `destination`.

        Raises:
            OutputError: The file cannot be written.
        """
        from undark.io.atomic import write_atomically
        from undark.pixels.steps import format_steps

        path = self._target
        if not self._file:
            place = destination.absolute().relative_to(self._root)
            path = path / place.with_name(f"{place.name}.steps.json")
        write_atomically(path, format_steps(steps).encode())
