"""How the tests of the command line call it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import Result
from typer.testing import CliRunner

from undark.cli.app import app
from video_files import curve_model

__all__ = ["curve_model", "undark"]


@pytest.fixture
def undark() -> Callable[..., Result]:
    """Runs the command in this process: arguments in, exit code, stdout and stderr out."""

    def run(*arguments: object, stdin: bytes | None = None) -> Result:
        return CliRunner().invoke(app, [str(item) for item in arguments], input=stdin)

    return run
