"""`undark evaluate`: models and baselines measured on pairs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from undark.cli.opening import open_enhancer
from undark.cli.options import Data, Debug, Device, Json, Runtime, Threads
from undark.cli.progress import progress_bar
from undark.cli.shell import FAILED, command, result, result_json, say

__all__ = ["evaluate"]

_PIPE_WIDTH = 160


@command
def evaluate(
    *,
    data: Data,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="Catalog name or your own .onnx; repeat to compare [default: the default model].",
        ),
    ] = None,
    baselines: Annotated[
        bool,
        typer.Option("--baselines", help="Measure the dark input and an automatic gamma too."),
    ] = False,
    protocol: Annotated[
        str,
        typer.Option("--protocol", metavar="NAME", help="plain, or gt-mean (uses the truth)."),
    ] = "plain",
    report: Annotated[
        Path | None,
        typer.Option(
            "--report", metavar="DIR", help="Write report.json, pictures.csv and grid.jpg here."
        ),
    ] = None,
    as_json: Json = False,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, metavar="N", help="Measure only N pairs, evenly spread."),
    ] = None,
    threads: Threads = None,
    device: Device = "auto",
    runtime: Runtime = "auto",
    debug: Debug = False,  # noqa: ARG001 - read by @command
) -> None:
    """Measure models on pairs of dark and well-lit pictures."""
    from undark.evaluate import protocol as protocols
    from undark.evaluate import run

    chosen = protocols.protocol(protocol)
    contenders = list(run.BASELINES) if baselines else []
    for name in model or ["default"]:
        enhancer = open_enhancer(name, runtime=runtime, device=device, threads=threads)
        # Two files may hold cards of one name (a run before and after): tell them by path.
        label = name if name.lower().endswith(".onnx") else enhancer.card.name
        contenders.append(run.contender(label, enhancer))
    with progress_bar() as show:
        found = run.evaluate(data, contenders, protocol_name=protocol, limit=limit, progress=show)
    for failure in found.failures:
        say(f"{failure.picture}: {failure.reason}")
    for path in found.unmatched:
        say(f"{path}: left out, it has no partner")
    if as_json:
        result_json(found.as_dict(), indent=2)
    else:
        from rich.console import Console

        # In a pipe nothing is cut to the width of a terminal that is not there.
        console = Console(
            highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH, markup=False
        )
        for table in found.tables():
            console.print(table)
        result(f"Protocol {chosen.name}: {chosen.formula}")
    if report is not None:
        for path in found.write(report):
            say(f"wrote {path}")
    if found.failures:
        raise typer.Exit(FAILED)
