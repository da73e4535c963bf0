"""`undark fleet status`: how far a plan is."""

from __future__ import annotations

from undark.cli.fleet.options import PlanAt, Price, ReportAt
from undark.cli.options import Debug, Json
from undark.cli.shell import command, say

__all__ = ["status"]


@command
def status(
    plan: PlanAt,
    *,
    price: Price = None,
    report: ReportAt = None,
    as_json: Json = False,
    debug: Debug = False,  # noqa: ARG001 - read by @command
) -> None:
    """Show how far a plan is, how quickly it goes on, and what failed."""
    from undark.cli.fleet.telling import tell_status
    from undark.fleet import status as statuses
    from undark.fleet.plan import open_plan

    opened = open_plan(plan)
    if report is not None:
        from undark.fleet.report import write_report

        found = write_report(opened, report, price=price)
        say(f"wrote {report}")
    else:
        found = statuses.status(opened)
    tell_status(found, price, as_json=as_json)
