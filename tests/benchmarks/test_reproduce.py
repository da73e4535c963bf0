"""`benchmarks/reproduce.py` on tiny pairs: a run like those recorded is on the curve."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from PIL import Image

from undark.errors import UsageError

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "reproduce.py"
RECIPE = """
name = "tiny"
method = "unet"
[net]
widths = [8, 12]
glance = 16
context = 4
[data]
held_out = 0.25
run = 1
crop = 32
batch = 4
[[data.sources]]
path = "pairs"
[fit]
steps = 400
lr = 2e-3
warmup = 5
ema = 0.9
precision = "32-true"
validate_every = 1000
"""


@pytest.fixture(scope="module")
def reproduce() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("reproduce", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["reproduce"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["reproduce"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pairs of which the dark side is a fifth of the light one."""
    folder = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    for side in ("dark", "light"):
        (folder / "pairs" / side).mkdir(parents=True)
    for number in range(12):
        coarse = random.uniform(60, 220, (5, 6, 3)).astype(np.float32)
        light = cv2.resize(coarse, (48, 40), interpolation=cv2.INTER_CUBIC).clip(0, 255)
        for side, pixels in (("light", light), ("dark", light / 5)):
            path = folder / "pairs" / side / f"{number}.png"
            Image.fromarray(pixels.astype(np.uint8)).save(path)
    return folder


@pytest.fixture(scope="module")
def places(
    reproduce: ModuleType, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """A recipe, and the record of three runs shortened to 30 steps."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "tiny.toml").write_text(RECIPE, encoding="utf-8")
    places = {"recipes": folder, "records": folder}
    stage = reproduce.Stage(("fit.steps=30",))
    written = reproduce.record("tiny", data, [1, 2, 3], stage, **places)
    assert written == folder / "tiny.json"
    return places


def test_a_record_says_what_was_run_and_holds_each_seed(
    reproduce: ModuleType, places: dict[str, Path]
) -> None:
    raw = json.loads((places["records"] / "tiny.json").read_text(encoding="utf-8"))
    assert raw["seeds"] == [1, 2, 3]
    assert raw["stage"] == {"settings": ["fit.steps=30"], "start": None}
    assert "PyTorch" in raw["measured"]
    assert set(raw["curves"]) == {"train/loss", "val/pairs/psnr", "val/pairs/ssim"}
    assert [len(seed) for seed in raw["curves"]["train/loss"]] == [5, 5, 5]
    held = reproduce.Record.read("tiny", places["records"])
    assert reproduce.compare(held, {k: v[0] for k, v in held.curves.items()})[0].inside


def test_another_seed_is_on_the_curve(
    reproduce: ModuleType,
    data: Path,
    places: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert reproduce.reproduce("tiny", data, seed=4, **places)
    told = capsys.readouterr().out
    assert "tiny, seed 4: 7 values on the curve recorded" in told
    assert "train/loss, fifth 5: " in told


@pytest.mark.parametrize("change", ["fit.lr=1e-6", "data.sources.0.level=guessed"])
def test_a_run_that_learns_otherwise_is_not(
    change: str,
    reproduce: ModuleType,
    data: Path,
    places: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert not reproduce.reproduce("tiny", data, seed=4, changes=[change], **places)
    told = capsys.readouterr().out
    assert "values are off the curve recorded" in told
    assert "ABOVE" in told or "BELOW" in told


def test_what_is_not_recorded_is_said(
    reproduce: ModuleType, data: Path, places: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="other: no curve is recorded"):
        reproduce.reproduce("other", data, **places)
    (tmp_path / "tiny.toml").write_text(RECIPE.replace("2e-3", "1e-3"), encoding="utf-8")
    with pytest.raises(UsageError, match="not the recipe whose curve is recorded"):
        reproduce.reproduce("tiny", data, recipes=tmp_path, records=places["records"])
    (tmp_path / "tiny.toml").write_text(RECIPE + "\n# a comment\n", encoding="utf-8")
    held = reproduce.Record.read("tiny", places["records"])
    assert reproduce.digest(tmp_path / "tiny.toml", held.stage) == held.recipe


def test_a_value_that_a_run_lacks_is_off(reproduce: ModuleType, places: dict[str, Path]) -> None:
    held = reproduce.Record.read("tiny", places["records"])
    points = reproduce.compare(held, {"train/loss": held.curves["train/loss"][0]})
    assert {point.name for point in points if not point.inside} == {
        "val/pairs/psnr",
        "val/pairs/ssim",
    }


def test_the_shipped_records_are_of_the_shipped_recipes(reproduce: ModuleType) -> None:
    recorded = [name for name in reproduce.SHORT if reproduce.Record.read(name, reproduce.RECORDS)]
    assert "curve" in recorded
    for name in recorded:
        held = reproduce.Record.read(name, reproduce.RECORDS)
        assert held.stage == reproduce.SHORT[name]
        assert reproduce.digest(reproduce.RECIPES / f"{name}.toml", held.stage) == held.recipe
        assert len(held.seeds) >= 2
        assert any(key.endswith("/psnr") for key in held.curves)


def test_the_command_line_lists_records_and_asks_for_data(
    reproduce: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["reproduce.py", "--list"])
    assert reproduce.main() == 0
    listed = capsys.readouterr().out
    assert "curve: seeds (1, 2, 3); " in listed
    assert "no record" not in listed
    monkeypatch.setattr(reproduce, "RECORDS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["reproduce.py", "curve", "--data", "here"])
    assert reproduce.main() == 2
    assert "curve: no curve is recorded" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["reproduce.py", "curve"])
    with pytest.raises(SystemExit):
        reproduce.main()
    assert "--data is needed" in capsys.readouterr().err
