"""Light by place and brightness: hues stay, edges have no halo, grain is no light."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undark.photo import from_float, to_float
from undark.pixels.colour import luma
from undark.pixels.grid import (
    DEADZONE,
    LEVELS,
    PLACES,
    Guide,
    brightness,
    firm,
    read_grid,
)
from undark.pixels.lighting import light_up

SAME = np.eye(3, dtype=np.float32)
NONE = np.zeros(3, np.float32)


def linear(encoded):
    low = encoded / 12.92
    return np.where(encoded <= 0.04045, low, ((encoded + 0.055) / 1.055) ** 2.4)


def hue(image):
    """Of Oklab (Ottosson 2020), in degrees."""
    to_cone = [[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.6299]]
    to_lab = [[0.2105, 0.7936, -0.0041], [1.978, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]]
    lab = np.cbrt(linear(image.astype(np.float64)) @ np.transpose(to_cone)) @ np.transpose(to_lab)
    return np.degrees(np.arctan2(lab[..., 2], lab[..., 1]))


def lifting(stops, below):
    """A grid that gives what is darker than level `below` so many EV, and the rest nothing."""
    grid = np.zeros((LEVELS, PLACES, PLACES), np.float32)
    grid[: int(below * (LEVELS - 1))] = stops
    return grid


def lit(pixels, grid, mean=0.18):
    stops = read_grid(grid, Guide.of(pixels, mean).read(pixels))
    return light_up(pixels, stops, SAME, NONE), stops


@pytest.mark.parametrize(
    "colour", [(205, 104, 37), (180, 20, 20), (20, 40, 190), (198, 134, 66), (255, 219, 172)]
)
@pytest.mark.parametrize("stops", [1.0, 2.0, 4.0, 6.0])
def test_no_hue_turns(colour, stops):
    ramp = linear(np.array(colour) / 255) * np.geomspace(0.004, 1.0, 200)[:, None]
    low = ramp <= 0.0031308
    encoded = np.where(low, 12.92 * ramp, 1.055 * np.maximum(ramp, 1e-9) ** (1 / 2.4) - 0.055)
    image = encoded.astype(np.float32)[None]
    result = light_up(image, np.full((1, 200), stops, np.float32), SAME, NONE)
    turned = np.abs((hue(result) - hue(image) + 180.0) % 360.0 - 180.0)
    assert turned.max() < 3.0
    assert result.max() <= 1.0
    assert (np.diff(result[0], axis=0) >= -1e-6).all()


@given(st.floats(0.0, 8.0), st.integers(0, 2**31))
def test_only_what_was_white_is_white(stops, seed):
    image = np.random.default_rng(seed).integers(0, 255, (8, 9, 3), np.uint8)
    result = light_up(image, np.full((8, 9), stops, np.float32), SAME, NONE)
    assert result.max() < 1.0
    assert (result >= to_float(image) - 1e-4).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_where_no_light_is_given_pixels_stay(dtype):
    random = np.random.default_rng(1)
    image = from_float(random.random((20, 30, 3), np.float32), np.dtype(dtype))
    stops = np.zeros((20, 30), np.float32)
    stops[:, 15:] = 2.0
    result = light_up(image, stops, SAME, np.full(3, 0.01, np.float32))
    assert np.array_equal(from_float(result[:, :15], np.dtype(dtype)), image[:, :15])
    assert not np.array_equal(from_float(result[:, 15:], np.dtype(dtype)), image[:, 15:])


def test_small_gains_are_none_and_large_ones_whole():
    stops = np.array([-1.0, -DEADZONE, -0.05, 0.0, 0.05, DEADZONE, 0.2, 3 * DEADZONE, 4.0])
    found = firm(stops.astype(np.float32))
    assert np.allclose(found, [-1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.15, 0.3, 4.0])


def silhouette(noise):
    """A black shape, a window frame and a lamp before a bright sky."""
    image = np.full((300, 420, 3), 0.75, np.float32)
    image[120:, 60:200] = 0.08
    image[:, 300:312] = 0.05
    cv2.circle(image, (250, 220), 12, (1.0, 0.98, 0.9), -1)
    image += noise * np.random.default_rng(2).standard_normal(image.shape).astype(np.float32)
    return from_float(np.clip(image, 0.0, 1.0), np.dtype(np.uint8))


def test_a_hard_edge_has_no_halo():
    image = silhouette(0.0)
    result, stops = lit(image, lifting(2.5, 0.55))
    dark = image[..., 0] < 60
    sky = image[..., 0] > 180
    assert np.array_equal(from_float(result, np.dtype(np.uint8))[sky], image[sky])
    inside = stops[dark]
    assert inside.min() > 2.2
    assert result[dark][:, 0].std() < 0.02  # right up to the edge, on the thin frame too


def test_grain_is_not_turned_into_light():
    image = silhouette(0.03)
    flat = (slice(150, 280), slice(80, 180))
    _, stops = lit(image, np.linspace(4.0, 0.0, LEVELS, dtype=np.float32)[:, None, None]
                   * np.ones((1, PLACES, PLACES), np.float32))  # fmt: skip
    assert stops[flat].std() < 0.06
    assert stops[20:100, 20:280].std() < 0.06


@given(st.integers(1, 90), st.integers(1, 70), st.integers(0, 2**31))
def test_parts_meet_without_a_seam(height, width, seed):
    random = np.random.default_rng(seed)
    image = random.integers(0, 256, (height, width, 3), np.uint8)
    grid = random.normal(1.0, 2.0, (LEVELS, PLACES, PLACES)).astype(np.float32)
    guide = Guide.of(image, 0.1)
    whole = read_grid(grid, guide.read(image))
    top, left = int(random.integers(height)), int(random.integers(width))
    part = image[top:, left:]
    size = (height, width)
    found = read_grid(grid, guide.read(part, top, left, size), top, left, size)
    assert np.allclose(found, whole[top:, left:], atol=1e-4)


def test_a_deep_ramp_does_not_band():
    ramp = np.linspace(0.0, 0.2, 4096)[None, :, None] * np.ones((64, 1, 3))
    image = from_float(ramp.astype(np.float32), np.dtype(np.uint16))
    curve = np.linspace(5.0, 0.0, LEVELS, dtype=np.float32)[:, None, None]
    result, _ = lit(image, curve * np.ones((1, PLACES, PLACES), np.float32), mean=0.01)
    steps = np.diff(result[32, :, 0])
    rise = np.convolve(steps, np.full(32, 1 / 32), "same")[64:-64]
    assert steps.min() > -2e-4
    assert np.abs(np.diff(rise)).max() < 4e-5


@pytest.mark.parametrize(
    "colour", [(0, 0, 255), (255, 0, 0), (255, 0, 200), (120, 0, 255), (0, 60, 255)]
)
def test_a_lamp_of_a_pure_colour_is_not_dark(colour):
    room = np.full((240, 320, 3), (14, 13, 12), np.uint8)
    cv2.rectangle(room, (100, 60), (140, 200), colour, -1)
    result, stops = lit(room, lifting(4.0, 0.9), mean=0.01)
    assert stops[100:160, 106:134].max() == 0.0
    assert np.array_equal(from_float(result, np.dtype(np.uint8))[100:160, 106:134],
                          room[100:160, 106:134])  # fmt: skip
    assert stops[:, :80].min() > 3.5


@given(st.integers(0, 2**31))
def test_brightness_is_luma_but_for_vivid_colours(seed):
    random = np.random.default_rng(seed)
    grey = random.random((6, 7, 1), np.float32)
    pale = np.clip(grey * (1.0 + random.uniform(-0.12, 0.12, (6, 7, 3))), 0, 1).astype(np.float32)
    assert np.array_equal(brightness(pale), luma(pale))
    any_colour = random.random((6, 7, 3), np.float32)
    found = brightness(any_colour)
    assert (found >= luma(any_colour)).all()
    assert (found <= any_colour.max(axis=-1) + 1e-6).all()


@given(st.sampled_from([np.uint8, np.uint16]), st.integers(0, 2**31))
def test_a_guide_is_the_same_at_any_depth(dtype, seed):
    image = np.random.default_rng(seed).integers(0, 256, (30, 40, 3), np.uint8)
    deep = (image.astype(np.uint32) * (257 if dtype == np.uint16 else 1)).astype(dtype)
    floats = to_float(image)
    assert np.allclose(
        Guide.of(deep, 0.1).read(deep), Guide.of(floats, 0.1).read(floats), atol=2e-3
    )
