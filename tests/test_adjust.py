"""What may be asked: one table for checks, options and documentation."""

from __future__ import annotations

import math
from typing import get_type_hints

import pytest
import typer
from typer.testing import CliRunner

from undark.adjust import CONTROLS, Adjust, Adjustments
from undark.cli.app import app
from undark.errors import UsageError

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def test_nothing_is_asked_by_default() -> None:
    assert Adjust().asked() == ()
    assert Adjust(denoise=0.5, exposure=1).asked() == ("exposure", "denoise")


@pytest.mark.parametrize("name", CONTROLS)
def test_each_control_is_checked_at_its_ends(name: str) -> None:
    control = CONTROLS[name]
    for value in (control.low, control.high, control.neutral):
        assert getattr(Adjust(**{name: value}), name) == value
    for value in (control.low - 0.01, control.high + 0.01, math.nan, math.inf, "1", None):
        with pytest.raises(UsageError, match=f"{name} must be between {control.low:g} and"):
            Adjust(**{name: value})  # type: ignore[arg-type]


def test_the_keyword_arguments_are_the_fields() -> None:
    assert list(get_type_hints(Adjustments)) == list(CONTROLS)


@pytest.mark.parametrize("name", CONTROLS)
def test_the_documentation_and_the_options_are_made_from_the_table(name: str) -> None:
    control = CONTROLS[name]
    assert f"{name}: {control.meaning}" in (Adjust.__doc__ or "")
    (option,) = [item for item in COMMANDS["enhance"].params if item.name == name]
    assert option.help == control.meaning
    for value, end in ((control.low - 0.5, control.low), (control.high + 0.5, control.high)):
        done = CliRunner().invoke(app, ["enhance", "none.png", f"--{name}={value}"])
        assert done.exit_code == 2
        assert f"equal to {end:g}" in done.stderr


def test_it_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Adjust().strength = 0.5  # type: ignore[misc]
