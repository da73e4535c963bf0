"""In a minute: whether data, loss and network fit, and which learning rate suits them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from small_recipe import SMALL
from typer.testing import CliRunner

from undark.cli.app import app
from undark.errors import UsageError
from undark.train import check, find_lr, trial

SETTINGS = [word for setting in SMALL for word in ("--set", setting)]


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_STEPS", 120)


def test_what_fits_is_learned_by_heart(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["train", "unet", "--data", str(pairs), *SETTINGS, "--set", "fit.lr=0.004", "--check"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == "data, loss and network fit\n"
    assert "learned by heart for 120 steps" in done.stderr
    assert "matched: " in done.stderr
    assert not list(tmp_path.iterdir())


def test_sides_the_wrong_way_around_are_told(pairs: Path, tmp_path: Path) -> None:
    for side, other in (("dark", "light"), ("light", "dark")):
        shutil.copytree(pairs / side, tmp_path / other)
    done = CliRunner().invoke(app, ["train", "unet", "--data", str(tmp_path), *SETTINGS, "--check"])
    assert done.exit_code == 1
    assert "the wrong way around?" in done.stderr
    assert done.stdout == "does not fit\n"


def test_a_rate_too_low_to_learn_is_told(pairs: Path) -> None:
    found = check("unet", data=pairs, overrides=[*SMALL, "fit.lr=1e-9"])
    assert found.last["loss"] > 0.7 * found.first["loss"]
    assert any("fit.lr" in line for line in found.problems)
    assert not found.untouched
    assert found.levels is not None
    assert found.levels[0] < found.levels[1]


def test_a_learning_rate_is_found_that_learns(pairs: Path) -> None:
    done = CliRunner().invoke(app, ["train", "unet", "--data", str(pairs), *SETTINGS, "--find-lr"])
    assert done.exit_code == 0, done.stderr
    name, _, value = done.stdout.strip().partition("=")
    assert name == "fit.lr"
    assert 1e-4 < float(value) < 0.3
    assert not check("unet", data=pairs, overrides=[*SMALL, done.stdout.strip()]).problems


def test_a_range_test_ends_where_the_loss_explodes(pairs: Path) -> None:
    found = find_lr("unet", data=pairs, overrides=[*SMALL, "fit.clip=0.0"])
    assert len(found.rates) == len(found.losses)
    assert list(found.rates) == sorted(found.rates)
    assert found.rates[0] == 1e-6
    assert found.lr < found.rates[-1]


def test_a_method_of_rounds_says_that_it_cannot(pairs: Path) -> None:
    with pytest.raises(UsageError, match="in rounds"):
        check("agent", data=pairs)
