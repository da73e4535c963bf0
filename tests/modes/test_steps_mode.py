from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from undark import Enhancer, Photo
from undark.engine.editor import StepsEditor
from undark.errors import ModelError, UsageError
from undark.models import Card, Model
from undark.modes import tiling
from undark.modes.steps import run_steps
from undark.pixels.look import LIMIT
from undark.pixels.steps import Step, apply_steps

STEPS = (
    Step("exposure", 1.2),
    Step("exposure", 0.4, "top"),
    Step("denoise", 1.0),
    Step("sharpen", 0.3),
    Step("exposure", -0.4, "middle"),
    Step("denoise", 0.25, "shadows"),
)


def quiet(fraction: float) -> None:
    del fraction


@pytest.fixture(scope="module")
def stepper(steps_model: Path) -> Enhancer:
    return Enhancer(steps_model, runtime="onnxruntime", device="cpu")


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(tiling, "BAND_PIXELS", 1)
    yield


def test_the_model_tells_the_steps_that_it_does(stepper: Enhancer) -> None:
    dark = np.random.default_rng(0).integers(0, 20, (90, 70, 3), dtype=np.uint8)
    steps = stepper.steps(dark)
    assert 0 < len(steps) <= LIMIT
    assert {step.operation for step in steps} == {"exposure"}
    np.testing.assert_array_equal(StepsEditor(steps)(dark), stepper(dark))
    assert stepper.steps(np.full((8, 8, 3), 200, np.uint8)) == ()


def test_a_bright_photo_comes_back_bit_for_bit(stepper: Enhancer) -> None:
    for kind in (np.uint8, np.uint16):
        bright = np.random.default_rng(1).integers(
            np.iinfo(kind).max // 2, np.iinfo(kind).max, (40, 50, 3), dtype=kind
        )
        np.testing.assert_array_equal(stepper(bright), bright)


@pytest.mark.usefixtures("narrow")
@settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
@given(height=st.integers(1, 300), width=st.integers(1, 40))
def test_bands_agree_with_the_whole_at_any_size(height: int, width: int) -> None:
    photo = Photo(np.random.default_rng(2).integers(0, 255, (height, width, 3), dtype=np.uint8))
    bands = list(run_steps(photo, STEPS, quiet))
    assert [top for top, _ in bands] == list(np.cumsum([0, *(len(b) for _, b in bands[:-1])]))
    together = np.concatenate([band for _, band in bands])
    assert np.abs(together - apply_steps(photo.rgb(), STEPS)).max() < 1 / 255 / 4


@pytest.mark.usefixtures("narrow")
def test_a_gradient_shows_no_seam() -> None:
    down = np.linspace(0, 0.1, 700, dtype=np.float32)[:, None, None]
    photo = Photo(np.repeat(np.repeat(down, 9, axis=1), 3, axis=2))
    bands = [band for _, band in run_steps(photo, STEPS, quiet)]
    assert len(bands) > 3
    slope = np.diff(np.concatenate(bands)[:, 4, 1])
    assert np.abs(np.diff(slope)).max() < 1e-3


def test_depth_is_kept_and_16_bits_are_finer() -> None:
    levels = np.linspace(0, 3000, 64 * 64).astype(np.uint16).reshape(64, 64, 1).repeat(3, axis=2)
    done = StepsEditor(STEPS[:1])(levels)
    assert done.dtype == np.uint16
    assert len(np.unique(done)) > 2000
    assert StepsEditor(STEPS)(levels.astype(np.float32) / 65535).dtype == np.float32


def test_strength_blends_with_the_source() -> None:
    dark = np.random.default_rng(0).integers(0, 60, (20, 20, 3), dtype=np.uint8)
    edit = StepsEditor(STEPS)
    half = edit.enhance(dark, strength=0.5).astype(float)
    assert np.abs(half - (dark + edit(dark).astype(float)) / 2).max() <= 1.01
    np.testing.assert_array_equal(edit.enhance(dark, strength=0.0), dark)


def test_other_models_have_no_steps_to_tell(make_model) -> None:
    enhancer = Enhancer(make_model(), runtime="onnxruntime", device="cpu")
    assert not enhancer.works_in_steps
    with pytest.raises(UsageError, match="does not work in steps"):
        enhancer.steps(np.zeros((9, 9, 3), np.uint8))


def test_a_card_of_steps_needs_a_glance_and_a_graph_that_chooses(
    steps_model: Path, make_model
) -> None:
    card = replace(Card.load(steps_model.with_suffix(".json")), glance=None)
    with pytest.raises(ModelError, match="glance"):
        Enhancer(Model(card, steps_model), runtime="onnxruntime", device="cpu")
    with pytest.raises(ModelError, match="state"):
        Enhancer(make_model(mode="steps"), runtime="onnxruntime", device="cpu")
