"""Tone operations: identity, range, monotony, and what each promises."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from undark.errors import UsageError
from undark.pixels import colour, tone

pictures = arrays(
    np.float32,
    st.tuples(st.integers(1, 6), st.integers(1, 6), st.just(3)),
    elements=st.floats(0, 1, width=32),
)
names = st.sampled_from(sorted(tone.OPERATIONS))
RAMP = np.repeat(np.linspace(0, 1, 1025, dtype=np.float32)[None, :, None], 3, axis=2)
CURVES = ["exposure", "brightness", "gamma", "contrast"]


def patch(*rgb: float) -> np.ndarray:
    return np.full((4, 4, 3), rgb, dtype=np.float32)


@given(names, pictures)
@settings(deadline=None)
def test_the_neutral_amount_changes_nothing_and_copies(name, image):
    operation = tone.OPERATIONS[name]
    result = operation(image, operation.neutral)
    np.testing.assert_array_equal(result, image)
    assert not np.shares_memory(result, image)


@given(names, pictures, st.floats(0, 1))
@settings(max_examples=200, deadline=None)
def test_results_are_float32_in_range_and_the_source_is_left_alone(name, image, share):
    operation = tone.OPERATIONS[name]
    before = image.copy()
    result = operation(image, operation.low + share * (operation.high - operation.low))
    assert result.dtype == np.float32
    assert result.shape == image.shape
    assert result.min() >= 0
    assert result.max() <= 1
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("name", CURVES)
@given(share=st.floats(0, 1))
@settings(deadline=None)
def test_curves_rise_with_the_value_and_keep_black(name, share):
    operation = tone.OPERATIONS[name]
    curve = operation(RAMP, operation.low + share * (operation.high - operation.low))[0, :, 0]
    assert (np.diff(curve) >= -1e-6).all()
    assert curve[0] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", ["exposure", "brightness", "gamma"])
@given(shares=st.tuples(st.floats(0, 1), st.floats(0, 1)))
@settings(deadline=None)
def test_curves_rise_with_the_amount(name, shares):
    operation = tone.OPERATIONS[name]
    low, high = (operation.low + s * (operation.high - operation.low) for s in sorted(shares))
    assert (operation(RAMP, high) - operation(RAMP, low) >= -1e-6).all()


def test_one_ev_doubles_the_light_of_shadows_and_middle_grey():
    linear = np.array([0.01, 0.05, 0.18], dtype=np.float32)
    image = np.repeat(colour.linear_to_srgb(linear)[None, :, None], 3, axis=2)
    doubled = colour.srgb_to_linear(tone.exposure(image, 1.0))[0, :, 0]
    np.testing.assert_allclose(doubled, 2 * linear, rtol=1e-3)
    halved = colour.srgb_to_linear(tone.exposure(image, -1.0))[0, :, 0]
    np.testing.assert_allclose(halved, linear / 2, rtol=1e-3)


@pytest.mark.parametrize("amount", [0.5, 1, 2, 4])
def test_exposure_clips_nothing_that_was_not_clipped(amount):
    below_white = RAMP[RAMP < 0.9999].reshape(1, -1, 3)
    assert tone.exposure(below_white, amount).max() < 1
    assert tone.exposure(patch(1, 1, 1), amount).min() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("amount", [0.25, 1, 3])
def test_the_exposure_curve_has_no_kink(amount):
    ramp = np.repeat(np.linspace(0, 1, 4001, dtype=np.float32)[None, :, None], 3, axis=2)
    light = colour.srgb_to_linear(tone.exposure(colour.linear_to_srgb(ramp), amount))[0, :, 0]
    slope = np.diff(light.astype(np.float64)) * 4000
    assert np.abs(np.diff(slope)).max() < 0.02 * 2.0**amount


@given(arrays(np.float32, 50, elements=st.floats(0, 1, width=32)))
@settings(deadline=None)
def test_linear_light_and_back_is_the_same(values):
    back = colour.linear_to_srgb(colour.srgb_to_linear(values))
    np.testing.assert_allclose(back, values, atol=1e-5)


def test_grey_stays_grey_and_minus_one_is_grey():
    grey = patch(0.3, 0.3, 0.3)
    for amount in (-1.0, 0.7):
        np.testing.assert_allclose(tone.saturation(grey, amount), grey, atol=1e-6)
    drab = tone.saturation(patch(0.2, 0.6, 0.4), -1.0)
    assert np.ptp(drab, axis=2).max() == pytest.approx(0, abs=1e-6)


@given(pictures, st.floats(-1, 1))
@settings(deadline=None)
def test_saturation_keeps_luma(image, amount):
    np.testing.assert_allclose(
        colour.luma(tone.saturation(image, amount)), colour.luma(image), atol=1e-5
    )


def test_white_balance_goes_the_way_it_says():
    grey = patch(0.4, 0.4, 0.4)
    red, _, blue = tone.white_balance(grey, temperature=0.5)[0, 0]
    assert red > 0.4 > blue
    red, green, blue = tone.white_balance(grey, tint=0.5)[0, 0]
    assert red == pytest.approx(blue, abs=1e-5)
    assert red > 0.4 > green
    ratio = colour.srgb_to_linear(tone.white_balance(grey, temperature=1.0))[0, 0]
    assert np.log2(ratio[0] / ratio[2]) == pytest.approx(1, abs=1e-3)


def test_sharpen_steepens_an_edge_and_softens_backwards():
    image = np.repeat(np.where(np.arange(32) < 16, 0.3, 0.7)[None, :, None], 3, axis=2)
    image = np.repeat(image, 8, axis=0).astype(np.float32)

    def step(picture):
        return picture[4, 16, 0] - picture[4, 15, 0]

    assert step(tone.sharpen(image, 1.0)) > step(image) > step(tone.sharpen(image, -1.0))


def test_denoise_calms_flat_noise_more_in_colour_and_keeps_edges():
    rng = np.random.default_rng(7)
    clean = np.where(np.arange(96) < 48, 0.2, 0.7)[None, :, None] * np.ones((96, 1, 3))
    noisy = np.clip(clean + rng.normal(0, 0.03, clean.shape), 0, 1).astype(np.float32)
    result = tone.denoise(noisy, 1.0)
    flat = (slice(None), slice(0, 40))

    def deviation(picture):
        grey = colour.luma(picture)
        return grey[flat].std(), (picture - grey[..., None])[flat].std()

    luma_before, colour_before = deviation(noisy)
    luma_after, colour_after = deviation(result)
    assert luma_after < 0.6 * luma_before
    assert colour_after / colour_before < luma_after / luma_before
    assert (result[:, 52:60].mean() - result[:, 36:44].mean()) > 0.45
    half = tone.denoise(noisy, 0.5)
    np.testing.assert_allclose(half, (noisy + result) / 2, atol=1e-5)


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), 99.0, -99.0])
def test_an_amount_out_of_range_is_refused(amount):
    for operation in tone.OPERATIONS.values():
        with pytest.raises(UsageError, match="amount must be between"):
            operation(RAMP, amount)


def test_the_table_says_all_that_a_slider_needs():
    for operation in tone.OPERATIONS.values():
        assert operation.low <= operation.neutral < operation.high
        assert operation.unit
        assert operation.meaning
