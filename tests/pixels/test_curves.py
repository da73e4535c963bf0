from __future__ import annotations

import numpy as np
import pytest

from undark.pixels import tone
from undark.pixels.curves import SAMPLES, amplification, look_up, sample_points, tables


def brighter(stops: float) -> np.ndarray:
    """Three curves that raise exposure."""
    points = np.repeat(sample_points(SAMPLES)[None, :, None], 3, axis=2)
    return tone.exposure(points, stops)[0].T.copy()


def test_the_identity_keeps_every_level_of_every_depth():
    same = np.stack([sample_points(SAMPLES)] * 3)
    for dtype in (np.uint8, np.uint16):
        top = np.iinfo(dtype).max
        levels = np.arange(top + 1).astype(dtype)
        pixels = np.stack([levels] * 3, axis=-1)[None]
        back = np.rint(look_up(pixels, tables(same, np.dtype(dtype))) * top)
        np.testing.assert_array_equal(back, pixels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("stops", [0.5, 3.0, 7.0])
def test_a_curve_gives_what_the_operation_does(dtype: type, stops: float):
    random = np.random.default_rng(0)
    values = np.square(random.random((30, 40, 3), dtype=np.float32))
    top = 1.0 if dtype is np.float32 else np.iinfo(dtype).max
    pixels = (values * top).astype(dtype)
    expected = tone.exposure((pixels / np.float32(top)).astype(np.float32), stops)
    found = look_up(pixels, tables(brighter(stops), np.dtype(dtype)))
    assert np.abs(found - expected).max() < 0.1 / 255


def test_16_bits_do_not_band():
    ramp = np.arange(2000, dtype=np.uint16).reshape(1, -1, 1).repeat(3, axis=2)
    result = look_up(ramp, tables(brighter(6.0), np.dtype(np.uint16)))[0, :, 0]
    steps = np.diff(result)
    assert (steps > 0).all()
    assert np.abs(np.diff(steps)).max() < 1 / 255


def test_only_what_a_curve_steepens_is_amplified():
    np.testing.assert_allclose(amplification(brighter(0.0)), 0.0, atol=1e-3)
    steep = amplification(brighter(4.0))
    assert steep[20:120].min() > 0.9
    assert steep[-1] < 0.2
