"""`undark apply`: repeat the steps of an edit on other photos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from undark.cli.editing import run_job
from undark.cli.options import (
    Debug,
    Exposure,
    Format,
    Jobs,
    Json,
    NoRecord,
    NoTimes,
    Output,
    Overwrite,
    Quality,
    Recursive,
    Salvage,
    Strength,
    Strip,
)
from undark.cli.shell import command

__all__ = ["apply"]


@command
def apply(
    steps: Annotated[
        Path,
        typer.Argument(metavar="STEPS", help="A file that --save-steps wrote, or one like it."),
    ],
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", help="Photos, folders or globs.")],
    *,
    output: Output = None,
    strength: Strength = 1.0,
    exposure: Exposure = 0.0,
    recursive: Recursive = False,
    overwrite: Overwrite = False,
    salvage: Salvage = False,
    as_json: Json = False,
    jobs: Jobs = 1,
    format: Format = None,
    quality: Quality = None,
    no_record: NoRecord = False,
    no_times: NoTimes = False,
    strip: Strip = None,
    debug: Debug = False,
) -> None:
    """Repeat the steps of an edit on other photos.

    Each result's path is written on stdout. What was made in this way already is skipped.
    """
    from undark.adjust import Adjust
    from undark.engine.editor import StepsEditor
    from undark.io.formats import format_named
    from undark.io.walk import plan
    from undark.jobs import Job, Options
    from undark.pixels.steps import read_steps

    written = None if format is None else format_named(format)
    pairs = plan(inputs, output=output, recursive=recursive, format=written)
    options = Options(
        adjust=Adjust(strength=strength, exposure=exposure),
        format=written,
        quality=quality,
        overwrite=overwrite,
        salvage=salvage,
        record=not no_record,
        times=not no_times,
        strip=strip,
    )
    job = Job(pairs, StepsEditor(read_steps(steps)), options=options, workers=jobs)
    run_job(job, pairs, as_json=as_json, debug=debug)
