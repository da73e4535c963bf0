"""`undark fleet`: a million photos, on one machine or a cluster."""

from __future__ import annotations

import typer

from undark.cli.fleet.evaluate import evaluate
from undark.cli.fleet.plan import plan
from undark.cli.fleet.retry import retry
from undark.cli.fleet.run import run
from undark.cli.fleet.status import status
from undark.cli.fleet.verify import verify
from undark.cli.shell import Command

__all__ = ["fleet"]

fleet: typer.Typer = typer.Typer(
    help="Enhance a million photos on one machine or a cluster; none lost, none done twice.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

for _command in (plan, run, status, verify, retry, evaluate):
    fleet.command(cls=Command)(_command)
