"""The change of a reduced photo, carried to full size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undark import Enhancer
from undark.pixels.resize import upsample_rows


@given(
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.integers(1, 20),
)
@settings(max_examples=80, deadline=None)
def test_bands_are_the_rows_of_the_whole(small, large, step):
    values = np.random.default_rng(1).random((*small, 3), dtype=np.float32)
    height, width = max(large[0], small[0]), max(large[1], small[1])
    whole = upsample_rows(values, height, width, 0, height)
    assert whole.shape == (height, width, 3)
    for top in range(0, height, step):
        bottom = min(top + step, height)
        np.testing.assert_allclose(
            upsample_rows(values, height, width, top, bottom), whole[top:bottom], atol=1e-6
        )


def test_upsampling_keeps_a_plane():
    rows = (np.arange(8, dtype=np.float32) + 0.5) / 8
    plane = np.repeat((rows[:, None] + rows[None, :])[..., None], 3, axis=2)
    large = (np.arange(64, dtype=np.float32) + 0.5) / 64
    expected = large[:, None] + large[None, :]
    result = upsample_rows(plane, 64, 64, 0, 64)
    np.testing.assert_allclose(result[8:-8, 8:-8, 0], expected[8:-8, 8:-8], atol=1e-5)


@pytest.fixture(scope="module")
def guided(make_model):
    return Enhancer(make_model(mode="guided", max_side=100))


def test_detail_finer_than_the_reduced_photo_survives(guided):
    rng = np.random.default_rng(5)
    coarse = np.linspace(0.05, 0.25, 600, dtype=np.float32)[None, :, None]
    image = coarse + rng.normal(0, 0.01, (400, 600, 3)).astype(np.float32)
    result = guided(np.clip(image, 0, 1))
    gain = 3 - 2 * image.mean()
    wanted = np.clip(image * gain, 0, 1)
    assert np.abs(result - wanted).mean() < 0.01
    fine, kept = image - coarse, result - coarse * gain
    assert np.corrcoef(fine.ravel(), kept.ravel())[0, 1] > 0.95


def test_bands_of_a_large_photo_meet_without_a_seam(guided):
    """Wide enough for several bands: a band's last row and the next one's first differ no more."""
    ramp = np.linspace(0.05, 0.3, 1500, dtype=np.float32)
    image = np.repeat(np.repeat(ramp[:, None, None], 1600, axis=1), 3, axis=2)
    result = guided(image)[:, 800, 1]
    steps = np.diff(result)[40:-40]
    assert steps.max() < 2 * steps.mean() + 1e-5
    assert steps.min() > -1e-5


@given(st.integers(1, 300), st.integers(1, 300))
@settings(max_examples=20, deadline=None)
def test_any_size_works(guided, height, width):
    image = np.random.default_rng(2).random((height, width, 3), dtype=np.float32)
    result = guided(image)
    assert result.shape == image.shape
    assert np.isfinite(result).all()
