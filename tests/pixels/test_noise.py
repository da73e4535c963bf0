from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from undark.pixels.noise import ALIGNMENT, HALO, LEVELS, clean, measure_noise


def picture() -> np.ndarray:
    return data.coffee().astype(np.float32) / 255


def noisy(image: np.ndarray, deviation: float) -> np.ndarray:
    grain = np.random.default_rng(0).normal(0, deviation, image.shape)
    return np.clip(image + grain, 0, 1).astype(np.float32)


def error(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.sqrt(np.square(first - second).mean()))


def test_noise_is_told_apart_by_how_strong_it_is():
    flat = np.full((128, 128, 3), 0.5, np.float32)
    weak, strong = (measure_noise([noisy(flat, d)]).luma[0][128] for d in (0.02, 0.06))
    assert strong == pytest.approx(9 * weak, rel=0.2)
    # Luma's noise is weaker than a channel's by the weights' norm; halving leaves most of it.
    assert strong == pytest.approx(0.06**2 * 0.56 * 0.75, rel=0.8)


def test_noise_is_measured_by_brightness():
    image = np.full((128, 256, 3), 0.2, np.float32)
    image[:, 128:] = 0.8
    image[:, :128] = noisy(image[:, :128], 0.05)
    found = measure_noise([image]).luma[0]
    assert found[50] > 10 * found[210]


def test_cleaning_comes_nearer_to_the_truth():
    truth = picture()
    bad = noisy(truth, 0.08)
    noise = measure_noise([bad])
    assert error(clean(bad, noise.times(1.0, 1.0)), truth) < 0.6 * error(bad, truth)


def test_a_clean_photo_stays_and_no_strength_is_the_identity():
    truth = picture()
    noise = measure_noise([truth])
    assert error(clean(truth, noise.times(1.0, 1.0)), truth) < 0.025
    nothing = noise.times(1.0, 1.0, np.zeros(LEVELS, np.float32))
    np.testing.assert_allclose(clean(truth, nothing), truth, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 70), width=st.integers(1, 70))
def test_any_size(height: int, width: int):
    image = np.random.default_rng(1).random((height, width, 3), dtype=np.float32)
    result = clean(image, measure_noise([image]).times(1.5, 1.5))
    assert result.shape == image.shape
    assert np.isfinite(result).all()


def test_a_region_gives_what_the_whole_gives():
    image = noisy(picture(), 0.05)
    noise = measure_noise([image]).times(1.0, 1.0)
    whole = clean(image, noise)
    top, left = 9 * ALIGNMENT, 12 * ALIGNMENT
    part = clean(image[top : top + 200, left : left + 240], noise)
    inner = slice(HALO, -HALO)
    expected = whole[top : top + 200, left : left + 240]
    np.testing.assert_allclose(part[inner, inner], expected[inner, inner], atol=2e-5)
