"""What an exported model says of itself: its name, its author, its data and their licences."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from small_recipe import SMALL
from typer.testing import CliRunner

from undark import Enhancer
from undark.cli.app import app
from undark.errors import ModelError
from undark.models import Card
from undark.models.store import check_learned
from undark.train import export_model, run
from undark.train.export import Exported


@pytest.fixture(scope="module")
def kitchen(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps, `kitchen`, whose data lie in a folder named `evenings`."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(pairs, home / "evenings")
    settings = [*SMALL, "fit.steps=2", "author=Ada", "licence=CC BY 4.0"]
    return run(
        "unet", data=home / "evenings", out=home / "runs" / "kitchen", overrides=settings
    ).folder


@pytest.fixture(scope="module")
def exported(kitchen: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return export_model(kitchen, tmp_path_factory.mktemp("models") / "mine.onnx")


def test_a_model_is_named_after_its_run_and_its_data_after_their_folder(
    exported: Exported,
) -> None:
    card = Card.load(exported.card)
    assert (card.name, card.author, card.licence) == ("kitchen", "Ada", "CC BY 4.0")
    assert [(item.name, item.licence) for item in card.data] == [("evenings", "not stated")]
    assert Enhancer(exported.model, device="cpu").describe().startswith("kitchen by ")


def test_what_the_user_says_goes_before_the_recipe(kitchen: Path, tmp_path: Path) -> None:
    output = tmp_path / "mine.onnx"
    words = ["--name", "lamp", "--licence", "CC0", "--author", "Grace", "--data", "my pairs"]
    words += ["--data-licence", "private"]
    done = CliRunner().invoke(app, ["export", str(kitchen), "-o", str(output), *words])
    assert done.exit_code == 0, done.stderr
    card = Card.load(output.with_suffix(".json"))
    assert (card.name, card.licence, card.author) == ("lamp", "CC0", "Grace")
    assert [(item.name, item.licence) for item in card.data] == [("my pairs", "private")]
    assert "lamp: licence CC0; author Grace" in done.stderr
    shown = CliRunner().invoke(app, ["models", str(output)])
    assert "Grace" in shown.stdout
    assert "my pairs (private)" in shown.stdout


def test_an_empty_text_counts_as_not_given(kitchen: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.onnx"
    words = ["--name", "", "--licence", " ", "--data", "", "--data-licence", ""]
    done = CliRunner().invoke(app, ["export", str(kitchen), "-o", str(out), *words])
    assert done.exit_code == 0, done.stderr
    assert "kitchen: licence CC BY 4.0; author Ada" in done.stderr
    assert "learned from evenings, licence not stated" in done.stderr


def test_what_nobody_said_is_asked_for_and_a_shipped_name_is_not_taken(
    kitchen: Path, tmp_path: Path
) -> None:
    shutil.copytree(kitchen, tmp_path / "unet")
    output = tmp_path / "attic.onnx"
    words = ["export", str(tmp_path / "unet"), "-o", str(output), "--author", ""]
    done = CliRunner().invoke(app, words)
    assert "attic: licence CC BY 4.0; author not named (--author)" in done.stderr
    assert "learned from evenings, licence not stated (--data-licence)" in done.stderr
    assert "author" not in json.loads(output.with_suffix(".json").read_text(encoding="utf-8"))


def test_a_card_with_and_without_an_author_is_read_back(exported: Exported, tmp_path: Path) -> None:
    card = Card.load(exported.card)
    for one in (card, replace(card, author="")):
        path = tmp_path / "card.json"
        path.write_text(one.dump(), encoding="utf-8")
        assert Card.load(path) == one


def test_a_run_that_is_not_there_is_said_so_with_what_is_near(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("kitchen", "garden"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    for asked in ("runs/kitchn", "kitchn"):
        done = CliRunner().invoke(app, ["export", asked, "-o", "a.onnx"])
        assert done.exit_code == 2
        assert "no such run or file of weights" in done.stderr
        assert f"did you mean {Path('runs/kitchen')}" in done.stderr
        assert "card" not in done.stderr
    done = CliRunner().invoke(app, ["export", "runs/garden", "-o", "a.onnx"])
    assert "none was saved there yet" in done.stderr
    check_learned("unet")
    with pytest.raises(ModelError, match="no such run"):
        check_learned(tmp_path / "none.onnx")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nosuch"], "nosuch: no such run or file of weights"),
        (["nosuch", "-o", "x.png"], "nosuch: no such run or file of weights"),
        (["unet"], "name the ONNX file to write, such as model.onnx (-o)"),
        (["unet", "-o", "x.png"], "x.png: an exported model's name must end in .onnx"),
    ],
)
def test_what_is_wrong_is_said_before_pytorch_is_loaded(
    words: list[str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("undark.train")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    done = CliRunner().invoke(app, ["export", *words])
    assert done.exit_code == 2
    assert says in done.stderr
