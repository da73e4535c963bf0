"""HDR photos: enhanced as what an SDR screen shows of them, light above white kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import undark
from undark.engine.editor import StepsEditor
from undark.photo import Cicp, Photo
from undark.pixels import transfer
from undark.pixels.colour import linear_to_srgb, srgb_to_linear
from undark.pixels.steps import Step

BRIGHTER = StepsEditor([Step("exposure", 1.0)])
LINEAR, PQ, HLG = 8, 16, 18


def photo_of(light: np.ndarray, code: int, dtype: type = np.uint16) -> Photo:
    encoded = transfer.encode(light, code)
    top = np.iinfo(dtype).max
    return Photo(np.rint(encoded * top).astype(dtype), cicp=Cicp(9, code))


def light_of(photo: Photo) -> np.ndarray:
    assert photo.cicp is not None
    return transfer.decode(photo.rgb(), photo.cicp.transfer)


@pytest.mark.parametrize("code", [PQ, HLG, LINEAR])
def test_below_white_it_is_enhanced_as_any_photo(code: int) -> None:
    light = np.random.default_rng(1).random((40, 50, 3)) * 0.3
    result = BRIGHTER.enhance(photo_of(light, code))
    plain = np.rint(65535 * linear_to_srgb(light.astype(np.float32))).astype(np.uint16)
    wanted = srgb_to_linear(BRIGHTER.enhance(Photo(plain)).rgb())
    assert result.cicp == Cicp(9, code)
    assert result.pixels.dtype == np.uint16
    np.testing.assert_allclose(light_of(result), wanted, atol=2e-3)


@pytest.mark.parametrize("code", [PQ, HLG])
def test_light_above_white_keeps_its_ratio(code: int) -> None:
    light = np.full((4, 4, 3), 0.05)
    light[0], light[1], light[2] = 4.0, 2.0, (2.0, 1.0, 0.5)
    lit = light_of(BRIGHTER.enhance(photo_of(light, code)))
    np.testing.assert_allclose(lit[3], 0.1, rtol=0.01)
    np.testing.assert_allclose(lit[0], 4.0, rtol=0.01)
    np.testing.assert_allclose(lit[1], 2.0, rtol=0.01)
    # The coloured highlight: red was at its own white already, the others get what they get.
    np.testing.assert_allclose(lit[2, 0, 0], 2.0, rtol=0.01)
    assert (lit[2, 0, 1:] >= light[2, 0, 1:]).all()


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([PQ, HLG, LINEAR]),
    st.sampled_from([np.uint8, np.uint16]),
    st.integers(0, 1000),
)
def test_what_is_not_changed_comes_back_bit_for_bit(code: int, dtype: type, seed: int) -> None:
    top = np.iinfo(dtype).max
    pixels = np.random.default_rng(seed).integers(0, top + 1, (5, 6, 3)).astype(dtype)
    photo = Photo(pixels, cicp=Cicp(9, code))
    same = StepsEditor([Step("exposure", 0.0)])
    np.testing.assert_array_equal(same.enhance(photo).pixels, pixels)
    assert BRIGHTER.enhance(photo, strength=0.0) is photo


def test_order_of_light_stays() -> None:
    """No ring at white: what was brighter is brighter still, from shadow to far above white."""
    ramp = np.geomspace(0.001, 20.0, 400)[None, :, None].repeat(3, axis=2)
    lit = light_of(BRIGHTER.enhance(photo_of(ramp, PQ)))[0, :, 0]
    assert (np.diff(lit) > 0).all()
    assert (lit >= ramp[0, :, 0] * 0.999).all()


def test_alpha_and_grey_stay() -> None:
    light = np.full((6, 7, 3), 0.1)
    alpha = np.arange(42, dtype=np.uint16).reshape(6, 7)
    photo = replace(photo_of(light, PQ), alpha=alpha, gray=True)
    result = undark.enhance(photo, model="curve")
    np.testing.assert_array_equal(result.alpha, alpha)
    assert result.gray
    assert (result.pixels == result.pixels[..., :1]).all()


def test_a_dark_hdr_photo_is_lit_and_a_bright_one_is_not_taken_for_dark() -> None:
    """PQ's numbers look flat and grey to a model that takes them for an SDR photo's."""
    random = np.random.default_rng(5)
    dark = random.random((64, 64, 3)) * 0.02
    lit = light_of(undark.enhance(photo_of(dark, PQ), model="curve"))
    assert lit.mean() > 3 * dark.mean()
    assert undark.Enhancer("agent").steps(photo_of(dark, PQ))
