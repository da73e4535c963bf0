"""`undark evaluate`: models and baselines measured on images."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from undark.cli.opening import Engine, open_enhancer
from undark.cli.options import Ab, Debug, Device, Json, Precision, Runtime, Threads
from undark.cli.progress import progress_bar
from undark.cli.shell import FAILED, command, result, result_json, say

if TYPE_CHECKING:
    from undark.evaluate.report.report import Report
    from undark.io.halves import DarkHalf

__all__ = ["evaluate"]

_PIPE_WIDTH = 160


@command
def evaluate(
    *,
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            metavar="DIR",
            help="Folder of pairs: low/ + high/, dark/ + light/, input/ + target/, "
            "low_light/ + ground_truth/, or a pairs.csv; or of images without truths.",
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="Catalog name or your own .onnx; repeat to compare, with the first "
            "[default: the default model].",
        ),
    ] = None,
    baselines: Annotated[
        bool,
        typer.Option(
            "--baselines",
            help="Measure the dark input, gamma, equalisation, CLAHE, LIME and MSRCR too.",
        ),
    ] = False,
    protocol: Annotated[
        str,
        typer.Option("--protocol", metavar="NAME", help="plain, or gt-mean (uses the truth)."),
    ] = "plain",
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="DIR",
            help="Write report.html, report.json, pictures.csv and grid.png here.",
        ),
    ] = None,
    dark_half: Ab = "guess",
    as_json: Json = False,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, metavar="N", help="Measure only N images, evenly spread."),
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(
            "--features",
            metavar="PATH",
            help="Weights of MobileNetV2 for its feature distance: the file or its folder.",
        ),
    ] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            "--metrics",
            metavar="NAMES",
            help="Measure only these, with commas between them, such as psnr,ssim,lpips; repeat "
            "[default: all whose weights are there].",
        ),
    ] = None,
    lpips_weights: Annotated[
        list[Path] | None,
        typer.Option(
            "--lpips-weights",
            metavar="PATH",
            help="Weights of AlexNet, VGG-16 or SqueezeNet 1.1 for LPIPS: torchvision's .pth or "
            "its folder; repeat to add linear layers of your own.",
        ),
    ] = None,
    dists_weights: Annotated[
        list[Path] | None,
        typer.Option(
            "--dists-weights",
            metavar="PATH",
            help="Weights of VGG-16 for DISTS, likewise; repeat to add alpha and beta.",
        ),
    ] = None,
    no_memory: Annotated[
        bool,
        typer.Option("--no-memory", help="Do not measure peak memory (a process per model)."),
    ] = False,
    threads: Threads = None,
    device: Device = "auto",
    runtime: Runtime = "auto",
    precision: Precision = "auto",
    debug: Debug = False,  # noqa: ARG001 - read by @command
) -> None:
    """Measure models on dark images, with or without their well-lit truths."""
    from undark.evaluate import protocol as protocols
    from undark.evaluate import run
    from undark.evaluate.choice import bring_metrics
    from undark.evaluate.memory import Origin
    from undark.evaluate.samples import find_samples

    protocols.protocol(protocol)
    names = [name.strip() for item in metrics or () for name in item.split(",") if name.strip()]
    brought = bring_metrics(features=features, lpips=lpips_weights or (), dists=dists_weights or ())
    engine = Engine(runtime=runtime, device=device, threads=threads, precision=precision)
    given = model or ["default"]
    opened = [open_enhancer(name, engine) for name in given]
    plain = run.BASELINES if baselines else ()
    labels = [item.name for item in plain] + [item.card.name for item in opened]
    contenders: list[run.Contender] = []
    for name, enhancer in zip(given, opened, strict=True):
        label = enhancer.card.name
        # Two files may hold cards of one name (a run before and after): tell them by path.
        if labels.count(label) > 1 and name.lower().endswith(".onnx"):
            label = name
        contenders.append(run.contender(label, enhancer, origin=Origin(model=name, **engine)))
    contenders += plain
    with progress_bar() as show:
        found = run.evaluate(
            find_samples(data, cast("DarkHalf", dark_half)),
            contenders,
            protocol_name=protocol,
            limit=limit,
            metrics=names or None,
            brought=brought,
            memory=not no_memory,
            images=report is not None,
            progress=show,
        )
    _report(found, data, as_json=as_json)
    if report is not None:
        for path in found.write(report):
            say(f"wrote {path}")
    if found.failures:
        raise typer.Exit(FAILED)


def _report(found: Report, data: Path, *, as_json: bool) -> None:
    """What was found: notices on stderr, the tables or JSON on stdout."""
    for failure in found.failures:
        say(f"{failure.image}: {failure.reason}")
    for path in found.unmatched:
        say(f"{path}: left out, it has no partner")
    for note in found.notes:
        say(note)
    if not found.has_truth:
        say(f"{data}: no pairs in it; its images are measured without truths")
    if as_json:
        result_json(found.as_dict(), indent=2)
    else:
        from rich.console import Console

        # In a pipe nothing is cut to the width of a console that is not there.
        console = Console(
            highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH, markup=False
        )
        for table in found.tables():
            console.print(table)
        result(found.formula)
        result(found.certainty)
