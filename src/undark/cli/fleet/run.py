"""`undark fleet run`: a plan is done, from where it stands to its end."""

from __future__ import annotations

from typing import Annotated

import typer

from undark.cli.fleet.options import (
    Device,
    Flight,
    Grace,
    Longest,
    Model,
    PlanAt,
    Price,
    Processes,
    Ray,
    ReportAt,
    Runtime,
)
from undark.cli.options import (
    Codec,
    Crf,
    Debug,
    Format,
    Json,
    Overwrite,
    Preset,
    Qualities,
    Salvage,
    Sdr,
    Strip,
    control,
)
from undark.cli.shell import command

__all__ = ["run"]


@command
def run(
    plan: PlanAt,
    *,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="DEST", help="Where results go: a folder, s3://, gs:// or az://."
        ),
    ] = None,
    model: Model = None,
    strength: Annotated[float | None, control("strength")] = None,
    exposure: Annotated[float | None, control("exposure")] = None,
    denoise: Annotated[float | None, control("denoise")] = None,
    local: Annotated[float | None, control("local")] = None,
    format: Format = None,
    quality: Qualities = None,
    codec: Codec = None,
    crf: Crf = None,
    preset: Preset = None,
    sdr: Sdr = False,
    strip: Strip = None,
    salvage: Salvage = False,
    overwrite: Overwrite = False,
    processes: Processes = None,
    ray: Ray = None,
    threads: Annotated[
        int,
        typer.Option(
            "--threads", min=1, metavar="N", help="Processor threads for the model in each process."
        ),
    ] = 1,
    flight: Flight = 256,
    grace: Grace = 25.0,
    longest: Longest = None,
    price: Price = None,
    report: ReportAt = None,
    as_json: Json = False,
    runtime: Runtime = None,
    device: Device = None,
    debug: Debug = False,  # noqa: ARG001 - read by @command
) -> None:
    """Do what a plan has still to be done.

    What makes results what they are is said when a plan is begun and kept with it; later it can be
    left out.
    """
    from undark.cli.asked import qualities
    from undark.cli.fleet.running import Running
    from undark.fleet.child import Limits
    from undark.fleet.plan import open_plan
    from undark.fleet.settings import Asked, begin
    from undark.io.formats import format_named

    of_photos, of_videos = qualities(quality)
    opened = open_plan(plan)
    asked = Asked(
        to=to,
        model=model,
        strength=strength,
        exposure=exposure,
        denoise=denoise,
        local=local,
        format=None if format is None else format_named(format),
        quality=of_photos,
        video_quality=of_videos,
        codec=codec,
        crf=crf,
        preset=preset,
        sdr=sdr or None,
        strip=strip,
        salvage=salvage or None,
        overwrite=overwrite or None,
        runtime=runtime,
        device=device,
    )
    settings = begin(opened, asked)
    limits = Limits(threads=threads, flight=flight << 20, grace=grace)
    Running(processes, ray, limits, longest, as_json, report, price).run(opened, settings)
