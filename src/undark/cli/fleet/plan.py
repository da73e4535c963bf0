"""`undark fleet plan`: what is to be done."""

from __future__ import annotations

from typing import Annotated

import typer

from undark.cli.options import Debug, Json
from undark.cli.shell import command, result, result_json

__all__ = ["plan"]


@command
def plan(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A folder, s3://, gs:// or az://, or a table of addresses: Parquet, CSV or text.",
        ),
    ],
    *,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="PLAN", help="Folder for the plan.")
    ],
    per_shard: Annotated[
        int, typer.Option("--per-shard", min=1, metavar="N", help="Keys in each shard.")
    ] = 1000,
    as_json: Json = False,
    debug: Debug = False,  # noqa: ARG001 - read by @command
) -> None:
    """List photos and videos, and write a plan of them."""
    from undark.fleet.plan import as_dict, make_plan

    made = make_plan(source, output, per_shard=per_shard)
    if as_json:
        result_json({"plan": made.store.address, **as_dict(made)})
    else:
        size = f"{made.bytes / 1e6:.1f} MB"
        result(f"{made.store.address}: {made.keys} photos and videos, {size}, {made.shards} shards")
