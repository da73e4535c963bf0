"""`undark fleet verify`: proof that all is done."""

from __future__ import annotations

from typing import Annotated

import typer

from undark.cli.fleet.options import PlanAt
from undark.cli.options import Debug, Json
from undark.cli.progress import progress_bar
from undark.cli.shell import FAILED, command, result, result_json, say

__all__ = ["verify"]


@command
def verify(
    plan: PlanAt,
    *,
    no_hashes: Annotated[
        bool,
        typer.Option(
            "--no-hashes", help="Do not read the results: only see that they are there, by size."
        ),
    ] = False,
    as_json: Json = False,
    debug: Debug = False,  # noqa: ARG001 - read by @command
) -> None:
    """See that every photo of a plan has one receipt, and every result the bytes that it names."""
    from undark.fleet import verify as proof
    from undark.fleet.plan import open_plan

    opened = open_plan(plan)
    with progress_bar() as show:
        found = proof.verify(opened, hashes=not no_hashes, progress=show)
    for line in found.faults:
        say(line)
    if as_json:
        result_json(found.as_dict())
    else:
        faults = ", ".join(f"{count} {kind}" for kind, count in found.counts.items())
        result(
            f"{found.planned} planned, {found.done} done, {found.failed} failed:"
            f" {faults or 'all is as its receipts say'}"
        )
    if not found.good:
        raise typer.Exit(FAILED)
