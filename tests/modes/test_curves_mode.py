"""Graphs that give curves, with a small one built on the spot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from skimage import data

from small_models import save_model
from undark import Enhancer, Photo
from undark.adjust import Adjust
from undark.errors import ModelError
from undark.models import Card, Glance, Scaling
from undark.modes import tiling
from undark.modes.curves import Curves
from undark.pixels import tone
from undark.pixels.curves import SAMPLES, sample_points


def curves(stops: float) -> np.ndarray:
    points = np.repeat(sample_points(SAMPLES)[None, :, None], 3, axis=2)
    return tone.exposure(points, stops)[0].T.copy()


def graph(stops: float, strength: float) -> onnx.ModelProto:
    """Curves of that many EV for every photo; its glance is summed up and multiplied by zero."""
    constants = {
        "lifted": curves(stops)[None],
        "cleaned": np.full((1, 2), strength, np.float32),
        "zero": np.zeros((), np.float32),
    }
    nodes = [
        helper.make_node("ReduceMean", ["glance"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["none"]),
        helper.make_node("Add", ["lifted", "none"], ["curves"]),
        helper.make_node("Add", ["cleaned", "none"], ["clean"]),
    ]
    shapes = {"glance": ["n", 3, 16, 16], "curves": ["n", 3, SAMPLES], "clean": ["n", 2]}
    values = {k: helper.make_tensor_value_info(k, TensorProto.FLOAT, v) for k, v in shapes.items()}
    built = helper.make_graph(
        nodes,
        "curves",
        [values["glance"]],
        [values["curves"], values["clean"]],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(built, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("curves")
    return save_model(graph(3.0, 1.0), folder / "lift.onnx", Glance(16, 16), Scaling(mode="curves"))


@pytest.fixture(scope="module")
def enhancer(path: Path) -> Enhancer:
    return Enhancer(path, runtime="onnxruntime", device="cpu")


def test_without_noise_the_result_is_the_operations(enhancer: Enhancer):
    ramp = np.linspace(0, 0.2, 300, dtype=np.float32)[None, :, None].repeat(3, 2).repeat(200, 0)
    np.testing.assert_allclose(enhancer(ramp), tone.exposure(ramp, 3.0), atol=0.01)


@settings(max_examples=20, deadline=None)
@given(height=st.integers(1, 90), width=st.integers(1, 90))
def test_any_size(enhancer: Enhancer, height: int, width: int):
    image = np.random.default_rng(1).integers(0, 60, (height, width, 3), dtype=np.uint8)
    assert enhancer(image).shape == image.shape


def bands(pixels: np.ndarray, size: int, monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The bands of a photo by curves of 3 EV, about `size` pixels each."""
    monkeypatch.setattr(tiling, "BAND_PIXELS", size)
    answers = {"curves": curves(3.0)[None], "clean": np.ones((1, 2), np.float32)}
    mode = Curves(Scaling(mode="curves"), Glance(16, 16))
    found = mode.bands(lambda *_: answers, Photo(pixels), Adjust(), lambda _: None)
    tops, parts = zip(*found, strict=True)
    assert list(tops) == list(np.cumsum([0, *(len(part) for part in parts[:-1])]))
    return list(parts)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_bands_give_what_the_whole_gives(dtype: type, monkeypatch: pytest.MonkeyPatch):
    top = 1.0 if dtype is np.float32 else np.iinfo(dtype).max
    random = np.random.default_rng(0)
    tall = np.tile(data.coffee(), (3, 1, 1))[:1111] / np.float32(255)
    dark = np.clip(tall * 0.1 + random.normal(0, 0.01, tall.shape), 0, 1)
    pixels = (dark * top).astype(dtype)
    (whole,) = bands(pixels, 1 << 30, monkeypatch)
    parts = bands(pixels, 1, monkeypatch)
    assert len(parts) > 3
    assert np.abs(np.concatenate(parts) - whole).max() < 1e-4


def test_bands_cover_a_large_photo_once(enhancer: Enhancer, monkeypatch: pytest.MonkeyPatch):
    pixels = np.tile(data.coffee() // 12, (4, 5, 1))[:1501, :2903]
    parts = bands(pixels, tiling.BAND_PIXELS, monkeypatch)
    assert len(parts) > 2
    joined = np.concatenate(parts)
    assert joined.shape == pixels.shape
    shares: list[float] = []
    result = enhancer.enhance(pixels, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert np.abs(result / np.float32(255) - joined).max() <= 0.51 / 255


def test_gray_alpha_strength_and_exposure_are_as_for_any_model(enhancer: Enhancer):
    dark = (data.camera()[::4, ::4] // 10).astype(np.uint8)
    assert enhancer(dark).shape == dark.shape
    photo = Photo(np.stack([dark] * 3, axis=-1), alpha=dark, gray=True)
    result = enhancer(photo)
    assert (result.pixels == result.pixels[..., :1]).all()
    assert result.alpha is dark
    full, half = enhancer(dark), enhancer.enhance(dark, strength=0.5)
    assert np.abs(half - (full.astype(float) + dark) / 2).max() <= 1.01
    assert enhancer.enhance(dark, exposure=1.0).mean() > full.mean()


def test_a_card_without_a_glance_is_refused(path: Path, tmp_path: Path):
    card = replace(Card.load(path.with_suffix(".json")), glance=None)
    (tmp_path / "bad.json").write_text(card.dump(), encoding="utf-8")
    (tmp_path / "bad.onnx").write_bytes(path.read_bytes())
    with pytest.raises(ModelError, match="needs a glance"):
        Enhancer(tmp_path / "bad.onnx")


def test_a_graph_of_another_kind_is_refused(path: Path, tmp_path: Path):
    card = replace(Card.load(path.with_suffix(".json")), scaling=Scaling(mode="tiles"))
    (tmp_path / "bad.onnx").write_bytes(path.read_bytes())
    (tmp_path / "bad.json").write_text(card.dump(), encoding="utf-8")
    with pytest.raises(ModelError, match="inputs"):
        Enhancer(tmp_path / "bad.onnx", runtime="onnxruntime", device="cpu")
