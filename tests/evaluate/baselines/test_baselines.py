from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from undark.evaluate.baselines import BASELINES, TARGET_MEAN, automatic_gamma, identity
from undark.photo import Photo


def test_identity_is_the_photo() -> None:
    photo = Photo(np.zeros((2, 2, 3), np.uint8))
    assert identity(photo) is photo


@settings(deadline=None, max_examples=40)
@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(2, 8), st.integers(2, 8), st.just(3)),
        elements=st.floats(0.03125, 0.9375, width=32),
    )
)
def test_automatic_gamma_meets_its_mean(pixels: NDArray[np.float32]) -> None:
    assert automatic_gamma(Photo(pixels)).pixels.mean() == pytest.approx(TARGET_MEAN, abs=0.01)


def scene(height: int = 60, width: int = 80, dtype: type[np.generic] = np.uint8) -> Photo:
    """A dark ramp with a bright square, and colour."""
    ramp = np.linspace(0.02, 0.15, width)[None, :, None] * np.array([1.0, 0.8, 0.6])
    pixels = np.broadcast_to(ramp, (height, width, 3)).copy()
    pixels[height // 3 : height // 2, width // 3 : width // 2] = 0.9
    if np.issubdtype(dtype, np.floating):
        return Photo(pixels.astype(np.float32))
    return Photo(np.rint(pixels * np.iinfo(dtype).max).astype(dtype))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("name", [name for name in BASELINES if name != "identity"])
def test_a_baseline_brightens_and_keeps_size_and_depth(name: str, dtype: type[np.generic]) -> None:
    dark = scene(dtype=dtype)
    result = BASELINES[name](dark)
    assert result.pixels.dtype == dark.pixels.dtype
    assert result.pixels.shape == dark.pixels.shape
    assert result.rgb().mean() > dark.rgb().mean() * 1.05


@pytest.mark.parametrize("name", ["histogram equalisation", "CLAHE", "LIME"])
def test_a_baseline_that_scales_the_light_keeps_the_hue(name: str) -> None:
    result = BASELINES[name](scene()).rgb()[5:15]
    bright = result[(result > 0.1).all(axis=2) & (result < 0.98).all(axis=2)]
    assert len(bright) > 20
    assert bright[:, 2] / bright[:, 0] == pytest.approx(0.6, abs=0.15)


def test_equalisation_spreads_the_levels() -> None:
    value = BASELINES["histogram equalisation"](scene()).pixels.max(axis=2)
    assert value.min() < 10
    assert value.max() == 255
    assert np.median(value) == pytest.approx(128, abs=20)


def test_lime_keeps_the_edges_of_the_light() -> None:
    """What lies beside a lamp is lifted like the dark, not like the lamp: no halo."""
    photo = scene(90, 120)
    result = BASELINES["LIME"](photo).rgb()
    gain = result[..., 0] / photo.rgb()[..., 0]
    beside, far = gain[26:29, 42:58].mean(), gain[5:10, 42:58].mean()
    assert beside == pytest.approx(far, rel=0.25)
    assert gain[38, 50] < beside


@settings(deadline=None, max_examples=20)
@given(
    st.sampled_from(list(BASELINES)),
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(3))),
)
def test_no_size_is_too_small_and_nothing_leaves_the_range(
    name: str, pixels: NDArray[np.uint8]
) -> None:
    result = BASELINES[name](Photo((pixels / 255).astype(np.float32))).pixels
    assert np.isfinite(result).all()
    assert result.min() >= 0
    assert result.max() <= 1


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("name", list(BASELINES))
def test_a_flat_photo_keeps_its_type_and_does_not_fail(
    name: str, level: int, dtype: type[np.generic]
) -> None:
    photo = Photo(np.full((4, 4, 3), level, dtype))
    result = BASELINES[name](photo)
    assert result.pixels.dtype == dtype
    assert result.pixels.shape == photo.pixels.shape
