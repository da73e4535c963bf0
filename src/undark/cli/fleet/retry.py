"""`undark fleet retry`: what failed is tried again."""

from __future__ import annotations

from typing import Annotated

import typer

from undark.cli.fleet.options import PlanAt
from undark.cli.options import Debug, Json
from undark.cli.shell import command, result, result_json
from undark.errors import UsageError

__all__ = ["retry"]


@command
def retry(
    plan: PlanAt,
    *,
    failed: Annotated[
        bool, typer.Option("--failed", help="All that failed or was set aside.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,  # noqa: ARG001 - read by @command
) -> None:
    """Have the next run of a plan try again what failed."""
    from undark.fleet.plan import open_plan
    from undark.fleet.rounds import ask_again

    if not failed:
        raise UsageError("say what is to be tried again (--failed)")
    count = ask_again(open_plan(plan))
    if as_json:
        result_json({"retried": count})
    else:
        told = f"; go on with undark fleet run {plan}" if count else ""
        result(f"{count} failed photos are tried again{told}")
