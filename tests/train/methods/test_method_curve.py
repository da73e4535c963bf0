from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from undark import Enhancer
from undark.errors import RecipeError
from undark.models import Card
from undark.pixels import tone
from undark.train import export_model, run
from undark.train.losses import zero_reference
from undark.train.losses.self_noise import noise_left, shrunken_twin
from undark.train.nets.curve import CurveNet
from undark.train.nets.exposure import expose
from undark.train.nets.srgb import to_linear, to_srgb
from undark.train.weights import load_weights

SMALL = (
    "net.glance=32",
    "data.batch=2",
    "data.crop=64",
    "data.held_out=0.25",
    "fit.steps=4",
    "fit.warmup=2",
    "options.twins=1",
)


@pytest.fixture(scope="session")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight pairs of 96×128 pictures, dark ones warm and noisy."""
    folder = tmp_path_factory.mktemp("nights")
    random = np.random.default_rng(0)
    pictures = [data.coffee(), data.astronaut()]
    for side in ("dark", "light"):
        (folder / side).mkdir()
    for number in range(8):
        whole = pictures[number % 2]
        top, left = 30 * number % 200, 37 * number % 250
        light = whole[top : top + 192 : 2, left : left + 256 : 2]
        low = tone.exposure((light / np.float32(255)).astype(np.float32), -3.5)
        low = low * np.array([1.1, 1.0, 0.8]) + random.normal(0, 0.01, low.shape)
        dark = (np.clip(low, 0, 1) * 255 + 0.5).astype(np.uint8)
        Image.fromarray(light).save(folder / "light" / f"{number}.png")
        Image.fromarray(dark).save(folder / "dark" / f"{number}.png")
    return folder


def scrambled(**sizes) -> CurveNet:
    torch.manual_seed(0)
    network = CurveNet(**{"glance": 32, **sizes}).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return network


def test_light_is_that_of_the_operation() -> None:
    image = np.random.default_rng(0).random((9, 7, 3), dtype=np.float32)
    linear = to_linear(torch.from_numpy(image.transpose(2, 0, 1))[None])
    for stops in (-1.0, 0.0, 0.7, 5.0):
        lit = expose(linear, torch.full((1, 3, 1, 1), 2.0**stops))[0].numpy().transpose(1, 2, 0)
        np.testing.assert_allclose(lit, tone.exposure(image, stops), atol=2e-6)


@settings(max_examples=25, deadline=None)
@given(light=st.floats(0.0, 1.0), seed=st.integers(0, 99))
def test_curves_rise_and_keep_black_and_white(light: float, seed: int) -> None:
    torch.manual_seed(seed)
    with torch.no_grad():
        curves, strength = scrambled()(torch.rand(2, 3, 32, 32) * light)
    assert (curves.diff(dim=2) >= -1e-6).all()
    assert float(curves[:, :, 0].max()) < 1e-4
    assert float(curves[:, :, -1].min()) > 0.85
    assert float(curves.max()) <= 1.0
    assert (strength > 0).all()


def test_untrained_it_gives_the_wanted_level_and_leaves_what_is_bright() -> None:
    network = CurveNet(glance=32, wanted=0.4)
    dark = network.decision(
        torch.rand(3, 3, 32, 32) * torch.tensor([0.3, 0.1, 0.03])[:, None, None, None]
    )
    luma = (dark.relit * network.weights).sum(1).mean((1, 2))
    assert luma.tolist() == pytest.approx([0.4] * 3, abs=0.005)
    bright = 0.5 + 0.5 * torch.rand(1, 3, 32, 32)
    assert torch.allclose(scrambled().decision(bright).relit, bright, atol=1e-5)


def test_the_level_can_be_learned() -> None:
    network = CurveNet(glance=32)
    network.decision(torch.rand(2, 3, 32, 32) * 0.05).relit.mean().backward()
    gradient = network.decide[2].bias.grad
    assert gradient is not None
    assert gradient[0] > 1e-3


def test_only_the_very_dark_gets_a_tint() -> None:
    network = CurveNet(glance=32)
    torch.nn.init.constant_(network.decide[2].bias, 0.5)
    stops: list[float] = []
    tints: list[float] = []
    for gain in (3e-4, 3e-3, 3e-2, 0.3):
        with torch.no_grad():
            found = network.decision(to_srgb(torch.full((1, 3, 32, 32), gain)))
        stops.append(float(found.stops))
        tints.append(float(found.tint.abs().max()))
    assert stops == sorted(stops, reverse=True)
    assert stops[0] > 6
    assert stops[2] < 4
    assert tints[0] >= tints[1] > 0.05
    assert tints[2:] == [0.0, 0.0]


def test_exposure_asks_for_light_where_it_lacks() -> None:
    levels = [0.1, 0.2, 0.4, 0.5, 0.9]
    terms = [float(zero_reference.exposure(torch.full((1, 1, 8, 8), x), 0.4)) for x in levels]
    assert terms[0] == pytest.approx(4.0, abs=1e-4)
    assert terms == sorted(terms, reverse=True)
    assert terms[2:] == pytest.approx([0.0] * 3, abs=1e-6)


def test_spatial_consistency_minds_contrast_and_not_brightness() -> None:
    source = torch.rand(2, 3, 32, 32) * 0.1
    flat = source.mean((2, 3), keepdim=True) + 0.3 * (source - source.mean((2, 3), keepdim=True))
    assert float(zero_reference.spatial_consistency(source, 6.0 * source)) < 1e-9
    assert float(zero_reference.spatial_consistency(source, 6.0 * flat)) > 1e-4


def test_colour_constancy_and_restraint_vanish_on_neutral_ones() -> None:
    grey = torch.rand(2, 1, 16, 16).expand(-1, 3, -1, -1)
    warm = grey * torch.tensor([1.2, 1.0, 0.8])[:, None, None]
    assert float(zero_reference.colour_constancy(grey)) < 1e-12
    assert float(zero_reference.colour_constancy(warm)) > 1e-3
    zero = torch.zeros(2, 3, 1, 1)
    assert float(zero_reference.restraint(zero, zero[:, :1])) == 0.0
    assert float(zero_reference.restraint(zero + 0.1, zero[:, :1])) > 0.0


def test_cleaning_learns_to_be_as_strong_as_the_noise_asks() -> None:
    random = np.random.default_rng(0)
    image = data.coffee()[:384, :384].astype(np.float32) / 255
    bad = np.clip(image + random.normal(0, 0.06, image.shape), 0, 1).astype(np.float32)
    twin = shrunken_twin(bad, random)
    assert twin.truth.shape == twin.noisy.shape == (96, 96, 3)
    assert 0.03 < float((twin.noisy - twin.truth).std()) < 0.12
    left = []
    for value in (-2.5, 0.0, 2.5):
        strength = torch.full((2,), value, requires_grad=True)
        term = noise_left(strength, [twin])
        term.backward()
        assert strength.grad is not None
        left.append((term.item(), strength.grad[0].item()))
    assert left[1][0] < min(left[0][0], left[2][0])
    assert left[0][1] < 0.0 < left[2][1]


def test_a_run_learns_from_dark_photos_alone_and_its_export_gives_the_same(
    nights: Path, tmp_path: Path
) -> None:
    settings = (*SMALL, "fit.steps=40", "fit.lr=0.01", "fit.ema=0.5", "options.noise=0.5")
    done = run("curve", data=nights, out=tmp_path / "run", overrides=settings)
    rows = (done.folder / "history.csv").read_text(encoding="utf-8").splitlines()
    column = rows[0].split(",").index("train/colour")
    values = [float(v) for row in rows[1:] if (v := row.split(",")[column])]
    assert np.mean(values[-4:]) < 0.9 * np.mean(values[:4])
    assert done.measured[0]["pictures"] == 2
    assert done.measured[0]["psnr"] > 15

    exported = export_model(done.folder, tmp_path / "mine.onnx")
    assert exported.difference < 1e-4
    card = Card.load(exported.card)
    assert (card.method, card.scaling.mode) == ("zero-reference", "curves")
    assert card.parameters < 150_000
    with Image.open(nights / "dark" / "1.png") as opened:
        dark = np.asarray(opened)
    engine = Enhancer(exported.model, runtime="onnxruntime", device="cpu")(dark)
    from undark.train.methods import make_method

    weights = load_weights(exported.model)
    method = make_method(weights.recipe)
    own = method.network.state_dict()
    method.network.load_state_dict({k: v for k, v in weights.state.items() if k in own})
    assert np.abs(method.enhance(dark).astype(int) - engine).max() <= 1


def test_a_plain_folder_of_dark_photos_is_enough(nights: Path, tmp_path: Path) -> None:
    done = run("curve", data=nights / "dark", out=tmp_path / "run", overrides=SMALL)
    assert done.measured == []
    assert done.weights.is_file()


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("options.wanted=1.5", "wanted"),
        ("options.twins=0", "twins"),
        ("net.glance=0", "glance"),
        ("data.sources=[{kind='pairs'}]", "dark photos"),
    ],
)
def test_what_does_not_hold_up_is_said(
    nights: Path, tmp_path: Path, setting: str, says: str
) -> None:
    with pytest.raises(RecipeError, match=says):
        run("curve", data=nights, out=tmp_path / "run", overrides=[*SMALL, setting])
