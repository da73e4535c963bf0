"""`undark evaluate --metrics`, with weights that the user brings."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

torch = pytest.importorskip("torch", reason="weights are written by PyTorch")
Undark = Callable[..., Result]

# torchvision's AlexNet: index, outputs, inputs and side of each convolution's kernel.
ALEXNET = ((0, 64, 3, 11), (3, 192, 64, 5), (6, 384, 192, 3), (8, 256, 384, 3), (10, 256, 256, 3))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two pairs of 48×40 images."""
    random = np.random.default_rng(0)
    for name in ("1", "2"):
        light = random.integers(60, 250, (40, 48, 3)).astype(np.uint8)
        for side, pixels in (("high", light), ("low", light // 4)):
            (tmp_path / "pairs" / side).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / "pairs" / side / f"{name}.png")
    return tmp_path / "pairs"


@pytest.fixture
def alexnet(tmp_path: Path) -> Path:
    random = torch.Generator().manual_seed(0)
    table = {}
    for index, outputs, inputs, side in ALEXNET:
        kernel = torch.randn(outputs, inputs, side, side, generator=random)
        table[f"features.{index}.weight"] = kernel * (2 / (inputs * side * side)) ** 0.5
        table[f"features.{index}.bias"] = torch.randn(outputs, generator=random) / 10
    torch.save(table, tmp_path / "alexnet.pth")
    return tmp_path / "alexnet.pth"


def means(done: Result) -> dict[str, float]:
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)["contenders"][0]["means"]


def test_lpips_is_measured_by_the_network_that_is_named(
    undark: Undark, data: Path, alexnet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("evaluate", "--data", data, "-m", "curve", "--no-memory", "--json")
    asked += ("--metrics", "ssim, lpips")
    monkeypatch.delenv("UNDARK_LPIPS", raising=False)
    refused = undark(*asked)
    assert refused.exit_code == 2
    assert "undark: lpips needs weights, which are not part of undark" in refused.stderr

    found = means(undark(*asked, "--lpips-weights", alexnet))
    assert list(found) == ["psnr", "ssim", "lpips"]
    assert 0 < found["lpips"] < 2
    monkeypatch.setenv("UNDARK_LPIPS", str(alexnet))
    assert means(undark(*asked)) == found


def test_what_is_asked_for_wrongly_is_one_line(undark: Undark, data: Path, alexnet: Path) -> None:
    for options, words in (
        (("--metrics", "pnsr"), "no metric is called 'pnsr'; did you mean 'psnr'?"),
        (("--dists-weights", alexnet), "DISTS needs VGG-16, not AlexNet"),
        (("--lpips-weights", data / "low" / "1.png"), "not a table of parameters"),
    ):
        done = undark("evaluate", "--data", data, "-m", "curve", "--no-memory", *options)
        assert done.exit_code == 2
        assert words in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
