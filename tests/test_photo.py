"""Samples between depths, and the photo shrunk as a whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undark.errors import UsageError
from undark.photo import Photo, area_resize, from_float, to_float


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_level_survives_the_way_through_float(dtype: type) -> None:
    levels = np.arange(np.iinfo(dtype).max + 1).astype(dtype)
    values = to_float(levels)
    assert values.dtype == np.float32
    assert values.min() == 0.0
    assert values.max() == pytest.approx(1.0)
    assert np.array_equal(from_float(values, np.dtype(dtype)), levels)


def test_the_scale_is_that_of_the_type_not_of_the_values() -> None:
    assert to_float(np.full(3, 255, np.uint16)).max() == pytest.approx(255 / 65535)


def test_floats_are_clipped_and_nan_is_black() -> None:
    values = to_float(np.array([-1.0, np.nan, 0.25, 7.0]))
    assert values.tolist() == [0.0, 0.0, 0.25, 1.0]


@pytest.mark.parametrize("dtype", [np.int32, np.int16, np.bool_, np.complex64])
def test_other_types_are_refused(dtype: type) -> None:
    with pytest.raises(UsageError, match="uint8, uint16 or float"):
        to_float(np.zeros(3, dtype))
    with pytest.raises(UsageError, match="uint8, uint16 or float"):
        from_float(np.zeros(3, np.float32), np.dtype(dtype))


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 90),
    columns=st.integers(1, 90),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    level=st.integers(0, 255),
)
def test_an_even_picture_stays_even_at_any_size(
    *, rows: int, columns: int, height: int, width: int, level: int
) -> None:
    small = area_resize(np.full((rows, columns, 3), level, np.uint8), height, width)
    assert small.shape == (height, width, 3)
    assert small.dtype == np.float32
    assert np.abs(small - level / 255).max() < 1e-5


def test_a_large_picture_is_averaged_in_bands_as_if_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, 60, (397, 301, 3), dtype=np.uint8)
    whole = area_resize(noise, 32, 32)
    monkeypatch.setattr("undark.photo._BAND_PIXELS", 5000)
    banded = area_resize(noise, 32, 32)
    assert banded.shape == whole.shape
    assert banded.mean() == pytest.approx(whole.mean(), abs=2e-4)
    assert np.abs(banded - whole).max() < 0.02


def test_dark_levels_keep_their_fractions() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[::2] = 1
    assert area_resize(pixels, 4, 4) == pytest.approx(0.5 / 255)


def test_photo_facts() -> None:
    photo = Photo(np.zeros((4, 6, 3), np.uint16), np.zeros((4, 6), np.uint16))
    assert (photo.height, photo.width, photo.bit_depth) == (4, 6, 16)
    assert photo.rgb(slice(1, 3), slice(2, 6)).shape == (2, 4, 3)
    assert photo.glance(2, 2).shape == (2, 2, 3)
    again = photo.with_pixels(np.ones((4, 6, 3), np.uint16))
    assert again.alpha is photo.alpha
    assert again.pixels.max() == 1


@pytest.mark.parametrize(
    ("pixels", "alpha", "says"),
    [
        (np.zeros((4, 6), np.uint8), None, "height"),
        (np.zeros((0, 6, 3), np.uint8), None, "height"),
        (np.zeros((4, 6, 4), np.uint8), None, "height"),
        (np.zeros((4, 6, 3), np.float64), None, "float32"),
        (np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6), np.uint16), "alpha"),
        (np.zeros((4, 6, 3), np.uint8), np.zeros((6, 4), np.uint8), "alpha"),
    ],
)
def test_what_is_no_photo(pixels: np.ndarray, alpha: np.ndarray | None, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Photo(pixels, alpha)
