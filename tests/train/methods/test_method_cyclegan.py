"""CycleGAN: stacks without pairs, and the camera that goes from light to dark."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from small_recipe import SMALL

from undark.errors import DataError, RecipeError, UsageError
from undark.photo import area_resize
from undark.pixels.colour import linear_to_srgb, srgb_to_linear
from undark.train import export_model, run
from undark.train.data.darken import Darkness, darken
from undark.train.data.stream import to_tensor
from undark.train.losses.adversarial import adversarial, frozen
from undark.train.nets.darkener import Darkener
from undark.train.nets.patch import PatchDiscriminator
from undark.train.nets.srgb import to_linear, to_srgb

GAN = (*SMALL, "options.discriminator=[4, 8]")


@pytest.fixture
def stacks(pairs: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Dark pictures and light ones of other scenes, of other sizes, under other names."""
    dark, light = tmp_path / "evening", tmp_path / "noon"
    dark.mkdir()
    light.mkdir()
    for number in range(4):
        shutil.copy(pairs / "dark" / f"{number}.png", dark / f"IMG_{number}.png")
        shutil.copy(pairs / "light" / f"{number + 4}.png", light / f"DSC_{number}.png")
    return dark, light


def test_the_tone_curves_are_those_of_the_tone_room() -> None:
    values = np.linspace(0, 1, 500, dtype=np.float32)
    torch.testing.assert_close(
        to_linear(torch.from_numpy(values)).numpy(), srgb_to_linear(values), atol=1e-6, rtol=1e-4
    )
    torch.testing.assert_close(
        to_srgb(torch.from_numpy(values)).numpy(), linear_to_srgb(values), atol=1e-6, rtol=1e-4
    )


@pytest.mark.parametrize("level", [0.02, 0.06, 0.2])
def test_the_camera_darkens_to_the_level_it_is_told(level: float) -> None:
    glance = torch.rand(2, 3, 24, 24) * 0.8
    with torch.no_grad():
        _, dark = Darkener()(glance, glance, torch.full((2, 1, 1, 1), level))
    np.testing.assert_allclose(dark.mean((1, 2, 3)), level, rtol=0.03)


def test_the_camera_is_the_twin_of_the_physical_model() -> None:
    """What was learned, run by `darken`, gives the same level, noise and correlation."""
    torch.manual_seed(0)
    camera = Darkener()
    with torch.no_grad():
        camera.log_read += 0.5
        camera.log_gamma += 0.05
        camera.pedestal += torch.tensor([0.001, 0.0, 0.002])
    light = np.full((256, 256, 3), 0.6, np.float32)
    tensor = to_tensor(light)[None]
    with torch.no_grad():
        part, _ = camera(tensor, tensor, torch.full((1, 1, 1, 1), 0.08))
    learned = camera.darkness(0.0)
    # The level fixes the exposure: look for the one that gives it.
    random = np.random.default_rng(0)
    candidates = [
        darken(light, Darkness(**{**_fields(learned), "ev": ev}), random)
        for ev in np.arange(3.0, 8.0, 0.05)
    ]
    mine = part[0].numpy().transpose(1, 2, 0)
    twin = min(candidates, key=lambda picture: abs(picture.mean() - mine.mean()))
    # The camera's sensitivity varies by 0.3 from picture to picture; the twin's does not.
    for one, two in zip(_grain(mine), _grain(twin), strict=True):
        assert one == pytest.approx(two, rel=0.9)
        assert one > 0


def _fields(darkness: Darkness) -> dict[str, object]:
    return {name: getattr(darkness, name) for name in Darkness.__slots__}


def _grain(picture: np.ndarray) -> tuple[float, float]:
    """Noise of single pixels and of 4×4 means."""
    coarse = area_resize(picture, picture.shape[0] // 4, picture.shape[1] // 4)
    return float(picture.std((0, 1)).mean()), float(coarse.std((0, 1)).mean())


def test_the_camera_learns_how_noisy_a_stack_is() -> None:
    """Against a discriminator, its noise grows towards that of a stack noisier than its start."""
    torch.manual_seed(1)
    noisy, camera = Darkener(), Darkener()
    with torch.no_grad():
        noisy.log_read += 2.0
        noisy.log_shot += 2.0
    judge = PatchDiscriminator(3, widths=(16, 32))
    moves = torch.optim.Adam(
        [
            {"params": camera.parameters(), "lr": 0.02},
            {"params": judge.parameters(), "lr": 0.002},
        ],
        betas=(0.5, 0.999),
    )
    before = float(camera.log_shot.detach())
    level = torch.full((4, 1, 1, 1), 0.08)
    for _ in range(80):
        light = torch.nn.functional.interpolate(torch.rand(8, 3, 5, 5), (40, 40), mode="bilinear")
        with torch.no_grad():
            real = 3.0 * noisy(light[:4], light[:4], level)[0]
        fake = 3.0 * camera(light[4:], light[4:], level)[0]
        with frozen(judge):
            fooled = adversarial(judge(fake), real=True, criterion="bce")
        told = [
            adversarial(judge(picture), real=truth, criterion="bce")
            for picture, truth in ((real, True), (fake.detach(), False))
        ]
        moves.zero_grad()
        (fooled + sum(told)).backward()
        moves.step()
    assert float(camera.log_shot.detach()) > before + 0.3


def test_two_stacks_train_and_export_without_any_pair(stacks, tmp_path: Path) -> None:
    dark, light = stacks
    told: list[str] = []
    done = run(
        "cyclegan",
        dark=dark,
        light=light,
        out=tmp_path / "run",
        overrides=GAN,
        notify=told.append,
    )
    assert any("4 of" in line and "unseen: 0" in line for line in told)
    camera = json.loads((done.folder / "camera.json").read_text(encoding="utf-8"))
    assert camera["shot"] > 0
    card = export_model(done.folder, tmp_path / "mine.onnx").card.read_text(encoding="utf-8")
    assert json.loads(card)["method"] == "unpaired"
    assert {item["name"] for item in json.loads(card)["data"]} == {"evening", "noon"}


def test_a_folder_of_pairs_is_taken_with_the_pairing_hidden(pairs: Path, tmp_path: Path) -> None:
    done = run("cyclegan", data=pairs, out=tmp_path / "run", overrides=GAN)
    assert done.measured[0]["pictures"] == 2


def test_what_it_cannot_learn_from_is_said(pairs: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UsageError, match="dark and light"):
        run("cyclegan", out=tmp_path / "run", overrides=GAN)
    with pytest.raises(RecipeError, match="dark and light"):
        run("cyclegan", dark=pairs / "dark", out=tmp_path / "run", overrides=GAN)
    with pytest.raises(RecipeError, match="pairs of dark and light"):
        run("unet", dark=pairs / "dark", out=tmp_path / "run", overrides=SMALL)
    with pytest.raises(DataError, match="empty: holds no readable photo"):
        run("cyclegan", dark=empty, light=pairs / "light", out=tmp_path / "run", overrides=GAN)
    with pytest.raises(DataError, match="no such folder"):
        run("cyclegan", dark=tmp_path / "no", light=empty, out=tmp_path / "run", overrides=GAN)


def test_unreadable_pictures_are_left_out_with_a_line(stacks, tmp_path: Path) -> None:
    dark, light = stacks
    (dark / "broken.png").write_bytes(b"not a picture")
    told: list[str] = []
    run(
        "cyclegan",
        dark=dark,
        light=light,
        out=tmp_path / "run",
        overrides=(*GAN, "fit.steps=2"),
        notify=told.append,
    )
    assert any("broken.png" in line and "left out" in line for line in told)
