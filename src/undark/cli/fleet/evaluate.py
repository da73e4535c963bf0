"""`undark fleet evaluate`: a model is measured on a plan's photos."""

from __future__ import annotations

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
from undark.cli.options import Debug, Json
from undark.cli.shell import command

__all__ = ["evaluate"]


@command
def evaluate(
    plan: PlanAt,
    *,
    model: Model = None,
    processes: Processes = None,
    ray: Ray = None,
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
    """Measure a model on a plan's photos; receipts hold the metrics.

    A table that was planned may have a column `truth`, with the address of each photo's truth.
    """
    from undark.cli.fleet.running import Running
    from undark.cli.fleet.telling import tell_means
    from undark.fleet.child import Limits
    from undark.fleet.identity import METRICS
    from undark.fleet.metrics import means_of
    from undark.fleet.plan import open_plan
    from undark.fleet.settings import Asked, begin

    opened = open_plan(plan)
    settings = begin(opened, Asked(task=METRICS, model=model, runtime=runtime, device=device))
    limits = Limits(flight=flight << 20, grace=grace)
    try:
        Running(processes, ray, limits, longest, as_json, report, price).run(opened, settings)
    finally:
        tell_means(means_of(opened), as_json=as_json)
